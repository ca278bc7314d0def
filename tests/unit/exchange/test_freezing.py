"""Guardians freeze an account: by a button each, or by texts; nobody else does."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import nullcontext
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from typer.testing import CliRunner

from simdes.access.categories import Role
from simdes.access.keystore import Person
from simdes.app import ADMINISTRATOR
from simdes.cli import command_line
from simdes.commands import guardians as commands
from simdes.commands.common import USER_PASSPHRASE
from simdes.crypto import cbor
from simdes.errors import Conflict, Forbidden, Invalid, NotFound, Tampered
from simdes.exchange import enrolment, freezing, guardians, notices, recovering
from simdes.exchange.signin import Session, sign_in
from simdes.index import guardians as rows
from support.consortium import passphrase_of
from support.town import Town, chosen, opened_town

NEW = "a whole new passphrase"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with opened_town(tmp_path_factory.mktemp("freezing") / "network") as one:
        yield one


@pytest.fixture
def lena(town: Town) -> Iterator[Person]:
    """A patient at north with guardians at south and east; both must agree."""
    node = town.network["north"].node
    with node.database.read() as tx:
        number = len(rows.wards(tx))
    user = f"lena.{number}"
    admin = town.network.session("north", ADMINISTRATOR)
    person = enrolment.add_person(node, admin, user, role=Role.PATIENT, passphrase="a first one")
    people = chosen(town, "south", "east")
    guardians.appoint(node, sign_in(node, user, "a first one"), people, threshold=2, name="Lena")
    town.wait()
    yield person


def join(town: Town, name: str, ward: bytes) -> freezing.Gathered:
    return freezing.join(town.network[name].node, town.friend(name), ward)


def test_guardians_at_two_organisations_freeze_by_a_button_each(town: Town, lena: Person) -> None:
    node = town.network["north"].node
    accounts, ward = node.contracts.accounts, lena.account
    owner = sign_in(node, lena.user, "a first one")
    first = join(town, "south", ward)
    assert (first.signed, first.needed) == (1, 2)
    assert join(town, "south", ward) == first, "twice is once"
    town.clock.ahead_seconds += 600
    assert freezing.tend(node) == 0
    seen = freezing.gathered(node, ward)
    assert seen is not None and [one.label for one in seen.guardians] == ["from south"]
    assert (seen.signed, seen.needed, seen.until_seconds) == (1, 2, first.until_seconds)
    [notice] = [one for one in notices.listed(node, owner) if one.kind == notices.FREEZE]
    assert (notice.by, notice.signed, notice.needed) == (("from south",), 1, 2)
    second = join(town, "east", ward)
    assert second.signed == 2
    assert second.until_seconds == first.until_seconds, "the first one's deadline counts"
    assert freezing.tend(node) == 1
    known = accounts.account(ward)
    assert known is not None and known.frozen
    assert freezing.gathered(node, ward) is None
    with pytest.raises(Forbidden, match="frozen"):
        sign_in(node, lena.user, "a first one")
    with pytest.raises(Forbidden, match="FROZEN_ALREADY"):
        join(town, "south", ward)
    [seat] = [
        one
        for one in guardians.wards(town.network["south"].node, town.friend("south").actor.account)
        if one.account == ward
    ]
    assert seat.frozen
    # It ends by a new key that they let in.
    code = recovering.begin(node, lena.user, NEW, address="203.0.113.20").code
    for name in ("south", "east"):
        recovering.vouch(town.network[name].node, town.friend(name), ward, code)
    town.work()
    town.wait()
    assert sign_in(node, lena.user, NEW).actor.account == ward


def test_a_freeze_that_too_few_ask_for_falls_away(town: Town, lena: Person) -> None:
    node, ward = town.network["north"].node, lena.account
    first = join(town, "south", ward)
    town.clock.ahead_seconds += freezing.LASTING_SECONDS
    town.network.sessions.clear()
    assert freezing.gathered(node, ward) is None
    later = join(town, "east", ward)
    assert later.signed == 1 and later.until_seconds > first.until_seconds
    assert freezing.tend(node) == 0
    known = node.contracts.accounts.account(ward)
    assert known is not None and not known.frozen


def test_who_is_a_guardian_no_more_freezes_nobody(town: Town, lena: Person) -> None:
    node, ward = town.network["north"].node, lena.account
    join(town, "south", ward)
    owner = sign_in(node, lena.user, "a first one")
    guardians.appoint(node, owner, chosen(town, "north", "east"), threshold=2, name="Lena")
    town.clock.ahead_seconds += node.contracts.accounts.delay_seconds() + 1
    town.network.sessions.clear()
    town.work()
    with pytest.raises(NotFound):
        join(town, "south", ward)
    join(town, "east", ward)
    assert freezing.tend(node) == 0, "what the former one signed counts no more"
    join(town, "north", ward)
    assert freezing.tend(node) == 1


def test_a_guardian_signs_nothing_but_a_freeze_of_now(
    town: Town, lena: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ward's organisation lies: a nonce to come, a deadline years away, or over."""
    node = town.network["north"].node
    known = node.contracts.accounts.account(lena.account)
    assert known is not None
    now, nonce = node.now_seconds(), known.guardian_nonce
    good = now + freezing.LASTING_SECONDS
    for said in (
        {"nonce": nonce + 1, "deadline": good},
        {"nonce": nonce, "deadline": now + 365 * 86_400},
        {"nonce": nonce, "deadline": now - 1},
        {"deadline": good},
        {"nonce": nonce, "deadline": str(good)},
    ):
        asked = Mock(return_value=SimpleNamespace(body=said))
        monkeypatch.setattr(freezing, "ask", asked)
        with pytest.raises(Tampered):
            join(town, "south", lena.account)
        assert asked.call_count == 1, "nothing signed left the guardian's gateway"


def signed_by_another(town: Town, text: str, session: Session) -> str:
    """The seat of a guardian with the signature of somebody who is none."""
    said = cbor.decode(base64.urlsafe_b64decode(text.removeprefix("freeze:")))
    assert isinstance(said, dict)
    digest = town.network["north"].node.contracts.accounts.freeze_digest(
        account=said["account"], nonce=said["nonce"], deadline=said["deadline"]
    )
    said["signature"] = session.key.sign(digest)
    return "freeze:" + base64.urlsafe_b64encode(cbor.encode(said)).decode()


def test_enough_guardians_freeze_an_account_at_once(town: Town) -> None:
    node, user = town.network["south"].node, "tessa"
    admin = town.network.session("south", ADMINISTRATOR)
    words = passphrase_of(user)
    person = enrolment.add_person(node, admin, user, role=Role.PATIENT, passphrase=words)
    ward = person.account
    owner = sign_in(node, user, passphrase_of(user))
    people = [chosen(town, one)[0] for one in ("north", "east")]
    guardians.appoint(node, owner, people, threshold=2, name="South")
    town.wait()
    until = node.now_seconds() + freezing.LASTING_SECONDS

    def signed(name: str, until: int = until) -> str:
        one = town.network[name].node
        return freezing.sign(one, town.friend(name), ward, until_seconds=until)

    with pytest.raises(NotFound):
        freezing.sign(
            town.network["north"].node, town.friend("north"), bytes(32), until_seconds=until
        )
    with pytest.raises(Invalid):
        signed("north", until=1)
    first, second = signed("north"), signed("east")
    accounts = node.contracts.accounts
    for wrong in ([first, "freeze:x"], [first, signed("east", until + 1)], ["freeze:oA=="]):
        with pytest.raises(Invalid):
            freezing.freeze(node, wrong)
    forged = signed_by_another(town, second, owner)
    for few in ([first], [first, first], [first, forged]):
        for dry in (True, False):
            with pytest.raises((Forbidden, Invalid, Conflict)):
                freezing.freeze(node, few, dry=dry)
    assert freezing.freeze(node, [second, first], dry=True) == (ward, 2, 2)
    before = accounts.account(ward)
    assert before is not None and not before.frozen
    freezing.freeze(town.network["east"].node, [second, first])
    known = accounts.account(ward)
    assert known is not None and known.frozen
    with pytest.raises(Forbidden):
        sign_in(node, user, passphrase_of(user))
    for dry in (True, False):
        with pytest.raises((Forbidden, Invalid, Conflict)):
            freezing.freeze(node, [second, first], dry=dry)


def test_a_guardian_freezes_on_the_command_line(
    town: Town, lena: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = ["guardian", "freeze", "--data", "x", "--ward", f"0x{lena.account.hex()}", "--json"]

    def run(name: str, *more: str) -> dict[str, object]:
        user = f"friend.{name}"
        monkeypatch.setattr(commands, "organisation", lambda _: nullcontext(town.network[name]))
        monkeypatch.setenv(USER_PASSPHRASE, passphrase_of(user))
        done = CliRunner().invoke(
            command_line(), [*told, "--user", user, *more], catch_exceptions=False
        )
        said = json.loads(done.stdout)
        assert isinstance(said, dict)
        return said

    assert (run("south", "--dry")["signed"], run("south")["signed"]) == (0, 1)
    assert run("east")["signed"] == 2
    with pytest.raises(Invalid, match="--ward"):
        CliRunner().invoke(
            command_line(),
            ["guardian", "freeze", "--data", "x"],
            catch_exceptions=False,
            standalone_mode=False,
        )
    assert freezing.tend(town.network["north"].node) == 1
