"""Unusual reading asks for a second factor; usual reading never."""

from __future__ import annotations

import dataclasses
import os

import pytest

from simdes.access.anomaly import Rule, rules
from simdes.access.authentication import Authentication
from simdes.access.categories import Role
from simdes.exchange.anomalies import (
    SecondFactorNeeded,
    demands_second_factor,
    is_usual,
    require_usual,
)
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.index import claims, corrections, whereabouts
from simdes.index.transaction import Transaction
from simdes.index.whereabouts import Told
from support.consortium import Clock, Consortium
from support.smart import a_patient


@pytest.fixture
def node(network: Consortium) -> Node:
    """North with small limits: three strangers, five patients in an hour, eight in a day."""
    whole = network["north"].node
    reading = rules(strangers_per_hour=3, patients_per_hour=5, patients_per_day=8)
    limits = dataclasses.replace(whole.desk.limits, reading=reading)
    return dataclasses.replace(whole, desk=dataclasses.replace(whole.desk, limits=limits))


@pytest.fixture
def reader(network: Consortium) -> Session:
    """A doctor's session under an account of its own, so that no other test's reading counts."""
    session = network.session("north", "dr.north")
    return dataclasses.replace(
        session, actor=dataclasses.replace(session.actor, account=os.urandom(32))
    )


def signed_in(session: Session, node: Node, *methods: str, ago_seconds: int = 0) -> Session:
    authentication = Authentication(methods, node.now_seconds() - ago_seconds)
    actor = dataclasses.replace(session.actor, authentication=authentication)
    return dataclasses.replace(session, actor=actor)


def in_role(session: Session, role: Role) -> Session:
    return dataclasses.replace(session, actor=dataclasses.replace(session.actor, role=role))


def read(node: Node, session: Session, count: int) -> list[bool]:
    return [demands_second_factor(node, session, os.urandom(32)) for _ in range(count)]


def test_many_strangers_ask_for_a_second_factor(node: Node, reader: Session) -> None:
    assert read(node, reader, 4) == [False, False, False, True]


def test_the_same_patient_again_is_one_patient(node: Node, reader: Session) -> None:
    vault = os.urandom(32)
    assert not any(demands_second_factor(node, reader, vault) for _ in range(20))


def test_patients_in_treatment_here_count_later(
    network: Consortium, node: Node, reader: Session, who: str
) -> None:
    vaults = [a_patient(network, f"{who}t{at}")[0] for at in range(6)]
    found = [demands_second_factor(node, reader, vault) for vault in vaults]
    assert found == [False] * 5 + [True]


def test_a_treatment_of_long_ago_is_none(
    network: Consortium, node: Node, reader: Session, who: str, clock: Clock
) -> None:
    vaults = [a_patient(network, f"{who}l{at}")[0] for at in range(4)]
    clock.ahead_seconds += 31 * 86_400
    found = [demands_second_factor(node, reader, vault) for vault in vaults]
    assert found == [False] * 3 + [True]


@pytest.mark.parametrize(
    "register", [whereabouts.PRESCRIPTIONS, whereabouts.CLAIMS], ids=lambda one: one.name
)
def test_who_waits_at_the_counter_or_for_a_decision_is_no_stranger(
    node: Node, reader: Session, register: whereabouts.Register
) -> None:
    vaults = [os.urandom(32) for _ in range(6)]
    told = [Told(at, os.urandom(32), vault) for at, vault in enumerate(vaults, 1)]
    node.database.write(lambda tx: register.learn(tx, os.urandom(32), told))
    found = [demands_second_factor(node, reader, vault) for vault in vaults]
    assert found == [False] * 5 + [True], "a queue is no leafing, but it counts"


def test_who_waits_for_an_answer_about_an_entry_is_no_stranger(node: Node, reader: Session) -> None:
    vaults = [os.urandom(32) for _ in range(6)]
    heard = [
        corrections.Heard(
            id=one.hex(),
            vault=one,
            teller=one,
            about="Observation/o",
            words_wrapped=b"",
            heard_ms=1,
        )
        for one in vaults
    ]
    node.database.write(lambda tx: [corrections.hear(tx, one) for one in heard])
    found = [demands_second_factor(node, reader, vault) for vault in vaults]
    assert found == [False] * 5 + [True], "a queue is no leafing, but it counts"


@pytest.mark.parametrize("ended", [False, True])
def test_whose_claim_goes_on_is_no_stranger_to_who_bills(
    node: Node, reader: Session, ended: bool
) -> None:
    vaults = [os.urandom(32) for _ in range(6)]

    def claim(tx: Transaction, vault: bytes) -> None:
        step = claims.begin(
            tx,
            claims.NewStep(
                claim=os.urandom(32),
                tag=os.urandom(32),
                vault=vault,
                resource="c",
                encounter="Encounter/e",
                other=bytes(32),
                verb="open",
                expects=bytes(32),
                content_wrapped=b"",
                account=bytes(32),
                until_ms=1,
                created_ms=1,
            ),
        )
        assert step is not None and claims.confirm(tx, step.id)
        if ended:
            claims.end(tx, step.id)

    node.database.write(lambda tx: [claim(tx, one) for one in vaults])
    found = [demands_second_factor(node, reader, vault) for vault in vaults]
    assert found == ([False] * 3 + [True] * 3 if ended else [False] * 5 + [True])


def test_an_hour_later_it_is_over_but_the_day_counts(
    node: Node, reader: Session, clock: Clock
) -> None:
    assert read(node, reader, 4)[-1]
    clock.ahead_seconds += 3_700
    assert read(node, reader, 3) == [False] * 3
    clock.ahead_seconds += 3_700
    assert read(node, reader, 2) == [False, True]


def test_a_fresh_second_factor_passes_and_an_old_one_not(node: Node, reader: Session) -> None:
    read(node, reader, 5)
    vault = os.urandom(32)
    for methods, ago, demanded in (
        (("pwd", "otp"), 0, False),
        (("hwk", "pop", "user"), 899, False),
        (("pwd", "otp"), 901, True),
        (("pwd",), 0, True),
    ):
        session = signed_in(reader, node, *methods, ago_seconds=ago)
        assert demands_second_factor(node, session, vault) is demanded, methods


def test_patients_and_services_are_not_asked(node: Node, reader: Session) -> None:
    for role in (Role.PATIENT, Role.AGENT):
        assert not any(read(node, in_role(reader, role), 12))


def test_a_limit_of_zero_switches_a_rule_off() -> None:
    assert rules(strangers_per_hour=0, patients_per_hour=0, patients_per_day=0) == ()
    [only] = rules(strangers_per_hour=0, patients_per_hour=7, patients_per_day=0)
    assert only == Rule(name="many patients in an hour", seconds=3_600, most=7, strangers=False)


def usual(node: Node, session: Session, *vaults: bytes) -> bool:
    with node.database.read() as tx:
        return is_usual(node, tx, session, vaults)


def test_whoever_goes_on_without_a_second_factor_is_refused_by_name(
    node: Node, reader: Session
) -> None:
    for _ in range(3):
        require_usual(node, reader, [os.urandom(32)])
    with pytest.raises(SecondFactorNeeded) as refused:
        require_usual(node, reader, [os.urandom(32)])
    assert refused.value.reason == "SECOND_FACTOR"
    require_usual(node, signed_in(reader, node, "pwd", "otp"), [os.urandom(32)])


def test_only_what_was_read_a_moment_ago_is_usual_without_being_remembered(
    node: Node, reader: Session, clock: Clock
) -> None:
    known, new = os.urandom(32), os.urandom(32)
    assert not usual(node, reader, known)  # nobody asks for it, so nothing is remembered either
    assert not usual(node, reader, known)
    require_usual(node, reader, [known])
    assert usual(node, reader, known)
    assert not usual(node, reader, known, new)
    assert usual(node, reader)
    clock.ahead_seconds += 601
    assert not usual(node, reader, known)


def test_nothing_is_usual_for_a_person_beyond_a_limit_without_a_second_factor(
    node: Node, reader: Session
) -> None:
    vaults = [os.urandom(32) for _ in range(4)]
    for vault in vaults:
        demands_second_factor(node, reader, vault)
    assert not usual(node, reader, vaults[0])
    assert usual(node, signed_in(reader, node, "pwd", "otp"), vaults[0])
    assert usual(node, in_role(reader, Role.AGENT), os.urandom(32))
