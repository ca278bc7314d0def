"""Reading calls, writing cards, taking feedback: by the standard's own examples, and by others."""

from __future__ import annotations

import copy
import json
import re
import secrets
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from simdes.errors import Invalid, Mismatch
from simdes.gateway.cds import feedback
from simdes.gateway.cds.asked import read_call
from simdes.gateway.cds.cards import MOST_CARDS, REASONS, REASONS_SYSTEM, cards, escaped
from simdes.gateway.cds.services import NEEDED, PREFETCH, SERVICES, Service, discovery

EXAMPLES = json.loads((Path(__file__).parents[3] / "vectors/cds/examples.json").read_text())
BY_HOOK = {one.hook: one for one in SERVICES}
SIGN = BY_HOOK["order-sign"]
PATIENT = {"resourceType": "Patient", "id": "1288992", "birthDate": "1990-05-01", "gender": "male"}
TODAY = date(2026, 3, 1)
Json = dict[str, Any]


def bundle(*resources: Json) -> Json:
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": one} for one in resources],
    }


ALLERGY = {
    "resourceType": "AllergyIntolerance",
    "id": "a1",
    "patient": {"reference": "https://ehr.example/fhir/Patient/1288992"},
    "criticality": "high",
    "code": {"text": "Penicillin"},
}


def call(hook: str = "order-sign", *, prefetch: Json | None = None, **changes: Any) -> Json:
    """A published example with a record of ours."""
    record = {"patient": PATIENT, "allergies": None, "conditions": None, "medications": None}
    return {
        "hook": hook,
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": copy.deepcopy(EXAMPLES[hook]),
        "prefetch": record | (prefetch or {}),
    } | changes


def answered(asked: Json, service: Service = SIGN, language: str = "en") -> list[Json]:
    read = read_call(service, json.dumps(asked).encode())
    return cards(read, today=TODAY, language=language, random=secrets.token_bytes)


# --- discovery -------------------------------------------------------------------------------


def test_the_discovery_document_says_what_the_standard_wants() -> None:
    services = discovery()["services"]
    assert {one["hook"] for one in services} == {
        "order-sign",
        "order-select",
        "medication-prescribe",
    }
    for one in services:
        assert {"hook", "id", "description", "title", "prefetch"} <= set(one)
        tokens = re.findall(r"\{\{(.*?)\}\}", json.dumps(one["prefetch"]))
        assert set(tokens) == {"context.patientId"}
    assert set(NEEDED) <= set(PREFETCH)


# --- cards -----------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", list(BY_HOOK))
def test_published_examples_are_answered_with_cards(hook: str) -> None:
    made = answered(call(hook, prefetch={"allergies": bundle(ALLERGY)}), BY_HOOK[hook])
    summaries = [one["summary"] for one in made]
    assert "Allergy on record: Penicillin. Ordered is of the class: penicillins" in summaries
    assert "The quantity lasts 0.1 days, the order is for 10." in summaries
    assert made[0]["indicator"] == "critical"


def test_every_card_keeps_to_the_standard() -> None:
    made = answered(call(prefetch={"allergies": bundle(ALLERGY)}))
    order = ["critical", "warning", "info"]
    ranks = [order.index(one["indicator"]) for one in made]
    assert all(before <= after for before, after in pairwise(ranks))
    assert len({one["uuid"] for one in made}) == len(made)
    for one in made:
        assert 0 < len(one["summary"]) < 140
        assert one["source"]["label"]
        assert set(one) <= {"uuid", "summary", "detail", "indicator", "source", "overrideReasons"}
        assert all(reason["display"] for reason in one.get("overrideReasons", ()))
    assert "overrideReasons" in made[0]


def test_cards_are_in_the_language_that_is_asked_for() -> None:
    made = answered(call(prefetch={"allergies": bundle(ALLERGY)}), language="fr-CA,en;q=0.5")
    assert made[0]["summary"].startswith("Allergie au dossier")


def test_what_was_not_sent_is_on_a_card() -> None:
    said = json.dumps(answered(call()))
    assert "statements, dispenses, observations" in said
    assert "Not everything could be checked" in said


def test_a_session_without_medication_has_no_cards() -> None:
    asked = call()
    asked["context"]["draftOrders"]["entry"].pop()
    del asked["prefetch"]
    assert answered(asked) == []


def test_drafts_are_checked_against_each_other_and_not_against_themselves() -> None:
    asked = call()
    entries = asked["context"]["draftOrders"]["entry"]
    first = copy.deepcopy(entries[1])
    first["resource"] |= {"id": "w", "medicationCodeableConcept": {"text": "warfarin 5 mg"}}
    second = copy.deepcopy(first)
    second["resource"] |= {"id": "n", "medicationCodeableConcept": {"text": "naproxen 500 mg"}}
    asked["context"]["draftOrders"]["entry"] = [first, second]
    summaries = [one["summary"] for one in answered(asked)]
    assert sum(one.startswith("Interaction: ") for one in summaries) == 2
    assert not any(one.startswith("In use already") for one in summaries)


def test_only_selected_orders_are_checked_and_the_others_count() -> None:
    asked = call("order-select")
    other = copy.deepcopy(asked["context"]["draftOrders"]["entry"][1])
    other["resource"] |= {"id": "x", "medicationCodeableConcept": {"text": "ampicillin"}}
    asked["context"]["draftOrders"]["entry"].append(other)
    details = [one["detail"] for one in answered(asked, BY_HOOK["order-select"])]
    assert details
    assert not any(one.startswith("Order: ampicillin") for one in details)
    assert any("ampicillin" in one["summary"] for one in answered(asked, BY_HOOK["order-select"]))


def test_nothing_of_a_record_becomes_markup() -> None:
    evil = "<img src=x onerror=alert(1)> [a](javascript:x) ![b](https://evil.example/p.png) `c` *d*"
    record = {"allergies": bundle(ALLERGY | {"code": {"text": f"penicillin {evil}"}})}
    asked = call(prefetch=record)
    asked["context"]["draftOrders"]["entry"][1]["resource"]["medicationCodeableConcept"]["text"] = (
        evil
    )
    for one in answered(asked):
        for mark in ("<", "](", "![", "`", "*", "://"):
            at = [match.start() for match in re.finditer(re.escape(mark), one.get("detail", ""))]
            assert all(one["detail"][place - 1] == "\\" for place in at), mark
    assert escaped("a\n# b") == "a \\# b"


def test_a_flood_of_findings_ends() -> None:
    many = [
        {
            "resourceType": "MedicationRequest",
            "id": f"m{at}",
            "status": "active",
            "medicationCodeableConcept": {"text": "ampicillin"},
        }
        for at in range(300)
    ]
    made = answered(call(prefetch={"medications": bundle(*many)}))
    assert len(made) == MOST_CARDS


# --- what is refused -------------------------------------------------------------------------

REFUSED: dict[str, tuple[Json, type[Exception]]] = {
    "another hook": ({"hook": "patient-view"}, Invalid),
    "no instance": ({"hookInstance": None}, Invalid),
    "an instance that is no UUID": ({"hookInstance": "1"}, Invalid),
    "no context": ({"context": None}, Invalid),
    "no patient": ({"context": EXAMPLES["order-sign"] | {"patientId": None}}, Invalid),
    "a path as patient": ({"context": EXAMPLES["order-sign"] | {"patientId": "../x"}}, Invalid),
    "no user": ({"context": EXAMPLES["order-sign"] | {"userId": 5}}, Invalid),
    "no orders": ({"context": EXAMPLES["order-sign"] | {"draftOrders": []}}, Invalid),
    "no prefetch": ({"prefetch": None}, Mismatch),
    "a list as prefetch": ({"prefetch": []}, Invalid),
}


@pytest.mark.parametrize("case", REFUSED)
def test_calls_that_are_none_are_refused(case: str) -> None:
    changes, error = REFUSED[case]
    with pytest.raises(error):
        answered(call() | changes)


PATIENT_ELSEWHERE = {"reference": "Patient/2"}
UNUSABLE: dict[str, tuple[Json, type[Exception]]] = {
    "another patient": ({"patient": PATIENT | {"id": "2"}}, Mismatch),
    "no patient": ({"patient": None}, Mismatch),
    "an allergy of another": (
        {"allergies": bundle(ALLERGY | {"patient": PATIENT_ELSEWHERE})},
        Invalid,
    ),
    "a further page": (
        {"allergies": bundle(ALLERGY) | {"link": [{"relation": "next", "url": "https://x/2"}]}},
        Mismatch,
    ),
    "an error": ({"allergies": {"resourceType": "OperationOutcome"}}, Mismatch),
    "no Bundle": ({"allergies": ALLERGY}, Invalid),
    "too much": ({"conditions": bundle(*({"resourceType": "Condition"},) * 5001)}, Invalid),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_record_that_is_not_whole_or_not_this_patients_is_refused(case: str) -> None:
    prefetch, error = UNUSABLE[case]
    with pytest.raises(error):
        answered(call(prefetch=prefetch))


@pytest.mark.parametrize("key", NEEDED)
def test_a_needed_key_that_was_not_sent_is_a_precondition_that_failed(key: str) -> None:
    asked = call()
    del asked["prefetch"][key]
    with pytest.raises(Mismatch, match=key):
        answered(asked)


def test_an_order_for_another_patient_is_refused() -> None:
    asked = call()
    asked["context"]["draftOrders"]["entry"][1]["resource"]["subject"] = PATIENT_ELSEWHERE
    with pytest.raises(Invalid, match="another patient"):
        answered(asked)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"a":1,"a":2}', b"\xff", b"{" * 200])
def test_bodies_that_are_no_call_are_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        read_call(SIGN, body)
    with pytest.raises(Invalid):
        feedback.take(SIGN, body)


# --- feedback --------------------------------------------------------------------------------


def take(*entries: Any) -> list[dict[str, Any]]:
    with capture_logs() as lines:
        feedback.take(SIGN, json.dumps({"feedback": list(entries)}).encode())
    return list(lines)


def test_published_feedback_is_noted_without_comments() -> None:
    lines = take(*EXAMPLES["feedback"])
    assert [(one["outcome"], one["reason"]) for one in lines] == [
        ("accepted", ""),
        ("overridden", ""),
        ("overridden", "other"),
    ]
    assert "comment entered" not in str(lines)
    assert "d7ecf885" not in str(lines)


def test_a_reason_of_ours_is_noted_by_its_code() -> None:
    usual = EXAMPLES["feedback"][1]
    for code in REASONS:
        reason = {"reason": {"system": REASONS_SYSTEM, "code": code}}
        [line] = take(usual | {"overrideReason": reason})
        assert line["reason"] == code
    [line] = take(usual | {"overrideReason": {"userComment": "Mrs Lovelace asked for it"}})
    assert line["reason"] == "comment"
    assert "Lovelace" not in str(line)


@pytest.mark.parametrize(
    "changes",
    [
        {"card": "1"},
        {"card": None},
        {"outcome": "ignored"},
        {"outcome": "accepted"},
        {"outcomeTimestamp": "yesterday"},
        {"overrideReason": []},
        {"overrideReason": {"reason": "x"}},
    ],
    ids=str,
)
def test_feedback_that_is_none_is_refused(changes: Json) -> None:
    with pytest.raises(Invalid):
        take(EXAMPLES["feedback"][1] | changes)
