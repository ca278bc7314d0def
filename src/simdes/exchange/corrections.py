"""A patient says that something in their record is wrong, and reads what was answered.

A Communication as in HL7's Patient Request for Corrections
(https://hl7.org/fhir/uv/patient-corrections/), about one resource. It is part of the record: staff
who may read the record read it there, and answer with a Communication ``inResponseTo`` it or by
correcting what they wrote. Nobody changes what another wrote.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from simdes.errors import Invalid, NotFound
from simdes.exchange.interactions import finding, writing
from simdes.exchange.interactions.changes import Change, Method
from simdes.exchange.interactions.everything import everything
from simdes.exchange.interactions.found import Found
from simdes.exchange.interactions.search import MOST
from simdes.exchange.node import Node
from simdes.exchange.provenance import instant
from simdes.exchange.rights import Asking

SYSTEM: Final = (
    "http://hl7.org/fhir/uv/patient-corrections/CodeSystem/PatientCorrectionCommunicationTypes"
)
CODE: Final = "medRecCxReq"
DECIDED: Final = "urn:simdes:correction"
"""The system of what an answer's category says."""
MOST_TEXT: Final = 2_000
_NAME: Final = re.compile(r"[A-Z][A-Za-z]{1,63}/[A-Za-z0-9\-.]{1,64}")


class Decision(StrEnum):
    """What an answer says."""

    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Answer:
    """What was written back; ``decision`` is None for words alone."""

    decision: Decision | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What a patient asked for; ``answers`` are what was written back, oldest first."""

    id: str
    about: str
    text: str
    sent: str
    answers: tuple[Answer, ...]


def about(node: Node, asking: Asking, patient: str, name: str) -> Found:
    """The resource (``Type/id``) of a patient's own record that is to be corrected.

    Raises NotFound where their record has none.
    """
    type_, _, _ = name.partition("/")
    if _NAME.fullmatch(name):
        cursor = ""
        while True:
            page = everything(node, asking, patient, types=(type_,), count=MOST, cursor=cursor)
            found = next((one for one in page.matches if one.name == name), None)
            if found is not None:
                return found
            if not (cursor := page.next):
                break
    raise NotFound("There is nothing like that.")


def ask(node: Node, asking: Asking, patient: str, name: str, text: str) -> str:
    """Ask for a correction of a resource of the patient's own record; the Communication's id.

    Raises Invalid without words, NotFound for a resource that the record does not have.
    """
    text = text.strip()
    if not text or len(text) > MOST_TEXT:
        raise Invalid("Say what is wrong.", advice="Say what it should say, too, if you know it.")
    about(node, asking, patient, name)
    of = {"reference": f"Patient/{patient}"}
    resource = {
        "resourceType": "Communication",
        "status": "completed",
        "category": [{"coding": [{"system": SYSTEM, "code": CODE}], "text": "Correction request"}],
        "subject": of,
        "about": [{"reference": name}],
        "sent": instant(node.now_ms()),
        "sender": of,
        "payload": [{"contentString": text}],
    }
    change = Change(method=Method.CREATE, type="Communication", resource=resource)
    made = writing.apply(node, asking, [change], base=f"{node.issuer.name}/fhir")[0].found
    assert made is not None  # noqa: S101 (a create has what it made)
    return made.id


def listed(node: Node, asking: Asking, patient: str) -> list[Correction]:
    """What the patient asked to have corrected, newest first, with what was answered."""
    page = everything(node, asking, patient, types=("Communication",), count=MOST)
    found = [finding.parsed(one.content) for one in page.matches if not one.deleted]
    asked = [one for one in found if is_request(one)]
    return sorted(
        (
            Correction(
                id=str(one["id"]),
                about=str((one.get("about") or [{}])[0].get("reference", "")),
                text=text_of(one),
                sent=str(one.get("sent", "")),
                answers=tuple(
                    Answer(_decision(other), text_of(other))
                    for other in sorted(found, key=lambda each: str(each.get("sent", "")))
                    if _answers(other, f"Communication/{one['id']}")
                ),
            )
            for one in asked
        ),
        key=lambda one: one.sent,
        reverse=True,
    )


def is_request(resource: Mapping[str, Any]) -> bool:
    """Whether a Communication asks for a correction."""
    return any(
        coding.get("system") == SYSTEM and coding.get("code") == CODE
        for category in resource.get("category", [])
        for coding in category.get("coding", [])
    )


def _decision(resource: Mapping[str, Any]) -> Decision | None:
    codes = {
        coding.get("code")
        for category in resource.get("category", [])
        for coding in category.get("coding", [])
        if coding.get("system") == DECIDED
    }
    return next((one for one in Decision if one in codes), None)


def _answers(resource: Mapping[str, Any], name: str) -> bool:
    return any(one.get("reference") == name for one in resource.get("inResponseTo", []))


def text_of(resource: Mapping[str, Any]) -> str:
    """The words of a Communication."""
    said = [one.get("contentString", "") for one in resource.get("payload", [])]
    return "\n".join(one for one in said if one)
