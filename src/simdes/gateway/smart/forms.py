"""Reading a form that an app or a browser posts: small, in time, and nothing but a form."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

import anyio
from starlette.requests import ClientDisconnect, Request

from simdes.errors import Invalid, TooLarge
from simdes.gateway import bodies
from simdes.gateway.limits import GatewayLimits

FORM: Final = "application/x-www-form-urlencoded"
MAX_BYTES: Final = 64 << 10
MAX_FIELDS: Final = 64


async def read_form(request: Request, limits: GatewayLimits) -> tuple[tuple[str, str], ...]:
    """The fields of an urlencoded body, in order.

    Raises `Invalid` for anything else, `TooLarge` above 64 KiB or 64 fields.
    """
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != FORM:
        raise Invalid(f"Send {FORM}.")
    return fields(await read_body(request, limits))


async def read_body(request: Request, limits: GatewayLimits) -> bytes:
    """The body, 64 KiB at most and within the limits' time."""
    try:
        with anyio.fail_after(limits.body_seconds):
            body = await bodies.read_body(request, MAX_BYTES)
    except (TimeoutError, ClientDisconnect) as error:
        raise Invalid("The body did not arrive.") from error
    if body is None:
        raise TooLarge("The body is above 64 KiB.")
    return body


def fields(encoded: bytes) -> tuple[tuple[str, str], ...]:
    """The fields of a query or form; `Invalid` where it is neither."""
    try:
        text = encoded.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError as error:
        raise Invalid("The form is malformed.") from error
    return tuple(pairs)
