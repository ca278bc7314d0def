"""Look at what was refused, correct it, decide on it: nothing lost, every decision on record."""

from __future__ import annotations

import pytest

from simdes.access.audit_event import Attempt, Verb
from simdes.errors import Conflict, Invalid, NotFound, TooLarge
from simdes.exchange import quarantine, replay
from simdes.exchange.node import Node
from simdes.exchange.quarantine import DISMISSED, OPEN, REPLAYED, Entry, Selection
from simdes.exchange.signin import Session
from simdes.exchange.submit import Refused
from support.consortium import Clock, Consortium

DAY = 86_400


def message(
    control: str, *, patient: str = "100", event: str = "ADT^A01", app: str = "REG"
) -> bytes:
    """An admission; without ``patient`` it has no PID, which is why it is refused."""
    lines = [
        rf"MSH|^~\&|{app}|SITE|||20260101120000||ADT^A01|{control}|P|2.5.1",
        "EVN||20260101120000",
        f"PID|1||{patient}^^^SITE^MR||Doe^Ann||19700101|F",
        "PV1|1|I",
    ]
    return "\r".join(line for line in lines if patient or not line.startswith("PID")).encode()


def refuse(network: Consortium, name: str, data: bytes) -> Entry:
    """Submit what is refused; the newest entry."""
    assert all(isinstance(one, Refused) for one in network.submit("north", name, data))
    return quarantine.listed(network["north"].node, None, Selection()).entries[-1]


@pytest.fixture
def north(network: Consortium) -> Node:
    return network["north"].node


@pytest.fixture
def admin(network: Consortium) -> Session:
    return network.session("north", "admin")


def audited(node: Node, verb: Verb) -> list[Attempt]:
    entries = node.desk.trail.entries(node.database, limit=100_000)
    return [one.attempt for _, one in entries if one.attempt.verb is verb]


def test_an_entry_says_where_it_came_from_and_what_to_do(network: Consortium, north: Node) -> None:
    entry = refuse(network, "feed.hl7", message("q1", patient=""))
    assert (entry.name, entry.kind, entry.event, entry.sender) == (
        "feed.hl7",
        "hl7v2",
        "ADT^A01",
        "REG|SITE",
    )
    assert (entry.code, entry.state, entry.kept) == ("no-patient", OPEN, True)
    assert entry.reason
    assert entry.advice
    assert quarantine.show(north, None, entry.id) == quarantine.Shown(entry, (), False)


def test_pages_follow_the_order_of_arrival_within_limits(network: Consortium, north: Node) -> None:
    feed = b"\r".join(message(f"page{number}", patient="") for number in range(5))
    refuse(network, "feed.hl7", feed)
    first = quarantine.listed(north, None, Selection(), limit=3)
    assert first.after is not None
    second = quarantine.listed(north, None, Selection(), limit=3, after=first.after)
    assert [one.position for one in (*first.entries, *second.entries)] == [0, 1, 2, 3, 4]
    assert second.after is None
    for limit in (0, 1_001, -1):
        with pytest.raises(Invalid):
            quarantine.listed(north, None, Selection(), limit=limit)
    with pytest.raises(Invalid):
        quarantine.listed(north, None, Selection(state="lost"))


def test_the_summary_begins_with_what_unblocks_most(network: Consortium, north: Node) -> None:
    feed = [message(f"s{number}", patient="", app="LAB") for number in range(3)]
    refuse(network, "lab.hl7", b"\r".join(feed))
    refuse(network, "reg.hl7", message("s9", patient=""))
    for number in range(2):
        refuse(network, f"{number}.pdf", b"%PDF-1.7 " + str(number).encode())
    groups = quarantine.summary(north, None, Selection())
    assert [(one.code, one.sender, one.count, one.step) for one in groups] == [
        ("no-patient", "LAB|SITE", 3, "correct"),
        ("no-patient", "REG|SITE", 1, "correct"),
        ("unsupported-format", "", 2, "upgrade"),
    ]
    assert all(one.advice and one.oldest_ms <= one.newest_ms for one in groups)
    [pdf] = quarantine.summary(north, None, Selection(code="unsupported-format"))
    assert (pdf.kind, pdf.count) == ("pdf", 2)


def test_a_corrected_copy_stands_beside_the_original_with_who_and_why(
    network: Consortium, north: Node, admin: Session
) -> None:
    wrong, right = message("fix1", patient=""), message("fix1")
    entry = refuse(network, "feed.hl7", wrong)
    quarantine.fix(north, admin, entry.id, right, why="  PID was missing  ")
    quarantine.fix(north, admin, entry.id, right, why="twice")
    shown = quarantine.show(north, None, entry.id)
    assert shown.corrected
    [line] = shown.history
    assert (line.action, line.by, line.why) == ("corrected", "admin", "PID was missing")
    assert quarantine.open_content(north, admin, entry.id).data == right
    assert quarantine.open_content(north, admin, entry.id, original=True).data == wrong


def test_a_second_correction_takes_the_first_one_s_place_and_loses_nothing(
    network: Consortium, north: Node, admin: Session
) -> None:
    entry = refuse(network, "feed.hl7", message("fix2", patient=""))
    for text in (b"one", b"two", b"one"):
        quarantine.fix(north, admin, entry.id, text, why="try")
    assert quarantine.open_content(north, admin, entry.id).data == b"one"
    assert len(quarantine.show(north, None, entry.id).history) == 3


def test_a_look_at_content_is_on_record_before_it_is_given(
    network: Consortium, north: Node, admin: Session
) -> None:
    entry = refuse(network, "feed.hl7", message("look", patient=""))
    before = len(audited(north, Verb.QUARANTINE_READ))
    quarantine.show(north, None, entry.id)
    assert len(audited(north, Verb.QUARANTINE_READ)) == before
    quarantine.open_content(north, admin, entry.id)
    *_, last = audited(north, Verb.QUARANTINE_READ)
    assert (last.account, last.granted, len(last.records)) == (admin.actor.account, True, 1)


def test_no_audit_entry_no_content(
    network: Consortium, north: Node, admin: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = refuse(network, "feed.hl7", message("trail", patient=""))

    def fails(*_: object) -> None:
        raise Conflict("the trail is broken")

    monkeypatch.setattr(type(north.desk.trail), "append", fails)
    with pytest.raises(Conflict):
        quarantine.open_content(north, admin, entry.id)
    with pytest.raises(Conflict):
        quarantine.dismiss(north, admin, entry.id, why="x")
    assert quarantine.show(north, None, entry.id).entry.state == OPEN


def test_a_dismissal_keeps_the_document_and_can_be_taken_back(
    network: Consortium, north: Node, admin: Session
) -> None:
    entry = refuse(network, "feed.hl7", message("dismiss", patient=""))
    assert quarantine.dismiss(north, admin, entry.id, why="a test").state == DISMISSED
    assert quarantine.dismiss(north, admin, entry.id, why="again").state == DISMISSED
    network.submit("north", "feed.hl7", message("dismiss", patient=""))
    assert quarantine.listed(north, None, Selection()).entries == ()
    with pytest.raises(Conflict):
        quarantine.fix(north, admin, entry.id, b"x", why="late")
    assert quarantine.open_content(north, admin, entry.id).data
    assert quarantine.reopen(north, admin, entry.id, why="it was real").state == OPEN
    assert [one.action for one in quarantine.show(north, None, entry.id).history] == [
        "dismissed",
        "reopened",
    ]
    assert len(audited(north, Verb.QUARANTINE_DECIDE)) >= 3


def test_retention_removes_content_of_settled_documents_and_keeps_their_history(
    network: Consortium, north: Node, admin: Session, clock: Clock
) -> None:
    waiting = refuse(network, "open.hl7", message("r1", patient=""))
    fixed = refuse(network, "fixed.hl7", message("r2", patient=""))
    quarantine.fix(north, admin, fixed.id, message("r2", patient="retained"), why="found")
    assert replay.replay(north, None, fixed.id).outcome == "replayed"
    assert quarantine.expire(north, admin, settled_seconds=90 * DAY) == 0
    clock.ahead_seconds += 91 * DAY
    assert quarantine.expire(north, admin, settled_seconds=90 * DAY, dry_run=True) == 1
    assert quarantine.expire(north, admin, settled_seconds=90 * DAY) == 1
    assert quarantine.expire(north, admin, settled_seconds=90 * DAY) == 0
    shown = quarantine.show(north, None, fixed.id)
    assert (shown.entry.kept, shown.entry.state) == (False, REPLAYED)
    assert [one.action for one in shown.history] == ["corrected", "replayed", "expired"]
    for original in (True, False):
        with pytest.raises(NotFound):
            quarantine.open_content(north, admin, fixed.id, original=original)
    assert quarantine.show(north, None, waiting.id).entry.kept


@pytest.mark.parametrize("why", ["", "   ", "x" * 501])
def test_a_decision_needs_a_reason_of_sensible_length(
    network: Consortium, north: Node, admin: Session, why: str
) -> None:
    entry = refuse(network, "feed.hl7", message("why", patient=""))
    with pytest.raises(Invalid):
        quarantine.dismiss(north, admin, entry.id, why=why)
    with pytest.raises(Invalid):
        quarantine.fix(north, admin, entry.id, b"x", why=why)


def test_corrections_have_limits(
    network: Consortium, north: Node, admin: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = refuse(network, "feed.hl7", message("limit", patient=""))
    with pytest.raises(Invalid):
        quarantine.fix(north, admin, entry.id, b"", why="x")
    with pytest.raises(TooLarge):
        quarantine.fix(north, admin, entry.id, bytes(64 * 1024 * 1024 + 1), why="x")


def test_an_unknown_number_is_said(north: Node, admin: Session) -> None:
    for number in (0, -1, 10_000_000, 2**62):
        with pytest.raises(NotFound):
            quarantine.show(north, None, number)
        with pytest.raises(NotFound):
            quarantine.open_content(north, admin, number)
        with pytest.raises(NotFound):
            replay.replay(north, None, number)


def test_content_and_reasons_are_not_readable_in_the_rows(
    network: Consortium, north: Node, admin: Session
) -> None:
    entry = refuse(network, "feed.hl7", message("rows", patient="") + b"\rNTE|1||Featherstonehaugh")
    quarantine.fix(north, admin, entry.id, b"Featherstonehaugh", why="Featherstonehaugh called")
    with north.database.read() as tx:
        kept = [
            *tx.all("SELECT name, sender, event, reason, advice, content_wrapped FROM quarantine"),
            *tx.all("SELECT why_wrapped, content_wrapped FROM quarantine_action"),
        ]
    assert len(kept) == 2
    assert "Featherstonehaugh" not in str(kept)
