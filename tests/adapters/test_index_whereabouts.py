"""Who is told of what in whose vault, under which number, on both databases."""

from __future__ import annotations

import pytest

from simdes.index import prescriptions
from simdes.index.database import Database
from simdes.index.prescriptions import NewPrescription
from simdes.index.whereabouts import CLAIMS, PRESCRIPTIONS, Register, Told

ONE, TWO, VAULT, OTHER, HEARER, HANDLE = (bytes([one]) * 32 for one in range(1, 7))


@pytest.mark.parametrize("register", [CLAIMS, PRESCRIPTIONS], ids=lambda one: one.name)
def test_numbers_ascend_whatever_the_clock_says_and_each_is_told_once(
    database: Database, register: Register
) -> None:
    with database.transaction() as tx:
        assert register.tell(tx, ONE, VAULT, HEARER, now_ms=50, handle=HANDLE)
        assert register.tell(tx, TWO, VAULT, HEARER, now_ms=20, handle=HANDLE)
        assert not register.tell(tx, ONE, VAULT, HEARER, now_ms=60, handle=HANDLE)
        told = register.told(tx, HEARER, after=0)
        assert [(one.number, one.item) for one in told] == [(50, ONE), (51, TWO)]
        assert register.told(tx, HEARER, after=50) == told[1:]
        assert register.told(tx, OTHER, after=0) == []
        register.unsay(tx, [50])
        assert register.told(tx, HEARER, after=0) == told[1:]


def test_a_prescription_is_told_anew_under_another_consent(database: Database) -> None:
    with database.transaction() as tx:
        assert PRESCRIPTIONS.tell(tx, ONE, VAULT, HEARER, now_ms=1, handle=HANDLE)
        assert PRESCRIPTIONS.tell(tx, ONE, VAULT, HEARER, now_ms=1, handle=OTHER)
        told = PRESCRIPTIONS.told(tx, HEARER, after=0)
    assert [one.handle for one in told] == [HANDLE, OTHER]


@pytest.mark.parametrize("register", [CLAIMS, PRESCRIPTIONS], ids=lambda one: one.name)
def test_what_was_heard_is_kept_newest_first_and_not_heard_again(
    database: Database, register: Register
) -> None:
    with database.transaction() as tx:
        register.learn(tx, HEARER, [Told(7, ONE, VAULT), Told(9, TWO, OTHER)])
        register.learn(tx, OTHER, [Told(3, ONE, OTHER)])
        register.learn(tx, HEARER, [])
        assert list(register.known(tx).items()) == [(TWO, OTHER), (ONE, VAULT)]
        assert register.heard_up_to(tx, HEARER) == 9
        assert register.heard_up_to(tx, VAULT) == 0
        register.learn(tx, HEARER, [Told(8, b"\x09" * 32, VAULT)])
        assert register.heard_up_to(tx, HEARER) == 9, "it never falls back"
        assert register.count_of(tx, VAULT, HEARER) == 2
        assert register.count_of(tx, VAULT, OTHER) == 0
        register.learn(tx, HEARER, [], up_to=12)
        assert register.heard_up_to(tx, HEARER) == 12
        register.forget(tx, [ONE])
        assert register.vault_of(tx, ONE) is None
        register.drop_vault(tx, OTHER)
        assert list(register.known(tx).values()) == [VAULT]


def test_a_vault_without_prescriptions_is_not_looked_at(database: Database) -> None:
    new = NewPrescription(
        vault=VAULT, request="order", leaf=ONE, content_wrapped=b"x", created_ms=1
    )
    with database.transaction() as tx:
        prescriptions.add(tx, [new])
        prescriptions.note(tx, OTHER)
        prescriptions.note(tx, VAULT)
        prescriptions.note(tx, VAULT)
        assert prescriptions.to_announce(tx, limit=5) == [VAULT]
        prescriptions.announced(tx, VAULT)
        assert prescriptions.to_announce(tx, limit=5) == []
