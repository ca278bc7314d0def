"""`reconcile` tells organisations of openings in which they had a part, and of nothing else."""

from __future__ import annotations

import json
import os
from contextlib import suppress

import pytest

from simdes.access.asking import Because, ask
from simdes.access.audit_event import Verb
from simdes.access.categories import Purpose
from simdes.access.evidence import read_audit_proof
from simdes.access.links import Link, check_link
from simdes.access.messages import LogBody, ManifestsBody, ReconcileBody
from simdes.access.requests import hexed
from simdes.access.trails import OUT_OF_ORDER, UNPROVEN, read_shown
from simdes.errors import Forbidden, Invalid, Tampered, TooLarge
from unit.access.conftest import Scene
from unit.access.network import Organisation


def listing(scene: Scene, at: Organisation, by: Organisation | None = None) -> str:
    """The anchored proof of an entry at a custodian: somebody asked for a list of the vault."""
    asker = (by or scene.home).caller()
    basis = Because(Purpose.TREAT).basis(scene.vault.tag)
    with suppress(Forbidden):
        ask(asker, at.id, "manifests", ManifestsBody(basis=basis))
    return newest(scene, at)


def newest(scene: Scene, at: Organisation) -> str:
    at.anchor_audit()
    number = at.desk.trail.entries(at.database, vault=scene.vault.tag)[-1][0]
    return json.dumps(at.desk.trail.prove(at.database, number))


def reconcile(asker: Organisation, asked: Organisation, *entries: str) -> list[list[str]]:
    answer = ask(asker.caller(), asked.id, "reconcile", ReconcileBody(entries=list(entries)))
    shown = answer.body["shown"]
    assert isinstance(shown, list)
    return shown  # type: ignore[return-value]


def test_custodians_show_each_other_what_both_have_of_an_opening(scene: Scene) -> None:
    listing(scene, scene.second)
    ticket = listing(scene, scene.third)
    [shown] = reconcile(scene.third, scene.second, ticket)
    entries = [read_shown(one, scene.second.id, scene.third.contracts) for one in shown]
    assert [one.entry.attempt.verb for one in entries if one] == [Verb.MANIFESTS]
    assert all(one is not None and not one.wrong and one.place for one in entries)


def test_the_readers_organisation_is_asked_and_asks_as_one_that_had_a_part(scene: Scene) -> None:
    ticket = listing(scene, scene.second, by=scene.reader)
    assert reconcile(scene.second, scene.reader, ticket) == [[]]  # its software has no such entry


def test_who_had_no_part_in_an_opening_learns_nothing(scene: Scene) -> None:
    ticket = listing(scene, scene.second)
    fourth = scene.network.members[3]
    with pytest.raises(Forbidden, match="NOT_CONCERNED"):
        reconcile(scene.second, fourth, ticket)  # asked about what does not concern it
    with pytest.raises(Forbidden, match="NOT_CONCERNED"):
        reconcile(fourth, scene.third, ticket)  # shows an entry of somebody else
    with pytest.raises(Forbidden, match="NOT_CONCERNED"):
        reconcile(scene.third, scene.second, ticket)


def test_an_entry_about_something_else_than_an_opening_is_no_ticket(scene: Scene) -> None:
    tag = scene.vault.tag
    ask(scene.home.caller("ada"), scene.second.id, "log", LogBody(vault=hexed(tag)))
    with pytest.raises(Forbidden, match="NOT_CONCERNED"):
        reconcile(scene.second, scene.third, newest(scene, scene.second))


def test_what_the_chain_does_not_hold_is_no_ticket(scene: Scene) -> None:
    ticket = listing(scene, scene.second)
    forged = json.loads(ticket)
    other = forged["entry"].replace(hexed(scene.vault.tag), hexed(os.urandom(32)))
    for changed in (
        forged | {"batch": None},
        forged | {"salt": hexed(os.urandom(32))},
        forged | {"entry": other},
        forged | {"batch": forged["batch"] | {"seq": 99_999}},
        {},
    ):
        with pytest.raises(Forbidden, match="BAD_PROOF"):
            reconcile(scene.second, scene.third, json.dumps(changed))
    with pytest.raises(Forbidden, match="BAD_PROOF"):
        reconcile(scene.second, scene.third, ticket, "no JSON")


def test_people_may_not_ask(scene: Scene) -> None:
    ticket = listing(scene, scene.home)
    body = ReconcileBody(entries=[ticket])
    with pytest.raises(Forbidden, match="WRONG_ROLE"):
        ask(scene.home.caller("ada"), scene.second.id, "reconcile", body)


def test_a_question_is_bounded_and_leaves_an_entry(scene: Scene) -> None:
    ticket = listing(scene, scene.second)
    for entries in ([], [ticket] * 33):
        with pytest.raises(Invalid):
            reconcile(scene.second, scene.third, *entries)
    with pytest.raises((Invalid, TooLarge)):
        reconcile(scene.second, scene.third, "x" * (1 << 20))
    reconcile(scene.second, scene.third, ticket)
    _, entry = scene.third.desk.trail.entries(scene.third.database, limit=100_000)[-1]
    attempt = entry.attempt
    assert (attempt.verb, attempt.granted, attempt.vault) == (Verb.RECONCILE, True, None)
    assert attempt.organisation == scene.second.id
    assert attempt.records == (bytes.fromhex(json.loads(ticket)["leaf"][2:]),)


def test_an_entry_shown_in_another_place_than_behind_its_own_is_found(scene: Scene) -> None:
    listing(scene, scene.second)
    ticket = listing(scene, scene.third)
    [[shown]] = reconcile(scene.third, scene.second, ticket)
    contracts = scene.third.contracts
    form = json.loads(shown)
    before = form["before"]
    assert before is not None
    moved = before | {"batch": before["batch"] | {"index": before["batch"]["index"] + 1}}
    for wrong in (None, moved, before | {"salt": hexed(os.urandom(32))}):
        one = read_shown(json.dumps(form | {"before": wrong}), scene.second.id, contracts)
        assert one is not None
        assert one.wrong == OUT_OF_ORDER
    place = form["proof"]["batch"] | {"root": hexed(os.urandom(32))}
    forged = json.dumps(form | {"proof": form["proof"] | {"batch": place}})
    one = read_shown(forged, scene.second.id, contracts)
    assert one is not None
    assert one.wrong == UNPROVEN
    assert read_shown(shown, scene.third.id, contracts) is None
    for junk in ("", "[]", "{}", "null", '{"proof": {}, "before": null}', "[" * 10_000):
        assert read_shown(junk, scene.second.id, contracts) is None


def test_only_the_first_entry_of_a_trail_may_say_that_it_is_the_first(scene: Scene) -> None:
    listing(scene, scene.second)
    proof, _ = read_audit_proof(listing(scene, scene.second))
    link: Link | None = None
    with pytest.raises(Tampered):
        check_link(proof, bytes(32), link, scene.third.contracts)
