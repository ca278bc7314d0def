"""Requests that a gateway is likely to answer well, made of ones that were drawn at random.

Half of what a generator draws from the OpenAPI document names resources that nobody has, sorts by
letters and filters by noise: it is refused at the door. Here such a draw keeps its shape, and its
parts are replaced by ones that mean something: ids that earlier answers gave (what an OpenAPI link
would carry), stored resources as bodies, searches that find something, an operation's parameters.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from schemathesis import Case

from simdes.exchange.bulk import jobs
from simdes.fhir.xml import dumps_xml
from support.bulk import ASYNC, Service
from support.fhir_api import Api, Json

GENDERS = "http://hl7.org/fhir/administrative-gender"
ACTS = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
GENDER_MAP = "http://hl7.org/fhir/ConceptMap/cm-administrative-gender-v2"
V2_SEX = "http://terminology.hl7.org/CodeSystem/v2-0001"
OWN = "http://north.example/likely"
BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"

QUERY: Mapping[str, tuple[str, ...]] = {
    "_sort": ("_lastUpdated", "-_id"),
    "_total": ("accurate", "none", "estimate"),
    "_count": ("0", "1", "3"),
    "_include": ("*", "Observation:subject", "Observation:encounter:Encounter"),
    "_revinclude": ("Observation:subject", "Condition:subject"),
    "_lastUpdated": ("gt2020", "lt2020-02-02", "ge2020-02-02T10:00:00Z"),
    "_since": ("2020-01-01T00:00:00Z", "2090-01-01T00:00:00Z"),
    "start": ("2020", "2024-02-03"),
    "end": ("2090",),
    "mode": ("create",),
    "_elements": ("id", "status,subject"),
    "_summary": ("true", "text", "data", "count", "false"),
    "_format": ("json", "xml", "application/fhir+json"),
    "_pretty": ("true", "false"),
    "_outputFormat": ("application/fhir+ndjson",),
    "dry-run": ("true", "false"),
}
"""Values of parameters that mean the same at every address; others are left out."""
SEARCHED = ("_sort", "_count", "_total", "_include", "_id", "_lastUpdated")
TYPES = ("Patient", "Patient,Observation")
SEARCHES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "Observation": (("code", "8867-4"), ("status", "final"), ("value-quantity", "gt5")),
    "Patient": (("gender", "female"), ("birthdate", "lt2000"), ("name:contains", "li")),
    "Condition": (("code:text", "x"), ("subject:Patient.gender", "female")),
    "Encounter": (("class", "AMB"),),
}
HEADERS: Mapping[str, tuple[str, ...]] = {
    "If-Match": ('W/"1"',),
    "If-None-Match": ("*", 'W/"1"'),
    "If-Modified-Since": ("Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2065 07:28:00 GMT"),
    "If-None-Exist": ("identifier=urn:likely|none",),
    "Prefer": ("return=minimal", "return=representation", "handling=strict", "handling=lenient"),
}
GOOD: Mapping[str, Json] = {
    "$lookup": {"system": ("uri", GENDERS), "code": ("code", "female")},
    "$subsumes": {
        "system": ("uri", ACTS),
        "codeA": ("code", "IMP"),
        "codeB": ("code", "ACUTE"),
    },
    "CodeSystem $validate-code": {"url": ("uri", GENDERS), "code": ("code", "male")},
    "ValueSet $validate-code": {
        "url": ("uri", "http://hl7.org/fhir/ValueSet/administrative-gender"),
        "system": ("uri", GENDERS),
        "code": ("code", "male"),
    },
    "$expand": {"url": ("uri", "http://hl7.org/fhir/ValueSet/administrative-gender")},
    "$translate": {
        "url": ("uri", GENDER_MAP),
        "system": ("uri", GENDERS),
        "code": ("code", "female"),
        "targetsystem": ("uri", V2_SEX),
    },
    "$everything": {"_count": ("integer", "2")},
}
"""Parameters that an operation answers well, with the types that a Parameters resource needs."""
OF_ONE: Mapping[str, Json] = {
    "$lookup": {"code": ("code", "a")},
    "$subsumes": {"codeA": ("code", "a"), "codeB": ("code", "b")},
    "CodeSystem $validate-code": {"code": ("code", "a")},
    "ValueSet $validate-code": {"system": ("uri", OWN), "code": ("code", "a")},
    "$expand": {},
    "$translate": {"system": ("uri", OWN), "code": ("code", "a")},
}
"""The same for the stored one that an address names."""
PATCHES: Mapping[str, Any] = {
    "application/json-patch+json": [{"op": "add", "path": "/language", "value": "en"}],
    "application/merge-patch+json": {"language": "fr"},
    "application/fhir+json": {
        "resourceType": "Parameters",
        "parameter": [
            {
                "name": "operation",
                "part": [
                    {"name": "type", "valueCode": "add"},
                    {"name": "path", "valueString": "$this"},
                    {"name": "name", "valueString": "language"},
                    {"name": "value", "valueCode": "en"},
                ],
            }
        ],
    },
}
MESSAGE = (
    b"MSH|^~\\&|SRC|SITE|DST|SITE|20240102030405||ADT^A01|%d|P|2.6\r"
    b"EVN|A01|20240102030405\rPID|1||LIKELY%d^^^SITE^MR||Doe^Jane||19800203|F\rPV1|1|I\r"
)


def samples() -> list[Json]:
    """Resources that a hospital may hold, valid, of the types that the operations need."""
    subject = {"reference": "Patient/<Patient>"}
    vocabulary = {"url": OWN, "status": "active"}
    concepts = [{"code": "a", "concept": [{"code": "b"}]}]
    element = [{"code": "a", "target": [{"code": "F", "equivalence": "equal"}]}]
    group = {"source": OWN, "target": V2_SEX, "element": element}
    member = {"type": "person", "actual": True, "member": [{"entity": subject}]}
    pulse = {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}
    seven = {"value": 7, "unit": "/min"}
    channel = {"type": "websocket", "payload": "application/fhir+json"}
    made: Mapping[str, Json] = {
        "Patient": {
            "identifier": [{"system": "urn:likely", "value": "<number>"}],
            "name": [{"family": "Likely"}],
            "gender": "female",
            "birthDate": "1980-02-03",
        },
        "Practitioner": {"name": [{"family": "Careful"}]},
        "CodeSystem": {
            **vocabulary,
            "content": "complete",
            "hierarchyMeaning": "is-a",
            "concept": concepts,
        },
        "ValueSet": {**vocabulary, "compose": {"include": [{"system": OWN}]}},
        "ConceptMap": {**vocabulary, "sourceUri": OWN, "targetUri": V2_SEX, "group": [group]},
        "Encounter": {
            "status": "finished",
            "class": {"system": ACTS, "code": "AMB"},
            "subject": subject,
        },
        "Observation": {
            "status": "final",
            "code": pulse,
            "subject": subject,
            "valueQuantity": seven,
        },
        "Condition": {"code": {"text": "x"}, "subject": subject},
        "Group": member,
        "Subscription": {
            "status": "requested",
            "reason": "for tests",
            "criteria": "Observation?patient=Patient/<Patient>",
            "channel": channel,
        },
    }
    return [{"resourceType": name, **its} for name, its in made.items()]


@dataclass(slots=True)
class Lived:
    """A gateway with something in it: the ids that it gave, by type, and who asks."""

    doctor: Api
    service: Service
    chance: Random
    ids: dict[str, list[str]] = field(default_factory=dict)
    exports: dict[str, list[str]] = field(default_factory=dict)
    """Jobs by name, with the files of those that ended."""
    numbers: int = 0

    @classmethod
    def of(cls, doctor: Api, service: Service) -> Lived:
        """Store two of each sample."""
        made = cls(doctor, service, Random("lived"))
        for sample in samples():
            for _ in range(2):
                made.learn(service.api.send("POST", sample["resourceType"], made.body(sample)))
        return made

    def learn(self, answer: Any) -> None:
        """Remember what an answer made or took away."""
        place = answer.headers.get("location", "") or answer.headers.get("content-location", "")
        parts = str(place[0] if isinstance(place, list) else place).partition("/fhir/")[2]
        words = parts.split("/")
        if answer.status_code == 201 and len(words) >= 2:
            self.ids.setdefault(words[0], []).append(words[1])
        if answer.status_code == 202 and words[0] == "jobs" and len(words) == 2:
            self.exports[words[1]] = []

    def forget(self, type_: str, id_: str) -> None:
        """It is gone; another is stored where it was the last."""
        known = self.ids.get(type_, [])
        if id_ in known:
            known.remove(id_)
            if not known:
                self._store(type_)

    def _store(self, type_: str) -> None:
        """Store a sample of a type, about a patient who is there: others may be gone."""
        for sample in samples():
            if sample["resourceType"] == type_:
                if "<Patient>" in json.dumps(sample):
                    self._store("Patient")
                made = self.body(sample, patient=(self.ids.get("Patient") or ["nobody"])[-1])
                self.learn(self.service.api.send("POST", type_, made))

    def known(self, type_: str) -> str:
        """An id of the type that is there, or was."""
        return self.chance.choice(self.ids.get(type_) or ["nobody"])

    def body(self, sample: Json, *, patient: str = "") -> Json:
        """A sample with references that lead somewhere."""
        self.numbers += 1
        text = json.dumps(sample).replace("<number>", f"n{self.numbers}")
        if "<Patient>" in text:
            text = text.replace("<Patient>", patient or self.known("Patient"))
        made: Json = json.loads(text)
        return made

    def finish_exports(self) -> None:
        """Let the worker end what was asked for, and learn the files' names."""
        while jobs.work(self.service.one.node, worker="likely"):
            pass
        for name in self.exports:
            answer = self.service.api.get(f"jobs/{name}")
            if answer.status_code == 200:
                urls = [one["url"] for one in answer.json()["output"]]
                self.exports[name] = [url.rpartition("/")[2] for url in urls]

    # A case ---------------------------------------------------------------------------------

    def likely(self, case: Case) -> Case:
        """The case with parts that mean something."""
        operation = case.path.rpartition("/")[2] if "$" in case.path else ""
        type_ = self._address(case)
        if case.query:
            case.query = self._query(case.query, type_)
        if operation and case.method == "GET":
            case.query = dict(case.query or {}) | self._asked(case, operation, type_)
        if case.path == "/fhir/{type}" and case.method in ("PUT", "PATCH", "DELETE"):
            case.query = {"_id": self.known(type_)}
        for name in list(case.headers or ()):
            if name in HEADERS and self.chance.random() < 0.7:
                case.headers[name] = self.chance.choice(HEADERS[name])
            elif name in HEADERS:
                del case.headers[name]
        if operation in ("$export", "$import"):
            case.headers["Prefer"] = ASYNC["prefer"]
        if case.method in ("POST", "PUT", "PATCH"):
            self._fill(case, operation, type_)
        return case

    def _address(self, case: Case) -> str:
        """Names in the address what is there; the type that it is about."""
        places = dict(case.path_parameters or {})
        if "type" in places:
            places["type"] = self.chance.choice(sorted(self.ids))
        if "compartment" in places:
            places["compartment"] = "Patient"
            places["target"] = self.chance.choice(("*", "Observation", "Condition"))
        fixed = case.path.removeprefix("/fhir").strip("/").split("/")[0]
        type_ = str(places.get("type") or places.get("compartment") or fixed)
        if "id" in places:
            places["id"] = self.known(type_)
        if "version" in places:
            places["version"] = "1"
        if "job" in places and self.exports:
            ended = [name for name, files in self.exports.items() if files]
            wanted = ended if "file" in places and ended else list(self.exports)
            places["job"] = self.chance.choice(wanted)
            if "file" in places and ended:
                places["file"] = self.chance.choice(self.exports[places["job"]])
        case.path_parameters = places
        return str(places.get("target") or type_) if "target" in places else type_

    def _query(self, drawn: Collection[str], type_: str) -> Json:
        made: Json = {}
        for name in drawn:
            if self.chance.random() < 0.4:
                continue
            if name in QUERY:
                made[name] = self.chance.choice(QUERY[name])
            elif name == "_type":
                made[name] = self.chance.choice(TYPES)
            elif name == "_id":
                made[name] = self.known(type_)
            elif type_ in SEARCHES and "_sort" in drawn:
                key, value = self.chance.choice(SEARCHES[type_])
                made[key] = value
        return made

    def _given(self, case: Case, operation: str, type_: str) -> Mapping[str, tuple[str, str]]:
        table = OF_ONE if "{id}" in case.path else GOOD
        return table.get(operation) or table.get(f"{type_} {operation}") or {}

    def _asked(self, case: Case, operation: str, type_: str) -> Json:
        asked = {name: text for name, (_, text) in self._given(case, operation, type_).items()}
        if type_ == "Subscription" and "{id}" not in case.path:
            asked["id"] = self.known(type_)
        return asked

    def _fill(self, case: Case, operation: str, type_: str) -> None:
        media = case.media_type or "application/fhir+json"
        if "form" in media:
            case.body = self._query(self.chance.sample(SEARCHED, 3), type_)
        elif case.method == "PATCH":
            case.body = PATCHES.get(media, case.body)
        elif operation == "$import" and "ndjson" in media:
            case.body = b"\n".join(self._lines())
        elif operation == "$submit-legacy":
            self.numbers += 1
            case.body = MESSAGE % (self.numbers, self.numbers)
        elif case.path.startswith("/fhir"):
            made = self._body_of(case, operation, type_)
            case.body = dumps_xml(made) if "xml" in media else made

    def _lines(self) -> Iterator[bytes]:
        for sample in samples():
            self.numbers += 1
            yield json.dumps({**self.body(sample), "id": f"line-{self.numbers}"}).encode()

    def _body_of(self, case: Case, operation: str, type_: str) -> Json:
        if case.path == "/fhir":
            return self._bundle()
        samples_of: dict[str, Callable[[], Json]] = {
            one["resourceType"]: lambda one=one: self.body(one) for one in samples()
        }
        make = samples_of.get(type_, samples_of["Observation"])
        if operation == "$match":
            return make()
        if operation in ("$meta-add", "$meta-delete"):
            tag = {"tag": [{"system": "urn:likely", "code": "tried"}]}
            return {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": tag}]}
        if operation and operation != "$validate":
            rows = [
                {"name": name, f"value{kind.capitalize()}": int(text) if text.isdigit() else text}
                for name, (kind, text) in self._given(case, operation, type_).items()
            ]
            if type_ == "Subscription" and "{id}" not in case.path:
                rows.append({"name": "id", "valueId": self.known(type_)})
            return {"resourceType": "Parameters", **({"parameter": rows} if rows else {})}
        made = make()
        if "{id}" in case.path:
            made["id"] = case.path_parameters["id"]
        return made

    def _bundle(self) -> Json:
        wanted = self.chance.sample(samples(), 3)
        entries: list[Json] = [
            {
                "resource": self.body(one),
                "request": {"method": "POST", "url": one["resourceType"]},
            }
            for one in wanted
            if one["resourceType"] != "Subscription"
        ]
        entries.append({"request": {"method": "GET", "url": f"Patient/{self.known('Patient')}"}})
        entries.append({"request": {"method": "GET", "url": "Observation?_count=1"}})
        kind = self.chance.choice(("batch", "transaction"))
        return {"resourceType": "Bundle", "type": kind, "entry": entries}
