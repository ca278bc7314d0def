"""A patient's own copy: opens with their key alone and refuses everything else."""

from __future__ import annotations

import json
import secrets

import pytest

from simdes.crypto import own_copy
from simdes.crypto.keys import OpeningKey
from simdes.errors import Invalid, SimdesError, Tampered, Unauthenticated, Unsupported
from unit.crypto.test_vectors import read
from vectors import second_reader

RECORD = b'{"resourceType":"Bundle","type":"collection","entry":[]}'


def test_a_copy_opens_with_its_own_key_and_no_other() -> None:
    key, other = OpeningKey.generate(secrets.token_bytes), OpeningKey.generate(secrets.token_bytes)
    copy = own_copy.seal_copy(key.public, RECORD)
    assert RECORD not in copy
    assert own_copy.open_copy(key, copy) == RECORD
    with pytest.raises(Tampered):
        own_copy.open_copy(other, copy)


def test_records_of_nearly_one_size_make_copies_of_one_size() -> None:
    key = OpeningKey.generate(secrets.token_bytes)
    sizes = {len(own_copy.seal_copy(key.public, bytes(n))) for n in (10_000, 10_100, 10_200)}
    assert len(sizes) == 1


def test_the_vector_opens_in_both_readers() -> None:
    vector = read("own-copy")
    key = own_copy.unlock_own_key(vector["key"].encode(), vector["passphrase"])
    assert (key.to_bytes(), key.public) == (vector["seed"], vector["public"])
    assert own_copy.open_copy(key, vector["copy"]) == vector["record"]
    seed = second_reader.own_key(vector["key"], vector["passphrase"])
    assert seed == vector["seed"]
    assert second_reader.own_copy(seed, vector["copy"]) == vector["record"]


def test_everything_under_refused_is_refused() -> None:
    vector = read("own-copy")
    key = OpeningKey.from_bytes(vector["seed"])
    assert len(vector["refused"]["copy"]) == 7 and len(vector["refused"]["key"]) == 8
    for why, copy in vector["refused"]["copy"].items():
        with pytest.raises(SimdesError):
            own_copy.open_copy(key, copy)
            pytest.fail(why)
    for why, file in vector["refused"]["key"].items():
        with pytest.raises(SimdesError):
            own_copy.unlock_own_key(file.encode(), vector["passphrase"])
            pytest.fail(why)


def test_a_later_version_is_told_from_what_is_no_copy_at_all() -> None:
    vector = read("own-copy")
    key = OpeningKey.from_bytes(vector["seed"])
    with pytest.raises(Unsupported):
        own_copy.open_copy(key, vector["refused"]["copy"]["version 2"])
    for nothing in (b"", b"{}", RECORD, own_copy.HEADER, b"\xff" * 2000):
        with pytest.raises(Invalid):
            own_copy.open_copy(key, nothing)
    later = json.loads(vector["key"]) | {"v": 2}
    with pytest.raises(Unsupported):
        own_copy.unlock_own_key(json.dumps(later).encode(), vector["passphrase"])


def test_a_wrong_passphrase_says_no_more_than_that() -> None:
    file = own_copy.lock_own_key(secrets.token_bytes(32), "Åse's words", random=secrets.token_bytes)
    with pytest.raises(Unauthenticated, match="passphrase"):
        own_copy.unlock_own_key(file, "other words")
    assert own_copy.unlock_own_key(file, "A\u030ase's words"), "typed on another keyboard"


@pytest.mark.parametrize("text", ["", "x", "A" * 1622, "é" * 1622, "A" * 1621 + "B", "=" * 1624])
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        own_copy.seal_copy(own_copy.read_public(text), RECORD)


def test_a_pasted_key_may_have_line_ends() -> None:
    public = OpeningKey.generate(secrets.token_bytes).public
    text = own_copy.to_text(public)
    assert own_copy.read_public("\n  ".join((text[:700], text[700:])) + "\n") == public
