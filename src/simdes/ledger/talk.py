"""JSON-RPC with one node: numbered requests, batches, and the check of whose chain it is on.

https://www.jsonrpc.org/specification; answers of a batch may come in any order.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from simdes.errors import SimdesError, Unavailable
from simdes.ledger.node_errors import BatchRefused, refusal
from simdes.ledger.nodes import Node, NodeFailed, Nodes
from simdes.ledger.sightings import Question, Sightings, matches

BATCH = 100
"""Requests in one HTTP call; nodes limit this."""
_numbers = itertools.count(1)
_log = structlog.get_logger("simdes.ledger")


class Talk:
    """Questions to one node within one verb's time. Without `sightings` nothing is checked."""

    def __init__(
        self, nodes: Nodes, node: Node, deadline: float, sightings: Sightings | None = None
    ) -> None:
        self.node = node
        self._nodes = nodes
        self._deadline = deadline
        self._sightings = sightings

    def ask(self, method: str, *params: object) -> Any:
        """Send one request and return its result; raises what an error answer means."""
        [answer] = self.ask_many([(method, params)])
        if isinstance(answer, SimdesError):
            raise answer
        return answer

    def ask_many(self, questions: Sequence[Question]) -> list[Any]:
        """Send many requests, `BATCH` at once; each gets its result or its own `SimdesError`.

        Raises `NodeFailed` where the node does not answer, or must not be believed.
        """
        results: list[Any] = []
        for start in range(0, len(questions), BATCH):
            results += self._checked(questions[start : start + BATCH])
        return results

    def send_many(self, questions: Sequence[Question]) -> list[Any]:
        """Send requests alone, so that a node may take them as one; whose it is, is asked before.

        In batches of transactions alone the embedded ledger's endpoint makes one durable commit.
        """
        if self._sightings is not None:
            self._checked([])
        results: list[Any] = []
        for start in range(0, len(questions), BATCH):
            results += self._exchange(questions[start : start + BATCH])
        return results

    def _checked(self, questions: Sequence[Question]) -> list[Any]:
        """Ask, and check with the same exchange that the node has what was seen before."""
        seen = self._sightings
        if seen is None:
            return self._exchange(questions)
        mark, checks = seen.asked(self._nodes.monotonic())
        answers = self._exchange([*checks, *questions])
        known, rest = answers[: len(checks)], answers[len(checks) :]
        for answer in known:
            if isinstance(answer, SimdesError):
                raise NodeFailed(f"it gives no blocks: {answer.message}")
        same = matches(mark, known[0])
        if not same:
            self._rewind(seen, mark.number, behind=same is None)
            return self._checked(questions)
        seen.take(known, self._nodes.monotonic())
        return rest

    def _rewind(self, seen: Sightings, number: int, *, behind: bool) -> None:
        """Go back where the chain was reorganised. Raises `NodeFailed` where it can't have been."""
        genesis, latest = self._exchange(
            [("eth_getBlockByNumber", ("0x0", False)), ("eth_getBlockByNumber", ("latest", False))]
        )
        if not isinstance(genesis, Mapping) or not isinstance(latest, Mapping):
            raise NodeFailed("it gives no blocks")
        if not seen.is_genesis(genesis):
            raise NodeFailed(f"{self.node.place} has another genesis block", other_chain=True)
        if not seen.may_rewind(self._nodes.monotonic(), behind=behind):
            if behind:
                raise NodeFailed(f"it is behind: it has no block {number} yet", behind=True)
            raise NodeFailed(f"{self.node.place} has another block {number}", other_chain=True)
        _log.warning("ledger reorganised", node=self.node.place, block=number)
        seen.rewind(latest, self._nodes.monotonic())

    def _exchange(self, questions: Sequence[Question]) -> list[Any]:
        """Send one batch; where the node takes fewer requests at once, in halves."""
        if not questions:
            return []
        bodies = [
            {"jsonrpc": "2.0", "id": next(_numbers), "method": method, "params": list(params)}
            for method, params in questions
        ]
        answer = self._nodes.post(
            self.node, bodies if len(bodies) > 1 else bodies[0], deadline=self._deadline
        )
        if isinstance(answer, dict) and len(bodies) > 1:
            # One answer for a batch is an error that concerns all of it.
            error = _result(answer)
            if isinstance(error, BatchRefused):
                half = len(questions) // 2
                return self._exchange(questions[:half]) + self._exchange(questions[half:])
            raise NodeFailed("it does not answer batches")
        answers = answer if isinstance(answer, list) else [answer]
        by_id = {one.get("id"): one for one in answers if isinstance(one, dict)}
        if not any(body["id"] in by_id for body in bodies):
            raise NodeFailed("its answer is not JSON-RPC")
        return [_result(by_id.get(body["id"])) for body in bodies]


def _result(answer: Mapping[str, Any] | None) -> Any:
    if answer is None:
        return Unavailable("the ledger node left a request of a batch unanswered")
    error = answer.get("error")
    return answer.get("result") if error is None else refusal(error)
