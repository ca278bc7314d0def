"""A patient shows a third party one fact, and nothing else; forged, other and stale ones fail."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
import segno

from simdes.errors import Conflict, Invalid, NotFound, Tampered
from simdes.exchange import disclosing
from simdes.exchange.node import Node
from simdes.exchange.rights import ask as rights_of
from simdes.ledger.contracts import StatementKind
from simdes.proofs import facts
from simdes.proofs.disclosures import (
    ANSWER,
    Kept,
    answer_text,
    octets,
    question_text,
    read_answer,
    read_kept,
    read_question,
)
from simdes.proofs.poseidon import FIELD
from support import consortium
from support.consortium import Clock, Consortium
from support.fhir_api import Api, application

LOINC = "http://loinc.org"
BLOOD_GROUP = (LOINC, "883-9")
GROUP_A = ("http://snomed.info/sct", "112144000")
MEASLES = ("http://hl7.org/fhir/sid/cvx", "03")
BIRTH_DATE = (LOINC, "21112-8")
HAEMOGLOBIN = (LOINC, "718-7")
GRAMS = ("http://unitsofmeasure.org", "g/dL")
KEY = 987_654_321


def concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


@dataclass
class Shown:
    """A hospital that stated facts, a pharmacy that asks, and a patient who keeps the facts."""

    network: Consortium
    clock: Clock
    names: dict[str, str]
    kept: dict[str, Kept]

    @property
    def hospital(self) -> Node:
        return self.network["north"].node

    @property
    def asker(self) -> Node:
        return self.network["west"].node

    def ask(self, **question: Any) -> str:
        return disclosing.ask(self.asker.now_seconds(), secrets.token_bytes, **question)

    def answer(self, question: str, fact: str, key: int = KEY) -> str:
        return disclosing.answer(self.hospital, question, self.kept[fact], holder_key=key)


def written(doctor: Api) -> dict[str, str]:
    patient = doctor.create(
        {
            "resourceType": "Patient",
            "identifier": [{"system": "urn:oid:1.2.3", "value": "disclose-1"}],
            "birthDate": "1974-11-30",
        }
    )
    subject = {"reference": f"Patient/{patient['id']}"}
    made = {
        "birth": patient,
        "vaccination": doctor.create(
            {
                "resourceType": "Immunization",
                "status": "completed",
                "vaccineCode": concept(*MEASLES),
                "patient": subject,
                "occurrenceDateTime": "2024-03-05",
            }
        ),
    }
    for name, code, value in (
        ("group", BLOOD_GROUP, {"valueCodeableConcept": concept(*GROUP_A)}),
        (
            "haemoglobin",
            HAEMOGLOBIN,
            {"valueQuantity": {"value": 14.2, "system": GRAMS[0], "code": GRAMS[1]}},
        ),
    ):
        made[name] = doctor.create(
            {
                "resourceType": "Observation",
                "status": "final",
                "code": concept(*code),
                "subject": subject,
                "effectiveDateTime": "2025-01-02T10:00:00Z",
                **value,
            }
        )
    return {name: f"{one['resourceType']}/{one['id']}" for name, one in made.items()}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    folder, clock = tmp_path_factory.mktemp("disclosing") / "network", Clock()
    consortium.found(folder, names=("north", "west"))
    consortium.let_read(folder / "north")
    with consortium.opened(folder, clock=clock) as network:
        one = network["north"]
        doctor = Api.of(one, "dr.north", app=application(one))
        names = written(doctor)
        asking = rights_of(one.node, network.session("north", "dr.north"))
        with pytest.raises(Conflict, match="not anchored"):
            disclosing.state(one.node, asking, [names["group"]], holder=facts.holder_of(KEY))
        network.settle()
        kept = disclosing.state(one.node, asking, list(names.values()), holder=facts.holder_of(KEY))
        yield Shown(network, clock, names, dict(zip(names, kept, strict=True)))


def test_each_kind_of_fact_is_shown(shown: Shown) -> None:
    adult = (1974 - 1900) * 365 + 400
    for name, question in {
        "birth": {"code": BIRTH_DATE, "most": adult},
        "vaccination": {"code": MEASLES, "first_day": 19_000},
        "group": {"code": BLOOD_GROUP, "coded": GROUP_A},
        "haemoglobin": {"code": HAEMOGLOBIN, "coded": GRAMS, "least": 13_000, "most": 18_000},
    }.items():
        asked = shown.ask(**question)
        found = disclosing.check(shown.asker, asked, shown.answer(asked, name))
        assert found.code == question["code"]


def test_an_answer_fits_a_code_and_names_nothing(shown: Shown) -> None:
    asked = shown.ask(code=BLOOD_GROUP, coded=GROUP_A)
    text = shown.answer(asked, "group")
    assert segno.make(text, error="m").version <= 20
    assert segno.make(asked, error="m").version <= 20
    content = read_answer(text)
    assert len(msgspec.msgpack.encode(content)) < 320
    kept = shown.kept["group"]
    for secret in (kept.holder, kept.salt, kept.batch_root, kept.issuer, octets(KEY)):
        assert secret not in msgspec.msgpack.encode(content)
    assert shown.answer(asked, "group") != text, "two answers have nothing in common but the root"


def test_what_is_not_so_is_not_answered(shown: Shown) -> None:
    for question in (
        {"code": BLOOD_GROUP, "coded": ("http://snomed.info/sct", "165743006")},
        {"code": MEASLES, "coded": GROUP_A},
        {"code": BLOOD_GROUP, "coded": GROUP_A, "last_day": 20_000},
        {"code": BLOOD_GROUP, "coded": GROUP_A, "least": 1},
    ):
        with pytest.raises(Conflict, match="does not answer"):
            shown.answer(shown.ask(**question), "group")


def test_nobody_else_shows_it(shown: Shown) -> None:
    asked = shown.ask(code=BLOOD_GROUP, coded=GROUP_A)
    with pytest.raises(Conflict, match="another holder"):
        shown.answer(asked, "group", key=KEY + 1)


def test_an_answer_is_to_one_question(shown: Shown) -> None:
    """Another challenge, another code, wider bounds: each is another question."""
    question = {"code": BLOOD_GROUP, "coded": GROUP_A, "most": 5}
    asked = shown.ask(**question)
    text = shown.answer(asked, "group")
    for other in (
        question,
        question | {"most": 6},
        question | {"coded": MEASLES},
        {"code": MEASLES},
        question | {"first_day": 1},
    ):
        with pytest.raises(Tampered):
            disclosing.check(shown.asker, shown.ask(**other), text)
    assert disclosing.check(shown.asker, asked, text)


def test_forged_answers_are_refused(shown: Shown) -> None:
    asked = shown.ask(code=BLOOD_GROUP, coded=GROUP_A)
    good = read_answer(shown.answer(asked, "group"))
    for proof in (bytes(256), good.proof[::-1], good.proof[:-1] + bytes([good.proof[-1] ^ 1])):
        with pytest.raises(Tampered):
            forged = msgspec.structs.replace(good, proof=proof)
            disclosing.check(shown.asker, asked, answer_text(forged))
    for root in (FIELD, 2**256 - 1, 1):
        with pytest.raises(Conflict, match="as it is now"):
            forged = msgspec.structs.replace(good, root=octets(root))
            disclosing.check(shown.asker, asked, answer_text(forged))
    # A forest of prescriptions is another one.
    node = shown.hospital
    node.agent.transact(node.contracts.statements.insert_root(StatementKind.PRESCRIPTION, 77))
    root = node.contracts.statements.forest(StatementKind.PRESCRIPTION).root
    with pytest.raises(Conflict):
        forged = msgspec.structs.replace(good, root=octets(root))
        disclosing.check(shown.asker, asked, answer_text(forged))


def test_a_fact_that_nobody_stated_is_not_shown(shown: Shown) -> None:
    invented = msgspec.structs.replace(shown.kept["group"], coded=MEASLES)
    asked = shown.ask(code=BLOOD_GROUP, coded=MEASLES)
    with pytest.raises(Invalid):
        disclosing.answer(shown.hospital, asked, invented, holder_key=KEY)
    elsewhere = msgspec.structs.replace(shown.kept["group"], batch_root=octets(5))
    with pytest.raises(NotFound, match="not in the network's forest"):
        disclosing.answer(
            shown.hospital,
            shown.ask(code=BLOOD_GROUP, coded=GROUP_A),
            elsewhere,
            holder_key=KEY,
        )


def test_old_questions_and_old_roots_are_refused(shown: Shown) -> None:
    asked = shown.ask(code=BLOOD_GROUP, coded=GROUP_A)
    text = shown.answer(asked, "group")
    node = shown.hospital
    node.agent.transact(node.contracts.statements.insert_root(StatementKind.FACT, 78))
    assert disclosing.check(shown.asker, asked, text), "a root stays recent for a while"
    shown.clock.ahead_seconds += disclosing.FRESH_SECONDS + 1
    with pytest.raises(Conflict, match="too old"):
        disclosing.check(shown.asker, asked, text)
    shown.clock.ahead_seconds += node.contracts.statements.recent_seconds()
    late = msgspec.structs.replace(
        read_question(asked), asked_seconds=shown.asker.now_seconds() - 10
    )
    # A block of now, for ledgers whose time stands still without any.
    node.agent.transact(node.contracts.statements.insert_root(StatementKind.ENCOUNTER, 79))
    with pytest.raises(Conflict, match="as it is now"):
        disclosing.check(shown.asker, question_text(late), text)


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": "Condition"},
        {"resourceType": "Patient"},
        {"resourceType": "Patient", "birthDate": "1974"},
        {"resourceType": "Patient", "birthDate": "1890-01-01"},
        {"resourceType": "Immunization", "status": "not-done"},
        {"resourceType": "Observation", "status": "preliminary"},
        {
            "resourceType": "Observation",
            "status": "final",
            "code": concept(*HAEMOGLOBIN),
            "effectiveDateTime": "2025-01-02",
            "valueQuantity": {"value": 1, "comparator": "<", "system": "s", "code": "c"},
        },
    ],
    ids=str,
)
def test_what_says_no_fact_is_refused(resource: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        disclosing.fact_of(resource, today=20_000)


@pytest.mark.parametrize("text", ["", "x", ANSWER, ANSWER + "!!", ANSWER + "AAAA", "a" * 3_000])
def test_rubbish_is_no_answer(text: str) -> None:
    for read in (read_answer, read_question):
        with pytest.raises(Invalid):
            read(text)
    with pytest.raises(Invalid):
        read_kept(text.encode())


def test_what_cannot_be_asked_is_refused() -> None:
    for wrong in ({"least": 5, "most": 4}, {"most": 2**64}, {"least": -1}, {"last_day": 2**20}):
        with pytest.raises(Invalid):
            disclosing.ask(0, secrets.token_bytes, code=BLOOD_GROUP, **wrong)
