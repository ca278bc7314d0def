"""A provider's look at one claim of its own: what was claimed, what the insurer answered and why.

Read in the caller's name, for payment, under what the patient lets the provider see of insurers'
answers. An answer is the insurer's own, and is shown where it opens what the ledger has as approved
or paid, or where the ledger has a denial and it pays nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simdes.access.categories import Category, mask
from simdes.claims.claimed import Line, claimed_of
from simdes.claims.engine import Decided
from simdes.claims.money import Money
from simdes.claims.reading import reference_of
from simdes.claims.responses import read_lines
from simdes.errors import SimdesError
from simdes.exchange.claims import answers, billing_desk
from simdes.exchange.claims.billing_desk import Billed, Own
from simdes.exchange.interactions import finding
from simdes.exchange.interactions.found import Found
from simdes.exchange.interactions.search import find
from simdes.exchange.node import Node
from simdes.exchange.reach import reach
from simdes.exchange.rights import Asking, again, ask
from simdes.fhir.json import loads
from simdes.fhir.search.parse import parse
from simdes.index.claims import Step
from simdes.ledger.contracts import Claim, ClaimState
from simdes.proofs.openings import number

Json = dict[str, Any]

_READ: Final = ("Patient", "Claim", "ClaimResponse", "ExplanationOfBenefit")
_OFFERED: Final = (
    "Condition",
    "DiagnosticReport",
    "DocumentReference",
    "MedicationRequest",
    "Observation",
    "Procedure",
)
"""What an insurer that asks for more is usually shown."""
OFFERS: Final = 30
_PER_PAGE: Final = "1000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A claim with its lines; ``decided`` by line and ``pays`` where an answer can be read that is
    the ledger's, ``missing`` what was asked for last, ``notes`` the insurer's words. ``newest`` is
    the last claim for the same, ``coming`` whether one more opens by itself."""

    own: Own
    claim: Json
    patient: Json | None
    lines: Sequence[Line]
    decided: Mapping[int, Decided]
    pays: Money | None
    missing: Sequence[str]
    notes: Sequence[str]
    offerable: Sequence[Found]
    newest: bytes
    coming: bool


def look(node: Node, asking: Asking, claim: bytes) -> Looked:
    """A claim of ours. Raises NotFound for none, Forbidden as `billing_desk.mine`."""
    step = billing_desk.step_of(node, asking, claim)
    known = node.contracts.claims.claim(number(claim))
    asking = _for_payment(node, asking, step.vault)
    listed = [(one, loads(one.content)) for one in _found(node, asking, step.vault, _READ)]
    own = [one for row, one in listed if row.source == finding.own_source(node)]
    said = [one for row, one in listed if row.source == finding.source_of(node, step.other)]
    name = f"Claim/{step.resource}"
    its: Json = next((one for one in own if f"{one['resourceType']}/{one['id']}" == name), {})
    replies = [one for one in said if reference_of(one.get("request") or one.get("claim")) == name]
    answer = next((one for one in replies if _holds(one, step, known)), None)
    last = answer if known.state is not ClaimState.ASKED else next(iter(replies), None)
    return Looked(
        own=billing_desk.own(node, Billed(step, known)),
        claim=its,
        patient=next((one for one in own if one["resourceType"] == "Patient"), None),
        lines=claimed_of(its).lines if its else (),
        decided={one.sequence: one for one in _lines(answer or {}) or ()},
        pays=_pays(answer),
        missing=texts_of(one.get("code") for one in items_of(last, "error")),
        notes=texts_of(items_of(last, "processNote")),
        offerable=_offerable(node, asking, step.vault) if known.state is ClaimState.ASKED else (),
        newest=billing_desk.newest(node, step),
        coming=known.state is ClaimState.REVERSED and billing_desk.is_coming(node, step),
    )


def _for_payment(node: Node, asking: Asking, vault: bytes) -> Asking:
    paying = ask(node, asking.session, purpose=billing_desk.PURPOSE)
    reached = reach(node, paying, vaults=(vault,), categories=mask((Category.CLAIMS,)))
    with node.database.read() as tx:
        return again(node, reached.asking, tx)


def _found(
    node: Node, asking: Asking, vault: bytes, types: tuple[str, ...], count: str = _PER_PAGE
) -> tuple[Found, ...]:
    pairs = (("_sort", "-_lastUpdated"), ("_count", count))
    query = parse(types, pairs, now_ms=node.now_ms())
    return find(node, asking, query, vaults=(vault,)).matches


def _offerable(node: Node, asking: Asking, vault: bytes) -> list[Found]:
    """The newest of the patient's record here: what another organisation wrote is not ours."""
    found = _found(node, asking, vault, _OFFERED, str(2 * OFFERS))
    return [one for one in found if one.source == finding.own_source(node)][:OFFERS]


def _holds(answer: Json, step: Step, known: Claim) -> bool:
    """Whether an answer is the one that the ledger has."""
    if known.state is ClaimState.DENIED:
        pays = _pays(answer)
        return pays is not None and pays.minor == 0 and _lines(answer) is not None
    return any(answers.opens(answer, step, one) for one in (known.paid, known.approved) if one)


def _lines(answer: Json) -> list[Decided] | None:
    """What an answer says line by line; None where that can't be read."""
    try:
        return read_lines(answer.get("item") or ())
    except (SimdesError, LookupError, TypeError, ValueError, AttributeError):
        return None


def _pays(answer: Json | None) -> Money | None:
    try:
        return answers.benefit_of(answer) if answer else None
    except (SimdesError, StopIteration, LookupError, TypeError, ValueError, AttributeError):
        return None


def items_of(answer: Mapping[str, Any] | None, element: str) -> list[Json]:
    """The items of an element; what is none is left out, as nobody here checked it."""
    found = (answer or {}).get(element)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def texts_of(said: Iterable[Any]) -> tuple[str, ...]:
    """The words of what has some."""
    return tuple(str(one["text"]) for one in said if isinstance(one, dict) and one.get("text"))
