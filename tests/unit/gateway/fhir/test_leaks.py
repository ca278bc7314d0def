"""Nothing is told of what may not be seen, whichever way somebody asks.

Every probe is sent twice: about Bert, whose records the caller may not see, and about names of the
same shape that nobody has. The two answers must be the same, to the byte and to the statement.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.applications import Starlette

from simdes.app import ADMINISTRATOR
from support.consortium import Consortium
from support.fhir_api import Api, Json, application
from support.two_patients import MRN, World, filled, observation_of, seed, shape, statements


@pytest.fixture(scope="module")
def world(network: Consortium, north: Starlette) -> World:
    """Anna and Bert at north; a doctor at south whom Anna alone lets read."""
    apps = {"north": north, "south": application(network["south"])}
    doctor = Api.of(network["north"], "dr.north", app=north)
    return seed(network, apps, doctor, "one")


CALLERS: dict[str, Callable[[World], Api]] = {
    "patient": lambda world: world.api("north", world.anna.user),
    "app-of-anna": lambda world: world.api(
        "north", "dr.north", scope="patient/*.cruds", vault=world.anna.vault
    ),
    "doctor-elsewhere": lambda world: world.api("south", "dr.lee"),
    "researcher-elsewhere": lambda world: world.api("south", "prof.ray"),
    "administrator": lambda world: world.api("north", ADMINISTRATOR),
}

READS = (
    # by id, and versions
    "Patient/<patient>",
    "Observation/<observation>",
    "Observation/<observation>/_history",
    "Observation/<observation>/_history/1",
    "Observation/<observation>?_summary=true",
    "Observation/<observation>?_elements=id",
    "Device/<device>",
    "List/<list>",
    "Patient/<patient>/$everything",
    "Patient/<patient>/$summary",
    "Observation/<observation>/$validate",
    "Patient/<patient>/Observation",
    "Patient/<patient>/*",
    "Encounter/<encounter>/Observation",
    # searches by values, ids and meta
    "Observation?_id=<observation>&_source:missing=false",
    "Observation?_id=<observation>&_tag=urn:simdes:state|anchored,urn:simdes:state|pending",
    "Observation?_tag:not=anchored&_id=<observation>&_total=accurate",
    "Patient?identifier=" + "urn:oid:2.16.840.1.113883.4.1|<mrn>",
    "Patient?family=<family>",
    "Patient?family:exact=<family>",
    "Patient?name:contains=<family>",
    "Patient?_id=<patient>",
    "Patient?_id=<patient>&_summary=count",
    "Patient?family=<family>&_total=accurate",
    "Patient?family=<family>&_sort=-birthdate",
    "Patient?_tag=urn:x:tag|<tag>",
    "Observation?_tag=urn:x:tag|<tag>&_total=accurate",
    "Observation?_id=<observation>&_total=accurate",
    "Observation?code=<code>&_total=accurate",
    "Observation?code=<code>&_summary=count",
    "Observation?code=<code>&_count=0",
    "Observation?patient=<patient>",
    "Observation?patient=Patient/<patient>&_summary=count",
    "Observation?subject:Patient=<patient>",
    "Observation?subject:identifier=" + "urn:oid:2.16.840.1.113883.4.1|<mrn>",
    "Observation?encounter=<encounter>",
    "Observation?identifier=urn:x:key|<key>",
    "Observation?code-value-quantity=<code>$4711.25",
    "Observation?code=<code>&value-quantity=gt1",
    "Observation?code=<code>&patient:missing=false",
    "Observation?_list=<list>",
    "?_type=Observation,Patient&_id=<observation>,<patient>&_total=accurate",
    # chains and their reverses
    "Observation?subject:Patient.family=<family>",
    "Observation?subject:Patient.identifier=<mrn>",
    "Observation?encounter.patient.family=<family>",
    "Observation?subject:Patient._id=<patient>",
    "Patient?_has:Observation:patient:code=<code>",
    "Patient?_has:Observation:patient:_id=<observation>",
    "Patient?_has:Observation:patient:encounter.patient.family=<family>",
    "Encounter?_has:Observation:encounter:code=<code>",
    "Encounter?patient._has:Observation:patient:code=<code>",
    "Provenance?target=Observation/<observation>",
    "Device?_has:Observation:device:code=<code>",
    # includes
    "Observation?_id=<observation>&_include=*",
    "Patient?_id=<patient>&_revinclude=*:*",
    "Patient?_id=<patient>&_revinclude=Observation:patient&_include:iterate=Observation:encounter",
)
WHOLE = (
    "Observation",
    "Patient",
    "Observation/_history",
    "_history?_count=1000",
    "?_type=Patient,Observation,List,Device,Encounter,Condition,Provenance&_total=accurate",
    "AuditEvent?_count=1000",
    "Consent?_count=1000",
)


# Method, address, body, headers.
_SENT: Json = observation_of("<own>", code="new")
_SUBJECT: Json = {"identifier": {"system": MRN, "value": "<mrn>"}}
_INSIDE: Json = {
    "resourceType": "Patient",
    "id": "p",
    "identifier": [{"system": MRN, "value": "<mrn>"}],
}


def _entry(method: str, url: str, resource: Json | None = None, **request: str) -> Json:
    made: Json = {"request": {"method": method, "url": url, **request}}
    return made | ({"resource": resource} if resource is not None else {})


def _bundle(kind: str, *entries: Json) -> Json:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def _about(**others: Any) -> Json:
    return {**_SENT, **others}


WRITES: tuple[tuple[str, str, Any, Json], ...] = (
    # chosen ids: is it free?
    ("PUT", "Observation/<observation>", _about(id="<observation>"), {}),
    ("PUT", "Observation/<observation>", _about(id="<observation>"), {"if-match": 'W/"1"'}),
    ("PUT", "Observation/<observation>", _about(id="<observation>"), {"if-none-match": "*"}),
    ("PUT", "Observation?_id=<observation>", _about(id="<observation>"), {}),
    ("PUT", "Observation?code=<code>", _about(id="<observation>"), {}),
    ("PATCH", "Observation/<observation>", [], {}),
    ("PATCH", "Observation?code=<code>", [], {}),
    ("DELETE", "Observation/<observation>", None, {}),
    ("DELETE", "Observation/<observation>", None, {"if-match": 'W/"1"'}),
    ("DELETE", "Observation?code=<code>", None, {}),
    ("DELETE", "List/<list>", None, {}),
    ("DELETE", "Consent/<observation>", None, {}),
    # conditional creates, references and subjects
    ("POST", "Observation", _about(), {"if-none-exist": "code=<code>"}),
    ("POST", "Observation", _about(), {"if-none-exist": "identifier=urn:x:key|<key>"}),
    ("POST", "Observation", _about(subject={"reference": "Patient/<patient>"}), {}),
    ("POST", "Observation", _about(subject=_SUBJECT), {}),
    ("POST", "Observation", _about(subject={"reference": "#p"}, contained=[_INSIDE]), {}),
    ("POST", "Observation", _about(subject={"reference": "Device/<device>"}), {}),
    ("POST", "Observation", _about(encounter={"reference": "Encounter/<encounter>"}), {}),
    ("POST", "Observation", _about(device={"reference": "Device/<device>"}), {}),
    ("POST", "Observation", _about(focus=[{"reference": "Patient/<patient>"}]), {}),
    ("POST", "Observation", _about(focus=[{"reference": "Observation/<observation>"}]), {}),
    ("POST", "Observation", _about(hasMember=[{"reference": "Observation/<labelled>"}]), {}),
    (
        "POST",
        "",
        _bundle(
            "transaction",
            _entry(
                "POST",
                "Observation",
                _about(subject={"reference": "Patient?identifier=" + MRN + "|<mrn>"}),
            ),
        ),
        {},
    ),
    (
        "POST",
        "",
        _bundle(
            "transaction",
            _entry(
                "POST",
                "Observation",
                _about(encounter={"reference": "Encounter?_tag=urn:x:tag|<tag>"}),
            ),
        ),
        {},
    ),
    (
        "POST",
        "",
        _bundle("transaction", _entry("POST", "Observation", _about(), ifNoneExist="code=<code>")),
        {},
    ),
    ("POST", "", _bundle("transaction", _entry("DELETE", "Observation?code=<code>")), {}),
    (
        "POST",
        "",
        _bundle(
            "batch",
            _entry("GET", "Observation/<observation>"),
            _entry("GET", "Patient?family=<family>"),
            _entry("PUT", "Observation/<observation>", _about(id="<observation>")),
            _entry("DELETE", "Observation/<observation>", ifMatch='W/"1"'),
            _entry("GET", "http://127.0.0.1/fhir/Observation/<observation>"),
        ),
        {},
    ),
    (
        "POST",
        "Binary",
        {
            "resourceType": "Binary",
            "contentType": "text/plain",
            "securityContext": {"reference": "Observation/<observation>"},
        },
        {},
    ),
)

# A Patient with somebody else's number, alone and beside one's own: whoever registers patients
# learns whether a number is taken here, and nobody else does.
_MATCH: Json = {
    "resourceType": "Parameters",
    "parameter": [
        {
            "name": "resource",
            "resource": {
                "resourceType": "Patient",
                "identifier": [{"system": MRN, "value": "<mrn>"}],
                "name": [{"family": "<family>"}],
                "birthDate": "1961-07-07",
            },
        }
    ],
}
OPERATIONS: tuple[tuple[str, str, Any, Json], ...] = (
    ("POST", "Patient/$match", _MATCH, {}),
    ("POST", "Patient/<patient>/$summary", {"resourceType": "Parameters"}, {}),
    ("POST", "Patient/<patient>/$everything", {"resourceType": "Parameters"}, {}),
    ("POST", "Observation/<observation>/$validate", {"resourceType": "Parameters"}, {}),
    ("POST", "ValueSet/<observation>/$expand", {"resourceType": "Parameters"}, {}),
    ("GET", "CodeSystem/<observation>/$lookup?code=x", None, {}),
    ("GET", "ConceptMap/<observation>/$translate?code=x", None, {}),
)

NUMBERS: tuple[tuple[str, str, Any, Json], ...] = (
    ("POST", "Patient", {k: v for k, v in _INSIDE.items() if k != "id"}, {}),
    ("PUT", "Patient/<patient>", {"resourceType": "Patient", "id": "<patient>"}, {}),
    ("PUT", "Patient/<own>", {**_INSIDE, "id": "<own>"}, {}),
    ("POST", "Patient", _INSIDE, {"if-none-exist": "identifier=<mrn>"}),
)


def write(api: Api, probe: Any) -> Any:
    method, address, body, headers = probe
    if method == "PATCH":
        patch = {"content-type": "application/json-patch+json"}
        return api.send(method, address, content=json.dumps(body).encode(), headers=patch)
    return api.send(method, address, body, headers=headers)


_TRIES = 3
"""What was fetched elsewhere is asked for anew every 20 seconds, perhaps between two probes."""


def ask_all(api: Api, path: str) -> Any:
    return api.get(path)


def told(world: World, api: Api, send: Callable[[Api, Any], Any], template: Any) -> str:
    """How a probe about Bert is answered otherwise than one about nobody; "" where it is not."""
    counts: list[int] = []
    for _ in range(_TRIES):
        answers, counts = [], []
        for about in (world.nobody, world.bert.names):
            names = {**about, "own": world.anna["patient"]}
            with statements(api.one.node) as counted:
                answers.append(shape(send(api, filled(template, names)), names))
            counts += counted
        if answers[0] != answers[1]:
            return f"{template}: {answers[1]} is not {answers[0]}"
        if counts[0] == counts[1]:
            return ""
    return f"{template}: {counts} statements"


@pytest.mark.parametrize("caller", CALLERS)
def test_reading_tells_nothing_of_what_may_not_be_seen(world: World, caller: str) -> None:
    api = CALLERS[caller](world)
    api.get("Observation/warm")  # what is fetched once is fetched now
    found = [it for path in READS if (it := told(world, api, ask_all, path))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("caller", CALLERS)
def test_writing_tells_nothing_of_what_may_not_be_seen(world: World, caller: str) -> None:
    api = CALLERS[caller](world)
    found = [it for probe in WRITES if (it := told(world, api, write, probe))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("caller", CALLERS)
def test_operations_tell_nothing_of_what_may_not_be_seen(world: World, caller: str) -> None:
    api = CALLERS[caller](world)
    found = [it for probe in OPERATIONS if (it := told(world, api, write, probe))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("caller", ["patient", "app-of-anna", "researcher-elsewhere"])
def test_who_registers_no_patients_learns_nothing_of_numbers(world: World, caller: str) -> None:
    api = CALLERS[caller](world)
    found = [it for probe in NUMBERS if (it := told(world, api, write, probe))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("caller", CALLERS)
def test_nothing_of_an_invisible_patient_stands_in_any_answer(world: World, caller: str) -> None:
    api = CALLERS[caller](world)
    for path in (*READS, *WHOLE):
        text = api.get(filled(path, world.anna.names)).text
        assert not [one for one in world.bert.texts() if one in text], path
