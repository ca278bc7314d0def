"""What this process saw of a chain, to tell its nodes from others.

With every question a node is asked for a block that was seen before (the mark). A node that has
another block there is of another chain, or its chain was reorganised; one that has none there is
behind, and what it says of the state is old. So no answer is used that comes from another history,
or from before what was seen, whoever was put in a node's place.

Whether blocks may change at all is the consensus's word: QBFT and IBFT headers carry a constant as
mix hash (https://github.com/ethereum/EIPs/issues/650), and their blocks are final at once.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simdes.errors import Unavailable
from simdes.ledger.ledger import Block, Known
from simdes.ledger.node_values import read_block, read_number

LOOK_AGAIN_SECONDS = 0.5
"""How old the known head may be before it is asked along with a question."""
REWIND_SECONDS = 5.0
"""How long a node of a chain without finality may be behind before it counts as reorganised."""
_FINAL_MIX_HASH = "0x63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365"
_SMALL = 16
"""Transactions of a block that is asked for with every question, as long as there is such a one
among the last `_RECENT`."""
_RECENT = 32

Question = tuple[str, tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Mark:
    """A block by which a chain is known again; `hash` None before the first was seen."""

    number: int
    hash: bytes | None


class Sightings:
    """The mark, the head and the finality of one chain. Safe for threads."""

    def __init__(self, known: Known) -> None:
        number, block_hash = known.block or (0, known.genesis)
        self._lock = threading.Lock()
        self._mark = Mark(number, block_hash)
        self._genesis = known.genesis
        self._looked_at = float("-inf")
        self._behind_since: float | None = None
        self.final = False
        self.head: Block | None = None
        self.gas_limit: int | None = None

    def asked(self, now: float) -> tuple[Mark, list[Question]]:
        """Return what to ask along with a question, and the mark that the answer must match."""
        with self._lock:
            mark = self._mark
            questions = [_block_by(hex(mark.number))]
            if now - self._looked_at >= LOOK_AGAIN_SECONDS:
                questions.append(_block_by("latest"))
        return mark, questions

    def take(self, answers: list[Any], now: float) -> None:
        """Learn from a node that has the mark: the mark's block, and the head where it was asked.

        Raises `Unavailable` for malformed blocks.
        """
        for answer in answers:
            if not isinstance(answer, Mapping):
                continue
            block = read_block(answer)
            with self._lock:
                self._behind_since = None
                self.final = self.final or _is_final(answer)
                if block.number == 0:
                    self._genesis = self._genesis or block.hash
                if self.head is None or block.number >= self.head.number:
                    self.head = block
                    self.gas_limit = read_number(answer.get("gasLimit", "0x0")) or None
                ahead = block.number - self._mark.number
                small = len(answer.get("transactions") or ()) <= _SMALL
                if self._mark.hash is None or (ahead >= 0 and (small or ahead > _RECENT)):
                    self._mark = Mark(block.number, block.hash)
        if len(answers) > 1:
            with self._lock:
                self._looked_at = now

    def is_genesis(self, block: Mapping[str, Any]) -> bool:
        """Whether a node's block 0 is this chain's; it tells the consensus."""
        with self._lock:
            same = self._genesis is None or self._genesis == read_block(block).hash
            self.final = self.final or (same and _is_final(block))
            return same

    def may_rewind(self, now: float, *, behind: bool) -> bool:
        """Whether a node without the mark may be of this chain still: reorganised, rolled back.

        A node that is `behind` gets a while to catch up first.
        """
        with self._lock:
            if self.final:
                return False
            if not behind:
                return True
            if self._behind_since is None:
                self._behind_since = now
            return now - self._behind_since >= REWIND_SECONDS

    def rewind(self, latest: Mapping[str, Any], now: float) -> None:
        """Begin anew at a node's head: the chain was reorganised."""
        block = read_block(latest)
        with self._lock:
            self._mark = Mark(block.number, block.hash)
            self.head = block
            self._looked_at = now
            self._behind_since = None


def _block_by(tag: str) -> Question:
    return "eth_getBlockByNumber", (tag, False)


def _is_final(header: Mapping[str, Any]) -> bool:
    return header.get("mixHash") == _FINAL_MIX_HASH


def matches(mark: Mark, answer: Any) -> bool | None:
    """Whether a node's block is the mark's; None where it has no such block."""
    if answer is None:
        return None
    if not isinstance(answer, Mapping):
        raise Unavailable("the ledger node's block is malformed")
    return mark.hash is None or read_block(answer).hash == mark.hash
