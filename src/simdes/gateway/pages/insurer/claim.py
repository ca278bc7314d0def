"""A claim beside the disclosed record: the plan's proposal, the decision, what follows it.

Nothing is decided by looking. A decision is shown whole before it is made: what is paid of each
line, what is not and why.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from simdes import typed_numbers
from simdes.claims.money import money_of
from simdes.claims.reasons import REASONS, Group
from simdes.errors import Conflict, Invalid, NotFound, SimdesError
from simdes.exchange import members
from simdes.exchange.claims import cases, deciding, paying
from simdes.exchange.claims.appealing import MOST_TEXT
from simdes.exchange.claims.cases import Case, Row
from simdes.exchange.claims.deciding import Change, Proposed
from simdes.exchange.rights import Asking
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked, id_of
from simdes.gateway.pages.insurer.inbox import asking_of, claim_address, state_of
from simdes.gateway.pages.insurer.signals import noticed
from simdes.gateway.pages.record.saying import dig, say
from simdes.gateway.pages.record.showing import person
from simdes.gateway.pages.record.timeline import Source, lines, parts
from simdes.gateway.problems import STATUS

DECIDE: Final = "/inbox/decide"
ASK: Final = "/inbox/ask"
SETTLE: Final = "/inbox/settle"
REVERSE: Final = "/inbox/reverse"
DECIDABLE: Final = ("disclosed", "received", "appealed")
PAYABLE: Final = ("approved", "partly")
REVERSIBLE: Final = (*PAYABLE, "paid")
_MISSING: Final = 10
_PER_PART: Final = 40
_BESIDE: Final = frozenset(("Claim", "Coverage", "DocumentReference"))
"""What stands in the claim's own part of the page, or only opens it."""


def show(asked: Asked) -> Shown:
    """The claim, what the plan proposes, and the record that was disclosed for it."""
    return _page(asked, id_of(asked.asked("claim", most=64)), None)


def decide(asked: Asked) -> Shown | Moved:
    """From the form to the decision as it would be, and on to the decision."""
    claim, asking = id_of(asked.field("claim", most=64)), asking_of(asked)
    try:
        its = cases.case(asked.node, asking, claim)
        basis = deciding.proposed(asked.node, its)
        wanted: dict[str, Any] = {
            "deny": _reason(asked.field("deny", most=8)),
            "changes": _changes(asked, its, basis),
            "note": asked.field("note", most=400).strip(),
        }
        if asked.field("step") != "decide":
            return _preview(asked, its, basis, wanted, asking)
        deciding.decide(asked.node, asking, its, **wanted)
    except (Conflict, Invalid) as error:
        return _page(asked, claim, error)
    return Moved(claim_address(claim, done="decided"))


def ask(asked: Asked) -> Shown | Moved:
    """Ask the provider for more before it is decided."""
    claim, asking = id_of(asked.field("claim", most=64)), asking_of(asked)
    missing = [one.strip() for one in asked.field("missing").splitlines() if one.strip()]
    try:
        if not missing:
            raise Invalid("Say what is missing.", advice="One thing on each line.")
        its = cases.case(asked.node, asking, claim)
        deciding.ask(asked.node, asking, its, missing[:_MISSING])
    except (Conflict, Invalid) as error:
        return _page(asked, claim, error)
    return Moved(claim_address(claim, done="asked"))


def settle(asked: Asked) -> Shown | Moved:
    """Pay what was decided: on the ledger first."""
    return _afterwards(asked, paying.settle, "paid")


def reverse(asked: Asked) -> Shown | Moved:
    """Take a decision or payment back; the claim ends."""
    return _afterwards(asked, paying.reverse, "reversed")


def _afterwards(asked: Asked, verb: Any, done: str) -> Shown | Moved:
    claim = id_of(asked.field("claim", most=64))
    try:
        verb(asked.node, asking_of(asked), claim)
    except Conflict as error:
        return _page(asked, claim, error)
    return Moved(claim_address(claim, done=done))


def _page(asked: Asked, claim: bytes, problem: SimdesError | None) -> Shown:
    asking = asking_of(asked)
    row = cases.row(asked.node, asking, claim)
    try:
        its: Case | None = cases.case(asked.node, asking, claim)
    except NotFound:
        its = None
    basis, unclear = _proposed(asked, row, its)
    signals, silent = noticed(asked, its)
    return Shown(
        "insurer/claim.html",
        {
            "row": row,
            "state": state_of(row),
            "provider": members.name_of(asked.node, row.provider),
            "its": its,
            "claimed": row.claimed if its is None else its.claimed,
            "services": _services(asked, its),
            "basis": basis,
            "unclear": unclear,
            "appeals": _appeals(asked, its),
            "signals": signals,
            "silent": silent,
            "problem": problem,
            "person": _person(asked, its),
            "record": _record(asked, its),
            "reasons": tuple(f"{Group.CONTRACT}-{one}" for one in REASONS),
            "code": lambda reason: reason.partition("-")[2],
            "typed": asked.form,
            "may": {
                "pay": state_of(row) in PAYABLE,
                "reverse": state_of(row) in REVERSIBLE,
                "ask": state_of(row) in DECIDABLE,
            },
        },
        here=claim_address(claim),
        status=STATUS[type(problem)] if problem else 200,
    )


def _preview(
    asked: Asked, its: Case, basis: Proposed, wanted: dict[str, Any], asking: Asking
) -> Shown:
    decision = deciding.decide(asked.node, asking, its, **wanted, dry_run=True)
    return Shown(
        "insurer/decision.html",
        {
            "its": its,
            "claim": its.id,
            "proposal": decision.proposal,
            "outcome": decision.outcome.name.lower(),
            "services": _services(asked, its),
            "note": wanted["note"],
            "fields": {
                name: values[0]
                for name, values in asked.form.items()
                if name not in ("step", "token")
            },
            "back": claim_address(its.id),
        },
        here=claim_address(its.id),
    )


def _proposed(
    asked: Asked, row: Row, its: Case | None
) -> tuple[Proposed | None, SimdesError | None]:
    """What the plan proposes where it is still to be decided, or why it proposes nothing."""
    if its is None or state_of(row) not in DECIDABLE:
        return None, None
    try:
        return deciding.proposed(asked.node, its), None
    except (Invalid, NotFound) as error:
        return None, error


def _changes(asked: Asked, its: Case, basis: Proposed) -> list[Change]:
    """What the form says of lines otherwise than proposed."""
    found = []
    for one in basis.proposal.lines:
        typed = asked.field(f"pay-{one.sequence}", most=24).strip()
        if not typed:
            continue
        benefit = money_of(typed_numbers.read(typed), its.opening.currency).minor
        if benefit == one.benefit:
            continue
        reason = _reason(asked.field(f"reason-{one.sequence}", most=8))
        if reason is None:
            raise Invalid(
                "A line is paid otherwise than proposed, without a reason.",
                advice="Choose the reason beside it.",
            )
        found.append(
            Change(sequence=one.sequence, benefit=benefit, group=reason[0], reason=reason[1])
        )
    return found


def _reason(text: str) -> tuple[Group, str] | None:
    """A coded reason (CO-50); None where none is chosen."""
    group, _, code = text.partition("-")
    if not text:
        return None
    if group not in set(Group) or code not in REASONS:
        raise Invalid("There is no such reason.", advice="Choose one from the list.")
    return Group(group), code


def _services(asked: Asked, its: Case | None) -> dict[int, tuple[str, str]]:
    """What each line of the Claim is for, and when."""
    items = its.claim.get("item") or () if its else ()
    return {
        int(one["sequence"]): (
            say(one.get("productOrService"), asked.reader),
            asked.reader.date(str(one.get("servicedDate", ""))),
        )
        for one in items
    }


def _sources(asked: Asked, its: Case) -> list[Source]:
    name = members.name_of(asked.node, its.opening.provider)
    return [Source(resource=one, organisation=name, own=False) for one in its.record]


def _person(asked: Asked, its: Case | None) -> Any:
    found = _sources(asked, its) if its else []
    patient = next((one for one in found if one.resource["resourceType"] == "Patient"), None)
    return person(patient, asked.reader)


def _appeals(asked: Asked, its: Case | None) -> list[tuple[str, str]]:
    """Why the patient had it decided again, in their words, each with its day."""
    return [
        (_whole(one), asked.reader.date(str(one.get("sent", ""))))
        for one in (its.appeals if its else ())
    ]


def _whole(message: Mapping[str, Any]) -> str:
    said = (one for one in dig(message, "payload.contentString") if isinstance(one, str))
    return "\n".join(said)[:MOST_TEXT]


def _record(asked: Asked, its: Case | None) -> list[tuple[str, list[Any]]]:
    """What was disclosed beside the claim itself, by part."""
    appeals = its.appeals if its else []
    found = [
        one
        for one in (_sources(asked, its) if its else ())
        if one.resource["resourceType"] not in _BESIDE and one.resource not in appeals
    ]
    by_part = parts(lines(found, asked.reader))
    return [(part, listed[:_PER_PART]) for part, listed in by_part.items()]
