"""Letters: one message for several recipients that names none of them.

A random content key is sealed to each recipient; a salted hint lets a recipient find its own
without telling strangers who the others are. Used for consent terms and manifest entries. A letter
is not signed: who wrote it follows from where it is found (an event on chain). Format:
``docs/formats/letter.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from simdes.crypto import cbor
from simdes.crypto.digest import Random, sha256
from simdes.crypto.keys import OpeningKey, seal_to
from simdes.crypto.locks import ZERO_NONCE
from simdes.crypto.padding import pad, unpad
from simdes.errors import Invalid, Tampered, TooLarge

MAX_RECIPIENTS: Final = 255
MAX_LETTER_BYTES: Final = 16 * 1024 * 1024
HINT_BYTES: Final = 16
_HINT_TAG: Final = b"simdes/hint/v1"
_KEY_TAG: Final = b"simdes/letter/v1\0"
_COMMIT_TAG: Final = b"simdes/letter-key/v1\0"
_KNOWN: Final = frozenset(("type", "v", "suite", "salt", "key", "hints"))


def hint(public: bytes, *, salt: bytes) -> bytes:
    """Return the 16-byte hint under which the holder of `public` finds its part of a letter."""
    return sha256(_HINT_TAG + salt + sha256(public))[:HINT_BYTES]


def seal_letter(payload: bytes, publics: Sequence[bytes], *, info: bytes, random: Random) -> bytes:
    """Seal `payload` to 1 to 255 distinct public keys; `info` names what the letter is for.

    Recipients are ordered by hint, so their order tells nothing. `TooLarge` over 16 MiB.
    """
    if not 1 <= len(publics) <= MAX_RECIPIENTS or len(set(publics)) != len(publics):
        raise Invalid("A letter has 1 to 255 recipients, each once.")
    salt, key = random(32), random(32)
    ordered = sorted((hint(public, salt=salt), public) for public in publics)
    header = cbor.encode_header(
        {
            "type": "letter",
            "v": 1,
            "suite": 1,
            "salt": salt,
            "key": sha256(_COMMIT_TAG + salt + key),
            "hints": [one for one, _ in ordered],
        }
    )
    binding = sha256(header)
    sealed = [seal_to(public, key, info=_KEY_TAG + info, aad=binding) for _, public in ordered]
    data = ChaCha20Poly1305(key).encrypt(ZERO_NONCE, pad(payload), binding + info)
    letter = b"".join((header, cbor.encode(sealed), cbor.encode(data)))
    if len(letter) > MAX_LETTER_BYTES:
        raise TooLarge("A letter is at most 16 MiB.")
    return letter


@dataclass(frozen=True, slots=True)
class _Letter:
    salt: bytes
    commitment: bytes
    hints: tuple[bytes, ...]
    binding: bytes
    sealed: tuple[bytes, ...]
    data: bytes


def _read(letter: bytes) -> _Letter:
    if len(letter) > MAX_LETTER_BYTES:
        raise TooLarge("A letter is at most 16 MiB.")
    header, end = cbor.decode_first(letter)
    fields = cbor.Fields(header, kind="letter", known=_KNOWN)
    fields.suite()
    found = fields.array("hints", least=1, most=MAX_RECIPIENTS)
    count = len(found)
    hints_found = tuple(cbor.as_fixed(one, HINT_BYTES, "hints") for one in found)
    if list(hints_found) != sorted(set(hints_found)):
        raise Invalid("The hints of a letter are distinct and in order.")
    sealed, at = cbor.decode_first(letter, end)
    data, at = cbor.decode_first(letter, at)
    if at != len(letter):
        raise Invalid("Bytes follow the end of the letter.")
    return _Letter(
        salt=fields.fixed("salt", 32),
        commitment=fields.fixed("key", 32),
        hints=hints_found,
        binding=sha256(letter[:end]),
        sealed=tuple(
            cbor.as_bytes(one, "sealed")
            for one in cbor.as_array(sealed, "sealed", least=count, most=count)
        ),
        data=cbor.as_bytes(data, "data"),
    )


def hints(letter: bytes) -> tuple[bytes, ...]:
    """Return the letter's hints, in their order; `Invalid` if it is not a letter."""
    return _read(letter).hints


def open_letter(letter: bytes, key: OpeningKey, *, info: bytes) -> bytes | None:
    """Return the payload, or None when the letter is not for this key.

    `Tampered` if it is for this key and `info` or any byte it depends on differs.
    """
    read = _read(letter)
    mine = hint(key.public, salt=read.salt)
    if mine not in read.hints:
        return None
    stanza = read.sealed[read.hints.index(mine)]
    content_key = key.open(stanza, info=_KEY_TAG + info, aad=read.binding)
    # ChaCha20-Poly1305 does not commit to its key: without this, a writer could make one letter
    # that says different things to different recipients.
    if len(content_key) != 32 or sha256(_COMMIT_TAG + read.salt + content_key) != read.commitment:
        raise Tampered("The letter's key is not the one it commits to.")
    try:
        cipher = ChaCha20Poly1305(content_key)
        padded = cipher.decrypt(ZERO_NONCE, read.data, read.binding + info)
    except InvalidTag:
        raise Tampered("The letter does not open: another use or altered bytes.") from None
    return unpad(padded)
