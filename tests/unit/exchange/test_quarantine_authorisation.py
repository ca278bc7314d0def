"""The quarantine's part of docs/security/authorisation.md, carried out cell by cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simdes.access.audit_event import Attempt, Verb
from simdes.access.categories import Role
from simdes.crypto.keys import SigningKey
from simdes.errors import Forbidden
from simdes.exchange import enrolment, quarantine, replay
from simdes.exchange.node import Node
from simdes.exchange.quarantine import Selection
from simdes.exchange.signin import Session
from support.consortium import Clock, Consortium, cheap_locks, passphrase_of
from unit.exchange.test_quarantine import message, refuse

PAGE = (Path(__file__).parents[3] / "docs/security/authorisation.md").read_text()
SECTION = PAGE.split("## The quarantine by role\n", 1)[1].split("\n## ", 1)[0]
HEADER, _, *LINES = [
    [cell.strip().strip("`") for cell in line.strip("|").split("|")]
    for line in SECTION.splitlines()
    if line.startswith("|")
]
MATRIX = {line[0]: dict(zip(HEADER[1:], line[1:], strict=True)) for line in LINES}

CALLS: dict[str, Callable[[Node, Any, int], object]] = {
    "listed": lambda node, who, _: quarantine.listed(node, who, Selection()),
    "summary": lambda node, who, _: quarantine.summary(node, who, Selection()),
    "show": quarantine.show,
    "open_content": quarantine.open_content,
    "fix": lambda node, who, one: quarantine.fix(node, who, one, b"x", why="x"),
    "dismiss": lambda node, who, one: quarantine.dismiss(node, who, one, why="x"),
    "reopen": lambda node, who, one: quarantine.reopen(node, who, one, why="x"),
    "expire": lambda node, who, _: quarantine.expire(node, who, settled_seconds=0),
    "replay": replay.replay,
    "replay_all": lambda node, who, _: list(replay.replay_all(node, who, Selection()).replays),
}
FACES = [name for name in MATRIX if MATRIX[name]["operator"] == "yes"]


@pytest.fixture
def north(network: Consortium) -> Node:
    return network["north"].node


@pytest.fixture
def kept(network: Consortium) -> int:
    return refuse(network, "feed.hl7", message("who", patient="")).id


def session(network: Consortium, role: str) -> Session:
    """A session of north in a role; the agent's is put together, software does not sign in."""
    if role == "administrator":
        return network.session("north", "admin")
    node = network["north"].node
    if role == "agent":
        key = node.desk.keystore.lanes[0]
        made = network.session("north", "admin")
        actor = replace(made.actor, address=key.address, role=int(Role.AGENT))
        return replace(made, actor=actor, unlock=lambda: key)
    user = f"someone.{role}"
    if user not in {one.user for one in node.desk.keystore.people()}:
        with cheap_locks():
            enrolment.add_person(
                node,
                network.session("north", "admin"),
                user,
                role=Role[role.upper()],
                passphrase=passphrase_of(user),
            )
    return network.session("north", user)


def attempts(node: Node) -> list[Attempt]:
    entries = node.desk.trail.entries(node.database, limit=100_000)
    verbs = (Verb.QUARANTINE_READ, Verb.QUARANTINE_DECIDE)
    return [one.attempt for _, one in entries if one.attempt.verb in verbs]


def test_every_verb_has_a_row_and_every_row_a_verb() -> None:
    assert set(MATRIX) == set(CALLS)
    public = set(quarantine.__all__) | {"replay", "replay_all"}
    assert {name for name in public if name[0].islower()} - {"step_of"} == set(MATRIX)


@pytest.mark.parametrize("role", HEADER[2:])
@pytest.mark.parametrize("verb", MATRIX)
def test_each_role_may_do_what_the_matrix_says(
    network: Consortium, north: Node, kept: int, verb: str, role: str
) -> None:
    who = session(network, role)
    if MATRIX[verb][role] == "yes":
        CALLS[verb](north, who, kept)
        return
    assert MATRIX[verb][role] == "no"
    with pytest.raises(Forbidden, match="WRONG_ROLE"):
        CALLS[verb](north, who, kept)


def test_a_refused_look_is_on_record(
    network: Consortium, north: Node, kept: int, clock: Clock
) -> None:
    doctor = session(network, "doctor")
    clock.ahead_seconds += 600  # equal refusals of one minute are one entry
    with pytest.raises(Forbidden):
        quarantine.open_content(north, doctor, kept)
    last = attempts(north)[-1]
    assert (last.verb, last.reason) == (Verb.QUARANTINE_READ, "WRONG_ROLE")
    assert (last.account, len(last.records)) == (doctor.actor.account, 1)


@pytest.mark.parametrize("verb", FACES)
def test_the_operator_needs_no_session(north: Node, kept: int, verb: str) -> None:
    CALLS[verb](north, None, kept)


@pytest.mark.parametrize("verb", MATRIX)
def test_another_organisation_s_administrator_may_do_nothing(
    network: Consortium, north: Node, kept: int, verb: str
) -> None:
    stranger = network.session("south", "admin")
    with pytest.raises(Forbidden):
        CALLS[verb](north, stranger, kept)
    posing = replace(stranger, actor=replace(stranger.actor, organisation=north.organisation))
    with pytest.raises(Forbidden):
        CALLS[verb](north, posing, kept)


@pytest.mark.parametrize("verb", MATRIX)
def test_who_has_no_account_may_do_nothing_and_leaves_no_entry(
    network: Consortium, north: Node, kept: int, verb: str
) -> None:
    key = SigningKey.generate(north.random)
    made = network.session("north", "admin")
    nobody = replace(made, actor=replace(made.actor, address=key.address), unlock=lambda: key)
    before = len(attempts(north))
    with pytest.raises(Forbidden, match="UNKNOWN_ACTOR"):
        CALLS[verb](north, nobody, kept)
    assert len(attempts(north)) == before


def test_a_suspended_administrator_s_open_session_is_worth_nothing(
    network: Consortium, north: Node, kept: int
) -> None:
    admin = network.session("north", "admin")
    user = f"second.admin{len(north.desk.keystore.people())}"
    with cheap_locks():
        enrolment.add_person(
            north, admin, user, role=Role.ADMINISTRATOR, passphrase=passphrase_of(user)
        )
    second = network.session("north", user)
    assert quarantine.open_content(north, second, kept).data
    enrolment.suspend_person(north, admin, user)
    for verb in MATRIX:
        with pytest.raises(Forbidden, match="SUSPENDED_ACTOR"):
            CALLS[verb](north, second, kept)
