"""What patients asked to have corrected, for staff: accepted with a new version, or refused with a
reason.

An answer is a Communication ``inResponseTo`` the request, which says by its category what was
decided. An acceptance is one transaction: the new version and the answer, by the path that every
write takes, with its Provenance. What another organisation wrote is corrected there: it is told of
the request (`exchange.correction_telling`), and here it waits no more. What others told us of our
own entries stands in the same queue, for whom may read the entry, consent or none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from simdes.access.categories import labels_of
from simdes.access.custody_corrections import MOST_TEXT
from simdes.access.custody_requests import open_words
from simdes.access.rights import Interaction
from simdes.errors import Conflict, Forbidden, Invalid, Mismatch, NotFound
from simdes.exchange import amending, charting, corrections
from simdes.exchange.attempting import Trying, attempting
from simdes.exchange.corrections import CODE, DECIDED, SYSTEM, Decision
from simdes.exchange.interactions import finding, writing
from simdes.exchange.interactions.changes import Became, Change, Changed, Method
from simdes.exchange.interactions.found import Found
from simdes.exchange.interactions.read import read
from simdes.exchange.interactions.search import every, find
from simdes.exchange.node import Node
from simdes.exchange.provenance import instant, security_of
from simdes.exchange.rights import Asking
from simdes.fhir.negotiation import Versions
from simdes.fhir.resource import subject_reference
from simdes.fhir.search.parse import parse
from simdes.index import corrections as rows
from simdes.index.transaction import Transaction

ROWS: Final = 50
"""Requests that are looked through for one page, newest first."""
_ANSWER: Final = "urn:simdes:correction-answer"
_ANSWERED: Final = "This request was answered already."


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a patient asked for. ``about`` names the entry, ``patient`` is the Patient's id.

    ``teller`` is the organisation that told us of it, b"" where it is in a record read here;
    ``labels`` are those that an answer has to bear, as a mask.
    """

    id: str
    vault: bytes = field(repr=False)
    patient: str
    about: str
    text: str
    sent: str
    teller: bytes = b""
    labels: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A request and the entry that it is about; None where it may not be seen, or is gone.

    ``own``: this organisation wrote the entry, so that it can be corrected here.
    """

    request: Request
    entry: Found | None
    own: bool


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
    asked = [_request(one) for one in page.matches if not one.deleted]
    with node.database.read() as tx:
        sent = rows.sent(tx, [one.id for one in asked])
    gone = {name for name, one in sent.items() if one.state == rows.TOLD}
    told = [] if after else _told(node, asking)
    named = {one.id for one in told} | gone
    asked = [one for one in asked if one.id not in named] + told
    answered = _answered(node, asking, asked)
    open_ = [one for one in asked if f"Communication/{one.id}" not in answered]
    return sorted(open_, key=lambda one: one.sent), page.next


def opened(node: Node, asking: Asking, id_: str) -> Opened:
    """A request that waits, with its entry. Raises NotFound, Conflict where it was answered."""
    request = _heard(node, asking, id_) or _read(node, asking, id_)
    if _answered(node, asking, [request]):
        raise Conflict(_ANSWERED)
    type_, _, named = request.about.partition("/")
    try:
        entry = read(node, asking, type_, named)
    except (NotFound, Forbidden, Invalid):
        return Opened(request=request, entry=None, own=False)
    if entry.vault != request.vault:
        raise NotFound("There is nothing like that.")
    return Opened(request=request, entry=entry, own=entry.source == node.issuer.name)


def _read(node: Node, asking: Asking, id_: str) -> Request:
    """A request in a record that the caller may read."""
    found = read(node, asking, "Communication", id_)
    if not corrections.is_request(finding.parsed(found.content)):
        raise NotFound("There is nothing like that.")
    return _request(found)


def _heard(node: Node, asking: Asking, id_: str) -> Request | None:
    """A request that we were told of, for who may read its entry; None where there is none."""
    with node.database.read() as tx:
        row = rows.heard(tx, id_)
    if row is None:
        return None
    found = list(_visible(node, asking, [row]))
    if not found:
        raise NotFound("There is nothing like that.")
    if row.answered_ms is not None:
        raise Conflict(_ANSWERED)
    return found[0]


def _told(node: Node, asking: Asking) -> list[Request]:
    """The oldest of what others told us of entries that the caller may read; answers make room."""
    found: list[Request] = []
    after: rows.Heard | None = None
    while len(found) < ROWS:
        with node.database.read() as tx:
            page = rows.unanswered(tx, after=after)
        if not page:
            break
        found += _visible(node, asking, page)
        after = page[-1]
    return found[:ROWS]


def _visible(node: Node, asking: Asking, told: Sequence[rows.Heard]) -> Iterator[Request]:
    """Those whose entry is ours and the caller may read it, each with its words."""
    entries = _entries(node, asking, told)
    with node.database.read() as tx:
        for row in told:
            entry = entries.get((row.about, row.vault))
            if entry is None:
                continue
            words = {"text": ""}
            if row.words_wrapped is not None:
                words = open_words(node.desk.keystore, tx, row.vault, row.words_wrapped)
            resource = finding.parsed(entry.content, waits=False)
            subject = subject_reference(resource) or {}
            yield Request(
                id=row.id,
                vault=row.vault,
                patient=str(subject.get("reference", "")).removeprefix("Patient/"),
                about=row.about,
                text=words["text"],
                sent=instant(row.heard_ms),
                teller=row.teller,
                labels=labels_of(resource),
            )


def _entries(
    node: Node, asking: Asking, told: Sequence[rows.Heard]
) -> dict[tuple[str, bytes], Found]:
    """The entries of requests by name and vault, as far as the caller may read what we wrote."""
    ids: dict[str, set[str]] = {}
    for row in told:
        type_, _, id_ = row.about.partition("/")
        if asking.rights.scopes(Interaction.SEARCH, type_):
            ids.setdefault(type_, set()).add(id_)
    found = {}
    for type_, its in ids.items():
        query = parse((type_,), [("_id", ",".join(sorted(its)))], now_ms=node.now_ms())
        for one in every(node, asking, query):
            if not one.deleted and one.source == node.issuer.name:
                found[one.name, one.vault] = one
    return found


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
    after = amending.struck(before) if error else amending.changed(before, typed)
    if after == before:
        raise Invalid("Nothing is changed.", advice="Correct what is wrong, or refuse.")
    after.pop("text", None)  # a narrative would still say the old
    change = Change(
        method=Method.UPDATE,
        type=one.entry.type,
        id=one.entry.id,
        resource=after,
        if_match=Versions(frozenset((version,))),
        within=one.entry.vault,
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
    if len(text) > MOST_TEXT:
        raise Invalid("A field is longer than it may be.")
    of = {"subject": {"reference": f"Patient/{request.patient}"}} if request.patient else {}
    number = {"system": _ANSWER, "value": request.id}
    resource = {
        "resourceType": "Communication",
        **security_of(request.labels),
        "identifier": [number],
        "status": "completed",
        "category": [{"coding": [{"system": DECIDED, "code": decision.value}]}],
        **of,
        "about": [{"reference": request.about}],
        "inResponseTo": [{"reference": f"Communication/{request.id}"}],
        "sent": instant(node.now_ms()),
        "sender": charting.author(node, asking),
        **({"payload": [{"contentString": text}]} if text else {}),
    }
    search = (("identifier", f"{_ANSWER}|{request.id}"),)
    made = Change(
        method=Method.CREATE,
        type="Communication",
        resource=resource,
        search=search,
        within=request.vault,
    )
    whole = [*changes, made]
    sent = {"resourceType": "Bundle", "entry": [{"resource": one.resource} for one in whole]}

    def then(tx: Transaction, became: Sequence[Changed]) -> None:
        _require_first_answer(became)
        rows.answer(tx, request.id, now_ms=node.now_ms())
        rows.take_back(tx, request.id)

    with attempting(node, asking, Trying("transaction", sent=sent)):
        writing.apply(node, asking, whole, base=node.issuer.audience, then=then)


def _require_first_answer(made: Sequence[Changed]) -> None:
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


def _request(found: Found) -> Request:
    resource = finding.parsed(found.content)
    subject = str((resource.get("subject") or {}).get("reference", ""))
    return Request(
        id=found.id,
        vault=found.vault,
        patient=subject.removeprefix("Patient/"),
        about=str((resource.get("about") or [{}])[0].get("reference", "")),
        text=corrections.text_of(resource),
        sent=str(resource.get("sent", "")),
        labels=labels_of(resource),
    )
