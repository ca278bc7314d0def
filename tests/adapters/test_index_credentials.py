"""Browser sessions, passkeys, codes and delays on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.index_rows import id32
from simdes.errors import Conflict
from simdes.index import credentials
from simdes.index.credentials import BrowserSession, Delay, OneTimeCode, Passkey
from simdes.index.database import Database

ADA, BEA = id32("ada"), id32("bea")
IDLE = 1_000


def session(number: int, *, account: bytes = ADA, state: str = "whole") -> BrowserSession:
    return BrowserSession(
        id=id32("session", number),
        account=account,
        key_wrapped=b"wrapped",
        methods="pwd otp",
        state=state,
        client_wrapped=b"client",
        proved_ms=number,
        started_ms=number,
        seen_ms=number,
        expires_ms=number + 10_000,
    )


def passkey(number: int, *, account: bytes = ADA, sign_count: int = 0) -> Passkey:
    return Passkey(
        id=id32("passkey", number),
        account=account,
        credential=b"credential %d" % number,
        public=b"public",
        sign_count=sign_count,
        synchronised=0,
        key_wrapped=None,
        label_wrapped=b"label",
        created_ms=number,
    )


def test_a_session_is_found_until_it_rested_or_lasted_too_long(database: Database) -> None:
    one = session(100)
    with database.transaction() as tx:
        credentials.add_session(tx, one)
        find = lambda now: credentials.session(tx, one.id, now_ms=now, idle_ms=IDLE)  # noqa: E731
        assert find(1_099) == one
        assert find(1_100) is None
        credentials.touch_session(tx, one.id, now_ms=10_000)
        assert find(10_099) == replace(one, seen_ms=10_000)
        assert find(10_100) is None
        credentials.touch_session(tx, one.id, now_ms=5_000)
        assert find(10_099) == replace(one, seen_ms=10_000), "a late note does not turn time back"


def test_a_whole_session_without_a_key_is_refused(database: Database) -> None:
    with database.transaction() as tx:
        credentials.add_session(tx, replace(session(1, state="half"), key_wrapped=None))
    with pytest.raises(Conflict), database.transaction() as tx:
        credentials.add_session(tx, replace(session(2), key_wrapped=None))


def test_sessions_are_listed_and_ended_for_their_own_account_alone(database: Database) -> None:
    with database.transaction() as tx:
        for number in range(1, 4):
            credentials.add_session(tx, session(number))
        credentials.add_session(tx, session(4, state="half"))
        credentials.add_session(tx, session(5, account=BEA))
        listed = credentials.sessions(tx, ADA, now_ms=10, idle_ms=IDLE)
        assert [one.seen_ms for one in listed] == [3, 2, 1]
        assert not credentials.end_session(tx, BEA, id32("session", 1))
        assert credentials.end_session(tx, ADA, id32("session", 1))
        assert credentials.end_sessions(tx, ADA, but=id32("session", 3)) == 2
        assert [one.seen_ms for one in credentials.sessions(tx, ADA, now_ms=10, idle_ms=IDLE)] == [
            3
        ]
        assert len(credentials.sessions(tx, BEA, now_ms=10, idle_ms=IDLE)) == 1


def test_a_passkeys_counter_must_rise_unless_it_has_none(database: Database) -> None:
    with database.transaction() as tx:
        credentials.add_passkey(tx, passkey(1), most=5)
        credentials.add_passkey(tx, passkey(2, sign_count=7), most=5)
        use = lambda number, count: credentials.use_passkey(  # noqa: E731
            tx, id32("passkey", number), sign_count=count, now_ms=50
        )
        assert use(1, 0)
        assert use(1, 0), "an authenticator without a counter always says 0"
        assert use(2, 8)
        assert not use(2, 8)
        assert not use(2, 0)
        assert not use(2, 3)
        credentials.doubt_passkey(tx, id32("passkey", 2), now_ms=60)
        assert not use(2, 9), "a doubted one is accepted no more"
        found = credentials.passkey(tx, id32("passkey", 2))
        assert found is not None
        assert (found.sign_count, found.used_ms, found.doubted_ms) == (8, 50, 60)


def test_an_account_has_a_bounded_number_of_passkeys_of_its_own(database: Database) -> None:
    with database.transaction() as tx:
        credentials.add_passkey(tx, passkey(1), most=2)
        credentials.add_passkey(tx, passkey(2), most=2)
        credentials.add_passkey(tx, passkey(3, account=BEA), most=2)
        assert not credentials.rename_passkey(tx, BEA, id32("passkey", 1), b"mine")
        assert credentials.rename_passkey(tx, ADA, id32("passkey", 1), b"blue")
        assert not credentials.remove_passkey(tx, BEA, id32("passkey", 1))
        assert [one.label_wrapped for one in credentials.passkeys(tx, ADA)] == [b"blue", b"label"]
    with pytest.raises(Conflict), database.transaction() as tx:
        credentials.add_passkey(tx, passkey(4), most=2)
    with pytest.raises(Conflict), database.transaction() as tx:
        credentials.add_passkey(tx, passkey(1, account=BEA), most=5)
    with database.transaction() as tx:
        assert credentials.remove_passkey(tx, ADA, id32("passkey", 1))
        assert [one.created_ms for one in credentials.passkeys(tx, ADA)] == [2]


def test_a_time_step_is_good_once_and_a_confirmed_secret_stays(database: Database) -> None:
    code = OneTimeCode(account=ADA, secret_wrapped=b"first", last_step=0, confirmed=0, created_ms=1)
    with database.transaction() as tx:
        credentials.put_code(tx, code)
        credentials.put_code(tx, replace(code, secret_wrapped=b"second"))
        assert credentials.use_code(tx, ADA, step=100)
        assert not credentials.use_code(tx, ADA, step=100)
        assert not credentials.use_code(tx, ADA, step=99)
        assert credentials.use_code(tx, ADA, step=101)
        assert credentials.code(tx, ADA) == replace(
            code, secret_wrapped=b"second", last_step=101, confirmed=1
        )
    with pytest.raises(Conflict), database.transaction() as tx:
        credentials.put_code(tx, code)
    with database.transaction() as tx:
        assert credentials.remove_code(tx, ADA)
        assert not credentials.remove_code(tx, ADA)


def test_a_recovery_code_is_spent_by_its_own_account_once(database: Database) -> None:
    with database.transaction() as tx:
        credentials.set_recovery(tx, ADA, [id32("a"), id32("b")])
        credentials.set_recovery(tx, ADA, [id32("c"), id32("d")])
        assert not credentials.use_recovery(tx, ADA, id32("a"))
        assert not credentials.use_recovery(tx, BEA, id32("c"))
        assert credentials.use_recovery(tx, ADA, id32("c"))
        assert not credentials.use_recovery(tx, ADA, id32("c"))
        assert credentials.count_recovery(tx, ADA) == 1
        credentials.set_recovery(tx, ADA, [])
        assert credentials.count_recovery(tx, ADA) == 0


def test_failures_and_challenges_are_kept_for_a_time(database: Database) -> None:
    delays = [
        Delay(subject=id32(name), failures=number, last_ms=number * 100, until_ms=1_000)
        for number, name in enumerate("ab", 1)
    ]
    with database.transaction() as tx:
        credentials.put_delays(tx, delays)
        credentials.put_delays(tx, [replace(delays[0], failures=9)])
        found = credentials.delays(tx, [id32("a"), id32("b"), id32("c")])
        assert {one.failures for one in found.values()} == {9, 2}
        assert credentials.spend(tx, id32("x"), expires_ms=500)
        assert not credentials.spend(tx, id32("x"), expires_ms=500)
        credentials.add_session(tx, session(1))
        credentials.purge(tx, now_ms=1_150, idle_ms=IDLE, forget_ms=1_000)
        assert list(credentials.delays(tx, [id32("a"), id32("b")])) == [id32("b")]
        assert credentials.spend(tx, id32("x"), expires_ms=2_500)
        assert credentials.sessions(tx, ADA, now_ms=1_000, idle_ms=IDLE) == []
        credentials.clear_delays(tx, [id32("b")])
        assert credentials.delays(tx, [id32("b")]) == {}
