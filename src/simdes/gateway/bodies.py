"""Read a request's body up to a size; how long that may take is the caller's to say."""

from __future__ import annotations

from starlette.requests import Request


async def read_body(request: Request, most: int) -> bytes | None:
    """The body, None when it is larger than allowed; reading stops there."""
    declared = request.headers.get("content-length", "0")
    if not declared.isdigit() or int(declared) > most:
        return None
    received = bytearray()
    async for piece in request.stream():
        received += piece
        if len(received) > most:
            return None
    return bytes(received)
