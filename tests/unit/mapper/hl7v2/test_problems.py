"""PPR and PGL: problems, goals and pathways, and what belongs to them (chapter 12)."""

from __future__ import annotations

from typing import Any

import pytest

from simdes.fhir.validate import validate
from simdes.mapper import Mapped
from unit.mapper.hl7v2.messages import kept, mapped, resource, resources, segment

PID = "PID|1||M1^^^HOSP^MR||Doe^Jane"
PROBLEM = {1: "AD", 2: "20240102", 3: "K80.00^Cholelithiasis^I10", 4: "53956^HOSP"}
GOAL = {1: "AD", 2: "20240102", 3: "00312^Improved mobility", 4: "G1^HOSP", 7: "20240103"}


def sent(*segments: str, event: str = "PPR^PC1") -> Mapped:
    one = mapped(PID, "PV1|1|I", *segments, event=event)
    assert [p for p in validate(one.bundle) if p.is_error] == []
    return one


def condition(**more: str) -> dict[str, Any]:
    fields = {**PROBLEM, **{int(name[1:]): value for name, value in more.items()}}
    return resource(sent(segment("PRB", fields)), "Condition")


def url(body: dict[str, Any]) -> str:
    return f"urn:uuid:{body['id']}"


def test_a_problem_has_its_code_dates_and_states() -> None:
    found = condition(
        f7="20100907",
        f9="20180310",
        f13="confirmed",
        f14="remission",
        f16="20170102",
        f26="ME^Medium",
    )
    assert found["category"][0]["coding"][0]["code"] == "problem-list-item"
    assert found["code"]["coding"][0] == {
        "code": "K80.00",
        "display": "Cholelithiasis",
        "system": "http://hl7.org/fhir/sid/icd-10",
    }
    assert found["identifier"][0]["value"] == "53956"
    assert found["recordedDate"] == "2024-01-02"
    assert found["onsetDateTime"] == "2017-01-02"
    assert found["abatementDateTime"] == "2018-03-10"
    assert found["verificationStatus"]["coding"][0]["code"] == "confirmed"
    assert found["clinicalStatus"]["coding"][0]["code"] == "remission"
    assert found["severity"]["coding"][0]["code"] == "ME"
    asserted = {e["url"].rpartition("/")[2]: e.get("valueDateTime") for e in found["extension"]}
    assert asserted["condition-assertedDate"] == "2010-09-07"


@pytest.mark.parametrize(
    ("life", "resolved", "status"),
    [
        ("", "", "active"),
        ("Active", "", "active"),
        ("RESOLVED", "", "resolved"),
        ("local word", "", "active"),
        ("", "20180310", "resolved"),
        ("inactive", "20180310", "inactive"),
    ],
)
def test_the_clinical_status(life: str, resolved: str, status: str) -> None:
    found = condition(f9=resolved, f14=life)
    assert found["clinicalStatus"]["coding"][0]["code"] == status
    assert ("abatementDateTime" in found) == bool(resolved)


def test_what_is_active_has_not_abated() -> None:
    found = condition(f9="20180310", f14="active")
    assert "abatementDateTime" not in found
    assert kept(found)["PRB-9"] == "20180310"


def test_a_deleted_problem_is_entered_in_error() -> None:
    found = condition(f1="DE", f9="20180310", f14="active")
    assert found["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    assert "clinicalStatus" not in found


def test_a_problem_typed_as_text_is_text() -> None:
    assert condition(f3="lung  new issue")["code"]["text"].split() == ["lung", "new", "issue"]


def test_an_onset_told_in_words() -> None:
    assert condition(f17="since childhood")["onsetString"] == "since childhood"


def test_a_goal_has_its_description_dates_and_states() -> None:
    goal = segment(
        "GOL",
        {**GOAL, 8: "20240601", 9: "rehab", 16: "improving^Improving", 17: "well", 18: "active"},
    )
    one = sent(segment("PRB", PROBLEM), goal, "NTE|1||walks 20 m")
    found = resource(one, "Goal")
    assert found["lifecycleStatus"] == "active"
    assert found["description"]["coding"][0]["display"] == "Improved mobility"
    assert found["startDate"] == "2024-01-03"
    assert found["target"] == [{"dueDate": "2024-06-01"}]
    assert found["achievementStatus"]["coding"][0]["code"] == "improving"
    assert [note["text"] for note in found["note"]] == ["well", "walks 20 m"]
    assert found["addresses"] == [{"reference": url(resource(one, "Condition"))}]


def test_the_time_of_a_day_is_kept_beside_it() -> None:
    goal = segment("GOL", {**GOAL, 7: "20240103104500"})
    found = resource(sent(segment("PRB", PROBLEM), goal), "Goal")
    assert found["startDate"] == "2024-01-03"
    assert kept(found)["GOL-7"] == "20240103104500"


def pathway() -> str:
    return segment("PTH", {1: "AD", 2: "HIP^Hip replacement", 3: "PW1", 4: "20240104", 5: "active"})


def test_a_pathway_is_a_plan_for_the_problem() -> None:
    one = sent(segment("PRB", PROBLEM), pathway())
    plan = resource(one, "CarePlan")
    assert (plan["status"], plan["intent"]) == ("active", "plan")
    assert plan["title"] == "Hip replacement"
    assert plan["created"] == "2024-01-04"
    assert plan["addresses"] == [{"reference": url(resource(one, "Condition"))}]


def test_a_pathway_of_a_goal_is_a_plan_with_that_goal() -> None:
    one = sent(segment("GOL", GOAL), pathway(), event="PGL^PC6")
    plan = resource(one, "CarePlan")
    assert plan["goal"] == [{"reference": url(resource(one, "Goal"))}]


def test_observations_and_orders_go_to_what_they_follow() -> None:
    one = sent(
        segment("PRB", PROBLEM),
        "OBX|1|NM|8867-4^Heart rate^LN||72|/min^^UCUM|||||F",
        segment("GOL", GOAL),
        "OBX|1|ST|1^Steps^L||40|||||F",
        "ORC|NW|P1|F1",
        "OBR|1|P1|F1|71020^Chest x-ray^C4",
        "OBX|1|ST|2^Why^L||cough||||||F",
        "NTE|1||said twice is wrong",
    )
    first, second, third = resources(one, "Observation")
    found = resource(one, "Condition")
    assert found["evidence"] == [{"detail": [{"reference": url(first)}]}]
    assert resource(one, "Goal")["outcomeReference"] == [{"reference": url(second)}]
    request = resource(one, "ServiceRequest")
    assert request["reasonReference"] == [{"reference": url(found)}]
    assert request["supportingInfo"] == [{"reference": url(third)}]
    assert third["note"][0]["text"] == "said twice is wrong"
    assert "note" not in request


def test_the_team_of_a_problem() -> None:
    one = sent(segment("PRB", PROBLEM), "ROL|1|AD|AT^Attending|77^Osler^William")
    (team,) = resources(one, "CareTeam")
    assert team["reasonReference"] == [{"reference": url(resource(one, "Condition"))}]


def test_goals_come_first_in_pgl() -> None:
    one = sent(segment("GOL", GOAL), segment("PRB", PROBLEM), event="PGL^PC6")
    addressed = resource(one, "Goal")["addresses"]
    assert addressed == [{"reference": url(resource(one, "Condition"))}]
