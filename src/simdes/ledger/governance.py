"""`Administrators.sol` in Python: the owners of the network, k of n.

Owners propose a call, confirm it, and execute it once enough confirmed: verifying an organisation,
scheduling an upgrade in the timelock, lifting a pause. Fewer can stop something: cancel a waiting
operation, pause a verb. Addresses are 20 bytes, ids and salts 32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_abi.abi import encode

from simdes.errors import Invalid
from simdes.ledger.bound import Bound
from simdes.ledger.digests import keccak256
from simdes.ledger.lane import Call, Lane
from simdes.ledger.ledger import Address, Receipt


@dataclass(frozen=True, slots=True)
class Proposal:
    """An open proposal: how many confirmed, and when it lapses (unix seconds)."""

    confirmed: int
    expiry: int


class AdministratorsContract(Bound):
    """Who owns the network, and what they agree on."""

    artifact_name = "Administrators"

    def propose(self, call: Call, *, salt: bytes) -> Call:
        """Propose that this contract make `call`, and confirm it."""
        return self.write("propose", _target(call), call.data, salt)

    def confirm(self, proposal_id: bytes) -> Call:
        """Confirm an open proposal."""
        return self.write("confirm", proposal_id)

    def withdraw(self, proposal_id: bytes) -> Call:
        """Take a confirmation back."""
        return self.write("withdraw", proposal_id)

    def execute(self, call: Call, *, salt: bytes) -> Call:
        """Make a proposed call once enough owners confirmed it."""
        return self.write("execute", _target(call), call.data, salt)

    def veto(self, operation: bytes) -> Call:
        """Ask to cancel an operation that waits in the timelock."""
        return self.write("veto", operation)

    def pause(self, *, target: Address, verb: bytes) -> Call:
        """Ask to pause a verb (function selector) of a contract."""
        return self.write("pause", target, verb)

    def members(self) -> tuple[Address, ...]:
        """Return the owners' addresses."""
        return tuple(bytes.fromhex(text[2:]) for text in self.read("members"))

    def threshold(self) -> int:
        """Return how many owners it takes to act."""
        return int(self.read("threshold"))

    def alarm_threshold(self) -> int:
        """Return how many owners it takes to cancel or pause."""
        return int(self.read("alarmThreshold"))

    def term(self) -> int:
        """Return how many times the owners were set."""
        return int(self.read("term"))

    def proposal(self, proposal_id: bytes) -> Proposal | None:
        """Return an open proposal, None if there is none with this id."""
        proposal = Proposal(*self.read("proposal", proposal_id))
        return proposal if proposal.expiry else None

    def proposal_id(self, call: Call, *, salt: bytes) -> bytes:
        """Return the id that this call's proposal has in the present term."""
        kinds = ["uint64", "address", "bytes32", "bytes32"]
        return keccak256(encode(kinds, [self.term(), _target(call), keccak256(call.data), salt]))

    def carry_out(self, call: Call, *, salt: bytes, owners: Sequence[Lane]) -> Receipt:
        """Propose, confirm and execute a call with the lanes of enough owners.

        For a network whose owners sit in one place (the demo, tests): elsewhere each owner sends
        its own part. `salt` is 32 fresh random bytes. Raises `Invalid` with too few owners.
        """
        threshold = self.threshold()
        if len(owners) < threshold:
            raise Invalid(f"this takes {threshold} owners of the network")
        first, *others = owners[:threshold]
        first.transact(self.propose(call, salt=salt))
        proposal_id = self.proposal_id(call, salt=salt)
        for owner in others:
            owner.transact(self.confirm(proposal_id))
        return first.transact(self.execute(call, salt=salt))


def _target(call: Call) -> Address:
    if call.to is None:
        raise Invalid("owners can't propose a deployment")
    return call.to
