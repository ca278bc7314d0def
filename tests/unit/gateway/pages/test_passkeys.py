"""Passkeys that are not what they say: every lie of an authenticator or a page is refused."""

from __future__ import annotations

import html
import os
import re

import pytest

from simdes.access import passkeys
from simdes.exchange import credentials, second_factors
from simdes.index import credentials as rows
from support.authenticators import PRESENT, VERIFIED, Authenticator, text
from support.consortium import passphrase_of
from support.pages import Visitor
from unit.gateway.pages.conftest import Place


def options_of(visitor: Visitor, path: str = "/sign-in") -> str:
    """What the page asks the authenticator."""
    found = re.search(r'data-options="([^"]+)"', visitor.get(path).text)
    assert found
    return html.unescape(found.group(1))


def authenticator(place: Place) -> Authenticator:
    issuer = place.north.node.issuer
    return Authenticator(passkeys.origin(issuer), passkeys.relying_party(issuer))


def registered(place: Place, *, prf: bytes = b"") -> tuple[Authenticator, str]:
    """A person whose authenticator is known here."""
    person, visitor, one = place.person(), place.visitor(), authenticator(place)
    visitor.sign_in(person.user)
    answer = one.create(options_of(visitor, "/account/passkeys/new"))
    fields = {"answer": answer, "prf": text(prf), "label": "Mine"}
    done = visitor.post("/account/passkeys/new", fields)
    assert done.headers["location"] == (
        "/account?done=passkey" if prf else "/account?done=passkey-alone"
    )
    return one, person.user


def show(visitor: Visitor, answer: str, prf: bytes = b"") -> tuple[int, str]:
    given = visitor.post("/sign-in/passkey", {"answer": answer, "prf": text(prf)})
    return given.status_code, given.headers.get("location", "")


def test_an_honest_passkey_admits_and_unlocks_by_its_own_output(place: Place) -> None:
    prf = os.urandom(32)
    one, _ = registered(place, prf=prf)
    visitor = place.visitor()
    assert show(visitor, one.get(options_of(visitor)), prf) == (303, "/home")
    visit = credentials.resume(place.north.node, visitor.cookie("session"))
    assert isinstance(visit, credentials.Visit)
    assert visit.session.key.address == visit.person.address
    assert visit.authentication.amr == ("hwk", "pop", "user", "mfa")
    wrong = place.visitor()
    assert show(wrong, one.get(options_of(wrong)), os.urandom(32)) == (303, "/sign-in/second")
    half = credentials.resume(place.north.node, wrong.cookie("session"))
    assert isinstance(half, credentials.Half) and half.wanted == {"passphrase"}


LIES: dict[str, dict[str, object]] = {
    "another site's page": {"origin": "https://evil.example"},
    "another port": {"origin": "http://localhost:1"},
    "another site's passkey": {"host": "evil.example"},
    "nobody was there": {"flags": VERIFIED},
    "nobody was verified": {"flags": PRESENT},
    "made, not shown": {"type": "webauthn.create"},
    "a challenge of its own": {"challenge": text(os.urandom(40))},
    "no challenge": {"challenge": ""},
    "another person": {"user": bytes(32)},
    "a forged signature": {"forged": True},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused_and_spoils_nothing(place: Place, lie: str) -> None:
    prf = os.urandom(32)
    one, _ = registered(place, prf=prf)
    visitor = place.visitor()
    assert show(visitor, one.get(options_of(visitor), **LIES[lie]), prf)[0] == 401
    assert visitor.cookie("session") == ""
    assert show(visitor, one.get(options_of(visitor)), prf) == (303, "/home")


REGISTRATION = ["another site's page", "another site's passkey", "nobody was verified",
                "a challenge of its own", "nobody was there"]  # fmt: skip


@pytest.mark.parametrize("lie", REGISTRATION)
def test_a_lie_at_registration_is_refused(place: Place, lie: str) -> None:
    person, visitor, one = place.person(), place.visitor(), authenticator(place)
    visitor.sign_in(person.user)
    answer = one.create(options_of(visitor, "/account/passkeys/new"), **LIES[lie])
    refused = visitor.post("/account/passkeys/new", {"answer": answer, "prf": "", "label": "Mine"})
    assert refused.status_code == 401
    with place.north.node.database.read() as tx:
        assert rows.passkeys(tx, person.account) == []


def test_an_answer_is_good_once_in_its_browser_and_for_five_minutes(place: Place) -> None:
    prf = os.urandom(32)
    one, _ = registered(place, prf=prf)
    visitor, thief = place.visitor(), place.visitor()
    thief.get("/sign-in")
    answer = one.get(options_of(visitor))
    assert show(thief, answer, prf)[0] == 401, "another browser"
    options = options_of(visitor)
    place.clock.ahead_seconds += 301
    assert show(visitor, one.get(options), prf)[0] == 401, "too late"
    binding = visitor.cookie("visitor")
    answer = one.get(options_of(visitor))
    assert show(visitor, answer, prf) == (303, "/home")
    again = place.visitor()
    again.plant("visitor", binding)
    assert show(again, answer, prf)[0] == 401, "used before"


def test_a_counter_that_goes_back_closes_the_passkey_for_good(place: Place) -> None:
    prf = os.urandom(32)
    one, user = registered(place, prf=prf)
    visitor = place.visitor()
    one.count = 9
    assert show(visitor, one.get(options_of(visitor)), prf) == (303, "/home")
    copy = place.visitor()
    assert show(copy, one.get(options_of(copy), count=3), prf)[0] == 401
    assert show(copy, one.get(options_of(copy), count=50), prf)[0] == 401
    assert "Not accepted any more" in visitor.get("/account").text
    half = place.visitor()
    assert half.sign_in(user).headers["location"] == "/sign-in/second"


def test_a_challenge_for_adding_is_none_for_signing_in(place: Place) -> None:
    prf = os.urandom(32)
    one, user = registered(place, prf=prf)
    visitor = place.visitor()
    assert show(visitor, one.get(options_of(visitor)), prf) == (303, "/home")
    options = options_of(visitor, "/account/passkeys/new")
    assert show(visitor, one.get(options), prf)[0] == 401
    assert user in visitor.get("/account").text


def test_anothers_passkey_is_no_second_factor_of_mine(place: Place) -> None:
    mine, user = registered(place)
    other, _ = registered(place)
    half = place.visitor()
    half.sign_in(user)
    options = options_of(half, "/sign-in/second")
    assert show(half, other.get(options))[0] == 401
    assert show(half, mine.get(options_of(half, "/sign-in/second"))) == (303, "/home")


def test_a_passkey_without_output_asks_for_the_passphrase_besides(place: Place) -> None:
    one, user = registered(place)
    visitor = place.visitor()
    assert show(visitor, one.get(options_of(visitor))) == (303, "/sign-in/second")
    done = visitor.post("/sign-in/second", {"passphrase": passphrase_of(user)})
    assert done.headers["location"] == "/home"
    visit = credentials.resume(place.north.node, visitor.cookie("session"))
    assert isinstance(visit, credentials.Visit)
    assert visit.authentication.methods == ("hwk", "pop", "user", "pwd")


def test_one_passkey_is_added_once_and_twenty_at_most(place: Place) -> None:
    person, visitor, one = place.person(), place.visitor(), authenticator(place)
    visitor.sign_in(person.user)
    for number in range(21):
        made = one if number < 2 else authenticator(place)
        answer = made.create(options_of(visitor, "/account/passkeys/new"))
        fields = {"answer": answer, "prf": "", "label": f"n{number}"}
        done = visitor.post("/account/passkeys/new", fields)
        assert done.status_code == (409 if number == 1 else 303), number
    answer = authenticator(place).create(options_of(visitor, "/account/passkeys/new"))
    fields = {"answer": answer, "prf": "", "label": "one too many"}
    assert visitor.post("/account/passkeys/new", fields).status_code == 409


def test_the_disk_and_the_organisations_key_open_no_passkeys_account(place: Place) -> None:
    prf = os.urandom(32)
    one, _ = registered(place, prf=prf)
    with place.north.node.database.read() as tx:
        row = rows.passkey(tx, passkeys.passkey_id(one.id))
    assert row is not None and row.key_wrapped is not None
    assert passkeys.unlock(row, prf) is not None
    for wrong in (b"", bytes(32), place.north.node.desk.keystore.database_key, row.id):
        assert passkeys.unlock(row, wrong) is None


def test_where_browsers_make_no_passkeys_the_pages_say_so(place: Place) -> None:
    import dataclasses

    node = place.north.node
    for name, possible in {
        "https://north.example": True,
        "http://localhost:8400": True,
        "http://north.example": False,
        "https://192.0.2.1": False,
        "https://[2001:db8::1]": False,
        "http://127.0.0.1:8400": False,
    }.items():
        issuer = dataclasses.replace(node.issuer, name=name)
        assert passkeys.possible(issuer) is possible, name
        elsewhere = dataclasses.replace(node, issuer=issuer)
        assert bool(credentials.passkey_request(elsewhere, binding="x")) is possible
    assert second_factors.MAX_LABEL == 64
