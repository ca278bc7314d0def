"""Who keeps a copy: everybody agrees, shares are even, and joining moves no more than it must."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from simdes.errors import Invalid
from simdes.storage.cid import cid_of
from simdes.storage.placement import keepers, ranked

MEMBERS = [hashlib.sha256(bytes([number])).digest() for number in range(10)]
CIDS = [cid_of(number.to_bytes(2)) for number in range(2_000)]


def test_the_order_of_asking_changes_nothing() -> None:
    for cid in CIDS[:50]:
        assert ranked(cid, MEMBERS) == ranked(cid, reversed(MEMBERS))


def test_the_author_is_no_keeper_of_its_own_and_few_members_are_all_keepers() -> None:
    for cid in CIDS[:50]:
        chosen = keepers(cid, MEMBERS[0], MEMBERS, copies=3)
        assert len(set(chosen)) == 2
        assert MEMBERS[0] not in chosen
    assert set(keepers(CIDS[0], MEMBERS[0], MEMBERS[:2], copies=3)) == {MEMBERS[1]}
    assert keepers(CIDS[0], MEMBERS[0], MEMBERS, copies=1) == []


def test_everybody_keeps_about_as_much() -> None:
    counted = Counter(one for cid in CIDS for one in keepers(cid, b"", MEMBERS, copies=3))
    assert set(counted) == set(MEMBERS)
    assert max(counted.values()) < 1.2 * min(counted.values())


def test_who_leaves_moves_its_own_share_alone() -> None:
    left = MEMBERS[:-1]
    for cid in CIDS[:200]:
        before = keepers(cid, b"", MEMBERS, copies=3)
        after = keepers(cid, b"", left, copies=3)
        assert [one for one in before if one in left] == after[: len(set(before) & set(left))]


def test_what_is_no_cid_has_no_keeper() -> None:
    with pytest.raises(Invalid):
        ranked("../etc/passwd", MEMBERS)
