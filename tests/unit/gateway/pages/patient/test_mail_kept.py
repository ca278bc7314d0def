"""What is kept of addresses and mails, and when it goes: with its vault, or after its time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simdes.crypto.keys import wrap
from simdes.exchange.mail import addresses, sealing, sending, words
from simdes.exchange.mail.port import NoMail
from simdes.index import mail as rows
from simdes.index import vaults
from support.pages import Visitor
from support.portal import Enrolled, enrolled
from unit.gateway.pages.conftest import Place
from unit.gateway.pages.patient.test_mail import ROSA, ask_for_code, confirmed, deliver, tell


@pytest.fixture
def account(rosa: Enrolled) -> bytes:
    return rosa.session.actor.account


def test_the_database_has_neither_address_nor_code(
    place: Place, browser: Visitor, account: bytes
) -> None:
    code = ask_for_code(place, browser).replace(" ", "")
    found = _dump(place)
    assert ROSA.encode() not in found and code.encode() not in found
    browser.post("/account/mail/code", {"code": code})
    tell(place, account)
    assert ROSA.encode() not in _dump(place)


def _dump(place: Place) -> bytes:
    with place.north.node.database.read() as tx:
        found = [
            tx.all(f"SELECT * FROM {table}")
            for table in ("mail_address", "mail_code", "mail_letter", "mail_count")
        ]
    return b"|".join(
        one if isinstance(one, bytes) else str(one).encode()
        for table in found
        for row in table
        for one in row
    )


def test_an_address_goes_with_its_vaults_key(place: Place, doctor: object) -> None:
    one = enrolled(place.network, doctor, "mail-9", user="erased.patient")  # type: ignore[arg-type]
    visitor, node = place.visitor(), place.north.node
    visitor.sign_in(one.user)
    confirmed(place, visitor, "erased@example.net")
    account = one.session.actor.account
    with node.database.read() as tx:
        row = rows.get(tx, account)
    assert row is not None and row.vault == one.vault
    tell(place, account)
    letter = addresses.last_of(node, one.vault)
    assert letter is not None
    node.database.write(lambda tx: vaults.erase(tx, one.vault))
    addresses.send_last(node, letter)
    with node.database.read() as tx:
        assert rows.get(tx, account) is None
    (last,) = deliver(place)
    assert last.to == ("erased@example.net",)
    assert last.message["Subject"] == words.subject(words.ERASED, "en")
    assert addresses.last_of(node, one.vault) is None


def test_an_address_without_a_vault_goes_with_its_patients_and_one_that_waits_for_its_code_too(
    place: Place, doctor: object
) -> None:
    one = enrolled(place.network, doctor, "mail-10", user="erased.unconfirmed")  # type: ignore[arg-type]
    visitor, node, account = place.visitor(), place.north.node, one.session.actor.account
    visitor.sign_in(one.user)
    confirmed(place, visitor, "early@example.net")
    with node.database.transaction() as tx:  # given before there was a vault
        row = rows.get(tx, account)
        assert row is not None
        key = node.desk.keystore.database_key
        wrapped = wrap(
            key, b"early@example.net", aad=sealing._ADDRESS + account, random=node.random
        )
        rows.put(tx, replace(row, vault=None, address_wrapped=wrapped))
    visitor.post("/account/mail/new", {"address": "late@example.net"})
    letter = addresses.last_of(node, one.vault)
    assert letter is not None
    node.database.write(lambda tx: vaults.erase(tx, one.vault))
    addresses.send_last(node, letter)
    assert [one.to for one in deliver(place)] == [("early@example.net",)]
    assert _dump(place).count(account) == 0


@pytest.mark.parametrize("possible", [True, False])
def test_an_address_that_is_not_confirmed_is_gone_after_its_hour(
    place: Place, browser: Visitor, account: bytes, possible: bool
) -> None:
    ask_for_code(place, browser)
    node = place.north.node if possible else replace(place.north.node, mail=NoMail())
    sending.work(node, name="test")
    assert account in _dump(place)
    place.clock.ahead_seconds += 3601
    sending.work(node, name="test")
    assert account not in _dump(place)


def test_mails_end_in_time_where_none_are_sent_any_more(
    place: Place, browser: Visitor, account: bytes
) -> None:
    confirmed(place, browser)
    browser.post("/account/mail/remove", {})
    node = replace(place.north.node, mail=NoMail())
    for after, left in ((0, 1), (86_400, 0)):
        place.clock.ahead_seconds += after
        sending.work(node, name="test")
        with node.database.read() as tx:
            assert rows.waiting(tx).letters == left
