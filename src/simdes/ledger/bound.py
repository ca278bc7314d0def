"""A compiled contract at an address on a ledger: how every typed contract reads and writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simdes.errors import SimdesError
from simdes.ledger.abi import Artifact, artifact
from simdes.ledger.lane import Call
from simdes.ledger.ledger import Address, Block, Ledger, Reverted
from simdes.ledger.refusals import translate


class Bound:
    """Reads run on the head; writes are `Call` values for a lane to carry out."""

    artifact_name: str

    def __init__(self, ledger: Ledger, address: Address) -> None:
        self.ledger = ledger
        self.address = address
        self.artifact: Artifact = artifact(self.artifact_name)

    def write(self, verb: str, *arguments: object) -> Call:
        """Return the call of a verb, by its name in Solidity."""
        label = f"{self.artifact_name}.{verb}"
        return Call(self.address, self.artifact.call_data(verb, *arguments), label)

    def read(self, verb: str, *arguments: object, sender: Address | None = None) -> Any:
        """Return what a view returns; its one result bare, several as a tuple.

        Raises what the contract's refusal means, `Unavailable` when the ledger doesn't answer.
        """
        data = self.artifact.call_data(verb, *arguments)
        try:
            answer = self.ledger.call(self.address, data, sender=sender)
        except Reverted as error:
            raise translate(error) from error
        return self._results(verb, answer)

    def read_many(self, questions: Sequence[tuple[str, tuple[object, ...]]]) -> list[Any]:
        """What views (verb, arguments) return, in order, by one exchange with the node."""
        asked = [(self.address, self.artifact.call_data(verb, *its)) for verb, its in questions]
        found = []
        for (verb, _), answer in zip(questions, self.ledger.call_many(asked), strict=True):
            if isinstance(answer, Reverted):
                raise translate(answer) from answer
            if isinstance(answer, SimdesError):
                raise answer
            found.append(self._results(verb, answer))
        return found

    def read_at_head(self, verb: str, *arguments: object) -> tuple[Block, Any]:
        """Return the head, and what a view returns on it, by one exchange with the node."""
        data = self.artifact.call_data(verb, *arguments)
        head, [answer] = self.ledger.call_at_head([(self.address, data)])
        if isinstance(answer, Reverted):
            raise translate(answer) from answer
        if isinstance(answer, SimdesError):
            raise answer
        return head, self._results(verb, answer)

    def _results(self, verb: str, answer: bytes) -> Any:
        results = self.artifact.results(verb, answer)
        return results[0] if len(results) == 1 else results
