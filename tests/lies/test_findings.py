"""What a comparison leaves behind: findings for administrators, figures; nothing when dry."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import pytest

from simdes.access.audit_event import Verb
from simdes.app import ADMINISTRATOR
from simdes.cli import main
from simdes.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge
from simdes.exchange import findings, reconciling
from simdes.exchange.operations import Operations
from simdes.index import audit as rows
from simdes.index import reconciling as kept
from support.consortium import passphrase_of
from support.lying import HOUR, READER, World, dropping, is_read, world


@pytest.fixture
def made(template: Path, tmp_path: Path) -> Iterator[World]:
    """A network in which south left a reading out."""
    with world(template, tmp_path / "network", 1) as made:
        made.day(reads=2)
        dropping(is_read)(made, made.network[READER])
        made.anchor()
        made.later(2 * HOUR)
        yield made


def test_a_dry_comparison_asks_nobody_and_writes_nothing(made: World) -> None:
    node = made.network["north"].node
    before = [made.network[name].node.desk.trail.entries(made.network[name].node.database)
              for name in made.network.members]  # fmt: skip
    dry = reconciling.reconcile(node, dry=True)
    assert sum(dry.asked.values()) > 2
    assert dry.findings == []
    after = [made.network[name].node.desk.trail.entries(made.network[name].node.database)
             for name in made.network.members]  # fmt: skip
    assert after == before
    real = reconciling.reconcile(node)
    assert real.asked == dry.asked
    assert {one.kind for one in real.findings} == {"missing"}


def test_comparing_again_finds_nothing_new_and_asks_nothing_twice(made: World) -> None:
    node = made.network["north"].node
    first = reconciling.reconcile(node)
    assert first.new == len(first.findings) == 2  # the list, and the release
    again = reconciling.reconcile(node)
    assert (again.asked, again.new) == ({}, 0)
    figures = Operations(made.network["north"].custody).figures().reconciliation
    assert figures is not None
    assert (figures.findings, figures.waiting) == (2, 0)
    assert figures.done_ms is not None


def test_what_is_younger_is_compared_another_night(made: World) -> None:
    node = made.network["north"].node
    assert reconciling.reconcile(node, settled_seconds=7 * 86_400).asked == {}
    assert reconciling.reconcile(node).asked


def test_findings_are_for_administrators_and_who_runs_the_program(made: World) -> None:
    network = made.network
    node = network["north"].node
    reconciling.reconcile(node)
    session = network.session("north", ADMINISTRATOR)
    [found, other] = findings.listed(node, session)
    assert (found.organisation, found.state) == (network[READER].node.organisation, "open")
    assert findings.listed(node, None) == [found, other]
    for member, user in (("north", "dr.north"), ("north", "ada"), ("south", ADMINISTRATOR)):
        with pytest.raises(Forbidden):
            findings.listed(node, network.session(member, user))
        with pytest.raises(Forbidden):
            findings.close(node, network.session(member, user), found.id, why="it was me")
    entries = [one.attempt for _, one in node.desk.trail.entries(node.database)]
    looked = [(one.role, one.reason) for one in entries if one.verb is Verb.RECONCILE]
    assert {reason for _, reason in looked} == {"", "WRONG_ROLE"}


def test_a_finding_is_closed_once_with_a_reason_and_does_not_come_again(made: World) -> None:
    node = made.network["north"].node
    [found, other] = reconciling.reconcile(node).findings
    session = made.network.session("north", ADMINISTRATOR)
    for why, error in (("", Invalid), (" \n", Invalid), ("x" * 501, TooLarge)):
        with pytest.raises(error):
            findings.close(node, session, found.id, why=why)
    with pytest.raises(NotFound):
        findings.close(node, session, os.urandom(32), why="no such thing")
    findings.close(node, session, found.id, why="their\n worker was  down")
    with pytest.raises(Conflict):
        findings.close(node, session, found.id, why="again")
    assert findings.listed(node, session) == [other]
    [closed] = [one for one in findings.listed(node, session, closed=True) if one.closed_ms]
    assert (closed.why, closed.closed_by) == ("their worker was down", ADMINISTRATOR)
    assert findings.keep(node, [found]) == []
    assert findings.listed(node, session) == [other]


def test_a_list_of_findings_comes_in_pages(made: World) -> None:
    node = made.network["north"].node
    for seq in range(5):
        findings.keep(node, [findings.finding(node, "silent", os.urandom(32), seq=seq)])
        made.later(seq % 2)
    whole = findings.listed(node, None)
    pages: list[findings.Finding] = []
    while page := findings.listed(node, None, after=pages[-1].id if pages else None, limit=2):
        pages += page
    assert pages == whole
    with pytest.raises(Invalid):
        findings.listed(node, None, limit=1001)


def test_our_own_trail_is_compared_with_what_we_anchored(made: World) -> None:
    node = made.network["north"].node
    assert reconciling.reconcile(node, everything=True).new == 2
    with node.database.read() as tx:
        last = rows.newest(tx, vault=made.vault, limit=1)[0]
    node.database.write(
        lambda tx: tx.run(
            "UPDATE audit_entry SET leaf = :leaf WHERE seq = :seq",
            leaf=os.urandom(32),
            seq=last.seq,
        )
    )
    assert "own-trail" not in {one.kind for one in reconciling.reconcile(node).findings}
    kinds = [one.kind for one in reconciling.reconcile(node, everything=True).findings]
    assert kinds.count("own-trail") == 2  # the batch, and the entry


def test_a_trail_that_was_compared_and_is_shorter_now_is_found(made: World) -> None:
    node = made.network["north"].node
    reconciling.reconcile(node)
    node.database.write(lambda tx: tx.run("DELETE FROM audit_entry WHERE seq > 3"))
    assert "own-trail" in {one.kind for one in reconciling.reconcile(node).findings}


def test_it_runs_by_itself_once_a_day_after_its_time(made: World) -> None:
    node = made.network["north"].node
    stop = threading.Event()
    with mock.patch.object(reconciling, "reconcile", side_effect=lambda _node: stop.set()) as ran:
        assert not reconciling._is_due(node, "02:30", reconciling.ZoneInfo("Europe/Paris"))
        made.later(24 * HOUR)
        assert reconciling._is_due(node, "02:30", reconciling.ZoneInfo("Europe/Paris"))
        with mock.patch.object(stop, "wait", side_effect=lambda _seconds: stop.is_set()):
            reconciling.run(node, stop, at="02:30", time_zone="Europe/Paris")
            reconciling.run(node, stop, at="", time_zone="UTC")
    assert ran.call_count == 1


def command(data: Path, *words: str) -> tuple[int, str]:
    environment = {"SIMDES_USER_PASSPHRASE": passphrase_of(ADMINISTRATOR)}
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, environment),
        mock.patch.object(sys, "argv", ["simdes", "audit", *words, "--data", str(data)]),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    return int(ended.value.code or 0), out.getvalue()


def test_the_command_compares_lists_and_closes(made: World, tmp_path: Path) -> None:
    data = tmp_path / "network" / "north"
    node = made.network["north"].node
    with node.database.read() as tx:
        assert kept.findings(tx) == []
    code, text = command(data, "reconcile", "--dry", "--json", "--older", "0m")
    assert (code, json.loads(text)["dry"]) == (0, True)
    reconciling.reconcile(node)
    code, text = command(data, "findings", "--json")
    [found, other] = json.loads(text)
    assert (code, found["kind"], found["state"]) == (0, "missing", "open")
    assert found["organisation"] == "0x" + made.network[READER].node.organisation.hex()
    code, text = command(data, "findings", "--user", ADMINISTRATOR)
    assert (code, "missing: Keep the proof" in text) == (0, True)
    assert command(data, "close", "0x12", "--why", "no id")[0] == 5
    assert command(data, "close", found["id"], "--why", "looked into")[0] == 0
    assert json.loads(command(data, "findings", "--json")[1]) == [other]
    every = json.loads(command(data, "findings", "--json", "--closed")[1])
    assert sorted(one["why"] for one in every) == ["", "looked into"]
