"""Replay: through the present mapper and settings, in order, once, whatever happens meanwhile."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from simdes.crypto.digest import sha256
from simdes.exchange import quarantine, replay, submit
from simdes.exchange.node import Node
from simdes.exchange.quarantine import DISMISSED, OPEN, REPLAYED, Selection
from simdes.exchange.signin import Session
from simdes.index import quarantine as rows
from simdes.mapper import api, map_bytes
from simdes.mapper.api import FORMATS
from support.consortium import Consortium
from unit.exchange.test_quarantine import message, refuse

LATIN = "Europ\xe9enne"


@pytest.fixture
def north(network: Consortium) -> Node:
    return network["north"].node


@pytest.fixture
def admin(network: Consortium) -> Session:
    return network.session("north", "admin")


@pytest.fixture
def older_release(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A release that can't map HL7 v2 yet; ``undo`` is the upgrade."""
    monkeypatch.delitem(api.FORMATS, "hl7v2")
    return monkeypatch


def stored(node: Node) -> dict[str, int]:
    with node.database.read() as tx:
        return {
            name: tx.all(f"SELECT count(*) FROM {name}")[0][0]
            for name in ("source", "resource", "outbox", "vault")
        }


def accepted_after(node: Node, source: int) -> list[bytes]:
    """Digests of what was accepted behind a source, in order."""
    with node.database.read() as tx:
        found = tx.all("SELECT digest FROM source WHERE id > :id ORDER BY id", id=source)
    return [bytes(row[0]) for row in found]


def last_source(node: Node) -> int:
    with node.database.read() as tx:
        return int(tx.all("SELECT coalesce(max(id), 0) FROM source")[0][0])


def test_a_corrected_message_is_replayed_with_a_link_to_what_was_accepted(
    network: Consortium, north: Node, admin: Session
) -> None:
    entry = refuse(network, "feed.hl7", message("p1", patient=""))
    assert replay.replay(north, None, entry.id).outcome == "refused"
    quarantine.fix(north, admin, entry.id, message("p1", patient="p1"), why="found it")
    told = replay.replay(north, None, entry.id, dry_run=True)
    assert (told.outcome, told.accepted) == ("replayed", 1)
    before = stored(north)
    done = replay.replay(north, admin, entry.id)
    assert (done.outcome, done.accepted, done.resources) == ("replayed", 1, told.resources)
    assert stored(north)["source"] == before["source"] + 1
    shown = quarantine.show(north, None, entry.id)
    assert shown.entry.state == REPLAYED
    assert shown.entry.settled_ms is not None
    *_, line = shown.history
    assert (line.action, line.by, line.source_id) == ("replayed", "admin", last_source(north))


def test_a_dry_run_changes_nothing(
    network: Consortium, north: Node, older_release: pytest.MonkeyPatch
) -> None:
    entry = refuse(network, "a.hl7", message("dry", patient="dry"))
    older_release.undo()
    before = stored(north)
    bulk = replay.replay_all(north, None, Selection(), dry_run=True)
    assert [one.outcome for one in bulk.replays] == ["replayed"]
    assert stored(north) == before
    assert quarantine.show(north, None, entry.id) == quarantine.Shown(entry, (), False)


def test_an_upgrade_replays_what_was_unsupported_in_bulk_and_in_order(
    network: Consortium, north: Node, older_release: pytest.MonkeyPatch
) -> None:
    sent = [message(f"bulk{number}", patient="bulk") for number in range(7)]
    for number, data in enumerate(sent):
        refuse(network, f"{number}.hl7", data)
    refuse(network, "x.pdf", b"%PDF-1.7 bulk")
    [group, _] = quarantine.summary(north, None, Selection())
    assert (group.code, group.step, group.count) == ("unknown-format", "upgrade", 7)
    older_release.undo()
    older_release.setattr(replay, "PAGE", 3)
    before = last_source(north)
    bulk = replay.replay_all(north, None, Selection(code=group.code))
    assert bulk.count == 7
    assert [one.outcome for one in bulk.replays] == ["replayed"] * 7
    assert accepted_after(north, before) == [sha256(data) for data in sent]
    [left] = quarantine.listed(north, None, Selection()).entries
    assert left.code == "unsupported-format"


def test_a_setting_put_right_lets_messages_through(network: Consortium, north: Node) -> None:
    text = message("latin", patient="latin").decode().replace("Doe^Ann", f"{LATIN}^Ann")
    entry = refuse(network, "latin.hl7", text.encode("iso-8859-1"))
    assert entry.code == "wrong-encoding"
    right = replace(north, site=replace(north.site, encoding="iso-8859-1"))
    assert replay.replay(right, None, entry.id).outcome == "replayed"


def test_what_is_refused_again_has_its_newest_reason_and_one_line_for_each_new_one(
    network: Consortium, north: Node, older_release: pytest.MonkeyPatch
) -> None:
    entry = refuse(network, "a.hl7", message("again", patient=""))
    assert entry.code == "unknown-format"
    older_release.undo()
    for _ in range(3):
        done = replay.replay(north, None, entry.id)
    assert (done.outcome, done.code) == ("refused", "no-patient")
    assert done.reason
    assert done.advice
    shown = quarantine.show(north, None, entry.id)
    assert (shown.entry.code, shown.entry.state) == ("no-patient", OPEN)
    assert (shown.entry.kind, shown.entry.event) == ("hl7v2", "ADT^A01")
    assert shown.entry.tried_ms is not None
    [line] = shown.history
    assert (line.action, line.by) == ("refused", "")
    assert line.why.startswith("no-patient: ")


def test_the_good_messages_of_a_file_get_through_and_the_bad_ones_become_their_own(
    network: Consortium, north: Node, older_release: pytest.MonkeyPatch
) -> None:
    good = [message(f"file{number}", patient="file") for number in range(2)]
    bad = message("file9", patient="")
    whole = refuse(network, "feed.hl7", b"\r".join([good[0], bad, good[1]]))
    time.sleep(0.002)  # entries of one millisecond are listed by their places in their files
    later = refuse(network, "later.hl7", message("later", patient=""))
    older_release.undo()
    done = replay.replay(north, None, whole.id)
    assert (done.outcome, done.accepted, done.refused) == ("replayed", 2, 1)
    shown = quarantine.show(north, None, whole.id)
    assert [one.action for one in shown.history] == ["replayed", "replayed"]
    assert len({one.source_id for one in shown.history}) == 2
    child, second = quarantine.listed(north, None, Selection()).entries
    assert (child.name, child.position, child.code) == ("feed.hl7", 1, "no-patient")
    assert (child.received_ms, second.id) == (whole.received_ms, later.id)


def test_a_file_of_which_nothing_is_accepted_stays_one_document(
    network: Consortium, north: Node, older_release: pytest.MonkeyPatch
) -> None:
    bad = [message(f"none{number}", patient="") for number in range(3)]
    entry = refuse(network, "feed.hl7", b"\r".join(bad))
    older_release.undo()
    done = replay.replay(north, None, entry.id)
    assert (done.outcome, done.refused) == ("refused", 3)
    [left] = quarantine.listed(north, None, Selection()).entries
    assert (left.id, left.code) == (entry.id, "no-patient")


def test_a_replay_repeated_or_of_what_the_feed_brought_meanwhile_accepts_nothing_twice(
    network: Consortium, north: Node, older_release: pytest.MonkeyPatch
) -> None:
    data = message("once", patient="once")
    entry = refuse(network, "a.hl7", data)
    older_release.undo()
    network.submit("north", "a.hl7", data)
    before = stored(north)
    first = replay.replay(north, None, entry.id)
    assert (first.outcome, first.resources) == ("replayed", 0)
    assert replay.replay(north, None, entry.id).outcome == "settled"
    assert list(replay.replay_all(north, None, Selection()).replays) == []
    assert stored(north) == before
    [line] = quarantine.show(north, None, entry.id).history
    assert line.source_id is not None


def test_what_was_accepted_but_not_marked_is_marked_by_the_next_replay(
    network: Consortium,
    north: Node,
    older_release: pytest.MonkeyPatch,
) -> None:
    entry = refuse(network, "a.hl7", message("mark", patient="mark"))
    older_release.undo()

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(replay, "_mark", dies)
        with pytest.raises(KeyboardInterrupt):
            replay.replay(north, None, entry.id)
    assert quarantine.show(north, None, entry.id).entry.state == OPEN
    before = stored(north)
    assert replay.replay(north, None, entry.id).outcome == "replayed"
    assert stored(north) == before


def test_replays_at_once_accept_every_message_once(
    network: Consortium, north: Node, older_release: pytest.MonkeyPatch
) -> None:
    sent = [message(f"race{number}", patient=f"race{number % 3}") for number in range(9)]
    for number, data in enumerate(sent):
        refuse(network, f"{number}.hl7", data)
    older_release.undo()
    before, barrier = stored(north)["source"], threading.Barrier(3)

    def run(_: int) -> int:
        barrier.wait()
        return sum(one.resources for one in replay.replay_all(north, None, Selection()).replays)

    with ThreadPoolExecutor(3) as pool:
        made = sum(pool.map(run, range(3)))
    assert stored(north)["source"] == before + len(sent)
    assert made > 0
    for entry in quarantine.listed(north, None, Selection(state=REPLAYED)).entries:
        history = quarantine.show(north, None, entry.id).history
        assert [one.action for one in history] == ["replayed"]
    assert rows_open(north) == 0


def rows_open(node: Node) -> int:
    with node.database.read() as tx:
        return rows.count(tx)


def test_what_is_dismissed_is_left_alone(
    network: Consortium, north: Node, admin: Session, older_release: pytest.MonkeyPatch
) -> None:
    entry = refuse(network, "a.hl7", message("gone", patient="gone"))
    quarantine.dismiss(north, admin, entry.id, why="not ours")
    older_release.undo()
    assert replay.replay(north, None, entry.id).outcome == "settled"
    assert list(replay.replay_all(north, None, Selection(state=None)).replays) == []
    assert quarantine.show(north, None, entry.id).entry.state == DISMISSED


def test_an_input_of_which_nothing_was_kept_says_so_again(network: Consortium, north: Node) -> None:
    entry = refuse(network, "empty.hl7", b"")
    assert replay.replay(north, None, entry.id).code == entry.code == "empty"


def test_the_kind_that_was_named_when_it_came_is_named_again(
    network: Consortium, north: Node
) -> None:
    assert set(FORMATS) >= {"hl7v2", "fhir"}
    mapping = map_bytes("a.txt", b"not a message", kind="hl7v2", site=north.site)
    submit.submit(north, mapping)
    [entry] = quarantine.listed(north, None, Selection()).entries
    assert (entry.kind, entry.code) == ("hl7v2", "outside-message")
    assert replay.replay(north, None, entry.id).code == "outside-message"
    assert replay.replay(north, None, entry.id, kind="auto").code == "unknown-format"
