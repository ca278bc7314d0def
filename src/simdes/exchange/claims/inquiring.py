"""Questions about cover answered: of a request with what it refers to, the response (X12 270, 271;
https://hl7.org/fhir/R4/coverageeligibilityrequest.html).

Who is asked about is found by a `Register`: files of members here, an insurer's own records in
`covering`. An answer repeats what was asked and adds what the plan says; it shows no record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, Protocol

from simdes.claims.eligibility import Inquiry, asked_day, eligibility_response
from simdes.claims.engine import Used
from simdes.claims.members import Person, find_cover, person_of
from simdes.claims.plan import Plan
from simdes.claims.reading import first_code, reference_of
from simdes.errors import Invalid, NotFound
from simdes.mapper.x12.compose import Envelope
from simdes.mapper.x12.write_eligibility import eligibilities

Json = dict[str, Any]
Entries = Mapping[str, Json]
"""Resources by how they are referred to."""

REQUEST: Final = "CoverageEligibilityRequest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """The Coverage of who is asked about, the plan that it is of, what is used of the period."""

    coverage: Json
    plan: Plan | None
    used: Used


class Register(Protocol):
    """Who is insured."""

    def find(self, asked: Person, day: date) -> Cover | None:
        """The cover of the one person meant on a day; None for nobody, or several."""

    def named(self, reference: str) -> Cover | None:
        """The cover under a reference to one of our own Coverages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A request answered: ``bundle`` holds both with what they refer to, for an X12 271."""

    request: Json
    response: Json
    bundle: Json


def entries_of(bundle: Mapping[str, Any]) -> dict[str, Json]:
    """The resources of a Bundle, by fullUrl and by type and id; those contained by ``#id``."""
    found: dict[str, Json] = {}
    for entry in bundle.get("entry") or ():
        resource = entry.get("resource")
        if not isinstance(resource, dict):
            continue
        for name in (entry.get("fullUrl"), f"{resource.get('resourceType')}/{resource.get('id')}"):
            if isinstance(name, str):
                found.setdefault(name, resource)
    return found


def requests_of(bundle: Mapping[str, Any]) -> list[Json]:
    """The requests in a Bundle. Raises NotFound where there is none."""
    every = [one.get("resource") for one in bundle.get("entry") or ()]
    found = [one for one in every if isinstance(one, dict) and one.get("resourceType") == REQUEST]
    if not found:
        raise NotFound(f"There is no {REQUEST} in this.")
    return found


def answer(
    request: Json,
    entries: Entries,
    register: Register,
    *,
    insurer: Mapping[str, Any],
    today: date,
    new_id: Callable[[], str],
) -> Answered:
    """Answer a request whose references are in ``entries``. Raises Invalid for one that names
    neither a Coverage nor a patient."""
    contained = {
        f"#{one.get('id')}": one for one in request.get("contained") or () if isinstance(one, dict)
    }
    entries = {**entries, **contained}
    reference = _coverage(request)
    patient = entries.get(reference_of(request.get("patient")), {})
    asked = entries.get(reference, {})
    day = asked_day(request, today)
    if asked:
        found = register.find(person_of(patient, asked), day)
    elif reference:
        found = _of(request, register.named(reference))
    else:
        raise Invalid("The request does not say about which Coverage.")
    response = eligibility_response(
        Inquiry(
            request=request,
            coverage=None if found is None else found.coverage,
            plan=None if found is None else found.plan,
            used=Used() if found is None else found.used,
            insurer=insurer,
            today=today,
        ),
        id_=new_id(),
    )
    if held := _held(response, contained):
        response["contained"] = held
    made = [response, request] if found is None else [response, request, _told(asked, found)]
    own = [{"fullUrl": f"{one['resourceType']}/{one.get('id')}", "resource": one} for one in made]
    others = [{"fullUrl": name, "resource": one} for name, one in entries.items() if one != request]
    return Answered(
        request=request,
        response=response,
        bundle={"resourceType": "Bundle", "type": "collection", "entry": [*own, *others]},
    )


def _held(response: Json, contained: Entries) -> list[Json]:
    """What a response refers to inside the request, which it has to hold itself."""
    named = [reference_of(response.get(one)) for one in ("patient", "requestor")]
    return [contained[one] for one in dict.fromkeys(named) if one in contained]


def _of(request: Json, found: Cover | None) -> Cover | None:
    """A Coverage that was named, unless it is somebody else's than the request says."""
    if found is None:
        return None
    theirs = reference_of(found.coverage.get("beneficiary"))
    return found if reference_of(request.get("patient")) == theirs else None


def _coverage(request: Mapping[str, Any]) -> str:
    """The Coverage asked about: the focal one, else the first."""
    every = [one for one in request.get("insurance") or () if isinstance(one, Mapping)]
    focal = [one for one in every if one.get("focal") is True]
    return next((reference_of(one.get("coverage")) for one in [*focal, *every]), "")


_KNOWN: Final[Sequence[str]] = ("id", "status", "class", "period", "type")


def _told(asked: Json, found: Cover) -> Json:
    """The Coverage as it is told: who was asked about as they were named, the rest as it is."""
    known = {name: found.coverage[name] for name in _KNOWN if name in found.coverage}
    return {**asked, **known, "resourceType": "Coverage"}


def plan_of(coverage: Mapping[str, Any], plans: Mapping[str, Plan]) -> Plan | None:
    """The plan that a Coverage names, or the only one there is."""
    for one in coverage.get("class") or ():
        if first_code(one.get("type"))[1] == "plan" and one.get("value") in plans:
            return plans[str(one["value"])]
    return next(iter(plans.values())) if len(plans) == 1 else None


# From files -----------------------------------------------------------------------------------


class Files:
    """Members as files tell of them (X12 834, FHIR): nothing of the period is used."""

    def __init__(self, plans: Sequence[Plan], bundles: Sequence[Mapping[str, Any]]) -> None:
        self._plans = {one.id: one for one in plans}
        self._known: list[tuple[Json, Json]] = []
        self._by_name: dict[str, Json] = {}
        for bundle in bundles:
            entries = entries_of(bundle)
            covers = {
                name: one for name, one in entries.items() if one.get("resourceType") == "Coverage"
            }
            self._by_name |= covers
            for one in {id(one): one for one in covers.values()}.values():
                patient = entries.get(reference_of(one.get("beneficiary")), {})
                self._known.append((one, patient))

    def find(self, asked: Person, day: date) -> Cover | None:
        """The cover of the one person meant."""
        found = find_cover(asked, self._known, day)
        return None if found is None else self._cover(dict(found))

    def named(self, reference: str) -> Cover | None:
        """The cover under a reference."""
        found = self._by_name.get(reference)
        return None if found is None else self._cover(found)

    def _cover(self, coverage: Json) -> Cover:
        return Cover(coverage=coverage, plan=plan_of(coverage, self._plans), used=Used())


def answer_files(
    plans: Sequence[Plan],
    members: Sequence[Mapping[str, Any]],
    bundles: Sequence[Mapping[str, Any]],
    *,
    today: date,
) -> list[Answered]:
    """Answer every request in these Bundles by plans and members in files."""
    register = Files(plans, members)
    numbers = iter(range(1, 1_000_000))
    return [
        answer(
            request,
            entries_of(bundle),
            register,
            insurer=request.get("insurer") or {"display": plans[0].name},
            today=today,
            new_id=lambda: f"response-{next(numbers)}",
        )
        for bundle in bundles
        for request in requests_of(bundle)
    ]


def as_x12(
    answered: Sequence[Answered], *, now_seconds: int, sender: str, receiver: str, usage: str = "T"
) -> bytes:
    """The 271 of these answers, one transaction for each."""
    now = datetime.fromtimestamp(now_seconds, UTC)
    envelope = Envelope.at(now, sender=sender, receiver=receiver, usage=usage)
    return eligibilities([one.bundle for one in answered], envelope)
