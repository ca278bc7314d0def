"""The hex forms of JSON-RPC: quantities (``0x1f``) and data (``0x00ff``).

https://ethereum.org/en/developers/docs/apis/json-rpc/#conventions
"""

from __future__ import annotations

from simdes.errors import Unavailable


def to_hex(data: bytes) -> str:
    """Write bytes."""
    return f"0x{data.hex()}"


def to_quantity(value: int) -> str:
    """Write a number."""
    return hex(value)


def from_hex(text: str) -> bytes:
    """Read bytes that a node sent. Raises `Unavailable` where it is not hex."""
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except (ValueError, AttributeError):
        raise Unavailable("the ledger node's answer is not hex") from None
