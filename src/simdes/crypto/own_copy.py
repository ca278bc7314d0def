"""A patient's own copy of their record, sealed to a key that they alone hold.

The copy is HPKE (suite 1) to the patient's key; the key lies in a file of theirs under a
passphrase, by what browsers have: PBKDF2 (https://www.rfc-editor.org/rfc/rfc8018#section-5.2) and
AES-256-GCM (NIST SP 800-38D) of Web Cryptography. Format: ``docs/formats/own-copy.md``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import unicodedata
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from simdes.crypto import cbor
from simdes.crypto.digest import Random, sha256
from simdes.crypto.keys import PUBLIC_BYTES, SEALING_OVERHEAD_BYTES, OpeningKey, seal_to
from simdes.crypto.padding import pad, unpad
from simdes.errors import Invalid, Unauthenticated, Unsupported

HEADER: Final = cbor.encode_header({"type": "own-copy", "v": 1, "suite": 1})
PASSES: Final = 600_000
"""What one guess costs, after OWASP's Password Storage Cheat Sheet for PBKDF2-HMAC-SHA-256."""
MOST_PASSES: Final = 10_000_000
_USE: Final = b"simdes/own-copy/v1"
_KEY_AAD: Final = b"simdes/own-key/v1"
_KEY_FIELDS: Final = frozenset(("type", "v", "passes", "salt", "locked"))
_NO_KEY_FILE: Final = "That is no file of an own key."
_NO_COPY: Final = "That is no sealed copy of a record."
_ONCE: Final = bytes(12)
"""The nonce under a key that is used once."""


def seal_copy(public: bytes, record: bytes) -> bytes:
    """The record sealed to a public key. Raises Invalid for what is no public key."""
    return HEADER + seal_to(public, pad(record), info=_USE, aad=sha256(HEADER), once=True)


def open_copy(key: OpeningKey, copy: bytes) -> bytes:
    """Undo `seal_copy`.

    Raises Invalid for what is no copy, Unsupported for a later version, Tampered for another
    key's copy or altered bytes.
    """
    if not copy.startswith(HEADER):
        _refuse_header(copy)
    sealed = copy[len(HEADER) :]
    if len(sealed) <= SEALING_OVERHEAD_BYTES:
        raise Invalid(_NO_COPY)
    return unpad(key.open(sealed, info=_USE, aad=sha256(HEADER)))


def lock_own_key(seed: bytes, passphrase: str, *, random: Random, passes: int = PASSES) -> bytes:
    """A key's file: its seed of 32 bytes under a passphrase."""
    salt = random(16)
    locked = _cipher(passphrase, salt, passes).encrypt(_ONCE, seed, _KEY_AAD)
    fields = {"type": "own-key", "v": 1, "passes": passes}
    return json.dumps(fields | {"salt": to_text(salt), "locked": to_text(locked)}).encode() + b"\n"


def unlock_own_key(file: bytes, passphrase: str) -> OpeningKey:
    """The key of a file.

    Raises Invalid for what is no such file, Unsupported for a later version, Unauthenticated for a
    wrong passphrase or altered bytes (one looks like the other).
    """
    fields = _key_fields(file)
    salt, locked = from_text(fields["salt"]), from_text(fields["locked"])
    passes = fields["passes"]
    counted = isinstance(passes, int) and PASSES <= passes <= MOST_PASSES
    if not counted or (len(salt), len(locked)) != (16, 48):
        raise Invalid(_NO_KEY_FILE)
    try:
        seed = _cipher(passphrase, salt, passes).decrypt(_ONCE, locked, _KEY_AAD)
    except InvalidTag:
        raise Unauthenticated(
            "The passphrase does not open this key.", advice="Check the passphrase and the file."
        ) from None
    return OpeningKey.from_bytes(seed)


def to_text(data: bytes) -> str:
    """Base64url without padding (RFC 4648, section 5)."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def from_text(text: Any) -> bytes:
    """Undo `to_text`. Raises Invalid."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, TypeError):
        raise Invalid("That is no base64url.") from None
    if to_text(data) != text:
        raise Invalid("That is no base64url.")
    return data


def read_public(text: str) -> bytes:
    """The public key that a person pasted; spaces and line ends do not matter. Raises Invalid."""
    wrong = Invalid("That is no public key.", advice="Copy all of it, from the first to the last.")
    try:
        public = from_text("".join(text.split()))
    except Invalid:
        raise wrong from None
    if len(public) != PUBLIC_BYTES:
        raise wrong
    return public


def _cipher(passphrase: str, salt: bytes, passes: int) -> AESGCM:
    words = unicodedata.normalize("NFKC", passphrase).encode()
    return AESGCM(hashlib.pbkdf2_hmac("sha256", words, salt, passes))


def _key_fields(file: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(file)
    except ValueError:
        raise Invalid(_NO_KEY_FILE) from None
    if not isinstance(fields, dict) or fields.get("type") != "own-key":
        raise Invalid(_NO_KEY_FILE)
    if fields.get("v") != 1 or isinstance(fields["v"], bool):
        raise Unsupported("This version of an own key is not known.")
    if set(fields) != _KEY_FIELDS:
        raise Invalid(_NO_KEY_FILE)
    return fields


def _refuse_header(copy: bytes) -> None:
    try:
        header, _ = cbor.decode_first(copy[:256])
    except Invalid:
        header = None
    if isinstance(header, dict) and header.get("type") == "own-copy":
        raise Unsupported("This version of a sealed copy is not known.")
    raise Invalid(_NO_COPY)
