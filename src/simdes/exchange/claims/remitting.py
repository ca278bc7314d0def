"""The remittances of what was paid here, as X12 835: one for each provider, in balance to the cent.

Written of what was kept with each payment, so that it can be written when nothing of the claim can
be read any more. A payment that was taken back is remitted as the reversal of its claim, and what
the provider owes then is forwarded.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from simdes.access.requests import hexed
from simdes.claims.reading import reference_of
from simdes.claims.remittance import Settled, reconciliation, reversed_benefit, unbalanced
from simdes.errors import Conflict, Gone, NotFound, Tampered
from simdes.exchange import members
from simdes.exchange.claims import steps
from simdes.exchange.claims.cases import require_clerk
from simdes.exchange.claims.telling import kept
from simdes.exchange.claims.x12 import Interchange, envelope
from simdes.exchange.interactions.read import read
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.fhir.json import loads
from simdes.fhir.prescribing import ORGANISATION
from simdes.index import claims
from simdes.index.claims import Step
from simdes.mapper.x12.write_remittance import remittances

Json = dict[str, Any]

_SHOWN: Final = ("Patient", "Coverage")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Days (UTC) from ``first`` to ``last``, both included; None is open."""

    first: date | None = None
    last: date | None = None

    def has(self, day: date) -> bool:
        """Whether a day is one of them."""
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)


def remit(node: Node, asking: Asking, span: Span, *, sender: str = "") -> list[Interchange]:
    """The 835s of what was paid or taken back in a span, an interchange for each provider.

    Raises Forbidden for who is not the insurer's claims staff, NotFound where nothing was paid,
    Tampered for a payment that does not balance.
    """
    require_clerk(node, asking)
    by_provider: defaultdict[bytes, list[Json]] = defaultdict(list)
    with node.database.read() as tx:
        rows = [*claims.steps(tx, verb="settle"), *claims.steps(tx, verb="reverse")]
    for row in sorted(rows, key=lambda one: one.id):
        if not span.has(datetime.fromtimestamp(row.created_ms / 1000, UTC).date()):
            continue
        bundle = _bundle(node, asking, row)
        if bundle is not None:
            by_provider[row.other].append(bundle)
    if not by_provider:
        raise NotFound("Nothing was paid in these days.")
    made = []
    for at, (provider, bundles) in enumerate(sorted(by_provider.items())):
        name = members.name_of(node, provider)
        told = envelope(node, sender, name, at=at, is_test=False)
        made.append(
            Interchange(
                kind="835", receiver=name, count=len(bundles), content=remittances(bundles, told)
            )
        )
    return made


def _bundle(node: Node, asking: Asking, row: Step) -> Json | None:
    """A payment with its claim; None for a reversal of what was never paid."""
    benefit = kept(node, row if row.verb == "settle" else _paid(node, row) or row, _BENEFIT)
    if benefit is None:
        return None
    benefit = {**benefit, "provider": _provider(node, row.other)}
    payment = kept(node, row, "PaymentReconciliation")
    if row.verb == "reverse":
        benefit = reversed_benefit(benefit, id_=f"{benefit['id']}-reversed"[:64])
        payment = _taken_back(node, row, benefit)
    if payment is None:
        return None
    payment = {**payment, "requestor": benefit["provider"]}
    if wrong := unbalanced(payment, [benefit]):
        raise Tampered(f"A payment does not balance: {wrong[0]}")
    shown = _shown(node, asking, benefit)
    entries = [
        {"fullUrl": f"{one['resourceType']}/{one['id']}", "resource": one}
        for one in (payment, benefit, *shown)
    ]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


_BENEFIT: Final = "ExplanationOfBenefit"


def _paid(node: Node, row: Step) -> Step | None:
    with node.database.read() as tx:
        found = claims.steps(tx, claim=row.claim, verb="settle")
    return found[-1] if found else None


def _taken_back(node: Node, row: Step, benefit: Json) -> Json:
    day = datetime.fromtimestamp(row.created_ms / 1000, UTC).date()
    number = (benefit.get("payment") or {}).get("identifier") or {"value": str(row.id)}
    return reconciliation(
        Settled(
            id=f"reversal-{row.id}",
            number=number,
            day=day,
            insurer=steps.insurer(node),
            provider=benefit["provider"],
            currency=str(benefit["total"][0]["amount"]["currency"]),
            benefits=[benefit],
        )
    )


def _provider(node: Node, organisation: bytes) -> Json:
    """The provider as the network knows it: its own records of itself may not be read here."""
    number = {"system": ORGANISATION, "value": hexed(organisation)}
    return {"identifier": number, "display": members.name_of(node, organisation)}


def _shown(node: Node, asking: Asking, benefit: Json) -> list[Json]:
    """Patient and Coverage of a claim, while they can be read."""
    insured = (benefit.get("insurance") or [{}])[0]
    found = []
    for reference in (reference_of(benefit["patient"]), reference_of(insured.get("coverage"))):
        type_, _, id_ = reference.partition("/")
        if type_ not in _SHOWN:
            continue
        try:
            found.append(loads(read(node, asking, type_, id_).content))
        except (NotFound, Gone, Conflict):
            continue
    return found
