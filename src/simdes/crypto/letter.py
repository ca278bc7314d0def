"""Letters: one message for several recipients that names none of them.

A random content key is sealed to each recipient; a salted hint lets a recipient find its own
without telling strangers who the others are. Used for consent terms, manifest entries and audit
details. A letter is not signed: who wrote it follows from where it is found (an event on chain, a
signed reply). Format: ``docs/formats/letter.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
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
_KNOWN: Final = frozenset(("type", "v", "suite", "salt", "key", "hints", "sealed", "data"))


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
    header: dict[str, object] = {
        "type": "letter",
        "v": 1,
        "suite": 1,
        "salt": salt,
        "key": sha256(_COMMIT_TAG + salt + key),
        "hints": [one for one, _ in ordered],
    }
    binding = sha256(cbor.encode(header))
    sealed = [seal_to(public, key, info=_KEY_TAG + info, aad=binding) for _, public in ordered]
    data = ChaCha20Poly1305(key).encrypt(ZERO_NONCE, pad(payload), binding + info)
    letter = cbor.encode(header | {"sealed": sealed, "data": data})
    if len(letter) > MAX_LETTER_BYTES:
        raise TooLarge("A letter is at most 16 MiB.")
    return letter


def _read(letter: bytes) -> tuple[cbor.Fields, tuple[bytes, ...], bytes]:
    """Parse a letter; return its fields, hints and the digest of its clear header."""
    if len(letter) > MAX_LETTER_BYTES:
        raise TooLarge("A letter is at most 16 MiB.")
    value = cbor.decode(letter)
    fields = cbor.Fields(value, kind="letter", known=_KNOWN)
    fields.suite()
    listed = fields.array("hints", least=1, most=MAX_RECIPIENTS)
    hints_found = tuple(cbor.as_fixed(one, HINT_BYTES, "hints") for one in listed)
    if list(hints_found) != sorted(set(hints_found)):
        raise Invalid("The hints of a letter are distinct and in order.")
    clear = (
        {k: v for k, v in value.items() if k not in ("sealed", "data")}
        if isinstance(value, dict)
        else {}
    )
    return fields, hints_found, sha256(cbor.encode(clear))


def hints(letter: bytes) -> tuple[bytes, ...]:
    """Return the letter's hints, in their order; `Invalid` if it is not a letter."""
    return _read(letter)[1]


def open_letter(letter: bytes, key: OpeningKey, *, info: bytes) -> bytes | None:
    """Return the payload, or None when the letter is not for this key.

    `Tampered` if it is for this key and `info` or any byte it depends on differs.
    """
    fields, hints_found, binding = _read(letter)
    salt, commitment, data = (
        fields.fixed("salt", 32),
        fields.fixed("key", 32),
        fields.content("data"),
    )
    count = len(hints_found)
    sealed = fields.array("sealed", least=count, most=count)
    mine = hint(key.public, salt=salt)
    if mine not in hints_found:
        return None
    stanza = cbor.as_bytes(sealed[hints_found.index(mine)], "sealed")
    content_key = key.open(stanza, info=_KEY_TAG + info, aad=binding)
    # ChaCha20-Poly1305 does not commit to its key: without this, a writer could make one letter
    # that says different things to different recipients.
    if len(content_key) != 32 or sha256(_COMMIT_TAG + salt + content_key) != commitment:
        raise Tampered("The letter's key is not the one it commits to.")
    try:
        padded = ChaCha20Poly1305(content_key).decrypt(ZERO_NONCE, data, binding + info)
    except InvalidTag:
        raise Tampered("The letter does not open: another use or altered bytes.") from None
    return unpad(padded)
