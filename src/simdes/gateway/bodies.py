"""Read a request's body up to a size; how long that may take is the caller's to say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request

LARGE_BYTES: Final = 1 << 20


async def read_body(
    request: Request, most: int, *, room: Callable[[int], Awaitable[None]] | None = None
) -> bytes | None:
    """The body, None when it is larger than allowed; reading stops there.

    ``room`` is called before more than `LARGE_BYTES` are read, with how many there may be; what it
    raises ends the reading.
    """
    declared = request.headers.get("content-length", "0")
    if not declared.isdigit() or int(declared) > most:
        return None
    if room is not None and int(declared) > LARGE_BYTES:
        await room(int(declared))
        room = None
    received = bytearray()
    async for piece in request.stream():
        received += piece
        if len(received) > most:
            return None
        if room is not None and len(received) > LARGE_BYTES:  # of a length that nobody declared
            await room(most)
            room = None
    return bytes(received)
