"""Signatures that a person's own wallet made: brought by a form, judged before anything is done."""

from __future__ import annotations

from typing import Final

from simdes.crypto.keys import recover
from simdes.errors import Forbidden, Tampered

SIGN_SECONDS: Final = 1_800
"""How long the owner of a wallet has to look at what it shows and sign it."""
NOT_THEIRS: Final = "This is not a signature of your wallet, or not of this."
_JUST_THIS: Final = "Sign just this, with the wallet that you signed in with."


def signed_by(address: bytes, digest: bytes, signature: bytes) -> bytes:
    """A wallet's signature of just this, as it is kept; Forbidden for any other."""
    signed = with_usual_v(signature)
    if signer(digest, signed) != address:
        raise Forbidden(NOT_THEIRS, advice=_JUST_THIS)
    return signed


def signer(digest: bytes, signature: bytes) -> bytes | None:
    """The address that signed a digest; None for what is no signature."""
    try:
        return recover(digest, signature)
    except Tampered:
        return None


def with_usual_v(signature: bytes) -> bytes:
    """Some wallets write v as 0 or 1, where the contract takes 27 or 28."""
    if len(signature) == 65 and signature[64] in (0, 1):
        return signature[:64] + bytes((signature[64] + 27,))
    return signature
