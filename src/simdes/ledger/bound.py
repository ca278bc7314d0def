"""A compiled contract at an address on a ledger: how every typed contract reads and writes."""

from __future__ import annotations

from typing import Any

from simdes.ledger.abi import Artifact, artifact
from simdes.ledger.lane import Call
from simdes.ledger.ledger import Address, Ledger, Reverted
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
        results = self.artifact.results(verb, answer)
        return results[0] if len(results) == 1 else results
