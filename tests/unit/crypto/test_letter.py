"""Letters: every recipient reads the same, nobody else anything, and no name shows."""

from __future__ import annotations

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.crypto import cbor
from simdes.crypto.digest import sha256
from simdes.crypto.keys import OpeningKey, seal_to
from simdes.crypto.letter import hint, hints, open_letter, seal_letter
from simdes.crypto.padding import pad
from simdes.errors import Invalid, SimdesError, Tampered, TooLarge, Unsupported
from vectors import second_reader

from .conftest import Seeded

INFO = b"simdes/test/v1"
KEYS = tuple(OpeningKey.generate(Seeded(f"recipient {i}")) for i in range(4))
STRANGER = OpeningKey.generate(Seeded("stranger"))


def letter_to(*keys: OpeningKey, payload: bytes = b"terms and salt") -> bytes:
    publics = [key.public for key in keys]
    return seal_letter(payload, publics, info=INFO, random=Seeded("letter"))


@settings(derandomize=True, deadline=None, database=None, max_examples=25)
@given(st.binary(max_size=2000), st.integers(1, 4))
def test_every_recipient_reads_the_same_and_nobody_else_anything(payload, count) -> None:
    letter = letter_to(*KEYS[:count], payload=payload)
    for key in KEYS[:count]:
        assert open_letter(letter, key, info=INFO) == payload
        assert second_reader.open_letter(letter, key.to_bytes(), INFO) == payload
    for key in (*KEYS[count:], STRANGER):
        assert open_letter(letter, key, info=INFO) is None


def test_hints_are_salted_digests_in_order_and_recipients_are_not_named() -> None:
    letter = letter_to(*KEYS)
    salt = cbor2.loads(letter)["salt"]
    expected = sorted(sha256(b"simdes/hint/v1" + salt + sha256(k.public))[:16] for k in KEYS)
    assert list(hints(letter)) == expected == sorted(hint(k.public, salt=salt) for k in KEYS)
    assert hints(letter) == hints(letter_to(*KEYS[::-1]))
    again = seal_letter(b"x", [k.public for k in KEYS], info=INFO, random=Seeded("another"))
    assert not set(hints(letter)) & set(hints(again))
    for key in KEYS:
        for start in range(0, len(key.public) - 16, 16):
            assert key.public[start : start + 16] not in letter


def test_a_letter_for_one_use_is_refused_for_another() -> None:
    with pytest.raises(Tampered):
        open_letter(letter_to(*KEYS), KEYS[0], info=b"simdes/other/v1")


def test_every_flipped_byte_is_refused_or_makes_it_a_letter_to_others() -> None:
    """A flip in the salt or in one's own hint hides the letter; it never shows another payload."""
    letter = letter_to(*KEYS[:2])
    salt_at = letter.index(cbor2.loads(letter)["salt"])
    for position in range(len(letter)):
        changed = bytearray(letter)
        changed[position] ^= 1 << position % 8
        found = []
        for key in KEYS[:2]:
            try:
                found.append(open_letter(bytes(changed), key, info=INFO))
            except SimdesError:
                found.append("refused")
        # A damaged stanza hurts its recipient alone; everything else hurts both.
        assert found != [b"terms and salt"] * 2, position
        assert all(one in (None, "refused", b"terms and salt") for one in found)
        if salt_at <= position < salt_at + 32:
            assert found == [None, None]
    for end in range(0, len(letter), 7):
        with pytest.raises(SimdesError):
            open_letter(letter[:end], KEYS[0], info=INFO)
    with pytest.raises(Invalid):
        open_letter(letter + b"\0", KEYS[0], info=INFO)


def test_a_writer_cannot_say_different_things_to_different_recipients() -> None:
    """Two content keys in one letter: the second does not match the commitment."""
    letter = letter_to(*KEYS[:2])
    header, end = cbor.decode_first(letter)
    _, data_at = cbor.decode_first(letter, end)
    salt = header["salt"]
    mine = list(header["hints"]).index(hint(KEYS[0].public, salt=salt))
    stanzas = cbor.decode_first(letter, end)[0]
    stanzas[mine] = seal_to(
        KEYS[0].public,
        b"K" * 32,
        info=b"simdes/letter/v1\0" + INFO,
        aad=sha256(letter[:end]),
    )
    forged = letter[:end] + cbor.encode(stanzas) + letter[data_at:]
    assert open_letter(forged, KEYS[1], info=INFO) == b"terms and salt"
    with pytest.raises(Tampered, match="commits to"):
        open_letter(forged, KEYS[0], info=INFO)


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("v", 2, Unsupported),
        ("suite", 2, Unsupported),
        ("critical", 1, Unsupported),
        ("type", "capsule", Invalid),
        ("salt", b"short", Invalid),
        ("key", b"short", Invalid),
        ("hints", [], Invalid),
        ("hints", [b"z" * 16, b"a" * 16], Invalid),
        ("hints", [b"a" * 16, b"a" * 16], Invalid),
        ("hints", [b"short", b"z" * 16], Invalid),
        ("hints", [b"a" * 16], Invalid),
    ],
)
def test_what_a_letter_may_not_say_is_refused(
    field: str, value: object, error: type[SimdesError]
) -> None:
    letter = letter_to(*KEYS[:2])
    header, end = cbor.decode_first(letter)
    with pytest.raises(error):
        hints(cbor.encode(header | {field: value}) + letter[end:])


def test_sizes_are_padded() -> None:
    base = len(letter_to(KEYS[0], payload=bytes(1000)))
    assert base == len(letter_to(KEYS[0], payload=bytes(1020)))
    assert len(pad(bytes(1000))) == 1024


def test_a_letter_has_recipients_each_once_and_a_limit() -> None:
    for publics in ([], [KEYS[0].public] * 2, [KEYS[0].public] * 256, [b"short"]):
        with pytest.raises(Invalid):
            seal_letter(b"x", publics, info=INFO, random=Seeded("letter"))
    with pytest.raises(TooLarge):
        letter_to(KEYS[0], payload=bytes(17 * 1024 * 1024))
    with pytest.raises(TooLarge):
        hints(bytes(17 * 1024 * 1024))
