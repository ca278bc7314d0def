"""What each role may see and do, as the design says it; compared with the code by the matrix tests.

Written from docs/security/authorisation.md and docs/formats/consent.md, not from the program: who
changes the policy changes it here as well, and says why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from simdes.access.categories import Category, Label, Purpose, Role

MATRIX = Path(__file__).parents[2] / "docs" / "security" / "policy-matrix.md"
ROLES = tuple(role for role in Role if role is not Role.NONE)

PURPOSES: Mapping[Role, str] = {
    Role.PATIENT: "PATRQT",
    Role.DOCTOR: "TREAT HPAYMT HOPERAT ETREAT",
    Role.NURSE: "TREAT HPAYMT HOPERAT ETREAT",
    Role.PHARMACIST: "TREAT HPAYMT HOPERAT",
    Role.INSURER: "HPAYMT HOPERAT",
    Role.RESEARCHER: "HRESCH",
    Role.ADMINISTRATOR: "HOPERAT",
    Role.AGENT: "TREAT HPAYMT HOPERAT HRESCH",
}
"""For which purposes a role may ask."""

WORKS_WITH_OWN = frozenset(["doctor", "nurse", "pharmacist", "insurer", "agent"])
"""Roles that see what their organisation wrote, of every patient, ..."""
FOR_OWN = frozenset(["TREAT", "HPAYMT", "HOPERAT"])
"""... for these purposes."""

OWNED = frozenset(("Subscription",))
"""Types of which everybody sees their own alone."""


@dataclass(frozen=True, slots=True)
class State:
    """A consent as it stands, in the terms of what a doctor of the named role asks for TREAT.

    ``opens`` are the categories that the consent opens for them, ``labels`` the labels.
    """

    opens: frozenset[Category] = frozenset()
    labels: frozenset[Label] = frozenset()
    terms: Mapping[str, int] = field(default_factory=dict)
    status: str = "granted"
    generation: int = 0


EVERY = frozenset(Category)
BASIC = frozenset((Category.OBSERVATIONS, Category.DEMOGRAPHICS))
EMERGENCY = frozenset(
    (
        *(Category.DEMOGRAPHICS, Category.CONDITIONS, Category.OBSERVATIONS),
        *(Category.MEDICATIONS, Category.ALLERGIES, Category.IMMUNIZATIONS),
    )
)


def _bits(*numbers: int) -> int:
    return sum(1 << one for one in numbers)


_BASIC = {"categories": _bits(*BASIC)}

STATES: Mapping[str, State] = {
    "none": State(status="none"),
    "granted": State(opens=BASIC, terms=_BASIC),
    "granted with a label": State(
        opens=BASIC, labels=frozenset((Label.HIV,)), terms=_BASIC | {"labels": _bits(Label.HIV)}
    ),
    "granted in every category": State(opens=EVERY, terms={"categories": _bits(*EVERY)}),
    "wrong purpose": State(terms=_BASIC | {"purposes": _bits(Purpose.HRESCH)}),
    "wrong role": State(terms=_BASIC | {"grantee_role": int(Role.PHARMACIST)}),
    "revoked": State(terms=_BASIC, status="revoked"),
    "expired": State(terms=_BASIC | {"expiry": 500}),
    "not yet": State(terms=_BASIC | {"not_before": 1_500}),
    "other generation": State(terms=_BASIC, generation=1),
    "emergency": State(opens=EMERGENCY, status="emergency"),
}
"""The states of a consent at time 1000, of a vault in generation 0."""


@dataclass(frozen=True, slots=True)
class Row:
    """A type in the table: its category, whether it is public in an organisation, and for each role
    the interactions of ``cud`` that it may use, and ``k`` where it keeps the type for its work."""

    category: str
    public: bool
    roles: Mapping[Role, str]


def rows() -> Mapping[str, Row]:
    """The table of docs/security/policy-matrix.md by resource type."""
    found = {}
    for line in MATRIX.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) != 3 + len(ROLES) or not re.fullmatch(r"`[A-Z]\w+`", cells[0]):
            continue
        its = dict(zip(ROLES, cells[3:], strict=True))
        found[cells[0].strip("`")] = Row(cells[1], cells[2] == "yes", its)
    return found


@dataclass(frozen=True, slots=True)
class Probe:
    """How an endpoint is asked about one Observation: ``<id>``, of ``<patient>``.

    ``shows`` says that its answer holds the Observation for who sees it; a write says that it
    leaves the Observation alone for who may not change it.
    """

    address: str
    shows: bool = False
    body: str = ""


_VALIDATE = Probe("Observation/<id>/$validate", body="parameters")
ENDPOINTS: Mapping[str, Probe | None] = {
    "GET ": Probe("?_type=Observation&_id=<id>", shows=True),
    "POST _search": Probe("_search?_type=Observation&_id=<id>", shows=True),
    "GET _history": Probe("_history?_count=1000"),
    "GET {type}": Probe("Observation?_id=<id>", shows=True),
    "POST {type}/_search": Probe("Observation/_search?_id=<id>", shows=True),
    "GET {type}/_history": Probe("Observation/_history?_count=1000"),
    "GET {type}/{id}": Probe("Observation/<id>", shows=True),
    "GET {type}/{id}/_history": Probe("Observation/<id>/_history", shows=True),
    "GET {type}/{id}/_history/{version}": Probe("Observation/<id>/_history/1"),
    "GET Patient/{id}/$everything": Probe("Patient/<patient>/$everything", shows=True),
    "POST Patient/{id}/$everything": Probe("Patient/<patient>/$everything", shows=True),
    "GET {compartment}/{id}/{target}": Probe("Patient/<patient>/Observation", shows=True),
    "POST {compartment}/{id}/{target}/_search": Probe(
        "Patient/<patient>/Observation/_search", shows=True
    ),
    "POST {type}": Probe("Observation", body="observation"),
    "PUT {type}": Probe("Observation?_id=<id>", body="observation"),
    "PUT {type}/{id}": Probe("Observation/<id>", body="observation"),
    "PATCH {type}": Probe("Observation?_id=<id>", body="patch"),
    "PATCH {type}/{id}": Probe("Observation/<id>", body="patch"),
    "DELETE {type}": Probe("Observation?_id=<id>"),
    "DELETE {type}/{id}": Probe("Observation/<id>"),
    "POST {type}/$validate": None,
    "GET {type}/{id}/$validate": Probe("Observation/<id>/$validate"),
    "POST {type}/{id}/$validate": _VALIDATE,
    "GET $meta": Probe("$meta"),
    "GET {type}/$meta": Probe("Observation/$meta"),
    "GET {type}/{id}/$meta": Probe("Observation/<id>/$meta"),
    "POST {type}/{id}/$meta-add": Probe("Observation/<id>/$meta-add", body="meta"),
    "POST {type}/{id}/$meta-delete": Probe("Observation/<id>/$meta-delete", body="meta"),
    "POST Patient/$match": None,
    "GET Patient/{id}/$summary": Probe("Patient/<patient>/$summary"),
    "POST Patient/{id}/$summary": Probe("Patient/<patient>/$summary", body="parameters"),
    "POST $submit-legacy": None,
    "POST $import": None,
    "GET jobs/{job}": Probe("jobs/<id>"),
    "GET jobs/{job}/{file}": Probe("jobs/<id>/<id>"),
    "DELETE jobs/{job}": Probe("jobs/<id>"),
    **{
        f"{method} {where}$export": probe
        for method in ("GET", "POST")
        for where, probe in (
            ("", None),
            ("Patient/", None),
            ("Group/{id}/", Probe("Group/<id>/$export")),
        )
    },
    **{
        f"POST MedicationRequest/{{id}}/${operation}": Probe(f"MedicationRequest/<id>/${operation}")
        for operation in (
            *("submit", "transfer", "withdraw", "prescription-status", "open", "accept"),
            *("release", "dispense", "refuse-dispense"),
        )
    },
    "GET MedicationRequest/$queue": Probe("MedicationRequest/$queue"),
    "POST MedicationRequest/$queue": Probe("MedicationRequest/$queue"),
    "POST MedicationRequest/$open": Probe("MedicationRequest/$open"),
    "POST CoverageEligibilityRequest/$submit": Probe("CoverageEligibilityRequest/$submit"),
    "POST Claim/$submit": Probe("Claim/$submit"),
    "POST Patient/{id}/$prefer-pharmacy": Probe("Patient/<patient>/$prefer-pharmacy"),
    **{
        f"{method} Subscription{one}/${operation}": Probe(f"Subscription{asked}/${operation}")
        for method in ("GET", "POST")
        for one, asked in (("", ""), ("/{id}", "/<id>"))
        for operation in ("status", "events", "get-ws-binding-token")
        if one or operation != "events"
    },
    **{
        f"{method} {kind}{'/{id}' if one else ''}/${operation}": None
        for method in ("GET", "POST")
        for kind, operations in (
            ("CodeSystem", ("lookup", "subsumes", "validate-code")),
            ("ValueSet", ("expand", "validate-code")),
            ("ConceptMap", ("translate",)),
        )
        for operation in operations
        for one in (False, True)
    },
}
"""A row for each endpoint; None: it takes what it looks at along, looks at knowledge alone, or
begins a job, whose files are what its own tests look at."""
