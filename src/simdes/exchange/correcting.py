"""What patients asked to have corrected, for staff: accepted with a new version, or refused with a
reason.

An answer is a Communication ``inResponseTo`` the request, which says by its category what was
decided. An acceptance is one transaction: the new version and the answer, by the path that every
write takes, with its Provenance. What another organisation wrote is answered here and corrected
there.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from simdes import typed_numbers
from simdes.errors import Conflict, Forbidden, Invalid, Mismatch, NotFound
from simdes.exchange import charting, corrections
from simdes.exchange.attempting import Trying, attempting
from simdes.exchange.corrections import CODE, DECIDED, SYSTEM, Decision
from simdes.exchange.interactions import finding, writing
from simdes.exchange.interactions.changes import Became, Change, Changed, Method
from simdes.exchange.interactions.found import Found
from simdes.exchange.interactions.read import read
from simdes.exchange.interactions.search import every, find
from simdes.exchange.node import Node
from simdes.exchange.provenance import instant
from simdes.exchange.rights import Asking
from simdes.fhir.negotiation import Versions
from simdes.fhir.search.parse import parse
from simdes.index.transaction import Transaction

ROWS: Final = 50
"""Requests that are looked through for one page, newest first."""
MOST_FIELDS: Final = 60
ERROR: Final = "entered-in-error"
_ANSWER: Final = "urn:simdes:correction-answer"
_ANSWERED: Final = "This request was answered already."
_VERIFIED: Final = {
    "Condition": "http://terminology.hl7.org/CodeSystem/condition-ver-status",
    "AllergyIntolerance": "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification",
}
"""Types whose error is said by a verification status, beside which no clinical one may stand."""
_LEFT: Final = frozenset(
    (
        *("resourceType", "id", "meta", "div", "contained", "extension", "modifierExtension"),
        *("reference", "system", "url", "identifier", "data", "hash", "size", "contentType"),
    )
)
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a patient asked for. ``about`` names the entry, ``patient`` is the Patient's id."""

    id: str
    patient: str
    about: str
    text: str
    sent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A request and the entry that it is about; None where it may not be seen, or is gone.

    ``own``: this organisation wrote the entry, so that it can be corrected here.
    """

    request: Request
    entry: Found | None
    own: bool


@dataclass(frozen=True, slots=True)
class Field:
    """One value of an entry. ``name`` is where it stands, as forms carry it."""

    name: str
    path: Path
    value: Any


def waiting(node: Node, asking: Asking, *, after: str = "") -> tuple[list[Request], str]:
    """Requests without an answer of those that the caller may read, the oldest of a page first,
    and what leads to older ones ("" for none)."""
    category = ("category", f"{SYSTEM}|{CODE}")
    query = parse(
        ("Communication",),
        [category, ("_sort", "-sent"), ("_count", str(ROWS))],
        now_ms=node.now_ms(),
    )
    page = find(node, asking, query, cursor=after)
    asked = [_request(finding.parsed(one.content)) for one in page.matches if not one.deleted]
    answered = _answered(node, asking, asked)
    open_ = [one for one in asked if f"Communication/{one.id}" not in answered]
    return sorted(open_, key=lambda one: one.sent), page.next


def opened(node: Node, asking: Asking, id_: str) -> Opened:
    """A request that waits, with its entry. Raises NotFound, Conflict where it was answered."""
    found = read(node, asking, "Communication", id_)
    resource = finding.parsed(found.content)
    if not corrections.is_request(resource):
        raise NotFound("There is nothing like that.")
    request = _request(resource)
    if _answered(node, asking, [request]):
        raise Conflict(_ANSWERED)
    type_, _, named = request.about.partition("/")
    try:
        entry = read(node, asking, type_, named)
    except (NotFound, Forbidden, Invalid):
        return Opened(request=request, entry=None, own=False)
    if entry.vault != found.vault:
        raise NotFound("There is nothing like that.")
    return Opened(request=request, entry=entry, own=entry.source == node.issuer.name)


def fields(resource: Mapping[str, Any]) -> list[Field]:
    """The values of an entry that a form may change: no ids, references, systems or files."""
    leaves = islice(_leaves(resource, ()), MOST_FIELDS)
    return [Field(".".join(map(str, path)), path, value) for path, value in leaves]


def accept(
    node: Node,
    asking: Asking,
    id_: str,
    *,
    version: str,
    typed: Mapping[str, str],
    error: bool,
    text: str,
) -> None:
    """Write the new version and say so to the patient, both or neither.

    ``typed`` are the values by their names, ``error`` strikes the whole entry as entered in error,
    ``version`` is the one that the form showed. Raises Invalid where nothing changes, Conflict or
    Mismatch where somebody was faster, Forbidden for what the role may not write.
    """
    one = opened(node, asking, id_)
    if one.entry is None or not one.own:
        raise Forbidden("Only who wrote the entry corrects it.", advice="Answer with a reason.")
    before = finding.parsed(one.entry.content)
    with attempting(node, asking, Trying("transaction", sent=before)):
        if version != str(one.entry.version):
            raise _meanwhile()
    after = _struck(before) if error else _changed(before, typed)
    if after == before:
        raise Invalid("Nothing is changed.", advice="Correct what is wrong, or refuse.")
    after.pop("text", None)  # a narrative would still say the old
    change = Change(
        method=Method.UPDATE,
        type=one.entry.type,
        id=one.entry.id,
        resource=after,
        if_match=Versions(frozenset((version,))),
    )
    try:
        _answer(node, asking, one.request, Decision.ACCEPTED, text.strip(), [change])
    except Mismatch as stale:
        raise _meanwhile() from stale


def _meanwhile() -> Mismatch:
    return Mismatch(
        "The entry was changed meanwhile.", advice="Look at it as it is now, and correct it again."
    )


def refuse(node: Node, asking: Asking, id_: str, *, text: str) -> None:
    """Say no, and why. Raises Invalid without a reason, and as `opened`."""
    if not text.strip():
        raise Invalid("Say why, for the patient to read.")
    request = opened(node, asking, id_).request
    _answer(node, asking, request, Decision.REFUSED, text.strip(), [])


def _answer(
    node: Node,
    asking: Asking,
    request: Request,
    decision: Decision,
    text: str,
    changes: Sequence[Change],
) -> None:
    if len(text) > corrections.MOST_TEXT:
        raise Invalid("A field is longer than it may be.")
    number = {"system": _ANSWER, "value": request.id}
    resource = {
        "resourceType": "Communication",
        "identifier": [number],
        "status": "completed",
        "category": [{"coding": [{"system": DECIDED, "code": decision.value}]}],
        "subject": {"reference": f"Patient/{request.patient}"},
        "about": [{"reference": request.about}],
        "inResponseTo": [{"reference": f"Communication/{request.id}"}],
        "sent": instant(node.now_ms()),
        "sender": charting.author(node, asking),
        **({"payload": [{"contentString": text}]} if text else {}),
    }
    search = (("identifier", f"{_ANSWER}|{request.id}"),)
    made = Change(method=Method.CREATE, type="Communication", resource=resource, search=search)
    whole = [*changes, made]
    sent = {"resourceType": "Bundle", "entry": [{"resource": one.resource} for one in whole]}
    with attempting(node, asking, Trying("transaction", sent=sent)):
        writing.apply(node, asking, whole, base=node.issuer.audience, then=_require_first_answer)


def _require_first_answer(_: Transaction, made: Sequence[Changed]) -> None:
    """Raise Conflict, which undoes all, where somebody else's answer came first."""
    if any(one.became is Became.EXISTED for one in made):
        raise Conflict(_ANSWERED)


def _answered(node: Node, asking: Asking, asked: Sequence[Request]) -> set[str]:
    """Which of these requests have an answer, however it was written."""
    patients = sorted({one.patient for one in asked if one.patient})
    if not patients:
        return set()
    pairs = [
        ("subject", ",".join(f"Patient/{one}" for one in patients)),
        ("_sort", "-_lastUpdated"),
    ]
    query = parse(("Communication",), pairs, now_ms=node.now_ms())
    wanted = {f"Communication/{one.id}" for one in asked}
    return wanted & {
        str(other.get("reference"))
        for one in every(node, asking, query)
        if not one.deleted
        for other in finding.parsed(one.content).get("inResponseTo", ())
    }


def _request(resource: Mapping[str, Any]) -> Request:
    subject = str((resource.get("subject") or {}).get("reference", ""))
    return Request(
        id=str(resource["id"]),
        patient=subject.removeprefix("Patient/"),
        about=str((resource.get("about") or [{}])[0].get("reference", "")),
        text=corrections.text_of(resource),
        sent=str(resource.get("sent", "")),
    )


# Changing an entry ----------------------------------------------------------------------------


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            narrative = name == "text" and isinstance(inner, Mapping)
            if name not in _LEFT and not name.startswith("_") and not narrative:
                yield from _leaves(inner, (*path, name))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _leaves(inner, (*path, at))
    elif value is not None:
        yield path, value


def _changed(before: Mapping[str, Any], typed: Mapping[str, str]) -> dict[str, Any]:
    after: dict[str, Any] = copy.deepcopy(dict(before))
    for one in fields(before):
        text = typed.get(one.name)
        if text is None or text == said(one.value):
            continue
        _put(after, one.path, _read(one, text.strip()))
    return after


def said(value: Any) -> str:
    """A value as a form shows it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read(one: Field, text: str) -> Any:
    """What was typed, in the kind of value that stands there."""
    if not text:
        raise Invalid(
            "A value is missing.", advice="To strike the entry, tick that it is an error."
        )
    if isinstance(one.value, bool):
        if text not in ("true", "false"):
            raise Invalid("A value is true or false.")
        return text == "true"
    if isinstance(one.value, int | Decimal):
        number = typed_numbers.read(text)
        if number is None:
            raise Invalid("A value is no number.", advice="Type digits, with a point or comma.")
        if isinstance(one.value, int) and number == int(number):
            return int(number)
        return number
    return text


def _put(resource: dict[str, Any], path: Path, value: Any) -> None:
    at: Any = resource
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value


def _struck(before: Mapping[str, Any]) -> dict[str, Any]:
    """The entry as one that was never right (https://hl7.org/fhir/R4/lifecycle.html)."""
    after: dict[str, Any] = copy.deepcopy(dict(before))
    system = _VERIFIED.get(str(before["resourceType"]))
    if system:
        after["verificationStatus"] = {"coding": [{"system": system, "code": ERROR}]}
        after.pop("clinicalStatus", None)
    elif "status" in before:
        after["status"] = ERROR
    else:
        raise Invalid("This entry can't be struck.", advice="Correct what is wrong in it.")
    return after


def can_strike(resource: Mapping[str, Any]) -> bool:
    """Whether an entry can be marked as entered in error."""
    return resource.get("resourceType") in _VERIFIED or "status" in resource
