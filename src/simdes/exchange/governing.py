"""What waits to be done to the network itself: upgrades in the timelock, proposals of its owners.

An upgrade is scheduled by k of n owners and waits in the timelock (OpenZeppelin's
TimelockController), where fewer can stop it; nobody hurries it. Everything here is on the ledger,
for every organisation to see in time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from simdes.errors import Conflict, Forbidden, NotFound, SimdesError
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.ledger.abi import Artifact, artifact
from simdes.ledger.deploy import TimelockContract
from simdes.ledger.lane import Call
from simdes.ledger.ledger import Address

WAITS, READY, DONE, STOPPED = "waits", "ready", "done", "stopped"
_DONE_STAMP: Final = 1
"""What the timelock has in the place of a time for an operation that was carried out."""
_CODE: Final = {"manager": "AccessManager", "timelock": "TimelockController"}
"""Contracts whose code is called otherwise than they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call: the contract's name in the network ("" for a stranger), its verb, how it is said.

    ``verb`` is the selector in hex where the contract has no such function.
    """

    contract: str
    target: bytes
    verb: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Something in the timelock; ``ready_seconds`` is when anybody may carry it out."""

    id: bytes
    steps: tuple[Step, ...]
    state: str
    ready_seconds: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """A call that owners have proposed and not enough confirmed yet, or nobody carried out."""

    id: bytes
    step: Step
    confirmed: int
    expiry_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Governed:
    """What is going on, the newest first. ``alarm``: how many owners stop an operation."""

    operations: tuple[Operation, ...]
    proposals: tuple[Proposed, ...]
    threshold: int
    alarm: int
    delay_seconds: int


def going_on(node: Node) -> Governed:
    """Everything in the timelock and every open proposal, as the ledger has it now."""
    contracts = node.contracts
    administrators = contracts.administrators
    timelock = TimelockContract(contracts.ledger, contracts.addresses.timelock)
    return Governed(
        operations=tuple(reversed(list(_operations(node, timelock)))),
        proposals=tuple(reversed(list(_proposals(node)))),
        threshold=administrators.threshold(),
        alarm=administrators.alarm_threshold(),
        delay_seconds=int(timelock.read("getMinDelay")),
    )


def stop(node: Node, session: Session, id_: bytes) -> bool:
    """Raise, as an owner, that an operation be cancelled; whether it was, or more owners must.

    Raises Forbidden for who is no owner, NotFound where nothing waits under this id, Conflict where
    this owner raised it before.
    """
    _require_owner(node, session)
    found = next((one for one in going_on(node).operations if one.id == id_), None)
    if found is None or found.state not in (WAITS, READY):
        raise NotFound("There is nothing like that.")
    administrators = node.contracts.administrators
    node.lane(session.key).transact(administrators.veto(id_))
    return _state(node, _timelock(node), id_)[0] == STOPPED


def confirm(node: Node, session: Session, id_: bytes) -> bool:
    """Confirm an open proposal as an owner; carry it out if that makes enough. Whether it was.

    Raises Forbidden for who is no owner, NotFound where it is not open.
    """
    _require_owner(node, session)
    said = next((one for one in _said(node, "Proposed") if one["id"] == id_), None)
    administrators = node.contracts.administrators
    if said is None or administrators.proposal(id_) is None:
        raise NotFound("There is nothing like that.")
    lane = node.lane(session.key)
    [voted] = lane.transact_many([administrators.confirm(id_)])
    if isinstance(voted, SimdesError) and not isinstance(voted, Conflict):
        raise voted  # a conflict: this owner confirmed before
    now = administrators.proposal(id_)
    if now is None or now.confirmed < administrators.threshold():
        return False
    call = Call(_address(said["target"]), said["data"], "Administrators.execute")
    lane.transact(administrators.execute(call, salt=said["salt"]))
    return True


def _require_owner(node: Node, session: Session) -> None:
    if session.actor.address not in node.contracts.administrators.members():
        raise Forbidden(
            "Only the network's owners decide this.", advice="Ask the owners of the network."
        )


def _operations(node: Node, timelock: TimelockContract) -> Iterator[Operation]:
    steps: dict[bytes, dict[int, Step]] = {}  # one that was stopped may be scheduled again
    for one in _said(node, "CallScheduled"):
        steps.setdefault(one["id"], {})[one["index"]] = _step(node, one["target"], one["data"])
    for id_, its in steps.items():
        state, ready = _state(node, timelock, id_)
        yield Operation(id=id_, steps=tuple(its.values()), state=state, ready_seconds=ready)


def _proposals(node: Node) -> Iterator[Proposed]:
    administrators = node.contracts.administrators
    latest = {one["id"]: one for one in _said(node, "Proposed")}
    for id_, one in latest.items():
        found = administrators.proposal(id_)
        if found is not None:
            yield Proposed(
                id=id_,
                step=_step(node, one["target"], one["data"]),
                confirmed=found.confirmed,
                expiry_seconds=found.expiry,
            )


def _state(node: Node, timelock: TimelockContract, id_: bytes) -> tuple[str, int | None]:
    stamp = int(timelock.read("getTimestamp", id_))
    if stamp == 0:
        return STOPPED, None
    if stamp == _DONE_STAMP:
        return DONE, None
    head = node.contracts.ledger.head().timestamp
    return (READY if stamp <= head else WAITS), stamp


def _timelock(node: Node) -> TimelockContract:
    return TimelockContract(node.contracts.ledger, node.contracts.addresses.timelock)


def _said(node: Node, event: str) -> list[Mapping[str, Any]]:
    """The events of a name that timelock and owners wrote, in the chain's order."""
    contracts = node.contracts
    addresses = contracts.addresses
    by_address = {
        addresses.timelock: artifact("TimelockController"),
        addresses.administrators: artifact("Administrators"),
    }
    logs = contracts.ledger.logs(
        first=addresses.first_block,
        last=contracts.ledger.head().number,
        addresses=tuple(by_address),
    )
    read = (by_address[one.address].event(one) for one in logs)
    return [found[1] for found in read if found is not None and found[0] == event]


def _step(node: Node, target: str, data: bytes) -> Step:
    address = _address(target)
    names = {
        getattr(node.contracts.addresses, one.name): one.name
        for one in fields(node.contracts.addresses)
    }
    name = names.get(address, "")
    code = _code(name)
    known = {} if code is None else {one.selector: one.name for one in code.functions.values()}
    return Step(contract=name, target=address, verb=known.get(data[:4], f"0x{data[:4].hex()}"))


def _code(name: str) -> Artifact | None:
    if not name:
        return None
    try:
        return artifact(_CODE.get(name, "".join(part.capitalize() for part in name.split("_"))))
    except NotFound:
        return None


def _address(text: str) -> Address:
    return bytes.fromhex(text.removeprefix("0x"))
