"""Quarantine in a browser: why a document is there, its content on record, replaying it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from itertools import count

import pytest

from simdes.access.audit_event import Verb
from simdes.exchange import quarantine
from simdes.exchange.quarantine import Selection
from support.pages import Visitor
from unit.gateway.pages.conftest import Place

_numbers = count(1)
HOSTILE = "<script>alert(1)</script>"


def message(control: str, *, patient: str = "") -> bytes:
    """An admission of somebody without a number, which is why it is refused."""
    lines = [
        rf"MSH|^~\&|REG|SITE|||20260101120000||ADT^A01|{control}|P|2.5.1",
        "EVN||20260101120000",
        f"PID|1||{patient}^^^SITE^MR||{HOSTILE}^Ann||19700101|F",
        "PV1|1|I",
    ]
    return "\r".join(line for line in lines if patient or not line.startswith("PID")).encode()


@pytest.fixture
def document(place: Place) -> Iterator[int]:
    """The number of a document that was just refused."""
    name = f"office-{next(_numbers)}.hl7"
    place.network.submit("north", name, message(name))
    [entry] = [
        one
        for one in quarantine.listed(place.north.node, None, Selection(), limit=1000).entries
        if one.name == name
    ]
    yield entry.id
    session = place.network.session("north", "admin")
    if quarantine.show(place.north.node, None, entry.id).entry.state == "open":
        quarantine.dismiss(place.north.node, session, entry.id, why="over")


def state(place: Place, number: int) -> str:
    return quarantine.show(place.north.node, None, number).entry.state


def looks(place: Place) -> int:
    entries = place.north.node.desk.trail.entries(place.north.node.database, limit=100_000)
    return sum(one.attempt.verb is Verb.QUARANTINE_READ for _, one in entries)


def content_of(text: str) -> str:
    found = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", text, re.DOTALL)
    assert found, text
    return html.unescape(found.group(1))


def test_a_list_says_why_and_what_brings_it_on(
    place: Place, office: Visitor, document: int
) -> None:
    listed = office.get("/quarantine").text
    assert "no-patient" in listed and "Ask the sender to send it again" in listed
    assert f"/quarantine/document?id={document}" in listed
    assert "Ask the sender" in office.get("/quarantine?code=no-patient").text
    assert "No document of this kind" in office.get("/quarantine?code=%3Cb%3E").text
    assert office.get("/quarantine?state=x&after=zz").status_code == 200
    shown = office.get(f"/quarantine/document?id={document}").text
    assert "the original" in shown and "REG|SITE" in shown
    french = office.get("/quarantine", **{"Accept-Language": "fr"}).text
    assert "Demandez à l’expéditeur" in french


def test_content_is_shown_as_text_after_it_is_on_record(
    place: Place, office: Visitor, document: int
) -> None:
    before = looks(place)
    shown = office.get(f"/quarantine/content?id={document}")
    assert shown.headers["cache-control"] == "no-store"
    assert content_of(shown.text).splitlines()[1] == "EVN||20260101120000"
    assert looks(place) > before
    place.clock.ahead_seconds += 901
    after = looks(place)
    asked = office.get(f"/quarantine/content?id={document}")
    assert asked.headers["location"].startswith("/sign-in/confirm?next=")
    assert looks(place) == after, "nothing was shown"


def test_a_corrected_copy_keeps_its_line_ends_and_is_accepted(
    place: Place, office: Visitor, document: int
) -> None:
    tried = office.post("/quarantine/decide", {"id": str(document), "step": "try"}).text
    assert "It would be refused again:" in tried
    text = content_of(office.get(f"/quarantine/content?id={document}").text)
    first, event, *rest = text.split("\n")
    pid = f"PID|1||office-{document}^^^SITE^MR||{HOSTILE}^Ann||19700101|F"
    typed = "\r\n".join([first, event, pid, *rest])
    kept = office.post(
        "/quarantine/decide",
        {"id": str(document), "step": "fix", "content": typed, "why": "<b>PID</b> was missing"},
    )
    assert "A replay would accept it." in kept.text and "the corrected copy" in kept.text
    assert "&lt;b&gt;PID&lt;/b&gt; was missing" in kept.text
    session = place.network.session("north", "admin")
    data = quarantine.open_content(place.north.node, session, document).data
    assert b"\n" not in data and data.count(b"\r") == 3
    again = office.get(f"/quarantine/content?id={document}").text
    assert HOSTILE not in again and HOSTILE in content_of(again)
    done = office.post("/quarantine/decide", {"id": str(document), "step": "replay"})
    assert done.headers["location"].endswith("done=document-replayed")
    assert state(place, document) == "replayed"
    settled = office.post("/quarantine/decide", {"id": str(document), "step": "replay"})
    assert settled.headers["location"].endswith("done=document-settled")


def test_a_document_is_dismissed_with_a_reason_and_opened_again(
    place: Place, office: Visitor, document: int
) -> None:
    fields = {"id": str(document), "step": "dismiss"}
    empty = office.post("/quarantine/decide", fields | {"why": "  "})
    assert empty.status_code == 400 and "A decision needs a reason" in empty.text
    assert state(place, document) == "open"
    done = office.post("/quarantine/decide", fields | {"why": "sent twice"})
    assert done.headers["location"].endswith("done=document-dismissed")
    assert "sent twice" in office.get(f"/quarantine/document?id={document}").text
    office.post("/quarantine/decide", {"id": str(document), "step": "reopen", "why": "it was not"})
    assert state(place, document) == "open"


@pytest.mark.parametrize("number", ["0", "999999", "x", "", "-1", "1" * 15, "٣"])
def test_what_is_no_document_is_not_found(office: Visitor, number: str) -> None:
    for path in ("document", "content"):
        assert office.get(f"/quarantine/{path}?id={number}").status_code == 404, number
    refused = office.post("/quarantine/decide", {"id": number, "step": "replay"})
    assert refused.status_code == 404


def test_a_step_that_there_is_none_of_changes_nothing(
    place: Place, office: Visitor, document: int
) -> None:
    for step in ("", "expire", "<b>"):
        refused = office.post("/quarantine/decide", {"id": str(document), "step": step})
        assert refused.status_code == 404
    assert state(place, document) == "open"


def test_bytes_that_are_no_text_are_shown_and_not_to_be_edited(
    place: Place, office: Visitor
) -> None:
    place.network.submit("north", "scan.pdf", b"%PDF-1.7 \xff\x00<script>")
    entries = quarantine.listed(place.north.node, None, Selection(), limit=1000).entries
    number = next(one.id for one in entries if one.name == "scan.pdf")
    shown = office.get(f"/quarantine/content?id={number}").text
    assert "<textarea" not in shown and "\\xff" in shown and "<script>" not in shown
    assert "Not all of it can be shown here." in shown
