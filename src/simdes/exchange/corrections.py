"""A patient says that something in their record is wrong, and reads what was answered.

A Communication as in HL7's Patient Request for Corrections
(https://hl7.org/fhir/uv/patient-corrections/), about one resource. It is part of the record: staff
who may read the record read it there, and answer with a Communication ``inResponseTo`` it or by
correcting what they wrote. Nobody changes what another wrote: who did is told
(`exchange.correction_telling`), and its answer is part of the record, too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from simdes.access.categories import labels_of
from simdes.access.custody_corrections import MOST_TEXT
from simdes.access.custody_requests import seal_words
from simdes.errors import Invalid, NotFound, TooLarge
from simdes.exchange.interactions import finding, writing
from simdes.exchange.interactions.changes import Change, Changed, Method
from simdes.exchange.interactions.everything import everything
from simdes.exchange.interactions.found import Found
from simdes.exchange.interactions.search import MOST
from simdes.exchange.node import Node
from simdes.exchange.provenance import instant, security_of
from simdes.exchange.rights import Asking
from simdes.index import corrections as rows
from simdes.index.transaction import Transaction

SYSTEM: Final = (
    "http://hl7.org/fhir/uv/patient-corrections/CodeSystem/PatientCorrectionCommunicationTypes"
)
CODE: Final = "medRecCxReq"
DECIDED: Final = "urn:simdes:correction"
"""The system of what an answer's category says."""
MOST_UNTOLD: Final = 20
"""Requests about one vault that are on their way at once: each is tried for thirty days, and who
turns one away for now writes that down."""
_NAME: Final = re.compile(r"[A-Z][A-Za-z]{1,63}/[A-Za-z0-9\-.]{1,64}")


class Decision(StrEnum):
    """What an answer says."""

    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Answer:
    """What was written back; ``decision`` is None for words alone, ``source`` says who wrote it."""

    decision: Decision | None
    text: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How far a request came to ``author``, who wrote the entry: ``state`` of `index.corrections`,
    since when."""

    author: bytes
    state: str
    since_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What a patient asked for; ``answers`` are what was written back, oldest first. ``way`` is
    None where their own organisation wrote the entry."""

    id: str
    about: str
    text: str
    sent: str
    answers: tuple[Answer, ...]
    way: Way | None


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

    Raises Invalid without words, NotFound for a resource that the record does not have, TooLarge
    where `MOST_UNTOLD` are on their way.
    """
    text = text.strip()
    if not text or len(text) > MOST_TEXT:
        raise Invalid("Say what is wrong.", advice="Say what it should say, too, if you know it.")
    found = about(node, asking, patient, name)
    of = {"reference": f"Patient/{patient}"}
    resource = {
        "resourceType": "Communication",
        **security_of(labels_of(finding.parsed(found.content))),  # words tell what it tells
        "status": "completed",
        "category": [{"coding": [{"system": SYSTEM, "code": CODE}], "text": "Correction request"}],
        "subject": of,
        "about": [{"reference": name}],
        "sent": instant(node.now_ms()),
        "sender": of,
        "payload": [{"contentString": text}],
    }
    change = Change(method=Method.CREATE, type="Communication", resource=resource)
    author = _author(node, asking, found)

    def then(tx: Transaction, made: Sequence[Changed]) -> None:
        if author != node.organisation:
            _require_room(tx, found.vault)
            rows.send(tx, _to_tell(node, tx, made[0], found, author, text))

    base = f"{node.issuer.name}/fhir"
    asked = writing.apply(node, asking, [change], base=base, then=then)[0].found
    assert asked is not None  # noqa: S101 (a create has what it made)
    return asked.id


def _require_room(tx: Transaction, vault: bytes) -> None:
    if rows.count_untold(tx, vault) >= MOST_UNTOLD:
        raise TooLarge(
            "Too many of your requests are on their way already.",
            advice="Ask again once some have arrived.",
        )


def _author(node: Node, asking: Asking, found: Found) -> bytes:
    """The organisation that wrote a resource which the caller was shown."""
    name = (found.type, found.id)
    with node.database.read() as tx:
        listed = finding.named(tx, asking, {name}).get(name, ())
    return next((one.organisation for one in listed if one.vault == found.vault), node.organisation)


def _to_tell(
    node: Node, tx: Transaction, made: Changed, found: Found, author: bytes, text: str
) -> rows.Sent:
    assert made.found is not None  # noqa: S101 (a create has what it made)
    return rows.Sent(
        id=made.found.id,
        vault=found.vault,
        author=author,
        about=found.name,
        words_wrapped=seal_words(node.desk, tx, found.vault, {"text": text}),
        asked_ms=node.now_ms(),
        next_ms=node.now_ms(),
    )


def listed(node: Node, asking: Asking, patient: str) -> list[Correction]:
    """What the patient asked to have corrected, newest first, with what was answered."""
    page = everything(node, asking, patient, types=("Communication",), count=MOST)
    found = [(finding.parsed(one.content), one) for one in page.matches if not one.deleted]
    found.sort(key=lambda pair: str(pair[0].get("sent", "")))
    asked = [one for one, _ in reversed(found) if is_request(one)]
    with node.database.read() as tx:
        sent = rows.sent(tx, [str(one["id"]) for one in asked])
    return [
        Correction(
            id=str(one["id"]),
            about=str((one.get("about") or [{}])[0].get("reference", "")),
            text=text_of(one),
            sent=str(one.get("sent", "")),
            answers=tuple(
                Answer(_decision(other), text_of(other), its.source)
                for other, its in found
                if _answers(other, f"Communication/{one['id']}")
            ),
            way=_way(sent.get(str(one["id"]))),
        )
        for one in asked
    ]


def _way(row: rows.Sent | None) -> Way | None:
    if row is None:
        return None
    since_ms = row.asked_ms if row.settled_ms is None else row.settled_ms
    return Way(author=row.author, state=row.state, since_ms=since_ms)


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
