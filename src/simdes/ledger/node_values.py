"""The values of JSON-RPC as a node gives and takes them.

Field by field after https://ethereum.github.io/execution-apis/. What a node leaves out or writes
in another form makes it unavailable, never a wrong value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, TypeVar

from simdes.errors import Unavailable
from simdes.ledger.ledger import Address, Block, Log, Receipt
from simdes.ledger.quantities import from_hex, to_hex

T = TypeVar("T")


def _strict(read: Callable[[Mapping[str, Any]], T]) -> Callable[[Mapping[str, Any]], T]:
    """Let a reader say of anything malformed that the node is no node."""

    @wraps(read)
    def checked(answer: Mapping[str, Any]) -> T:
        try:
            return read(answer)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise Unavailable("the ledger node's answer has not the form of JSON-RPC") from None

    return checked


def call_value(to: Address | None, data: bytes, sender: Address | None) -> dict[str, str]:
    """Write a call, or a deployment where `to` is None."""
    request = {"data": to_hex(data)}
    if to is not None:
        request["to"] = to_hex(to)
    if sender is not None:
        request["from"] = to_hex(sender)
    return request


def topic_value(topic: bytes | Sequence[bytes] | None) -> object:
    """Write one place of a filter: anything, one topic, or any of several."""
    if topic is None or isinstance(topic, bytes):
        return None if topic is None else to_hex(topic)
    return [to_hex(one) for one in topic]


def read_number(answer: Any) -> int:
    """Read a quantity."""
    try:
        return int(answer, 16)
    except (TypeError, ValueError):
        raise Unavailable("the ledger node's answer is no number") from None


@_strict
def read_block(answer: Mapping[str, Any]) -> Block:
    """Read a block's header."""
    return Block(
        number=int(answer["number"], 16),
        hash=_hash(answer["hash"]),
        parent=_hash(answer["parentHash"]),
        timestamp=int(answer["timestamp"], 16),
    )


@_strict
def read_log(answer: Mapping[str, Any]) -> Log:
    """Read an event that stands in a block."""
    return Log(
        address=from_hex(answer["address"]),
        topics=tuple(from_hex(topic) for topic in answer["topics"]),
        data=from_hex(answer["data"]),
        block_number=int(answer["blockNumber"], 16),
        block_hash=_hash(answer["blockHash"]),
        transaction_hash=_hash(answer["transactionHash"]),
        index=int(answer["logIndex"], 16),
    )


@_strict
def read_receipt(answer: Mapping[str, Any]) -> Receipt | None:
    """Read a receipt; None for one that names no block (a transaction that still waits)."""
    if answer["blockHash"] is None:
        return None
    contract = answer.get("contractAddress")
    return Receipt(
        transaction_hash=_hash(answer["transactionHash"]),
        succeeded=int(answer["status"], 16) == 1,
        block_number=int(answer["blockNumber"], 16),
        block_hash=_hash(answer["blockHash"]),
        gas_used=int(answer["gasUsed"], 16),
        logs=tuple(read_log(entry) for entry in answer["logs"]),
        contract_address=None if contract is None else from_hex(contract),
        revert=from_hex(answer.get("revertReason") or "0x"),
    )


def _hash(text: str) -> bytes:
    digest = from_hex(text)
    if len(digest) != 32:
        raise ValueError(text)
    return digest
