"""Unguessable texts handed out once: codes, refresh tokens, launches, client secrets.

256 random bits each. Kept is a digest, so that a copy of the database presents none of them; an
account key that such a text unlocks is wrapped under HKDF of it, as in `simdes.access.tokens`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from simdes.access.requests import b64
from simdes.crypto.digest import hkdf, sha256
from simdes.crypto.keys import SigningKey, unwrap, wrap

Use = Literal["client", "code", "launch", "refresh", "request"]
Random = Callable[[int], bytes]
MAX_CHARACTERS: Final = 256
_INFO: Final = b"simdes/handle/v1/"


def draw(random: Random) -> str:
    """A fresh handle: 43 characters of base64url."""
    return b64(random(32))


def digest(use: Use, handle: str) -> bytes:
    """The name under which a handle is kept, different for every use."""
    return sha256(_INFO + use.encode() + b"\0" + handle.encode("utf-8", "replace"))


def wrap_key(use: Use, handle: str, key: SigningKey, *, random: Random) -> bytes:
    """An account key that only this handle opens."""
    return wrap(_wrapping(use, handle), key.to_bytes(), aad=digest(use, handle), random=random)


def unwrap_key(use: Use, handle: str, wrapped: bytes) -> SigningKey:
    """Undo `wrap_key`; `Tampered` with another handle or altered bytes."""
    return SigningKey.from_bytes(unwrap(_wrapping(use, handle), wrapped, aad=digest(use, handle)))


def _wrapping(use: Use, handle: str) -> bytes:
    return hkdf(handle.encode(), salt=b"", info=_INFO + b"key/" + use.encode())
