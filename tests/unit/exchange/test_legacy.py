"""$submit-legacy inside the application layer: who may, what comes out, what is written down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simdes.access.accounts import HOSTED_ROLES
from simdes.access.categories import Role
from simdes.errors import Forbidden
from simdes.exchange import enrolment
from simdes.exchange.legacy import submit_legacy
from simdes.exchange.node import Node
from simdes.fhir.json import dumps
from simdes.fhir.validate import validate
from simdes.index import custody
from support import consortium
from support.consortium import Consortium, passphrase_of
from support.messages import admission, result

PAGE = (Path(__file__).parents[3] / "docs/security/authorisation.md").read_text()
SECTION = PAGE.split("## Submitting by role\n", 1)[1].split("\n## ", 1)[0]
ROWS = [
    [cell.strip().strip("`") for cell in line.strip("|").split("|")]
    for line in SECTION.splitlines()
    if line.startswith("|")
]
MATRIX = dict(zip(ROWS[0][1:], ROWS[2][1:], strict=True))


def audited(node: Node) -> list[tuple[Any, ...]]:
    """Every entry; what other tests began to count is over, and adds none here."""
    node.database.write(lambda tx: custody.take_folds(tx, before_ms=1 << 62))
    with node.database.read() as tx:
        return tx.all("SELECT seq FROM audit_entry ORDER BY seq")


def rows(node: Node) -> list[tuple[Any, ...]]:
    with node.database.read() as tx:
        return [*tx.all("SELECT count(*) FROM resource"), *tx.all("SELECT count(*) FROM source")]


PEOPLE = [one.name.lower() for one in HOSTED_ROLES if one.name.lower() in MATRIX]


def test_the_page_has_a_column_for_every_role() -> None:
    assert (
        set(MATRIX)
        == {*PEOPLE, "agent"}
        == {one.name.lower() for one in Role if one is not Role.NONE}
    )


@pytest.mark.parametrize("role", sorted(PEOPLE))
def test_who_may_submit_is_what_the_page_says(network: Consortium, who: str, role: str) -> None:
    node = network["north"].node
    with consortium.cheap_locks():
        enrolment.add_person(
            node,
            network.session("north", "admin"),
            f"{role}-{who}",
            role=Role[role.upper()],
            passphrase=passphrase_of(f"{role}-{who}"),
        )
    session = network.session("north", f"{role}-{who}")
    before = audited(node)
    message = admission("A01", sent="20260101090000", number=who, control=who)
    if role in ("pharmacist", "insurer"):  # who write no encounters
        message = dumps(a_patient(who))
    if MATRIX[role] == "yes":
        assert submit_legacy(node, session, message).answers[0].index == 0
    else:
        with pytest.raises(Forbidden):
            submit_legacy(node, session, message)
    assert len(audited(node)) == len(before) + 1


def a_patient(number: str) -> dict[str, Any]:
    numbered = [{"system": "urn:oid:2.16.840.1.113883.4.1", "value": number}]
    return {"resourceType": "Patient", "id": f"p-{number}", "identifier": numbered}


def about(number: str, resource: dict[str, Any]) -> bytes:
    """A Bundle with a patient and another resource."""
    entries = [{"resource": a_patient(number)}, {"resource": {"id": "a-1", **resource}}]
    return dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})


PRESCRIPTION = {
    "resourceType": "MedicationRequest",
    "status": "active",
    "intent": "order",
    "medicationCodeableConcept": {"text": "morphine"},
}
PROVENANCE = {
    "resourceType": "Provenance",
    "target": [{"reference": "Patient/p-x"}],
    "recorded": "2020-01-01T00:00:00Z",
    "agent": [{"who": {"display": "somebody else"}}],
}
AUDIT_EVENT = {
    "resourceType": "AuditEvent",
    "type": {"system": "urn:x", "code": "rest"},
    "recorded": "2020-01-01T00:00:00Z",
    "agent": [{"requestor": True}],
    "source": {"observer": {"display": "somebody else"}},
}
CONSENT = {
    "resourceType": "Consent",
    "status": "active",
    "scope": {"text": "privacy"},
    "category": [{"text": "privacy"}],
    "policyRule": {"text": "everything to everybody"},
}
FORGED = {
    "nurse": PRESCRIPTION,
    "insurer": PRESCRIPTION,
    "doctor": PROVENANCE,
    "pharmacist": AUDIT_EVENT,
    "administrator": CONSENT,
}


@pytest.mark.parametrize("role", sorted(FORGED))
@pytest.mark.parametrize("dry_run", [True, False], ids=["dry", "wet"])
def test_what_a_role_may_not_write_it_may_not_submit_either(
    network: Consortium, who: str, role: str, dry_run: bool
) -> None:
    node, user = network["north"].node, f"{role}-{who}"
    with consortium.cheap_locks():
        enrolment.add_person(
            node,
            network.session("north", "admin"),
            user,
            role=Role[role.upper()],
            passphrase=passphrase_of(user),
        )
    session, before, kept = network.session("north", user), audited(node), rows(node)
    message = about(who, FORGED[role])
    with pytest.raises(Forbidden, match=str(FORGED[role]["resourceType"])):
        submit_legacy(node, session, message, dry_run=dry_run)
    assert rows(node) == kept and len(audited(node)) == len(before) + 1


def test_staff_of_another_organisation_may_not(network: Consortium) -> None:
    with pytest.raises(Forbidden):
        submit_legacy(network["north"].node, network.session("south", "dr.lee"), b"MSH|")


def test_a_message_comes_back_as_the_bundle_it_became(network: Consortium, who: str) -> None:
    node, doctor = network["north"].node, network.session("north", "dr.north")
    found = submit_legacy(node, doctor, result("F", "5", sent="20260101090000", number=who))
    assert found.bundle["type"] == "message"
    assert [one for one in validate(found.bundle) if one.severity == "error"] == []
    late = result("P", "4", sent="20260101080000", number=who, control="late")
    older = submit_legacy(node, doctor, late)
    assert next(one["details"]["text"] for one in older.outcome["issue"]) == "older"
    assert [one for one in validate(older.outcome) if one.severity == "error"] == []


def test_a_dry_run_says_the_same_and_stores_nothing(network: Consortium, who: str) -> None:
    node, doctor = network["north"].node, network.session("north", "dr.north")
    message = admission("A01", sent="20260101090000", number=who, control=who)
    before = rows(node)
    tried = submit_legacy(node, doctor, message, dry_run=True)
    assert rows(node) == before
    done = submit_legacy(node, doctor, message)
    assert dumps(tried.bundle) == dumps(done.bundle)
    assert tried.answers[0].index == done.answers[0].index


def test_bad_input_is_answered_with_reasons_and_without_its_values(
    network: Consortium, who: str
) -> None:
    node, doctor = network["north"].node, network.session("north", "dr.north")
    good = admission("A01", sent="20260101090000", number=who, control=who)
    found = submit_legacy(
        node, doctor, good + b"\rMSH|^~\\&|A|B|||||ZZZ^Z99|1|P|2.5\rPID|1||SECRET\r"
    )
    issues = found.outcome["issue"]
    assert [one["severity"] for one in issues if one["severity"] == "error"] == ["error"]
    assert "SECRET" not in json.dumps(issues)
    assert found.bundle["type"] == "message"
    nothing = submit_legacy(node, doctor, b"\x00\x01garbage")
    assert nothing.bundle == {"resourceType": "Bundle", "type": "collection"}
    assert [one for one in validate(nothing.outcome) if one.severity == "error"] == []
