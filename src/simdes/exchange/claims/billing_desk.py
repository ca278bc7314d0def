"""The provider's billing desk: its claims, and what software does not do by itself.

Accepting a decision makes it final at once, so that a part can be paid and the next insurer asked;
appealing has it decided again; reversing ends a claim; what an insurer asks for is answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from simdes.access.categories import Purpose
from simdes.access.rights import Interaction
from simdes.claims.money import Money
from simdes.errors import Conflict, Forbidden, NotFound
from simdes.exchange.claims import lines, stating, steps
from simdes.exchange.claims.steps import Content, Planned, author_of
from simdes.exchange.node import Node
from simdes.exchange.prescriptions import records
from simdes.exchange.rights import Asking
from simdes.index import claims
from simdes.index.claims import Step
from simdes.ledger.contracts import Claim, ClaimState
from simdes.ledger.lane import Call
from simdes.proofs.openings import number

PURPOSE: Final = Purpose.HPAYMT.name
"""What people at the desk read for."""
_DECIDED: Final = frozenset((ClaimState.APPROVED, ClaimState.PARTLY, ClaimState.DENIED))


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """A claim of this provider. ``claim`` is its id on the ledger (32 bytes), ``encounter`` the
    reference of what is claimed for, ``final``: its decision can't be appealed any more."""

    claim: bytes
    vault: bytes
    resource: str
    encounter: str
    insurer: bytes
    state: ClaimState
    due_seconds: int
    appeals: int
    final: bool
    claimed: Money
    ended: bool


def require_biller(node: Node, asking: Asking) -> None:
    """Raise Forbidden unless the caller bills for this organisation."""
    if not node.claims.opens:
        raise Forbidden(
            "Only who treats patients has claims of its own.",
            advice="Sign in at the organisation that treated the patient.",
        )
    asking.rights.require(Interaction.CREATE, "Claim")


@dataclass(frozen=True, slots=True)
class Billed:
    """A claim that was opened here, as far as it is known without opening what was kept of it."""

    step: Step
    known: Claim


def billed(node: Node, asking: Asking) -> list[Billed]:
    """Every claim that was opened here, by when it is due; those that have ended last.

    Raises Forbidden for who does not bill for this organisation.
    """
    require_biller(node, asking)
    with node.database.read() as tx:
        opened = claims.opened_here(tx)
    known = node.contracts.claims.claims([number(one.claim) for one in opened])
    found = [Billed(*one) for one in zip(opened, known, strict=True)]
    return sorted(found, key=lambda one: (bool(one.step.ended), one.known.due, one.step.claim))


def mine(node: Node, asking: Asking) -> list[Own]:
    """The same, each with what is claimed."""
    return owns(node, billed(node, asking))


def owns(node: Node, rows: Sequence[Billed]) -> list[Own]:
    """What was kept of claims, opened; those left out that were erased meanwhile."""
    found = []
    for one in rows:
        with suppress(Conflict):  # erased with the vault
            found.append(own(node, one))
    return found


def own(node: Node, billed: Billed) -> Own:
    """A claim with what was kept of it. Raises Conflict where its vault was erased."""
    step, known = billed.step, billed.known
    content = steps.content_of(node, step)
    return Own(
        claim=step.claim,
        vault=step.vault,
        resource=step.resource,
        encounter=step.encounter,
        insurer=step.other,
        state=known.state,
        due_seconds=known.due,
        appeals=known.appeals,
        final=known.is_final(node.now_seconds()),
        claimed=Money(content.amount, content.currency),
        ended=bool(step.ended),
    )


def accept(node: Node, asking: Asking, claim: bytes, *, appeals: int | None = None) -> None:
    """Take a decision as final: the one after so many ``appeals``, where that is said.

    Raises Conflict where there is none, or another one by now, NotFound for no own claim.
    """
    step = step_of(node, asking, claim)
    _require_seen(node, claim, appeals)
    _send(node, asking, step, node.contracts.claims.accept(number(claim)))


def appeal(node: Node, asking: Asking, claim: bytes, *, appeals: int | None = None) -> None:
    """Have the insurer decide again. Raises Conflict where it is too late or final, and as
    `accept`."""
    step = step_of(node, asking, claim)
    _require_seen(node, claim, appeals)
    _send(node, asking, step, node.contracts.claims.appeal(number(claim)))


def answer(node: Node, asking: Asking, claim: bytes, references: Sequence[str] = ()) -> None:
    """Answer an insurer that asked for more: offer these resources (``Type/id``) to the patient.

    The claim goes on once the patient lets the insurer see them. Without any: there is nothing
    more, and it goes on at once. Raises Conflict where nothing was asked, NotFound for a resource
    that is not in the patient's record here.
    """
    step = step_of(node, asking, claim)
    known = node.contracts.claims.claim(number(claim))
    if known.state is not ClaimState.ASKED:
        raise Conflict("The insurer did not ask for more.")
    if references:
        lines.offer_more(node, step, references, author_of(asking))
    else:
        _send(node, asking, step, node.contracts.claims.disclose(number(claim)))


def reverse(node: Node, asking: Asking, claim: bytes, *, seen: str | None = None) -> None:
    """End a claim that is not paid; where it is decided, in the state that was ``seen``, if said.

    Raises Conflict for one that is paid or has ended, or was decided meanwhile.
    """
    step = step_of(node, asking, claim)
    contract = node.contracts.claims
    state = contract.claim(number(claim)).state
    if state in (ClaimState.PAID, ClaimState.REVERSED):
        raise Conflict("The claim is paid or has ended.")
    if seen is not None and state in _DECIDED and state.name.lower() != seen:
        raise _anew()
    steps.carry_out(
        node,
        Planned(
            claim=number(claim),
            tag=number(step.tag),
            vault=step.vault,
            resource=step.resource,
            encounter=step.encounter,
            other=step.other,
            verb="reverse",
            expects=0,
            content=Content(made=[]),
            call=lambda: contract.reverse(number(claim)),
        ),
        author_of(asking),
    )


def again(node: Node, asking: Asking, claim: bytes) -> None:
    """Claim once more for what a reversed claim was for, as it is now.

    Its cost is stated anew; the claim opens by itself once that stands. Raises Conflict for a
    claim that was not reversed, or was claimed again already.
    """
    step = step_of(node, asking, claim)
    known = node.contracts.claims.claim(number(claim))
    if known.state is not ClaimState.REVERSED:
        raise Conflict("Reverse the claim first.")
    if newest(node, step) != claim:
        raise Conflict("It was claimed again already.", advice="Look at the newer claim.")
    stating.restate(node, step.vault, step.encounter)
    _note(node, asking, step)


def newest(node: Node, step: Step) -> bytes:
    """The last claim of the same encounter at the same insurer: this one, or one made again."""
    with node.database.read() as tx:
        return [
            one.claim
            for one in claims.of_vault(tx, step.vault, "open")
            if (one.encounter, one.other) == (step.encounter, step.other)
        ][-1]


def is_coming(node: Node, step: Step) -> bool:
    """Whether the cost is stated anew since this claim, so that another opens by itself."""
    total = steps.content_of(node, step).total
    with node.database.read() as tx:
        stated = claims.costs_of(tx, step.vault, step.encounter)
    return bool(total and stated and stated[-1].version > total[1])


def step_of(node: Node, asking: Asking, claim: bytes) -> Step:
    """The step by which a claim was opened here. Raises NotFound for no claim of ours."""
    require_biller(node, asking)
    with node.database.read() as tx:
        rows = claims.steps(tx, claim=claim, verb="open")
    if not rows:
        raise NotFound("No such claim was opened here.")
    return rows[-1]


def _require_seen(node: Node, claim: bytes, appeals: int | None) -> None:
    """Somebody else may have appealed, and the insurer decided, since who acts here looked."""
    if appeals is not None and node.contracts.claims.claim(number(claim)).appeals != appeals:
        raise _anew()


def _anew() -> Conflict:
    return Conflict("The claim was decided anew meanwhile.", advice="Read the new decision.")


def _send(node: Node, asking: Asking, step: Step, call: Call) -> None:
    node.agent.transact(call)
    _note(node, asking, step)


def _note(node: Node, asking: Asking, step: Step) -> None:
    node.database.write(lambda tx: records.note(node, tx, step.vault, author_of(asking)))
