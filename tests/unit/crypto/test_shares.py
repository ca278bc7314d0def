"""Shares: any m give the secret back, fewer nothing, and a bad one names its culprit."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.crypto import shares
from simdes.crypto.shares import PRIME, Commitments, Share
from simdes.errors import Invalid, Tampered
from vectors import second_reader

RECORD, OTHER_RECORD = b"r" * 32, b"o" * 32
SECRET = b"\x42" * 32
PLACE = {"record_id": RECORD, "epoch": 7}
SECRETS = st.integers(0, PRIME - 1).map(lambda number: number.to_bytes(32, "big"))


def made(m: int, n: int, secret: bytes = SECRET) -> tuple[tuple[Share, ...], Commitments]:
    split = shares.split(secret, m=m, n=n, **PLACE)
    return split, shares.commit(secret, split, **PLACE)


def test_the_prime_is_prime_and_the_largest_below_two_to_the_256() -> None:
    """Fermat's test to several bases; the gap to the next one is known to be 189."""
    assert all(pow(base, PRIME - 1, PRIME) == 1 for base in (2, 3, 5, 7, 11, 13))
    assert not any(pow(2, x - 1, x) == 1 for x in range(PRIME + 2, 2**256, 2))


@settings(derandomize=True, deadline=None, database=None, max_examples=60)
@given(SECRETS, st.integers(2, 9), st.integers(0, 5), st.randoms(use_true_random=False))
def test_any_m_of_n_shares_give_the_secret_back(secret, m, more, shuffled) -> None:
    split, commitments = made(m, m + more, secret)
    chosen = list(split)
    shuffled.shuffle(chosen)
    for count in (m, len(split)):
        found = shares.combine(chosen[:count], m=m, commitments=commitments, **PLACE)
        assert found == secret
    assert {s.index: s.value for s in split} == second_reader.split(secret, m, m + more, RECORD, 7)


def test_the_largest_vault_works() -> None:
    split, commitments = made(255, 255)
    assert shares.combine(split, m=255, commitments=commitments, **PLACE) == SECRET


@settings(derandomize=True, deadline=None, database=None, max_examples=30)
@given(SECRETS, st.integers(2, 5))
def test_fewer_shares_fit_every_secret_equally(candidate: bytes, m: int) -> None:
    """For m − 1 shares and any secret there is a polynomial through all of them."""
    split, _ = made(m, m)
    known = [(s.index, int.from_bytes(s.value, "big")) for s in split[: m - 1]]
    through = [(0, int.from_bytes(candidate, "big")), *known]
    for x, y in known:
        assert shares.interpolate(through, x) == y
    assert shares.interpolate(through, 0).to_bytes(32, "big") == candidate


def test_fewer_than_m_shares_are_refused() -> None:
    split, commitments = made(3, 4)
    for few in (split[:2], split[:1], ()):
        with pytest.raises(Invalid, match="3 shares are needed"):
            shares.combine(few, m=3, commitments=commitments, **PLACE)


@pytest.mark.parametrize(("m", "n"), [(1, 1), (1, 3), (0, 3), (4, 3), (3, 256), (-1, 3)])
def test_a_threshold_that_protects_nothing_or_cannot_be_met_is_refused(m: int, n: int) -> None:
    with pytest.raises(Invalid):
        shares.split(SECRET, m=m, n=n, **PLACE)
    split, commitments = made(2, 3)
    if n == 3:
        with pytest.raises(Invalid):
            shares.combine(split, m=m, commitments=commitments, **PLACE)


@pytest.mark.parametrize("secret", [b"", b"\xff" * 32, PRIME.to_bytes(32, "big"), b"\1" * 33])
def test_only_field_elements_are_split(secret: bytes) -> None:
    assert not shares.is_secret(secret)
    with pytest.raises(Invalid):
        shares.split(secret, m=2, n=3, **PLACE)


@pytest.mark.parametrize("culprit", [1, 2, 3, 4])
def test_a_custodian_that_changes_its_share_is_named(culprit: int) -> None:
    split, commitments = made(3, 4)
    for bit in range(256):
        value = bytearray(split[culprit - 1].value)
        value[bit // 8] ^= 1 << bit % 8
        bad = [s if s.index != culprit else Share(culprit, bytes(value)) for s in split]
        assert not shares.share_matches(bad[culprit - 1], commitments, **PLACE)
        with pytest.raises(Tampered, match=f"Share {culprit} is bad: its custodian"):
            shares.combine(bad, m=3, commitments=commitments, **PLACE)


@pytest.mark.parametrize(
    "bad",
    [
        Share(0, SECRET),
        Share(5, b"\1" * 32),
        Share(-1, b"\1" * 32),
        Share(1, b""),
        Share(1, b"\xff" * 32),
        Share(1, b"\0" + SECRET),
    ],
)
def test_what_is_no_share_is_bad(bad: Share) -> None:
    split, commitments = made(2, 4)
    assert not shares.share_matches(bad, commitments, **PLACE)
    with pytest.raises(Tampered, match=f"Share {bad.index} is bad"):
        shares.combine([bad, split[1]], m=2, commitments=commitments, **PLACE)


def test_a_share_given_twice_counts_once() -> None:
    split, commitments = made(2, 3)
    with pytest.raises(Invalid, match="twice"):
        shares.combine([split[0], split[0]], m=2, commitments=commitments, **PLACE)


def test_shares_of_another_record_or_epoch_are_bad() -> None:
    split, commitments = made(2, 3)
    for record, epoch in ((OTHER_RECORD, 7), (RECORD, 8)):
        foreign = shares.split(SECRET, m=2, n=3, record_id=record, epoch=epoch)
        with pytest.raises(Tampered, match="Share 2 is bad"):
            shares.combine([split[0], foreign[1]], m=2, commitments=commitments, **PLACE)


@pytest.mark.parametrize("wrong", [1, 2, 3, 4])
def test_an_author_that_commits_to_a_wrong_share_is_named(wrong: int) -> None:
    """Whichever m custodians are asked, and whether or not the wrong share is among theirs."""
    split, _ = made(2, 4)
    forged = [s if s.index != wrong else Share(wrong, b"\7" * 32) for s in split]
    commitments = shares.commit(SECRET, forged, **PLACE)
    for pair in combinations(forged, 2):
        with pytest.raises(Tampered, match="the author made them wrong"):
            shares.combine(pair, m=2, commitments=commitments, **PLACE)


def test_an_author_that_commits_to_another_secret_is_named() -> None:
    split, commitments = made(2, 3)
    other = Commitments(shares.commit_secret(b"\1" * 32, record_id=RECORD), commitments.shares)
    with pytest.raises(Tampered, match="the author"):
        shares.combine(split, m=2, commitments=other, **PLACE)


def test_an_author_that_chose_its_own_polynomial_is_named() -> None:
    """Consistent shares of the right secret, but not the prescribed ones."""
    points = [(0, int.from_bytes(SECRET, "big")), (1, 12345)]
    split = [Share(x, shares.interpolate(points, x).to_bytes(32, "big")) for x in (1, 2, 3)]
    commitments = shares.commit(SECRET, split, **PLACE)
    with pytest.raises(Tampered, match="the author"):
        shares.combine(split, m=2, commitments=commitments, **PLACE)


def test_a_share_never_shows_its_value() -> None:
    assert "5959" not in repr(Share(1, b"\x59" * 32))
