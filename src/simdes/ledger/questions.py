"""What the JSON-RPC ledger asks a node, where one question is not enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simdes.errors import Invalid, SimdesError, TooLarge, Unavailable
from simdes.ledger.ledger import LOG_SPAN_BLOCKS, Address, Block, Log, Reverted
from simdes.ledger.node_errors import Troubled
from simdes.ledger.node_values import read_block, read_log
from simdes.ledger.nodes import NodeFailed
from simdes.ledger.quantities import from_hex, to_hex, to_quantity
from simdes.ledger.sightings import Question
from simdes.ledger.talk import Talk


def nonce_of(address: Address) -> Question:
    """How many transactions stand in blocks; with those that wait Besu jumps over gaps."""
    return "eth_getTransactionCount", (to_hex(address), "latest")


def receipt_of(transaction_hash: bytes) -> Question:
    """What became of a transaction."""
    return "eth_getTransactionReceipt", (to_hex(transaction_hash),)


def code_of(address: Address) -> Question:
    """A contract's code."""
    return "eth_getCode", (to_hex(address), "latest")


def slot_of(address: Address, slot: int) -> Question:
    """A storage slot."""
    return "eth_getStorageAt", (to_hex(address), to_quantity(slot), "latest")


def run_calls(
    talk: Talk, method: str, values: Sequence[dict[str, str]], at: str | None
) -> list[bytes | SimdesError]:
    """Ask for calls or estimates; each gets its bytes or its own error.

    Besu says "internal error" of a call that its machine stopped. Whether it has another trouble
    shows a call of nothing.
    """
    tags = () if at is None else (at,)
    answers = talk.ask_many([(method, (value, *tags)) for value in values])
    return _outputs(talk, answers, at)


def run_with_head(
    talk: Talk, values: Sequence[dict[str, str]]
) -> tuple[Mapping[str, Any], list[bytes | SimdesError]]:
    """Ask for the head and for calls on it in one exchange."""
    newest: Question = ("eth_getBlockByNumber", ("latest", False))
    head, *answers = talk.ask_many([newest, *(("eth_call", (value, "latest")) for value in values)])
    [head] = good([head])
    if not isinstance(head, Mapping):
        raise Unavailable("the ledger node has no block yet")
    return head, _outputs(talk, answers, "latest")


def _outputs(talk: Talk, answers: list[Any], at: str | None) -> list[bytes | SimdesError]:
    if any(isinstance(answer, Troubled) for answer in answers):
        nobody = {"to": to_hex(bytes(20)), "data": "0x"}
        nothing = talk.ask_many([("eth_call", (nobody, at or "latest"))])
        if isinstance(nothing[0], str):
            stopped = Reverted(b"", halted="the node's machine ended the call")
            answers = [stopped if isinstance(one, Troubled) else one for one in answers]
    return [_output(answer) for answer in answers]


def _output(answer: Any) -> bytes | SimdesError:
    if isinstance(answer, SimdesError):
        return answer
    if answer is None:
        return Unavailable("the node doesn't have the state of that block")
    try:
        return from_hex(answer if len(answer) % 2 == 0 else "0x0" + answer[2:])
    except (TypeError, Unavailable):
        return Unavailable("the ledger node's answer is not hex")


def require_block(talk: Talk, end: Block | None) -> None:
    """Raise `NodeFailed` where the node hasn't the block up to which it is asked."""
    if end is None:
        return
    answer = talk.ask("eth_getBlockByNumber", to_quantity(end.number), False)
    if answer is None or read_block(answer).hash != end.hash:
        raise NodeFailed(f"it has no such block {end.number}")


def read_events(talk: Talk, wanted: dict[str, Any], first: int, last: int) -> list[Log]:
    """Ask for events in spans that every node answers, in halves where one refuses (Besu:
    "Invalid params" beyond 5,000 blocks; others limit the events).
    """
    spans = [
        (start, min(start + LOG_SPAN_BLOCKS - 1, last))
        for start in range(first, last + 1, LOG_SPAN_BLOCKS)
    ]
    answers = talk.ask_many(
        [
            ("eth_getLogs", ({"fromBlock": to_quantity(a), "toBlock": to_quantity(b), **wanted},))
            for a, b in spans
        ]
    )
    found: list[Log] = []
    for (start, stop), answer in zip(spans, answers, strict=True):
        if isinstance(answer, Invalid | TooLarge | Troubled) and stop > start:
            middle = (start + stop) // 2
            found += read_events(talk, wanted, start, middle) + read_events(
                talk, wanted, middle + 1, stop
            )
        else:
            [entries] = good([answer])
            found += [read_log(entry) for entry in entries]
    return found


def read_events_of(talk: Talk, wanted: Mapping[str, Any], block: Block) -> list[Log]:
    """Ask for the events of one block by its hash (EIP-234); the node is known to have it."""
    [entries] = good([talk.ask("eth_getLogs", {"blockHash": to_hex(block.hash), **wanted})])
    return [read_log(entry) for entry in entries]


def good(answers: Sequence[Any]) -> Sequence[Any]:
    """Return the answers if none is an error; raise the first one otherwise."""
    for answer in answers:
        if isinstance(answer, SimdesError):
            raise answer
    return answers
