"""What nodes say when they refuse, and which of our errors that is.

Codes and texts as seen from Hyperledger Besu (its `RpcErrorType`), anvil and geth. Codes alone
tell little: most are -32000, and Besu's -32005 is a gas limit, a range of blocks or a batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simdes.errors import (
    Conflict,
    Forbidden,
    Invalid,
    SimdesError,
    TooLarge,
    Unavailable,
    Unsupported,
)
from simdes.ledger.ledger import Reverted
from simdes.ledger.quantities import from_hex

CONTRACT_REVERTED = 3
INTERNAL_ERROR = -32603
_KNOWN = ("already known", "known transaction", "already imported")
_HALTS = (
    "the machine stopped",
    "out of gas",
    "outofgas",
    "evm error",
    "invalid opcode",
    "execution halted",
    "invalid jump",
    "stack underflow",
    "stack limit",
    "gas uint64 overflow",
    "gas required exceeds allowance",
)
_CODES: dict[object, type[SimdesError]] = {
    -32003: Invalid,
    -32602: Invalid,
    -32601: Unsupported,
    -32604: Unsupported,
}


class Troubled(Unavailable):
    """The node says "internal error": its trouble, or a call that its machine stopped (Besu)."""


class RangeRefused(Invalid):
    """The node gives events of fewer blocks, or fewer events, at once."""


class BatchRefused(Unavailable):
    """The node takes fewer requests at once."""


# What nodes say, in lower case, and what it means. Codes alone don't tell: most are -32000.
_MEANINGS: tuple[tuple[str, type[SimdesError], str], ...] = (
    ("nonce too low", Conflict, "the nonce is taken by another transaction"),
    ("nonce too high", Conflict, "an earlier nonce is missing"),
    ("underpriced", Conflict, "another transaction with this nonce is waiting"),
    ("wrong chain", Invalid, "the transaction is for another chain id"),
    ("chain id", Invalid, "the transaction is for another chain id"),
    ("chainid", Invalid, "the transaction is for another chain id"),
    ("eip-155", Invalid, "the transaction is bound to no chain id"),
    ("intrinsic gas too high", TooLarge, "the gas limit is above the block's"),
    ("intrinsic gas", Invalid, "the gas limit doesn't cover the data"),
    ("exceeds block gas limit", TooLarge, "the gas limit is above the block's"),
    ("gas limit too high", TooLarge, "the gas limit is above the block's"),
    ("exceeds the block gas limit", TooLarge, "the gas limit is above the block's"),
    ("greater than the cap", TooLarge, "the gas limit is above the block's"),
    ("init code", TooLarge, "the deployment's code is too large"),
    ("initcode", TooLarge, "the deployment's code is too large"),
    ("insufficient funds", Invalid, "the account can't pay; send at zero price and value"),
    ("upfront cost", Invalid, "the account can't pay; send at zero price and value"),
    ("below configured minimum gas price", Unsupported, "it asks for a fee; start it with none"),
    ("below current base fee", Unsupported, "it asks for a fee; start it with none"),
    ("gas price is less than block base fee", Unsupported, "it asks for a fee; start it with none"),
    ("max fee per gas less than block base fee", Unsupported, "it asks for a fee; start with none"),
    ("not authorized", Forbidden, "the network's permissions don't admit this account"),
    ("initial sync", Unavailable, "the node is still loading the chain"),
    ("maximum rpc range", RangeRefused, "it gives fewer blocks at once"),
    ("block range", RangeRefused, "it gives fewer blocks at once"),
    ("query returned more than", RangeRefused, "it gives fewer events at once"),
    ("max batch size", BatchRefused, "it takes fewer requests at once"),
    ("batch too large", BatchRefused, "it takes fewer requests at once"),
    ("batch limit", BatchRefused, "it takes fewer requests at once"),
    ("unknown block", Unavailable, "the node doesn't have that block"),
    ("world state", Unavailable, "the node doesn't have that state"),
    ("signature", Invalid, "the transaction's signature doesn't hold"),
    ("decod", Invalid, "the transaction is malformed"),
    ("rlp", Invalid, "the transaction is malformed"),
    ("state not available", Unavailable, "the node no longer has that state"),
    ("header not found", Unavailable, "the node doesn't have that block"),
    ("missing trie node", Unavailable, "the node no longer has that state"),
)


def is_known(error: SimdesError) -> bool:
    """Whether the node refused a transaction because it has it already."""
    return any(known in error.message.lower() for known in _KNOWN)


def refusal(error: Any) -> SimdesError:
    """Translate a node's error."""
    if not isinstance(error, Mapping):
        return Unavailable("the ledger node's error is not JSON-RPC")
    code, text = error.get("code"), str(error.get("message", ""))[:200]
    lowered = text.lower()
    if code == CONTRACT_REVERTED or "revert" in lowered:
        return Reverted(_revert_data(error.get("data")))
    if any(halt in lowered for halt in _HALTS):
        return Reverted(b"", halted=text)
    return _meaning(code, text, lowered)


def _meaning(code: object, text: str, lowered: str) -> SimdesError:
    if any(known in lowered for known in _KNOWN):
        return Conflict(text)
    for fragment, kind, meaning in _MEANINGS:
        if fragment in lowered:
            return kind(f"the ledger node refused: {meaning}")
    if code == INTERNAL_ERROR:
        return Troubled(f"the ledger node is in trouble ({code}: {text})")
    kind = _CODES.get(code, Unavailable)
    return kind(f"the ledger node refused the request ({code}: {text})")


def _revert_data(data: Any) -> bytes:
    """Read revert data, which some nodes wrap in an object."""
    if isinstance(data, Mapping):
        data = data.get("data") or data.get("result")
    try:
        return from_hex(data) if isinstance(data, str) else b""
    except Unavailable:
        return b""
