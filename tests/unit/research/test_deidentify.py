"""What leaves of a resource, and what never does (45 CFR 164.514(b)(2); GDPR recital 26)."""

from __future__ import annotations

import gzip
import json
import re
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

import simdes.research
from simdes.errors import Invalid, NotFound
from simdes.fhir.definitions import resource_types
from simdes.fhir.json import dumps, loads
from simdes.fhir.validate import validate
from simdes.research import Deidentifier, policies, policy, read_policy
from unit.research.planting import planted

SECRET, OTHER = b"s" * 32, b"t" * 32
TODAY = date(2026, 11, 23)
POLICIES = Path(simdes.research.__file__).parent / "policies"
SYNTHEA = Path(__file__).parents[2] / "vectors" / "research" / "synthea.ndjson.gz"


def every_type(name: str) -> Any:
    """The policy ``name``, releasing every type there is and every reference."""
    rules = json.loads((POLICIES / f"{name}.json").read_bytes())
    rules["types"] = rules["references"] = sorted(resource_types())
    return read_policy(json.dumps(rules).encode())


def one(resource: Any, name: str = "hipaa-safe-harbor", secret: bytes = SECRET) -> Any:
    return Deidentifier(policy(name), secret, today=TODAY).resource("vault-1", resource)


@pytest.mark.parametrize("as_typed", [True, False], ids=["typed", "untyped"])
def test_no_identifier_planted_anywhere_comes_out_of_any_resource_type(as_typed):
    names = ("hipaa-safe-harbor", "gdpr-strict")
    by_policy = [Deidentifier(every_type(name), SECRET, today=TODAY) for name in names]
    members = 0
    for kind in sorted(resource_types()):
        for resource in planted(kind, as_typed=as_typed):
            for deidentifier in by_policy:
                made = deidentifier.resource("vault-1", resource)
                text = dumps(made).decode()
                assert not re.search("Ndiaye|19470312|1947-03-12", text), kind
                members += len(made)
    assert members > (6 if as_typed else 4) * len(resource_types())


def test_every_string_that_leaves_is_of_a_declared_form(synthea):
    allowed = re.compile(
        r"[0-9a-f]{32}|[A-Z][A-Za-z]+/[0-9a-f]{32}|#[0-9a-f]{32}"
        r"|\d{4}(-\d{2}(-\d{2}(T00:00:00Z)?)?)?"
    )
    deidentifier = Deidentifier(policy("hipaa-safe-harbor"), SECRET, today=TODAY)
    seen = 0
    for subject, resource in synthea:
        made = deidentifier.resource(subject, resource)
        for path, text in texts(made or {}):
            seen += 1
            coded = path.rpartition(".")[2] in ("system", "code", "resourceType", "url")
            is_code = re.fullmatch(r"[A-Za-z0-9\-]{1,30}", text) and " " not in text
            assert coded or allowed.fullmatch(text) or is_code, path
    assert seen > 1000


def texts(value: Any, path: str = "") -> Any:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from texts(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner, path)
    elif isinstance(value, str):
        yield path, value


def test_what_leaves_is_still_valid_r4(synthea):
    deidentifier = Deidentifier(policy("hipaa-safe-harbor"), SECRET, today=TODAY)
    broken: dict[str, int] = {}
    kinds = set()
    for subject, resource in synthea[::7]:
        made = deidentifier.resource(subject, resource)
        if made is None:
            continue
        kinds.add(made["resourceType"])
        for problem in validate(made):
            if problem.is_error:
                key = f"{problem.expression} {problem.rule}"
                broken[key] = broken.get(key, 0) + 1
    assert not broken
    assert len(kinds) > 8


def test_no_name_number_or_place_of_a_synthetic_person_leaves(synthea):
    by_subject: dict[str, list[Any]] = {}
    for subject, resource in synthea:
        by_subject.setdefault(subject, []).append(resource)
    for subject, resources in by_subject.items():
        patient = next(r for r in resources if r["resourceType"] == "Patient")
        address, name = patient["address"][0], patient["name"][0]
        secrets = {i["value"] for i in patient["identifier"]} | {patient["id"], name["family"]}
        secrets |= {*name["given"], address["city"], *address["line"], patient["birthDate"]}
        secrets |= {t["value"] for t in patient["telecom"]}
        deidentifier = Deidentifier(policy("hipaa-safe-harbor"), SECRET, today=TODAY)
        out = b"\n".join(dumps(deidentifier.resource(subject, r)) for r in resources).decode()
        assert [s for s in secrets if len(s) > 3 and s in out] == []


def test_dates_of_one_person_move_together_and_of_two_differently():
    deidentifier = Deidentifier(policy("hipaa-safe-harbor"), SECRET, today=TODAY)
    rng = Random(9)
    shifts = set()
    for number in range(60):
        first = date(1990, 1, 1) + timedelta(rng.randrange(9000))
        second = first + timedelta(rng.randrange(1, 3000))
        out = [
            deidentifier.resource(
                f"vault-{number}", {"resourceType": "Encounter", "period": {"start": f"{d}T23:59Z"}}
            )
            for d in (first, second)
        ]
        moved = [date.fromisoformat(o["period"]["start"]) for o in out]
        assert moved[1] - moved[0] == second - first
        shifts.add((moved[0] - first).days)
        assert 0 < abs((moved[0] - first).days) <= 365
    assert len(shifts) > 50


def test_two_studies_share_neither_pseudonym_nor_shift():
    encounter = {"resourceType": "Encounter", "id": "e1", "period": {"start": "2020-02-29"}}
    encounter["subject"] = {"reference": "Patient/p1", "display": "Awa Ndiaye"}
    first, again, other = one(encounter), one(encounter), one(encounter, secret=OTHER)
    assert first == again
    assert first["id"] != other["id"]
    assert first["subject"] != other["subject"]
    named = Deidentifier(policy("hipaa-safe-harbor"), SECRET, today=TODAY).pseudonym("vault-1")
    assert first["subject"] == {"reference": f"Patient/{named}"}
    assert first["period"] != other["period"]


def test_references_follow_the_pseudonyms_of_what_they_lead_to():
    encounter = one({"resourceType": "Encounter", "id": "e1"})
    observation = one(
        {
            "resourceType": "Observation",
            "encounter": {"reference": "Encounter/e1"},
            "subject": {"reference": "https://a.example/fhir/Patient/77"},
            "focus": [{"reference": "Patient/somebody-else"}],
            "performer": [{"identifier": {"value": "42"}}, {"reference": "urn:uuid:1"}],
        }
    )
    assert observation["encounter"] == {"reference": f"Encounter/{encounter['id']}"}
    patient = one({"resourceType": "Patient", "id": "77"})
    assert observation["subject"] == {"reference": f"Patient/{patient['id']}"}
    assert "focus" not in observation
    assert "performer" not in observation


@pytest.mark.parametrize(
    ("born", "died", "told"),
    [
        ("1900-05-01", None, "1936"),
        ("1990-07-01", None, "1990"),
        ("1880-07-01", "1940-07-01", "1880"),
    ],
)
def test_births_are_told_by_year_and_nobody_is_older_than_ninety(born, died, told):
    patient = {"resourceType": "Patient", "birthDate": born}
    if died:
        patient["deceasedDateTime"] = died
    out = one(patient)
    assert abs(int(out["birthDate"]) - int(told)) <= 1
    assert TODAY.year - int(out["birthDate"]) <= 90 or died


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [(93, "a", (90, "a")), (1200, "mo", (90, "a")), (89, "a", (89, "a")), (93, "kg", (93, "kg"))],
)
def test_ages_above_89_become_90(value, unit, told):
    quantity = {
        "value": value,
        "unit": "Jahre",
        "system": "http://unitsofmeasure.org",
        "code": unit,
    }
    condition = {"resourceType": "Observation", "valueQuantity": quantity}
    made = one(condition)["valueQuantity"]
    assert (made["value"], made["code"]) == told
    assert "unit" not in made


@pytest.mark.parametrize(
    ("name", "address", "told"),
    [
        ("hipaa-safe-harbor", {"state": "Massachusetts", "postalCode": "02118-1234"}, "US MA 021"),
        (
            "hipaa-safe-harbor",
            {"country": "USA", "state": "VT", "postalCode": "05901"},
            "US VT 000",
        ),
        ("hipaa-safe-harbor", {"country": "France", "postalCode": "75011"}, "FR"),
        ("hipaa-safe-harbor", {"country": "Ndiaye", "state": "Awa"}, ""),
        ("gdpr-strict", {"country": "US", "state": "MA", "postalCode": "02118"}, "US"),
    ],
)
def test_of_an_address_only_known_wide_places_stay(name, address, told):
    address = {**address, "line": ["12 Rue X"], "city": "Boston", "text": "12 Rue X"}
    out = one({"resourceType": "Patient", "address": [address]}, name)
    place = out.get("address", [{}])[0]
    assert " ".join(place.get(k, "") for k in ("country", "state", "postalCode")).strip() == told


@pytest.mark.parametrize(
    ("system", "code", "passes"),
    [
        ("http://snomed.info/sct", "44054006", True),
        ("http://snomed.info/sct", "44054007", False),
        ("http://loinc.org", "8302-2", True),
        ("http://loinc.org", "8302-3", False),
        ("http://unitsofmeasure.org", "mm[Hg]", True),
        ("http://unitsofmeasure.org", "{Ndiaye}", False),
        ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "AMB", True),
        ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "Ndiaye", False),
        ("http://hospital.example/local", "44054006", False),
        ("urn:oid:2.16.840.1.113883.4.1", "123456789", False),
    ],
)
def test_only_codes_of_declared_systems_that_are_such_codes_pass(system, code, passes):
    coded = {"text": "x", "coding": [{"system": system, "code": code, "display": "Awa Ndiaye"}]}
    out = one({"resourceType": "Observation", "code": coded})["code"]
    assert out.get("coding", []) == ([{"system": system, "code": code}] if passes else [])


def test_what_a_modifier_changes_is_left_out_whole():
    modifier = [{"url": "http://example.org/not", "valueBoolean": True}]
    assert one({"resourceType": "Condition", "modifierExtension": modifier}) is None
    assert one({"resourceType": "Condition", "implicitRules": "http://example.org"}) is None
    dosed = one(
        {
            "resourceType": "MedicationRequest",
            "dosageInstruction": [{"sequence": 1, "modifierExtension": modifier}, {"sequence": 2}],
        }
    )
    assert dosed["dosageInstruction"] == [{"sequence": 2}]


def test_an_observation_of_the_age_does_not_leave():
    age = {"coding": [{"system": "http://loinc.org", "code": "30525-0"}]}
    assert one({"resourceType": "Observation", "code": age, "valueInteger": 93}) is None


@pytest.mark.parametrize(
    ("name", "told"),
    [("hipaa-safe-harbor", 10), ("hipaa-safe-harbor-years", 4), ("gdpr-strict", 7)],
)
def test_dates_keep_what_the_policy_says(name, told):
    out = one({"resourceType": "Condition", "recordedDate": "2020-02-29T10:00:00+01:00"}, name)
    assert len(out["recordedDate"]) == told
    issued = {"resourceType": "Observation", "issued": "2020-02-29T10:00:00Z"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT00:00:00Z", one(issued, name)["issued"])


def test_a_policy_is_known_by_its_bytes():
    rules = json.dumps({}).encode()
    with pytest.raises(Invalid):
        read_policy(rules)
    with pytest.raises(NotFound):
        policy("no-such")
    assert len({p.digest for p in policies().values()}) == len(policies()) == 3
    assert all(len(p.digest) == 32 for p in policies().values())


def test_a_short_secret_is_refused():
    with pytest.raises(Invalid):
        Deidentifier(policy("gdpr-strict"), b"short", today=TODAY)


@pytest.fixture(scope="session")
def synthea() -> list[tuple[str, Any]]:
    lines = gzip.decompress(SYNTHEA.read_bytes()).splitlines()
    rows = [loads(line) for line in lines]
    return [(row["subject"], row["resource"]) for row in rows]
