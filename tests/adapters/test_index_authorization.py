"""Grants and the secrets that hang on them, on both databases: once is once, ended is ended."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from adapters.index_rows import id32
from simdes.errors import Conflict, NotFound
from simdes.index import authorization as rows
from simdes.index import readings, sessions
from simdes.index.database import Database, Transaction

NOW = 1_000_000


def client(id: str = "app") -> rows.Client:
    return rows.Client(
        id=id,
        name="App",
        kind="public",
        secret_digest=None,
        keys=None,
        keys_url=None,
        redirect_uris="[]",
        launch_url=None,
        scope="patient/*.rs",
        created_ms=1,
    )


def grant(number: int = 1, **changes: object) -> rows.Grant:
    usual: dict[str, object] = {
        "id": id32("grant", number),
        "client_id": "app",
        "account": id32("account"),
        "scope": "openid",
        "vault": None,
        "patient": "",
        "encounter": "",
        "fhir_user": "",
        "authenticated_ms": 1,
        "methods": "pwd",
        "lasting": "offline",
        "thumbprint": "",
        "created_ms": number,
        "expires_ms": NOW + 1_000,
    }
    return rows.Grant(**(usual | changes))  # type: ignore[arg-type]


def refresh(number: int = 1) -> rows.Refresh:
    return rows.Refresh(
        id=id32("refresh", number),
        grant_id=id32("grant", 1),
        key_wrapped=b"k",
        expires_ms=NOW + 1_000,
    )


@pytest.fixture
def granted(database: Database) -> Database:
    """A database with an app, a grant of each kind and what hangs on the first."""
    with database.transaction() as tx:
        rows.add_client(tx, client())
        rows.add_grant(tx, grant())
        rows.add_grant(tx, grant(2, lasting="online"))
        rows.add_refresh(tx, refresh())
        rows.add_code(
            tx,
            rows.Code(
                id=id32("code"),
                grant_id=id32("grant", 1),
                redirect_uri="https://app.example/",
                challenge="c",
                nonce="",
                key_wrapped=b"k",
                expires_ms=NOW + 60,
            ),
        )
        for number, grant_id in ((1, id32("grant", 1)), (2, None)):
            sessions.add(
                tx,
                sessions.Session(
                    id=id32("session", number),
                    account=id32("account"),
                    key_wrapped=b"k",
                    grant_id=grant_id,
                    expires_ms=NOW + 1_000,
                ),
            )
    return database


def winners(database: Database, body: Callable[[Transaction], bool]) -> int:
    """How many of eight threads at once are told that they were the first."""
    told: list[bool] = []
    threads = [threading.Thread(target=lambda: told.append(database.write(body))) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(told) == 8
    return sum(told)


def test_of_many_who_use_a_secret_at_once_one_succeeds(granted: Database) -> None:
    assert winners(granted, lambda tx: rows.use_code(tx, id32("code"))) == 1
    assert winners(granted, lambda tx: rows.use_refresh(tx, id32("refresh", 1))) == 1
    assert winners(granted, lambda tx: rows.spend(tx, id32("jti"), expires_ms=NOW)) == 1
    with granted.read() as tx:
        used = rows.refresh(tx, id32("refresh", 1))
    assert used is not None and used.key_wrapped is None


def test_what_hangs_on_a_grant_ends_with_it(granted: Database) -> None:
    with granted.transaction() as tx:
        assert rows.end_grants(tx, [id32("grant", 1)]) == 1
    with granted.read() as tx:
        assert rows.refresh(tx, id32("refresh", 1)) is None
        assert rows.code(tx, id32("code")) is None
        assert sessions.get(tx, id32("session", 1), now_ms=NOW) is None
        assert sessions.get(tx, id32("session", 2), now_ms=NOW) is not None
        assert rows.grant(tx, id32("grant", 2), now_ms=NOW) is not None
    with pytest.raises(Conflict), granted.transaction() as tx:
        rows.add_refresh(tx, refresh(2))


def test_signing_out_ends_online_grants_and_removing_the_app_all(granted: Database) -> None:
    with granted.transaction() as tx:
        assert rows.end_lasting(tx, id32("account"), "online") == 1
        assert [one.id for one in rows.grants_of(tx, id32("account"), now_ms=NOW)] == [
            id32("grant", 1)
        ]
        assert rows.remove_client(tx, "app")
        assert not rows.remove_client(tx, "app")
        assert rows.grants_of(tx, id32("account"), now_ms=NOW) == []
        assert sessions.get(tx, id32("session", 1), now_ms=NOW) is None


def test_what_expired_is_gone_and_what_has_not_stays(granted: Database) -> None:
    with granted.transaction() as tx:
        readings.add_readings(tx, id32("account"), {id32("vault"): True}, now_ms=NOW)
        rows.purge(tx, now_ms=NOW, reading_before_ms=NOW - 1)
        assert rows.grant(tx, id32("grant", 1), now_ms=NOW) is not None
        asked = (id32("vault"), id32("another"))
        assert readings.read_since(tx, id32("account"), asked, since_ms=NOW - 1) == {id32("vault")}
        rows.purge(tx, now_ms=NOW + 1_000, reading_before_ms=NOW)
        assert not readings.read_since(tx, id32("account"), [id32("vault")], since_ms=0)
        for name in ("authorization_grant", "refresh_token", "authorization_code", "session"):
            assert tx.one(f"SELECT count(*) FROM {name}") == (0,)


def test_reading_is_counted_by_patient_and_treatment(granted: Database) -> None:
    account = id32("account")
    with granted.transaction() as tx:
        for at in range(6):
            readings.add_readings(tx, account, {id32("vault", at % 4): at % 2 == 0}, now_ms=at)
        asked = [(-1, False), (-1, True), (4, False)]
        assert readings.patients_read(tx, account, asked) == [4, 2, 1]
        assert readings.patients_read(tx, id32("other"), asked) == [0, 0, 0]
        assert readings.patients_read(tx, account, []) == []


def test_apps_are_told_apart_and_changed(granted: Database) -> None:
    with pytest.raises(Conflict), granted.transaction() as tx:
        rows.add_client(tx, client())
    with granted.transaction() as tx:
        rows.set_secret(tx, "app", id32("secret"))
        found = rows.client(tx, "app")
        assert found is not None and found.secret_digest == id32("secret")
        for odd in ("none", "", "a\0b", "é"):
            assert rows.client(tx, odd) is None
        with pytest.raises(NotFound):
            rows.set_secret(tx, "none", id32("secret"))
        with pytest.raises(NotFound):
            rows.set_keys(tx, "none", keys=None, keys_url=None)
