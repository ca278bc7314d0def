"""``CoverageEligibilityRequest/$submit``: an insurer answers from its own records and plans, to who
may ask, about the one person meant, and tells nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from simdes import config
from simdes.app import ADMINISTRATOR
from simdes.exchange.claims.billing import bills, own
from simdes.exchange.submit import Accepted, Refused
from simdes.fhir.json import loads
from simdes.fhir.validate import validate
from simdes.index.vaults import Identifier, find
from support import consortium
from support.claiming import CPT, PLAN
from support.consortium import Clock, Consortium
from support.fhir_api import Api, Json, application
from unit.exchange.claims.test_inquiring import MEMBERS
from unit.mapper.x12.samples import one as x12
from unit.mapper.x12.test_claims import PROFESSIONAL
from unit.mapper.x12.test_dependents import claim as dependents_claim

SUBMIT = "CoverageEligibilityRequest/$submit"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hospital and an insurer with a plan."""
    made = tmp_path_factory.mktemp("eligibility") / "network"
    consortium.found(made, names=("north", "east"))
    for name in ("north", "east"):
        consortium.let_read(made / name)
    plans = made / "east" / "claims" / "plans"
    plans.mkdir(parents=True)
    (plans / "basic.toml").write_text(PLAN.replace("EUR", "USD"))
    east = config.load(made / "east").organisation
    (made / "north" / "claims").mkdir()
    known = f"# whose numbers\nurn:simdes:x12:66:pi|99999 ; {east}\n"
    (made / "north" / "claims" / "payers.txt").write_text(known)
    return made


@pytest.fixture(scope="module")
def network(folder: Path) -> Iterator[Consortium]:
    """The network, with a family insured at east by an X12 834."""
    with consortium.opened(folder, clock=Clock()) as opened:
        taken = opened.submit("east", "members.834", x12("834", MEMBERS))
        assert [type(one).__name__ for one in taken] == ["Accepted"] * 3, taken
        yield opened


@pytest.fixture(scope="module")
def clerk(network: Consortium) -> Api:
    """Claims staff of the insurer."""
    return Api.of(network["east"], "clerk.poe")


def asked(
    *,
    number: str = "M1",
    born: str = "1968-01-01",
    given: str = "Jon",
    relation: str = "self",
    **others: Any,
) -> Json:
    """A Bundle: the request with the Coverage and patient that it is about."""
    system = "http://terminology.hl7.org/CodeSystem/subscriber-relationship"
    entries = [
        {
            "resourceType": "CoverageEligibilityRequest",
            "id": "q1",
            "status": "active",
            "purpose": ["benefits"],
            "patient": {"reference": "urn:uuid:11111111-1111-4111-8111-111111111111"},
            "created": "2024-01-02",
            "servicedDate": "2024-01-02",
            "insurer": {"display": "Insurer East"},
            "insurance": [
                {"coverage": {"reference": "urn:uuid:22222222-2222-4222-8222-222222222222"}}
            ],
        }
        | others,
        {
            "resourceType": "Patient",
            "id": "p",
            "name": [{"family": "Doe", "given": [given]}],
            "birthDate": born,
        },
        {
            "resourceType": "Coverage",
            "id": "c",
            "status": "active",
            "subscriberId": number,
            "beneficiary": {"reference": "urn:uuid:11111111-1111-4111-8111-111111111111"},
            "relationship": {"coding": [{"system": system, "code": relation}]},
            "payor": [{"display": "Insurer East"}],
        },
    ]
    urls = ["0" * 8 + "-0000-4000-8000-" + "0" * 12, "1" * 8 + "-1111-4111-8111-" + "1" * 12]
    urls.append("2" * 8 + "-2222-4222-8222-" + "2" * 12)
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": f"urn:uuid:{url}", "resource": one}
            for url, one in zip(urls, entries, strict=True)
        ],
    }


def answered(api: Api, sent: Json) -> Json:
    """The one response of an answer, which is valid R4."""
    answer = api.send("POST", SUBMIT, sent)
    assert answer.status_code == 200, answer.text
    made: Json = loads(answer.content)
    if made["resourceType"] == "Bundle":
        named = {one["fullUrl"] for one in made["entry"]}
        made = made["entry"][0]["resource"]
        assert made["patient"]["reference"] in named
    assert [one for one in validate(made) if one.severity == "error"] == []
    assert made["resourceType"] == "CoverageEligibilityResponse"
    return made


def test_a_member_is_answered_by_the_insurers_plan(clerk: Api) -> None:
    made = answered(clerk, asked())
    assert (made["outcome"], made["disposition"]) == ("complete", "Covered")
    (insurance,) = made["insurance"]
    assert insurance["inforce"] is True
    names = [one["name"] for one in insurance["item"]]
    assert names == ["Basic cover", "cosmetic", "physiotherapy", "everything else"]
    assert made["insurer"]["display"] == "Insurer East"
    coverage = clerk.get(insurance["coverage"]["reference"]).json()
    assert coverage["subscriberId"] == "M1"


def test_a_request_alone_names_our_own_coverage_or_holds_it(clerk: Api) -> None:
    coverage = answered(clerk, asked())["insurance"][0]["coverage"]["reference"]
    patient = clerk.get(coverage).json()["beneficiary"]["reference"]
    request = asked()["entry"][0]["resource"]
    own = request | {
        "patient": {"reference": patient},
        "insurance": [{"coverage": {"reference": coverage}}],
    }
    assert answered(clerk, own)["disposition"] == "Covered"
    parameters = {
        "resourceType": "Parameters",
        "parameter": [{"name": "resource", "resource": own}],
    }
    assert answered(clerk, parameters)["disposition"] == "Covered"
    inside = [one["resource"] for one in asked()["entry"][1:]]
    inside[1]["beneficiary"] = {"reference": "#p"}
    held = request | {
        "contained": inside,
        "patient": {"reference": "#p"},
        "insurance": [{"coverage": {"reference": "#c"}}],
    }
    assert answered(clerk, held)["disposition"] == "Covered"


def test_a_coverage_of_somebody_else_is_not_told(clerk: Api) -> None:
    coverage = answered(clerk, asked())["insurance"][0]["coverage"]["reference"]
    request = asked()["entry"][0]["resource"] | {
        "patient": {"reference": "Patient/somebody-else"},
        "insurance": [{"coverage": {"reference": coverage}}],
    }
    made = answered(clerk, request)
    assert made["outcome"] == "error"
    unknown = request | {"insurance": [{"coverage": {"reference": "Coverage/none"}}]}
    assert answered(clerk, unknown)["error"] == made["error"]


def test_a_dependent_is_told_apart_by_given_name_and_relation(clerk: Api) -> None:
    child = {"born": "2015-03-04", "relation": "child"}
    told = {answered(clerk, asked(given=one, **child))["disposition"] for one in ("Max", "Mia")}
    assert told == {"Covered"}
    for wrong in ({"given": "M"}, {"given": "Moe"}, {"given": "Max", "relation": "spouse"}):
        assert answered(clerk, asked(**{**child, **wrong}))["outcome"] == "error"


def test_every_wrong_part_is_answered_in_the_same_words(clerk: Api) -> None:
    answers = []
    for wrong in (
        {"number": "M2"},
        {"born": "1968-01-02"},
        {"number": "M1,M2"},
        {"number": "M1|", "born": "1968-01-01"},
        {"number": "*"},
    ):
        made = answered(clerk, asked(**wrong))
        made.pop("id")
        answers.append(made)
    assert all(one == answers[0] for one in answers)
    assert answers[0]["outcome"] == "error"
    assert "insurance" not in answers[0]


def test_what_is_asked_for_is_answered(clerk: Api) -> None:
    item = [{"productOrService": {"coding": [{"system": CPT, "code": "97110"}]}}]
    (insurance,) = answered(clerk, asked(item=item))["insurance"]
    assert [one["name"] for one in insurance["item"]] == ["physiotherapy"]
    (checked,) = answered(clerk, asked(purpose=["validation"]))["insurance"]
    assert "item" not in checked


def test_bundles_in_a_bundle_are_answered_in_their_order(clerk: Api) -> None:
    both = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": asked()}, {"resource": asked(number="M2")}],
    }
    answer = clerk.send("POST", SUBMIT, both).json()
    outcomes = [one["resource"].get("outcome") for one in answer["entry"]]
    assert outcomes == ["complete", "error", None]
    deep = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": both}]}
    assert clerk.send("POST", SUBMIT, deep).status_code == 400


@pytest.mark.parametrize(
    "sent",
    [
        None,
        {"resourceType": "Patient"},
        {"resourceType": "Parameters"},
        {"resourceType": "Bundle", "type": "collection"},
        {"resourceType": "Bundle", "type": "collection", "entry": [{"fullUrl": "urn:x"}]},
        {"resourceType": "CoverageEligibilityRequest", "status": "active"},
        asked(patient={"reference": 7}),
        asked(insurance=[]),
        asked(insurance=[{"coverage": {"reference": "Coverage/../../x"}}]),
    ],
    ids=lambda sent: "nothing" if sent is None else None,
)
def test_what_can_not_be_read_is_refused_and_nothing_fails(clerk: Api, sent: Any) -> None:
    answer = clerk.send("POST", SUBMIT, sent)
    assert 400 <= answer.status_code < 500 or answer.json()["outcome"] == "error", answer.text


def test_too_many_questions_at_once_are_refused(clerk: Api) -> None:
    many = asked()
    many["entry"] += [
        {"fullUrl": f"urn:uuid:{at:08}-0000-4000-8000-000000000001", "resource": request}
        for at in range(50)
        for request in [many["entry"][0]["resource"] | {"id": f"q{at}"}]
    ]
    assert clerk.send("POST", SUBMIT, many).status_code == 400


def test_only_claims_staff_of_an_insurer_answers(network: Consortium) -> None:
    doctor = Api.of(network["north"], "dr.north")
    administrator = Api.of(network["east"], ADMINISTRATOR)
    for api in (doctor, administrator):
        refused = api.send("POST", SUBMIT, asked())
        assert refused.status_code == 403
        assert "Jon" not in refused.text
        assert "1968" not in refused.text


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ("system/CoverageEligibilityRequest.c system/Coverage.rs system/Patient.rs", 200),
        ("system/CoverageEligibilityRequest.rs system/Coverage.rs system/Patient.rs", 403),
        ("system/CoverageEligibilityRequest.c system/Patient.rs", 403),
        ("system/Observation.cruds", 403),
    ],
)
def test_an_app_answers_as_far_as_its_scopes_go(
    network: Consortium, scope: str, status: int
) -> None:
    api = Api.of_agent(network["east"], application(network["east"]), scope=scope)
    assert api.send("POST", SUBMIT, asked()).status_code == status


def test_every_question_leaves_an_audit_entry_that_names_nobody(
    network: Consortium, clerk: Api
) -> None:
    node = network["east"].node

    def entries() -> int:
        with node.database.read() as tx:
            return int(tx.all("SELECT COUNT(*) FROM audit_entry")[0][0])

    before = entries()
    answered(clerk, asked())
    read = entries()
    answered(clerk, asked(number="M2"))
    assert before < read < entries()
    refused = Api.of(network["east"], ADMINISTRATOR).send("POST", SUBMIT, asked())
    assert refused.status_code == 403


def test_the_capability_statement_names_the_operation(clerk: Api) -> None:
    rest = clerk.get("metadata").json()["rest"][0]
    (its,) = [one for one in rest["resource"] if one["type"] == "CoverageEligibilityRequest"]
    definition = "http://hl7.org/fhir/OperationDefinition/CoverageEligibilityRequest-submit"
    assert {"name": "submit", "definition": definition} in its["operation"]


def test_without_a_token_nothing_is_read(network: Consortium) -> None:
    api = Api(network["east"], "", application(network["east"]), token="no token")
    assert api.send("POST", SUBMIT, asked()).status_code == 401


# Claim/$submit --------------------------------------------------------------------------------

NUMBERS = count(1)


@pytest.fixture(scope="module")
def doctor(network: Consortium) -> Api:
    """Who treats and bills at the hospital."""
    return Api.of(network["north"], "dr.north")


def claimed(network: Consortium, **others: Any) -> Json:
    """A Bundle as Da Vinci's guides have it: the Claim first, then what it refers to."""
    number = f"submit-{next(NUMBERS)}"
    payer = f"0x{network['east'].node.organisation.hex()}"
    patient = {"reference": "urn:uuid:11111111-1111-4111-8111-111111111111"}
    kind = {"system": "http://terminology.hl7.org/CodeSystem/claim-type", "code": "professional"}
    service = {"coding": [{"system": CPT, "code": "99213"}]}
    money = {"value": 80, "currency": "EUR"}
    claim = {
        "resourceType": "Claim",
        "identifier": [{"system": "urn:clinic:claim", "value": number}],
        "status": "active",
        "type": {"coding": [kind]},
        "use": "claim",
        "patient": patient,
        "created": "2026-03-02",
        "provider": {"display": "Hospital North"},
        "priority": {"coding": [{"code": "normal"}]},
        "insurance": [
            {
                "sequence": 1,
                "focal": True,
                "coverage": {"reference": "urn:uuid:22222222-2222-4222-8222-222222222222"},
            }
        ],
        "item": [
            {
                "sequence": 1,
                "productOrService": service,
                "servicedDate": "2026-03-02",
                "net": money,
            }
        ],
        "total": money,
    } | others
    people = {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:clinic:patient", "value": number}],
        "name": [{"family": "Okafor", "given": ["Ada"]}],
    }
    organisation = {"system": "urn:simdes:organisation", "value": payer}
    coverage = {
        "resourceType": "Coverage",
        "identifier": [{"system": "urn:east:member", "value": number}],
        "status": "active",
        "beneficiary": patient,
        "payor": [{"identifier": organisation}],
    }
    urls = ("0" * 8 + "-0000-4000-8000-" + "0" * 12, "1" * 8 + "-1111-4111-8111-" + "1" * 12)
    urls += ("2" * 8 + "-2222-4222-8222-" + "2" * 12,)
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": f"urn:uuid:{url}", "resource": one}
            for url, one in zip(urls, (claim, people, coverage), strict=True)
        ],
    }


def test_a_claim_that_is_handed_over_is_stored_and_queued(network: Consortium, doctor: Api) -> None:
    answer = doctor.send("POST", "Claim/$submit", claimed(network))
    assert answer.status_code == 200, answer.text
    response, claim = [one["resource"] for one in answer.json()["entry"]]
    problems = validate(loads(answer.content)["entry"][0]["resource"])
    assert [one for one in problems if one.severity == "error"] == []
    assert (response["resourceType"], response["outcome"]) == ("ClaimResponse", "queued")
    assert response["request"]["reference"] == f"Claim/{claim['id']}"
    stored = doctor.get(f"Claim/{claim['id']}").json()
    patient = doctor.get(stored["patient"]["reference"]).json()
    assert patient["name"][0]["family"] == "Okafor"
    coverage = doctor.get(stored["insurance"][0]["coverage"]["reference"]).json()
    assert coverage["beneficiary"] == stored["patient"]
    node = network["north"].node
    with node.database.read() as tx:
        vault = doctor_vault(tx, patient)
        [bill] = bills(node, own(node, tx, vault))
    assert (bill.key, str(bill.cost)) == (f"Claim/{claim['id']}", "80.00 EUR")
    assert bill.payers == [network["east"].node.organisation]


def test_an_x12_837_is_claimed_at_the_insurer_that_its_payers_number_means(
    network: Consortium,
) -> None:
    node = network["north"].node
    [taken] = network.submit("north", "claim.837", x12("837P", PROFESSIONAL))
    assert isinstance(taken, Accepted), taken
    with node.database.read() as tx:
        [bill] = bills(node, own(node, tx, taken.vaults[0]))
    assert (str(bill.cost), bill.identifier[1]) == ("150.50 USD", "C1")
    assert bill.payers == [network["east"].node.organisation]


def test_a_dependents_837_is_claimed_for_the_dependent(network: Consortium) -> None:
    node = network["north"].node
    [taken] = network.submit("north", "child.837", dependents_claim())
    [again] = network.submit("north", "child2.837", dependents_claim(given="Máx"))
    [sister] = network.submit("north", "sister.837", dependents_claim(given="Mia"))
    assert taken.vaults == again.vaults != sister.vaults
    with node.database.read() as tx:
        [bill] = bills(node, own(node, tx, sister.vaults[0]))
    assert bill.payers == [network["east"].node.organisation]
    [waits] = network.submit("north", "initial.837", dependents_claim(given="M"))
    assert isinstance(waits, Refused)
    assert waits.code == "no-patient-identifier"


def doctor_vault(tx: Any, patient: Json) -> bytes:
    """The vault of a patient by their identifier."""
    one = patient["identifier"][0]
    found = find(tx, Identifier(one["system"], one["value"]))
    assert found is not None
    return found


def test_the_same_claim_twice_is_one(network: Consortium, doctor: Api) -> None:
    sent = claimed(network)
    first, again = (doctor.send("POST", "Claim/$submit", sent).json() for _ in range(2))
    assert first["entry"][1]["resource"]["id"] == again["entry"][1]["resource"]["id"]
    number = sent["entry"][0]["resource"]["identifier"][0]["value"]
    assert len(doctor.found(f"Claim?identifier=urn:clinic:claim|{number}")) == 1
    assert len(doctor.found(f"Patient?identifier=urn:clinic:patient|{number}")) == 1


def test_a_claim_alone_refers_to_what_is_here(network: Consortium, doctor: Api) -> None:
    sent = claimed(network)
    stored = doctor.send("POST", "Claim/$submit", sent).json()["entry"][1]["resource"]
    alone = stored | {"identifier": [{"system": "urn:clinic:claim", "value": "alone-1"}]}
    answer = doctor.send("POST", "Claim/$submit", alone)
    assert answer.status_code == 200, answer.text
    assert answer.json()["request"]["identifier"]["value"] == "alone-1"


REFUSED: dict[str, Json] = {
    "a prior authorisation": {"use": "preauthorization"},
    "a cancelled claim": {"status": "cancelled"},
    "no lines": {"item": []},
    "lines that do not add up": {"total": {"value": 81, "currency": "EUR"}},
    "no insurance": {"insurance": []},
    "an unknown Coverage": {
        "insurance": [{"sequence": 1, "focal": True, "coverage": {"reference": "Coverage/none"}}]
    },
    "a list for a line": {"item": [["x"]]},
    "no type": {"type": None},
}


@pytest.mark.parametrize("wrong", REFUSED.values(), ids=REFUSED)
def test_what_would_never_be_opened_is_refused_and_not_stored(
    network: Consortium, doctor: Api, wrong: Json
) -> None:
    sent = claimed(network, **wrong)
    answer = doctor.send("POST", "Claim/$submit", sent)
    assert 400 <= answer.status_code < 500, answer.text
    assert "Okafor" not in answer.text
    number = sent["entry"][0]["resource"]["identifier"][0]["value"]
    assert doctor.found(f"Patient?identifier=urn:clinic:patient|{number}") == []


def test_a_coverage_at_no_insurer_of_the_network_is_refused(
    network: Consortium, doctor: Api
) -> None:
    sent = claimed(network)
    sent["entry"][2]["resource"]["payor"] = [{"display": "Somebody"}]
    answer = doctor.send("POST", "Claim/$submit", sent)
    assert answer.status_code == 400
    assert "urn:simdes:organisation" in answer.text


def test_an_insurer_may_be_named_by_the_number_that_feeds_use(
    network: Consortium, doctor: Api
) -> None:
    sent = claimed(network)
    sent["entry"][2]["resource"]["payor"] = [{"reference": "urn:uuid:" + PAYER}]
    number = {"system": "urn:simdes:x12:66:pi", "value": "99999"}
    payer = {"resourceType": "Organization", "identifier": [number], "name": "Payer"}
    sent["entry"].append({"fullUrl": "urn:uuid:" + PAYER, "resource": payer})
    answer = doctor.send("POST", "Claim/$submit", sent)
    assert answer.status_code == 200, answer.text
    stored = answer.json()["entry"][1]["resource"]
    node = network["north"].node
    with node.database.read() as tx:
        vault = doctor_vault(tx, doctor.get(stored["patient"]["reference"]).json())
        [bill] = bills(node, own(node, tx, vault))
    assert bill.payers == [network["east"].node.organisation]


PAYER = "33333333-3333-4333-8333-333333333333"


def test_only_who_bills_at_a_hospital_hands_claims_over(
    network: Consortium, clerk: Api, doctor: Api
) -> None:
    assert clerk.send("POST", "Claim/$submit", claimed(network)).status_code == 403
    administrator = Api.of(network["north"], ADMINISTRATOR)
    assert administrator.send("POST", "Claim/$submit", claimed(network)).status_code == 403
    north = application(network["north"])
    scopes = {"system/*.cruds": 200, "system/Claim.rs": 403, "system/Observation.c": 403}
    for scope, status in scopes.items():
        api = Api.of_agent(network["north"], north, scope=scope)
        assert api.send("POST", "Claim/$submit", claimed(network)).status_code == status, scope
    for sent in (None, {"resourceType": "Bundle", "type": "collection"}, asked()):
        assert doctor.send("POST", "Claim/$submit", sent).status_code == 400
