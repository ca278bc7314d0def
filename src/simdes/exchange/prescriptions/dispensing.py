"""The pharmacy's side: accept, check, dispense or refuse (paper Fig. 4).

Nothing is handed out before the ledger took the step: of pharmacies that race for the same units
one is told yes and the others no. A step is written down before its proof is sent, with the
MedicationDispense that it will be; killed anywhere, the worker finds out what the ledger says and
writes that record or none (`settling`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

import msgspec

from simdes.access.categories import Role
from simdes.access.rights import Interaction
from simdes.crypto.keys import unwrap, wrap
from simdes.decoding import ready
from simdes.errors import Conflict, Forbidden, SimdesError, Unavailable
from simdes.exchange.interactions.drafts import Sent, check_valid
from simdes.exchange.node import Node
from simdes.exchange.placing import Home
from simdes.exchange.prescriptions import forest, holding, proving, records, states
from simdes.exchange.prescriptions.holding import Held
from simdes.exchange.prescriptions.records import Author
from simdes.exchange.prescriptions.reviewing import Review, review
from simdes.exchange.prescriptions.states import Act, State
from simdes.exchange.prescriptions.supplying import Supply, declined, supplied
from simdes.exchange.rights import Asking
from simdes.fhir.checks import Override, detected_issue
from simdes.fhir.json import dumps, loads
from simdes.index import chain_prescriptions, dispensing
from simdes.index.dispensing import Dispensing, NewDispensing
from simdes.index.transaction import Transaction
from simdes.ledger.lane import Call
from simdes.ledger.refusals import refusal_of
from simdes.ledger.statements import PrescriptionStatus
from simdes.proofs.openings import Opening, decode, encode
from simdes.proofs.prescriptions import Step

LEASE_MS: Final = 60_000
"""How long whoever began a step works on it alone."""
_CONTEXT: Final = b"simdes/dispensing/v1"
_NOT_KNOWN: Final = (
    "The ledger did not say whether the prescription was dispensed from: do not hand anything out."
)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a pharmacist wants to hand out. ``quantity`` None: the rest of a fill.

    ``medication`` in place of the one that was ordered, ``why`` it is; ``reason`` why it is
    dispensed over findings. ``offline``: it may be handed out while the ledger is away.
    """

    quantity: Decimal | None = None
    medication: Json | None = None
    why: str = ""
    reason: str = ""
    offline: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """What would be dispensed: the step, the resources that will say so, what the checks found."""

    held: Held
    step: Step
    made: tuple[Json, ...]
    review: Review

    @property
    def dispense(self) -> Json:
        """The MedicationDispense."""
        return self.made[0]


class Content(msgspec.Struct, frozen=True):
    """What is kept of a step, wrapped."""

    opening: bytes
    made: list[bytes]


def require_pharmacist(node: Node, asking: Asking) -> None:
    """Raise Forbidden unless the caller dispenses here."""
    if not node.rules.dispenses or asking.rights.role is not Role.PHARMACIST:
        raise Forbidden("Only a pharmacist of a pharmacy or hospital dispenses.")
    asking.rights.require(Interaction.CREATE, "MedicationDispense")


def plan(
    node: Node,
    asking: Asking,
    request_id: str,
    wanted: Wanted,
    *,
    vault: bytes | None = None,
) -> Planned:
    """What dispensing would do, without doing it. Raises Conflict where it is not allowed now,
    Invalid for a quantity that can't be dispensed."""
    require_pharmacist(node, asking)
    held = holding.hold(node, asking, request_id, vault=vault)
    if held.request.get("status") != "active":
        raise Conflict(f"The order is {held.request.get('status')}.")
    state, status = holding.standing(node, held)
    states.require(state, Act.DISPENSE)
    if any(status.pharmacy) and status.pharmacy != node.organisation:
        raise Conflict("The prescription belongs to another pharmacy.")
    if held.terms.controlled and status.pharmacy != node.organisation:
        raise Conflict(
            "A controlled substance is dispensed by the pharmacy that accepted it.",
            advice="Accept the prescription first.",
        )
    units = _units(held, status, wanted.quantity)
    step = proving.step_from(held.opening, status, units=units, today=holding.today_of(node))
    step.require_allowed(held.terms)
    found = review(node, asking, held)
    return Planned(held, step, _made(node, asking, held, step, wanted, found), found)


def _units(held: Held, status: PrescriptionStatus, quantity: Decimal | None) -> int:
    if quantity is not None:
        return held.units(quantity)
    terms = held.terms
    before = terms.units(status.part)
    begun = terms.fills(before) * terms.per_fill - before
    return min(begun or terms.per_fill, terms.total - before)


def _made(
    node: Node, asking: Asking, held: Held, step: Step, wanted: Wanted, found: Review
) -> tuple[Json, ...]:
    """The MedicationDispense and what was found; refused over a grave finding without a reason."""
    grave = [one for one in found.findings if one.needs_reason]
    if grave and not wanted.reason:
        raise Conflict(
            f"Not dispensed: {len(grave)} of the findings of the checks need a reason.",
            advice="Review them; ask the prescriber, refuse, or dispense with a reason.",
        )
    who = f"Practitioner/{asking.session.actor.account.hex()}"
    supply = Supply(
        id=node.new_id(),
        held=held,
        step=step,
        now_ms=node.now_ms(),
        pharmacist=asking.session.actor.account,
        pharmacy=node.name,
        organisation=node.organisation,
    )
    override = Override(author=who, date=supply.now, reason=wanted.reason)
    issues = [
        detected_issue(
            one,
            order=held.opening.request,
            patient=held.request["subject"],
            identified=supply.now,
            override=override if wanted.reason else None,
        )
        | {"id": node.new_id()}
        for one in grave
    ]
    for issue in issues:
        for mitigation in issue.get("mitigation", ()):
            mitigation["author"] = supply.performer
    made = (supplied(supply, medication=wanted.medication, why=wanted.why, issues=issues), *issues)
    check_valid([Sent(one) for one in made])
    return made


def dispense(
    node: Node,
    asking: Asking,
    request_id: str,
    wanted: Wanted,
    *,
    vault: bytes | None = None,
) -> Json:
    """Dispense, and only then say that it may be handed out: the MedicationDispense.

    Raises Conflict where the checks, the prescription or the ledger say no, TooMany where the
    caller had all turns to prove, Unavailable where the ledger did not answer: nothing may be
    handed out then, unless ``wanted.offline`` and the rules allow it.
    """
    planned = plan(node, asking, request_id, wanted, vault=vault)
    with proving.turn(node, asking):
        return _dispense(node, asking, planned, wanted)


def _dispense(node: Node, asking: Asking, planned: Planned, wanted: Wanted) -> Json:
    row, opening, made = _begin(node, asking, planned)
    author = _author(asking)
    try:
        proven = proving.prove(node, opening, planned.step)
        node.agent.transact(node.contracts.prescriptions.dispense(proven))
    except Unavailable as error:
        if wanted.offline:
            return _hand_out_offline(node, planned, row, author)
        raise Unavailable(
            _NOT_KNOWN, advice="It is found out by itself; look at its status, then try again."
        ) from error
    except SimdesError as error:
        if not took(node, row):
            node.database.write(lambda tx: dispensing.settle(tx, row.id, dispensing.REFUSED))
            raise _refused(error) from error
    finish(node, row, made, author)
    return made[0]


def _begin(node: Node, asking: Asking, planned: Planned) -> tuple[Dispensing, Opening, list[Json]]:
    """Write the step down; one that began before and is open is gone on with."""
    held, step = planned.held, planned.step
    content = Content(encode(held.opening), [dumps(one) for one in planned.made])

    def write(tx: Transaction) -> tuple[Dispensing, Content]:
        home = records.home_of(node, tx, held.vault)
        new = NewDispensing(
            tag=held.tag_bytes,
            vault=held.vault,
            request=held.opening.request,
            dispense=str(planned.dispense["id"]),
            units_before=step.before,
            units_after=step.after,
            part_after=held.terms.part(step.after),
            content_wrapped=wrap(
                home.key,
                msgspec.msgpack.encode(content),
                aad=_CONTEXT + held.tag_bytes,
                random=node.random,
            ),
            account=asking.session.actor.account,
            until_ms=node.now_ms() + LEASE_MS,
            created_ms=node.now_ms(),
        )
        row = dispensing.begin(tx, new)
        return row, opened(home, row)

    row, kept = node.database.write(write)
    if (row.units_before, row.units_after) != (step.before, step.after):
        raise Conflict(
            "Another dispense of this prescription is under way here.",
            advice="Wait a minute, and look at its status.",
        )
    return row, decode(kept.opening), [loads(one) for one in kept.made]


def opened(home: Home, row: Dispensing) -> Content:
    """What is kept of a step."""
    content = unwrap(home.key, row.content_wrapped, aad=_CONTEXT + row.tag)
    return msgspec.msgpack.decode(content, type=ready(Content))


def took(node: Node, row: Dispensing) -> bool:
    """Whether the ledger took this step of ours."""
    forest.catch_up(node.desk)
    with node.database.read() as tx:
        steps = chain_prescriptions.dispenses(tx, row.tag)
    return any((one.part, one.pharmacy) == (row.part_after, node.organisation) for one in steps)


def finish(node: Node, row: Dispensing, made: list[Json], author: Author) -> None:
    """Write what was dispensed into the record, once."""

    def write(tx: Transaction) -> None:
        if dispensing.settle(tx, row.id, dispensing.DISPENSED):
            records.write(node, tx, records.home_of(node, tx, row.vault), made, author)

    node.database.write(write)


def _refused(error: SimdesError) -> SimdesError:
    """What the ledger's refusal means at the counter."""
    if refusal_of(error) in ("Prescriptions_Moved", "Prescriptions_BoundElsewhere"):
        return Conflict(
            "Another pharmacy dispensed from this prescription just now: hand nothing out.",
            advice="Look at its status; what is left can still be dispensed.",
        )
    return error


def _author(asking: Asking) -> Author:
    actor = asking.session.actor
    return Author(actor.account, actor.address, actor.role, actor.organisation)


# Offline --------------------------------------------------------------------------------------


def _hand_out_offline(node: Node, planned: Planned, row: Dispensing, author: Author) -> Json:
    """Hand out by what was known last, and settle it with the ledger later.

    Raises Forbidden for what may not be handed out so: a controlled substance, on a state that is
    too old, or where the organisation does not allow it.
    """
    hours = node.rules.offline_hours
    head = node.contracts.ledger.head()
    if planned.held.terms.controlled or node.now_seconds() - head.timestamp > hours * 3_600:
        raise Forbidden(
            "This may not be handed out while the ledger is away.",
            advice=f"Controlled substances never, others for {hours} hours after its last block.",
        )
    made = [
        planned.dispense
        | {"note": [{"text": "Handed out while the ledger was away; settled later."}]},
        *planned.made[1:],
    ]

    def write(tx: Transaction) -> None:
        if dispensing.queue(tx, row.id):
            records.write(node, tx, records.home_of(node, tx, row.vault), made, author)

    node.database.write(write)
    return made[0]


# Accept, release, refuse ----------------------------------------------------------------------


def accept(node: Node, asking: Asking, request_id: str, *, vault: bytes | None = None) -> State:
    """Bind a prescription to this pharmacy: nobody else dispenses from it until it is released."""
    held, status = _standing(node, asking, request_id, Act.ACCEPT, vault)
    if status.pharmacy == node.organisation:
        return State.HELD
    if any(status.pharmacy):
        raise Conflict("The prescription belongs to another pharmacy.")
    step = proving.step_from(held.opening, status, units=0, today=holding.today_of(node))
    with proving.turn(node, asking):
        proven = proving.prove(node, held.opening, step)
        _carry_out(node, node.contracts.prescriptions.bind_pharmacy(proven))
    return holding.standing(node, held)[0]


def release(node: Node, asking: Asking, request_id: str, *, vault: bytes | None = None) -> State:
    """Let a prescription go that this pharmacy accepted. Raises Conflict for a controlled one."""
    held, status = _standing(node, asking, request_id, Act.RELEASE, vault)
    if status.pharmacy != node.organisation:
        raise Conflict("The prescription does not belong to this pharmacy.")
    step = proving.step_from(held.opening, status, units=0, today=holding.today_of(node))
    step = replace(step, releases=True)
    step.require_allowed(held.terms)
    with proving.turn(node, asking):
        proven = proving.prove(node, held.opening, step)
        _carry_out(node, node.contracts.prescriptions.release_pharmacy(proven))
    return holding.standing(node, held)[0]


def refuse(
    node: Node,
    asking: Asking,
    request_id: str,
    code: str,
    *,
    text: str = "",
    vault: bytes | None = None,
) -> Json:
    """Refuse to dispense, with a coded reason: a MedicationDispense that was declined.

    Nothing changes on the ledger: another pharmacy may see it otherwise.
    """
    held, _ = _standing(node, asking, request_id, Act.REFUSE, vault)
    supply = Supply(
        id=node.new_id(),
        held=held,
        step=None,
        now_ms=node.now_ms(),
        pharmacist=asking.session.actor.account,
        pharmacy=node.name,
        organisation=node.organisation,
    )
    made = declined(supply, code=code, text=text)
    check_valid([Sent(made)])
    author = _author(asking)
    node.database.write(
        lambda tx: records.write(node, tx, records.home_of(node, tx, held.vault), [made], author)
    )
    return made


def _standing(
    node: Node, asking: Asking, request_id: str, act: Act, vault: bytes | None
) -> tuple[Held, PrescriptionStatus]:
    require_pharmacist(node, asking)
    held = holding.hold(node, asking, request_id, vault=vault)
    state, status = holding.standing(node, held)
    if not (act is Act.ACCEPT and status.pharmacy == node.organisation):
        states.require(state, act)
    return held, status


def _carry_out(node: Node, call: Call) -> None:
    try:
        node.agent.transact(call)
    except Conflict as error:
        raise _refused(error) from error
