"""An account for a patient on a page: a slip, the first sign-in, and whoever abuses either."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from unittest import mock

import httpx
import pytest

from simdes.access import accounts as access_accounts
from simdes.access.audit_event import Verb
from simdes.access.categories import Role
from simdes.app import ADMINISTRATOR
from simdes.errors import Unauthenticated
from simdes.exchange import enrolment, fhir_users, first_sign_ins
from simdes.exchange.credentials import Client
from simdes.exchange.signin import sign_in
from simdes.exchange.submit import Accepted
from simdes.fhir.json import dumps
from simdes.index import resources
from simdes.index.vaults import Identifier, find
from support.fhir_api import Api
from support.pages import Visitor
from support.portal import SYSTEM
from unit.gateway.pages.conftest import Place

PHRASE = "a lantern in the rain"
CLIENT = Client(name="a browser", address="203.0.113.9")
_numbers = count(1)


@pytest.fixture(scope="module", autouse=True)
def south_attests(founded_pages: Place) -> None:
    """Clinic south relies on what hospital north checked."""
    network = founded_pages.network
    enrolment.trust_checks(
        network["south"].node,
        network.session("south", ADMINISTRATOR),
        checked_by=founded_pages.north.node.organisation,
        valid_seconds=90 * 86_400,
    )


@pytest.fixture
def number(place: Place) -> str:
    """Somebody whom a doctor registered; nobody's account controls their record."""
    made = f"slip-{next(_numbers)}"
    register(place, made)
    return made


def register(place: Place, number: str) -> None:
    Api.of(place.north, "dr.north", app=place.app).create(
        {
            "resourceType": "Patient",
            "identifier": [{"system": SYSTEM, "value": number}],
            "name": [{"family": "Quist", "given": ["Ada <b>"]}],
            "birthDate": "1961-05-04",
        }
    )
    place.network.settle()


def vault(place: Place, number: str) -> bytes:
    with place.north.node.database.read() as tx:
        found = find(tx, Identifier(SYSTEM, number))
    assert found is not None
    return found


def fields(number: str, **others: str) -> dict[str, str]:
    usual = {"user": f"ada.{number}", "display": "Ada Quist", "checked": "Passport, seen here."}
    return {"number": number, "system": SYSTEM, "give": "yes"} | usual | others


def code_of(answer: httpx.Response) -> str:
    found = re.search(r"<code>([a-z2-7-]{29})</code>", answer.text)
    assert answer.status_code == 200 and found, answer.text
    return found.group(1)


def first(place: Place, user: str, code: str, phrase: str = PHRASE) -> httpx.Response:
    typed = {"user": user, "code": code, "passphrase": phrase, "again": phrase}
    return place.visitor().post("/first", typed)


def test_a_slip_makes_the_record_the_patients_when_they_sign_in(
    place: Place, office: Visitor, number: str
) -> None:
    found = office.post("/people/patient", {"number": number, "system": SYSTEM})
    assert found.status_code == 200 and "Ada &lt;b&gt; Quist" in found.text
    slip = office.post("/people/patient", fields(number))
    code, user = code_of(slip), f"ada.{number}"
    assert slip.headers["cache-control"] == "no-store" and "/first" in slip.text
    accounts = place.north.node.contracts.accounts
    assert accounts.vault(vault(place, number)).control is None, "not before they sign in"
    assert code not in office.get("/people/patient").text
    entered = place.visitor()
    typed = {"user": user, "code": code.upper(), "passphrase": PHRASE, "again": PHRASE}
    assert entered.post("/first", typed).headers["location"] == "/account?done=first"
    person = place.north.node.desk.keystore.person(user)
    assert accounts.vault(vault(place, number)).control == person.account
    assert fhir_users.own_records(place.north.node, person.account)
    place.network.settle()
    assert "Ada &lt;b&gt; Quist" in entered.get("/record").text
    assert place.visitor().sign_in(user, PHRASE).headers["location"] == "/home"
    listed = office.get("/people?only=patients").text
    assert "Passport, seen here." in listed, "how it was checked is kept"


def test_a_code_works_once_and_is_no_passphrase(place: Place, office: Visitor, number: str) -> None:
    code, user = code_of(office.post("/people/patient", fields(number))), f"ada.{number}"
    refused = place.visitor().sign_in(user, code)
    assert refused.status_code == 401 and "User name or passphrase is wrong." in refused.text
    with pytest.raises(Unauthenticated):
        sign_in(place.north.node, user, code)
    assert first(place, user, code, phrase="short").status_code == 400
    assert first(place, user, code, phrase=code).status_code == 400
    assert first(place, user, "aaaa-" * 6).status_code == 401
    assert first(place, user, code).status_code == 303
    for again in (first(place, user, code), first(place, user, PHRASE, phrase=PHRASE + "!")):
        assert again.status_code == 401 and "User name or code is wrong" in again.text


def test_a_slip_runs_out_and_the_next_one_takes_its_place(
    place: Place, office: Visitor, number: str
) -> None:
    user = f"ada.{number}"
    code = code_of(office.post("/people/patient", fields(number)))
    old = place.north.node.desk.keystore.person(user).account
    second = office.post("/people/patient", fields(number, user="other.name"))
    assert second.status_code == 409 and "A slip for this record waits already." in second.text
    place.clock.ahead_seconds += first_sign_ins.GOOD_SECONDS
    late = first(place, user, code)
    assert late.status_code == 403 and "The slip is not good any more." in late.text
    office.sign_in(ADMINISTRATOR)
    assert "ran out" in office.get("/people/patient").text
    newer = code_of(office.post("/people/patient", fields(number)))
    known = place.north.node.contracts.accounts.account(old)
    assert known is not None and known.state.name == "SUSPENDED"
    assert first(place, user, code).status_code == 401
    assert first(place, user, newer).status_code == 303


def test_a_slip_that_is_taken_back_opens_nothing(
    place: Place, office: Visitor, number: str
) -> None:
    code, user = code_of(office.post("/people/patient", fields(number))), f"ada.{number}"
    of = place.north.node.desk.keystore.person(user).account.hex()
    done = office.post("/people/patient/end", {"of": of})
    assert done.headers["location"] == "/people/patient?done=slip-back"
    assert first(place, user, code).status_code == 401
    assert office.post("/people/patient/end", {"of": of}).status_code == 404
    assert place.north.node.contracts.accounts.vault(vault(place, number)).control is None


@contextmanager
def killed_before_the_passphrase(place: Place) -> Iterator[None]:
    """The first sign-in claims the vault on the ledger and gets no further."""
    keystore = type(place.north.node.desk.keystore)
    stopped = mock.patch.object(keystore, "relock_person", side_effect=KeyboardInterrupt)
    with stopped, pytest.raises(KeyboardInterrupt):
        yield


def test_a_slip_whose_record_is_the_patients_already_is_not_ended(
    place: Place, office: Visitor, number: str
) -> None:
    code, user = code_of(office.post("/people/patient", fields(number))), f"ada.{number}"
    person, accounts = place.north.node.desk.keystore.person(user), place.north.node.contracts
    with killed_before_the_passphrase(place):
        first_sign_ins.accept(place.north.node, user, code, PHRASE, client=CLIENT)
    assert accounts.accounts.vault(vault(place, number)).control == person.account
    refused = office.post("/people/patient/end", {"of": person.account.hex()})
    assert refused.status_code == 409 and "the code of their slip" in refused.text
    assert first(place, user, code).status_code == 303
    assert place.visitor().sign_in(user, PHRASE).headers["location"] == "/home"


def test_a_claim_that_comes_while_the_slip_is_ended_keeps_its_key(
    place: Place, office: Visitor, number: str
) -> None:
    code, user = code_of(office.post("/people/patient", fields(number))), f"ada.{number}"
    node = place.north.node
    person, suspend = node.desk.keystore.person(user), access_accounts.suspend_account

    def late(*given: object) -> None:
        with killed_before_the_passphrase(place):
            first_sign_ins.accept(node, user, code, PHRASE, client=CLIENT)
        suspend(*given)  # type: ignore[arg-type]

    with mock.patch.object(access_accounts, "suspend_account", late):
        refused = office.post("/people/patient/end", {"of": person.account.hex()})
    assert refused.status_code == 409
    assert node.contracts.accounts.account(person.account).state.name == "VERIFIED"
    assert first(place, user, code).status_code == 303


@pytest.mark.parametrize("page", ["/people", "/people/patient"])
def test_an_account_suspended_by_a_process_that_was_killed_is_lifted_at_the_next_look(
    place: Place, office: Visitor, number: str, page: str
) -> None:
    code, user = code_of(office.post("/people/patient", fields(number))), f"ada.{number}"
    node = place.north.node
    person, suspend = node.desk.keystore.person(user), access_accounts.suspend_account
    administrator = place.network.session("north", ADMINISTRATOR)

    def late(*given: object) -> None:
        first_sign_ins.accept(node, user, code, PHRASE, client=CLIENT)
        suspend(*given)  # type: ignore[arg-type]

    killed = mock.patch.object(access_accounts, "verify_account", side_effect=KeyboardInterrupt)
    claimed = mock.patch.object(access_accounts, "suspend_account", late)
    with claimed, killed, pytest.raises(KeyboardInterrupt):
        first_sign_ins.take_back(node, administrator, person.account)
    assert node.contracts.accounts.account(person.account).state.name == "SUSPENDED"
    assert office.get(page).status_code == 200
    assert node.contracts.accounts.account(person.account).state.name == "VERIFIED"
    assert place.visitor().sign_in(user, PHRASE).headers["location"] == "/home"
    office.post("/people/decide", {"of": person.account.hex(), "what": "suspend"})
    office.get(page)
    known = node.contracts.accounts.account(person.account)
    assert known.state.name == "SUSPENDED", "what an administrator decides since stays"


@pytest.mark.parametrize("before", ["suspend_account", "forget_first"])
def test_a_slip_whose_end_was_cut_off_is_ended_at_the_next_look(
    place: Place, office: Visitor, number: str, before: str
) -> None:
    code, user = code_of(office.post("/people/patient", fields(number))), f"ada.{number}"
    node = place.north.node
    of = node.desk.keystore.person(user).account
    administrator = place.network.session("north", ADMINISTRATOR)
    where = access_accounts if before == "suspend_account" else type(node.desk.keystore)
    killed = mock.patch.object(where, before, side_effect=KeyboardInterrupt)
    with killed, pytest.raises(KeyboardInterrupt):
        first_sign_ins.take_back(node, administrator, of)
    assert user not in office.get("/people/patient").text
    assert node.contracts.accounts.account(of).state.name == "SUSPENDED"
    assert first(place, user, code).status_code == 401


def test_who_was_cut_off_goes_on_when_the_slip_ran_out(
    place: Place, office: Visitor, number: str
) -> None:
    code, user = code_of(office.post("/people/patient", fields(number))), f"ada.{number}"
    with killed_before_the_passphrase(place):
        first_sign_ins.accept(place.north.node, user, code, PHRASE, client=CLIENT)
    place.clock.ahead_seconds += first_sign_ins.GOOD_SECONDS
    assert first(place, user, code).status_code == 303


def test_a_slip_of_a_record_that_was_merged_away_gives_no_empty_vault(
    place: Place, office: Visitor, number: str
) -> None:
    code, user = code_of(office.post("/people/patient", fields(number))), f"ada.{number}"
    prior, survivor = vault(place, number), f"new-{number}"
    register(place, survivor)
    [answer] = place.network.submit("north", "merge", merged(survivor, number))
    assert isinstance(answer, Accepted)
    assert vault(place, number) != prior
    place.network.settle()
    refused = first(place, user, code)
    assert refused.status_code == 409 and "was joined to another one" in refused.text
    assert place.north.node.contracts.accounts.vault(prior).control is None
    own = place.north.node.desk.keystore.person(user).account.hex()
    assert office.post("/people/patient/end", {"of": own}).status_code == 303
    newer = code_of(office.post("/people/patient", fields(number)))
    assert first(place, user, newer).status_code == 303
    person = place.north.node.desk.keystore.person(user)
    assert place.north.node.contracts.accounts.vault(vault(place, number)).control == person.account


def merged(survivor: str, prior: str) -> bytes:
    """Patient administration says that two numbers are one person's."""
    gone = {"identifier": {"system": SYSTEM, "value": prior}}
    patient = {
        "resourceType": "Patient",
        "id": survivor,
        "identifier": [{"system": SYSTEM, "value": survivor}],
        "link": [{"other": gone, "type": "replaces"}],
    }
    entry = {"fullUrl": f"https://a.example/fhir/Patient/{survivor}", "resource": patient}
    return dumps({"resourceType": "Bundle", "type": "collection", "entry": [entry]})


def test_nobody_gets_a_second_account_for_a_record(
    place: Place, office: Visitor, number: str
) -> None:
    code = code_of(office.post("/people/patient", fields(number)))
    assert first(place, f"ada.{number}", code).status_code == 303
    for form in (fields(number, user="second"), {"number": number, "system": SYSTEM}):
        refused = office.post("/people/patient", form)
        assert refused.status_code == 409
        assert "The vault belongs to an enrolled patient already." in refused.text
    own = place.north.node.desk.keystore.person(f"ada.{number}").account.hex()
    assert office.post("/people/patient/end", {"of": own}).status_code == 404, "it is no slip"
    assert place.visitor().sign_in(f"ada.{number}", PHRASE).headers["location"] == "/home"


def test_a_record_of_somebody_else_is_not_given_away(
    place: Place, office: Visitor, elsewhere: Visitor, number: str
) -> None:
    refused = elsewhere.post("/people/patient", fields(number))
    assert refused.status_code == 404 and "No patient here has this identifier." in refused.text
    own = place.north.node.organisation.hex()
    reserved = fields(f"0x{own}", system="urn:simdes:organisation")
    assert office.post("/people/patient", reserved).status_code == 404
    with place.network["south"].node.database.read() as tx:
        assert find(tx, Identifier(SYSTEM, number)) is None


def test_where_nobody_else_attests_nothing_is_left_behind(
    place: Place, office: Visitor, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place.network["south"].node.desk.attestations, "listed", tuple)
    refused = office.post("/people/patient", fields(number))
    assert refused.status_code == 403, refused.text
    assert f"ada.{number}" not in {one.user for one in place.north.node.desk.keystore.people()}
    assert "Nobody waits to be verified." in office.get("/people?only=waiting").text


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"checked": " "}, "Say how you know who this is."),
        ({"user": "no spaces"}, "A user name is 1 to 64"),
        ({"user": ADMINISTRATOR}, "The user name is taken."),
        ({"number": ""}, "Type a number, and who issued it."),
        ({"number": "nobody's"}, "No patient here has this identifier."),
    ],
)
def test_a_form_that_is_wrong_gives_nothing(
    place: Place, office: Visitor, number: str, wrong: dict[str, str], said: str
) -> None:
    before = len(place.north.node.desk.keystore.people())
    refused = office.post("/people/patient", fields(number) | wrong)
    assert refused.status_code in (400, 404, 409) and said in refused.text
    assert len(place.north.node.desk.keystore.people()) == before


def test_numbers_that_are_tried_in_vain_are_on_record(
    place: Place, office: Visitor, number: str
) -> None:
    """Else an administrator finds out by the answers who is a patient here, unseen."""
    node = place.north.node
    code = code_of(office.post("/people/patient", fields(number)))
    assert first(place, f"ada.{number}", code).status_code == 303
    curious, desk = place.person(Role.ADMINISTRATOR), place.visitor()
    desk.sign_in(curious.user)
    for tried, status in ((number, 409), ("nobody-s", 404)):
        answer = desk.post("/people/patient", {"number": tried, "system": SYSTEM})
        assert answer.status_code == status
    entries = (one.attempt for _, one in node.desk.trail.entries(node.database, limit=100_000))
    assert [
        (one.reason, one.vault, one.asked)
        for one in entries
        if one.account == curious.account and one.verb is Verb.READ
    ] == [("CONFLICT", None, "read Patient"), ("NOT_FOUND", None, "read Patient")]


def test_a_record_that_names_nobody_is_looked_up_on_record(
    place: Place, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, curious, desk = place.north.node, place.person(Role.ADMINISTRATOR), place.visitor()
    desk.sign_in(curious.user)
    monkeypatch.setattr(resources, "of_vault", lambda *_, **__: [])
    assert desk.post("/people/patient", {"number": number, "system": SYSTEM}).status_code == 200
    entries = (one.attempt for _, one in node.desk.trail.entries(node.database, limit=100_000))
    assert [
        (one.reason, one.vault)
        for one in entries
        if one.account == curious.account and one.verb is Verb.READ
    ] == [("", vault(place, number))]


@pytest.mark.parametrize("role", [Role.DOCTOR, Role.PATIENT])
def test_only_an_administrator_gives_accounts(place: Place, number: str, role: Role) -> None:
    visitor = place.visitor()
    visitor.sign_in(place.person(role).user)
    for path in ("/people/patient", "/people/patient/end"):
        assert visitor.post(path, fields(number)).status_code == 403
    assert place.visitor().post("/people/patient", fields(number)).status_code == 303, "sign in"
