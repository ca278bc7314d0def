"""Keys: secp256k1 to sign for an account, post-quantum hybrid HPKE to open what was sealed.

Signatures are Ethereum's (https://www.secg.org/sec2-v2.pdf, low-s as in EIP-2); sealing is HPKE
(https://www.rfc-editor.org/rfc/rfc9180) with KEM MLKEM768-X25519 (0x647a), HKDF-SHA256 (1) and
ChaCha20-Poly1305 (3): records live for decades on storage that strangers may copy.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

import coincurve
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from simdes.crypto.digest import Random, keccak256
from simdes.crypto.locks import DEFAULT_COST, MAX_COST, ArgonCost, lock, unlock, unwrap, wrap
from simdes.errors import Invalid, Tampered

__all__ = [
    "DEFAULT_COST",
    "MAX_COST",
    "PUBLIC_BYTES",
    "SEALING_OVERHEAD_BYTES",
    "ArgonCost",
    "OpeningKey",
    "SigningKey",
    "lock",
    "recover",
    "seal_to",
    "unlock",
    "unwrap",
    "wrap",
]

ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
PUBLIC_BYTES: Final = 1216
SEALING_OVERHEAD_BYTES: Final = 1136
_MLKEM_PUBLIC_BYTES: Final = 1184
_INFO_TAG: Final = b"simdes/hpke/v1\0"
_SUITE: Final = hpke.Suite(
    hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305
)


class SigningKey:
    """A secp256k1 private key. Its text forms never show the secret."""

    __slots__ = ("_key", "address", "public")

    address: bytes
    """20 bytes, the Ethereum address."""
    public: bytes
    """65 bytes, the uncompressed point, first byte 4."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != 32 or not 0 < int.from_bytes(secret, "big") < ORDER:
            raise Invalid("A signing key is 32 bytes, not zero and below the curve's order.")
        self._key = coincurve.PrivateKey(secret)
        self.public = self._key.public_key.format(compressed=False)
        self.address = keccak256(self.public[1:])[12:]

    @classmethod
    def generate(cls, random: Random) -> SigningKey:
        """Draw a fresh key from `random`."""
        while True:
            secret = random(32)
            if 0 < int.from_bytes(secret, "big") < ORDER:
                return cls(secret)

    @classmethod
    def from_bytes(cls, secret: bytes) -> SigningKey:
        """Take a 32-byte private key; `Invalid` if it is none."""
        return cls(secret)

    def to_bytes(self) -> bytes:
        """Return the 32-byte private key, for the key store alone."""
        return bytes(self._key.secret)

    def sign(self, digest: bytes) -> bytes:
        """Sign a 32-byte digest: 65 bytes r ‖ s ‖ v, low s, v 27 or 28, nonce as in RFC 6979."""
        if len(digest) != 32:
            raise Invalid("Only a 32-byte digest can be signed.")
        signature: bytes = self._key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes((27 + signature[64],))

    def __repr__(self) -> str:
        return f"SigningKey(address=0x{self.address.hex()})"


def recover(digest: bytes, signature: bytes) -> bytes:
    """Return the 20-byte address that signed `digest`.

    `Tampered` when the signature has the wrong length, v other than 27 or 28, s in the upper
    half (a second valid form of the same signature), or recovers no key.
    """
    if len(digest) != 32 or len(signature) != 65 or signature[64] not in (27, 28):
        raise Tampered("A signature is 65 bytes r, s, v over a 32-byte digest, v 27 or 28.")
    if int.from_bytes(signature[32:64], "big") > ORDER // 2:
        raise Tampered("A signature's s must be in the lower half of the curve's order.")
    compact = signature[:64] + bytes((signature[64] - 27,))
    try:
        public = coincurve.PublicKey.from_signature_and_message(compact, digest, hasher=None)
    except Exception:
        # coincurve raises bare Exception and ValueError for points that do not exist.
        raise Tampered("The signature does not recover a key.") from None
    return keccak256(public.format(compressed=False)[1:])[12:]


class OpeningKey:
    """An HPKE private key: a 32-byte seed, expanded as MLKEM768-X25519 prescribes."""

    __slots__ = ("_key", "_seed", "public")

    public: bytes
    """1216 bytes: ML-KEM-768 encapsulation key, then X25519 public key."""

    def __init__(self, seed: bytes) -> None:
        if len(seed) != 32:
            raise Invalid("An opening key is a seed of 32 bytes.")
        expanded = hashlib.shake_256(seed).digest(96)
        mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
        self._seed = seed
        self._key = hpke.MLKEM768X25519PrivateKey(mlkem, x25519)
        self.public = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()

    @classmethod
    def generate(cls, random: Random) -> OpeningKey:
        """Draw a fresh key from `random`."""
        return cls(random(32))

    @classmethod
    def from_bytes(cls, seed: bytes) -> OpeningKey:
        """Take a 32-byte seed; `Invalid` if it has another length."""
        return cls(seed)

    def to_bytes(self) -> bytes:
        """Return the 32-byte seed, for the key store alone."""
        return self._seed

    def open(self, sealed: bytes, *, info: bytes, aad: bytes = b"") -> bytes:
        """Undo `seal_to`; `Tampered` if key, `info`, `aad` or any byte differs."""
        try:
            return _SUITE.decrypt(sealed, self._key, _context(info, aad))
        except (InvalidTag, ValueError):
            raise Tampered(
                "Sealed bytes do not open: wrong key, context or altered bytes."
            ) from None

    def __repr__(self) -> str:
        return f"OpeningKey(public={self.public[:8].hex()}…)"


def seal_to(
    public: bytes, plaintext: bytes, *, info: bytes, aad: bytes = b"", once: bool = False
) -> bytes:
    """Seal to a 1216-byte public key: encapsulated key (1120), ciphertext, tag (16).

    `info` names the use and its context; `aad` is bound the same way. `once`: the key is of this
    one use, so that remembering it would be for nothing. `Invalid` for a malformed or low-order
    public key. Draws its randomness from OpenSSL: HPKE takes none from outside.
    """
    try:
        key = _parsed(public) if once else _public_key(public)
        return _SUITE.encrypt(plaintext, key, _context(info, aad))
    except ValueError:
        raise Invalid("The public key cannot be sealed to.") from None


def _context(info: bytes, aad: bytes) -> bytes:
    # The library's one-shot interface takes no AAD; the key schedule binds it just as well.
    return b"".join((_INFO_TAG, len(info).to_bytes(4, "big"), info, aad))


def _parsed(public: bytes) -> hpke.MLKEM768X25519PublicKey:
    if len(public) != PUBLIC_BYTES:
        raise Invalid("A public key to seal to is 1216 bytes.")
    return hpke.MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(public[:_MLKEM_PUBLIC_BYTES]),
        X25519PublicKey.from_public_bytes(public[_MLKEM_PUBLIC_BYTES:]),
    )


_public_key = lru_cache(maxsize=512)(_parsed)
"""Parsing costs a fifth of a sealing, and a vault's custodians recur in record after record; one
that is kept takes 10 KiB."""
