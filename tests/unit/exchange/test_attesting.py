"""A patient without guardians: two organisations that saw them let a new key in, and no fewer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from typer.testing import CliRunner

from simdes.access.audit_event import Verb
from simdes.access.categories import Role
from simdes.access.guardians import code_of, start_of_code
from simdes.access.keystore import Person
from simdes.app import ADMINISTRATOR
from simdes.cli import command_line
from simdes.commands import guardians as commands
from simdes.commands.common import USER_PASSPHRASE
from simdes.errors import Conflict, Forbidden, Invalid, NotFound, Tampered, Unauthenticated
from simdes.exchange import attesting, enrolment, freezing, guardians, recovering
from simdes.exchange.signin import Session, sign_in
from simdes.index import attested_recoveries
from simdes.index import guardians as rows
from support.consortium import passphrase_of
from support.town import Town, chosen, opened_town

OLD, NEW = "a first passphrase", "a whole new passphrase"
PASSPORT = "passport, seen in person"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with opened_town(tmp_path_factory.mktemp("attesting") / "network") as one:
        yield one


@pytest.fixture
def nora(town: Town) -> Person:
    """A patient at north, with no guardians."""
    node = town.network["north"].node
    with node.database.transaction() as tx:
        tx.run("DELETE FROM sign_in_delay")
    user = f"nora.{len(node.desk.keystore.people())}"
    return enrolment.add_person(node, clerk(town, "north"), user, role=Role.PATIENT, passphrase=OLD)


def clerk(town: Town, name: str) -> Session:
    return town.network.session(name, ADMINISTRATOR)


def begin(town: Town, person: Person, passphrase: str = NEW) -> str:
    node = town.network["north"].node
    return recovering.begin(node, person.user, passphrase, address="203.0.113.9").code


def attest(
    town: Town, name: str, person: Person, code: str, checked: str = PASSPORT
) -> attesting.Word:
    node = town.network[name].node
    return attesting.attest(node, clerk(town, name), person.account, code, checked=checked)


@pytest.mark.parametrize("first", ["north", "south"])
def test_two_organisations_let_a_patient_in_whichever_comes_first(
    town: Town, nora: Person, first: str
) -> None:
    node, code = town.network["north"].node, begin(town, nora)
    second = {"north": "south", "south": "north"}[first]
    ids = {name: town.network[name].node.organisation for name in (first, second)}
    assert attest(town, first, nora, code.lower()).organisations == (ids[first],)
    assert attest(town, first, nora, code).organisations == (ids[first],), "twice is once"
    recovering.tend(node)
    assert node.contracts.accounts.pending_recovery(nora.account) is None
    word = attest(town, second, nora, code)
    assert set(word.organisations) == set(ids.values())
    assert (word.code, word.organisation) == (code, node.organisation)
    [way] = [one for one in recovering.under_way(node) if one.user == nora.user]
    assert (way.signed, way.needed, way.attested, way.ready_at) == (0, 0, 2, 0)
    owner = sign_in(node, nora.user, OLD)
    recovering.tend(node)
    pending = node.contracts.accounts.pending_recovery(nora.account)
    assert pending is not None and pending.attested
    with pytest.raises((Conflict, Forbidden)):
        recovering.veto(node, owner)  # whoever has the old key can't stop it
    with pytest.raises(Unauthenticated):
        sign_in(node, nora.user, NEW)
    town.wait()
    assert sign_in(node, nora.user, NEW).actor.account == nora.account
    with pytest.raises(Unauthenticated):
        sign_in(node, nora.user, OLD)
    checked = node.desk.keystore.checks()[nora.account]
    assert checked.words.count(PASSPORT) == 2
    assert checked.by == clerk(town, "north").actor.account
    with node.database.read() as tx:
        kept = attested_recoveries.of_key(tx, nora.account, pending.key)
    assert kept == [], "nothing of it is left beside the account"


def test_two_others_are_not_enough_while_the_patients_own_organisation_stands(
    town: Town, nora: Person
) -> None:
    node, code = town.network["north"].node, begin(town, nora)
    for name in ("south", "east"):
        attest(town, name, nora, code)
    recovering.tend(node)
    assert node.contracts.accounts.pending_recovery(nora.account) is None
    attest(town, "north", nora, code)
    recovering.tend(node)
    assert node.contracts.accounts.pending_recovery(nora.account) is not None


def test_the_contract_refuses_any_other_two(town: Town, nora: Person) -> None:
    """As what an organisation's software could send that holds to none of our checks."""
    node, accounts = town.network["north"].node, town.network["north"].node.contracts.accounts
    key, deadline = b"\x77" * 20, town.network["north"].node.now_seconds() + 600
    known = accounts.account(nora.account)
    assert known is not None

    def signed(session: Session, nonce: int = known.guardian_nonce, attested: bool = True) -> bytes:
        digest = accounts.recover_digest(
            account=nora.account, key=key, nonce=nonce, deadline=deadline, attested=attested
        )
        return session.key.sign(digest)

    north, south, east = (clerk(town, name) for name in ("north", "south", "east"))
    doctor, agent = town.network.session("north", "dr.north"), node.desk.keystore.lanes[0]
    same = accounts.recover_digest(
        account=nora.account, key=key, nonce=known.guardian_nonce, deadline=deadline, attested=True
    )
    for attestations in (
        [signed(north)],
        [signed(north), signed(north)],
        [signed(north), agent.sign(same)],  # two keys of one organisation
        [signed(south), signed(east)],  # without the patient's own
        [signed(doctor), signed(south)],
        [signed(north), signed(south, known.guardian_nonce + 1)],
        [signed(north), signed(south, attested=False)],
        [signed(north), signed(south), signed(east)],
    ):
        call = accounts.recover_attested(
            account=nora.account, key=key, deadline=deadline, attestations=attestations
        )
        with pytest.raises((Conflict, Forbidden, Invalid)):
            node.agent.transact(call)
    assert accounts.pending_recovery(nora.account) is None


def test_only_administrators_attest_and_only_for_patients(town: Town, nora: Person) -> None:
    code, node = begin(town, nora), town.network["south"].node
    for user in ("dr.lee", "friend.south"):
        session = town.network.session("south", user)
        with pytest.raises(Forbidden, match="administrator"):
            attesting.attest(node, session, nora.account, code, checked=PASSPORT)
    doctor = town.network["north"].node.desk.keystore.person("dr.north")
    for account in (doctor.account, b"\7" * 32):
        with pytest.raises(NotFound, match="no patient"):
            attesting.attest(node, clerk(town, "south"), account, code, checked=PASSPORT)
    for bad in ("", " ", "x" * 301):
        with pytest.raises(Invalid, match="how you know"):
            attest(town, "south", nora, code, bad)
    with pytest.raises(Invalid, match="no code"):
        attest(town, "south", nora, "ABCD")
    with pytest.raises(Forbidden, match="NO_RECOVERY"):
        attest(town, "south", nora, code_of(bytes(10)))


def test_each_organisation_writes_down_who_attested(town: Town, nora: Person) -> None:
    code = begin(town, nora)
    by = clerk(town, "south").actor.account
    attest(town, "south", nora, code)
    for name in ("north", "south"):
        node = town.network[name].node
        noted = [one.attempt for _, one in node.desk.trail.entries(node.database)]
        mine = [one for one in noted if one.verb is Verb.RECOVER and one.account == by]
        assert mine and mine[-1].granted, name


def test_what_was_attested_before_a_freeze_or_another_recovery_counts_no_more(
    town: Town, nora: Person
) -> None:
    node, accounts = town.network["north"].node, town.network["north"].node.contracts.accounts
    owner = sign_in(node, nora.user, OLD)
    guardians.appoint(node, owner, chosen(town, "east"), threshold=1, name="Nora")
    town.wait()
    code = begin(town, nora)
    attest(town, "north", nora, code)
    freezing.join(town.network["east"].node, town.friend("east"), nora.account)
    assert freezing.tend(node) == 1
    with pytest.raises(Forbidden, match="NO_RECOVERY"):
        attest(town, "south", nora, code)
    recovering.tend(node)
    assert accounts.pending_recovery(nora.account) is None
    again = begin(town, nora)  # the freeze ends by a new key, asked for after it
    for name in ("north", "south"):
        attest(town, name, nora, again)
    town.work()
    town.wait()
    assert sign_in(node, nora.user, NEW).actor.account == nora.account


def test_an_administrator_who_is_suspended_attested_for_nothing(town: Town, nora: Person) -> None:
    node, south = town.network["north"].node, town.network["south"].node
    second = enrolment.add_person(
        south, clerk(town, "south"), f"clerk.{nora.user}", role=Role.ADMINISTRATOR, passphrase=OLD
    )
    code = begin(town, nora)
    attesting.attest(south, sign_in(south, second.user, OLD), nora.account, code, checked=PASSPORT)
    lane = south.lane(clerk(town, "south").key)
    lane.transact(south.contracts.accounts.suspend(second.account))
    attest(town, "north", nora, code)
    recovering.tend(node)
    assert node.contracts.accounts.pending_recovery(nora.account) is None
    attest(town, "south", nora, code)
    recovering.tend(node)
    assert node.contracts.accounts.pending_recovery(nora.account) is not None


def test_nobody_signs_for_another_key_than_the_code_s(
    town: Town, nora: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, node = begin(town, nora), town.network["south"].node
    with town.network["north"].node.database.read() as tx:
        [waiting] = rows.recoveries(tx, nora.account)
    start, now = start_of_code(code), node.now_seconds()
    for said in (
        {"key": b"\1" * 20, "deadline": now + 60},
        {"key": start, "deadline": now + 60},
        {"key": waiting.address, "deadline": now + 365 * 86_400},
        {"key": waiting.address, "deadline": now - 1},
        {"key": waiting.address},
    ):
        asked = Mock(return_value=SimpleNamespace(body=said))
        monkeypatch.setattr(attesting, "ask", asked)
        with pytest.raises(Tampered):
            attest(town, "south", nora, code)
        assert asked.call_count == 1, "nothing signed left the gateway"


def test_an_administrator_attests_on_the_command_line(
    town: Town, nora: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, south = begin(town, nora), town.network["south"]
    monkeypatch.setattr(commands, "organisation", lambda _: nullcontext(south))
    monkeypatch.setenv(USER_PASSPHRASE, passphrase_of(ADMINISTRATOR))
    told = ["recovery", "attest", "--data", "x", "--user", ADMINISTRATOR, "--checked", PASSPORT]
    told += ["--account", f"0x{nora.account.hex()}", "--code", code]
    done = CliRunner().invoke(command_line(), [*told, "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    said = json.loads(done.stdout)
    assert said["code"] == code and said["organisations"] == [f"0x{south.node.organisation.hex()}"]
    done = CliRunner().invoke(command_line(), told, catch_exceptions=False)
    assert "Attested by Clinic South" in done.output
    monkeypatch.setattr(commands, "organisation", lambda _: nullcontext(town.network["north"]))
    done = CliRunner().invoke(command_line(), ["recovery", "status", "--data", "x", "--json"])
    [one] = [each for each in json.loads(done.stdout) if each["user"] == nora.user]
    assert (one["code"], one["attested"]) == (code, 1)
