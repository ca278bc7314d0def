"""An insurer answers whether somebody is covered, from its own records: over FHIR as
``CoverageEligibilityRequest/$submit``, and X12 270.

https://hl7.org/fhir/R4/operation-coverageeligibilityrequest-submit.html. Who is insured are the
Coverages that this organisation wrote (`simdes ingest` of an X12 834, or over FHIR) and the caller
may read. Nothing of a question is kept but the audit entry of what was read for it
(docs/decisions/0058).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from simdes.access.categories import Role
from simdes.access.rights import SCOPE, Interaction
from simdes.claims.members import Person, find_cover
from simdes.claims.reading import reference_of
from simdes.errors import Forbidden, Gone, Invalid, NotFound
from simdes.exchange.claims.deciding import used_of
from simdes.exchange.claims.inquiring import (
    REQUEST,
    Answered,
    Cover,
    answer,
    entries_of,
    plan_of,
    requests_of,
)
from simdes.exchange.claims.steps import insurer, today
from simdes.exchange.interactions.drafts import Sent, check_valid
from simdes.exchange.interactions.read import read
from simdes.exchange.interactions.search import find
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.fhir.json import loads
from simdes.fhir.reference import parse_reference
from simdes.fhir.search.grammar import escaped
from simdes.fhir.search.parse import parse
from simdes.ledger.consents import Reason

Json = dict[str, Any]

MOST_REQUESTS: Final = 50
"""Questions that are answered at once."""
_MOST_NUMBERS: Final = 4
_ANSWERS: Final = frozenset((Role.INSURER, Role.AGENT))
"""Who answers: claims staff, and the software that clearing houses and providers talk to."""


def require_answering(node: Node, asking: Asking) -> None:
    """Raise Forbidden unless this is an insurer, and the caller's role and app let them ask."""
    if not node.claims.pays:
        raise Forbidden("This organisation insures nobody.", advice="Ask the patient's insurer.")
    if asking.rights.role not in _ANSWERS:
        raise Forbidden(
            f"The role {asking.rights.role.name.lower()} may not ask who is covered.",
            reason=Reason.WRONG_ROLE.name,
        )
    if not asking.rights.scopes(Interaction.CREATE, REQUEST):
        raise Forbidden(f"The app was not allowed to create {REQUEST}.", reason=SCOPE)


def answer_resource(node: Node, asking: Asking, sent: Mapping[str, Any]) -> list[Answered]:
    """Answer a request, those of a Bundle with what they refer to, or of a Bundle of Bundles.

    Raises Forbidden, BrokenRules for what is no valid R4, NotFound without a request, Invalid for
    too many, and for one that does not say about whom.
    """
    require_answering(node, asking)
    bundles = [_alone(sent)] if sent.get("resourceType") == REQUEST else list(_parts(sent))
    pairs = [(one, bundle) for bundle in bundles for one in requests_of(bundle)]
    if len(pairs) > MOST_REQUESTS:
        raise Invalid(f"At most {MOST_REQUESTS} requests are answered at once.")
    for bundle in bundles:
        check_valid([Sent(one) for one in _resources(bundle)])
    return [_answered(node, asking, one, bundle) for one, bundle in pairs]


def _alone(request: Mapping[str, Any]) -> Json:
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": dict(request)}]}


def _parts(bundle: Mapping[str, Any]) -> Iterator[Json]:
    """A Bundle without the Bundles in it, and these, which hold no others."""
    resources = _resources(bundle)
    for one in resources:
        if one.get("resourceType") == "Bundle":
            if any(each.get("resourceType") == "Bundle" for each in _resources(one)):
                raise Invalid("A Bundle in the Bundle holds no further Bundles.")
            yield one
    alone = [one for one in bundle["entry"] if one["resource"].get("resourceType") != "Bundle"]
    if alone:
        yield {**bundle, "entry": alone}


def _resources(bundle: Mapping[str, Any]) -> list[Json]:
    entries = bundle.get("entry")
    if bundle.get("resourceType") != "Bundle" or not isinstance(entries, list) or not entries:
        raise Invalid(f"Send a {REQUEST}, or a Bundle with it.")
    found = [one.get("resource") if isinstance(one, Mapping) else None for one in entries]
    if not all(isinstance(one, dict) for one in found):
        raise Invalid("Every entry of the Bundle holds a resource.")
    return [one for one in found if isinstance(one, dict)]


def _answered(node: Node, asking: Asking, request: Json, bundle: Json) -> Answered:
    return answer(
        request,
        entries_of(bundle),
        Insured(node, asking),
        insurer=insurer(node),
        today=today(node),
        new_id=node.new_id,
    )


@dataclass(frozen=True, slots=True)
class _Known:
    coverage: Json
    patient: Json
    vault: bytes


class Insured:
    """Who is insured by this organisation, as far as a caller may read it."""

    def __init__(self, node: Node, asking: Asking) -> None:
        self._node = node
        self._asking = asking

    def find(self, asked: Person, day: date) -> Cover | None:
        """The cover of the one person meant, by number and birth date."""
        if not asked.born or not asked.numbers:
            return None
        known: dict[str, _Known] = {}
        for number in sorted(asked.numbers)[:_MOST_NUMBERS]:
            known |= self._numbered(number, asked.born)
        found = find_cover(asked, ((one.coverage, one.patient) for one in known.values()), day)
        if found is None:
            return None
        its = known[str(found["id"])]
        others = frozenset(known) - {str(found["id"])}
        return self._cover(its.coverage, its.vault, others)

    def _numbered(self, number: str, born: str) -> dict[str, _Known]:
        pairs = (
            ("identifier", escaped(number)),
            ("patient.birthdate", born),
            ("_include", "Coverage:beneficiary"),
        )
        query = parse(("Coverage",), pairs, now_ms=self._node.now_ms())
        page = find(self._node, self._asking, query)
        people = {f"{one.type}/{one.id}": loads(one.content) for one in page.included}
        covers = [(loads(one.content), one.vault) for one in page.matches]
        return {
            str(one["id"]): _Known(one, people.get(reference_of(one.get("beneficiary")), {}), vault)
            for one, vault in covers
        }

    def named(self, reference: str) -> Cover | None:
        """The cover under a reference to one of our own Coverages."""
        parsed = parse_reference(reference)
        if parsed.kind != "relative" or parsed.type != "Coverage":
            return None
        try:
            found = read(self._node, self._asking, "Coverage", parsed.id)
        except (NotFound, Gone):
            return None
        return self._cover(loads(found.content), found.vault, frozenset())

    def _cover(self, coverage: Json, vault: bytes, others: frozenset[str]) -> Cover:
        plan = plan_of(coverage, self._node.claims.plans)
        return Cover(coverage=coverage, plan=plan, used=used_of(self._node, vault, others))
