"""Guardians on pages: appointed, told, a lost passphrase let in by them, a thief stopped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from simdes import typed_numbers
from simdes.access.categories import Role
from simdes.app import ADMINISTRATOR
from simdes.exchange import enrolment, freezing, guardians, recovering
from simdes.gateway.app import create_gateway
from support import consortium
from support.consortium import Clock, Consortium, passphrase_of
from support.fhir_api import Api
from support.pages import Visitor
from support.portal import enrolled

NEW = "words that nobody guesses"


class Town:
    """Two gateways, a patient at one, people who may guard her at both."""

    def __init__(self, network: Consortium, clock: Clock) -> None:
        self.network, self.clock = network, clock
        self.apps = {
            name: create_gateway(one.custody, node=one.node)
            for name, one in network.members.items()
        }
        for name in network.members:
            enrolment.add_person(
                network[name].node,
                network.session(name, ADMINISTRATOR),
                f"friend.{name}",
                role=Role.PATIENT,
                passphrase=passphrase_of(f"friend.{name}"),
            )

    def visitor(self, member: str, user: str, passphrase: str = "") -> Visitor:
        """Somebody signed in at a gateway."""
        made = Visitor(self.apps[member])
        assert made.sign_in(user, passphrase).status_code == 303
        return made

    def wait(self) -> None:
        """Let the network's delay pass, and workers do their part."""
        node = self.network["north"].node
        self.clock.ahead_seconds += node.contracts.accounts.delay_seconds() + 1
        self.work()

    def work(self) -> None:
        """What the workers of all do now and then."""
        for one in self.network.members.values():
            guardians.put_in_force(one.node)
            recovering.tend(one.node)
            freezing.tend(one.node)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder, clock = tmp_path_factory.mktemp("guardians") / "network", Clock()
    consortium.found(folder, names=("north", "south"))
    with consortium.cheap_locks(), consortium.opened(folder, clock=clock) as network:
        with ThreadPoolExecutor(max_workers=1) as pool:
            pool.submit(
                lambda: enrolled(
                    network, Api.of(network["north"], "dr.north"), "guarded-1", user="rosa"
                )
            ).result()
        yield Town(network, clock)


def number(visitor: Visitor) -> str:
    """The number of an account as their page shows it: four lines."""
    return " ".join(lines_of(visitor.get("/wards").text))


def lines_of(page: str) -> list[str]:
    found = re.findall(r"<li><code>([0-9a-f ]{22})</code></li>", page)
    assert len(found) == 4, page
    return found


def appoint(town: Town, rosa: Visitor, **others: str) -> dict[str, str]:
    friends = {one: number(town.visitor(one, f"friend.{one}")) for one in ("north", "south")}
    fields = {
        "number-1": friends["north"],
        "label-1": "My <b>sister</b>",
        "number-2": friends["south"],
        "label-2": "Ines",
        "needed": "2",
        "name": "Rosa O.",
    }
    return fields | others


def test_from_a_lost_passphrase_back_into_the_account(town: Town) -> None:
    rosa = town.visitor("north", "rosa")
    assert "You have no guardians" in rosa.get("/guardians").text
    done = rosa.post("/guardians/new", appoint(town, rosa))
    assert done.headers["location"] == "/guardians?done=appointed"
    page = rosa.get("/guardians").text
    assert "My &lt;b&gt;sister&lt;/b&gt;" in page and "not told yet" not in page
    told = rosa.get("/home").text
    assert "A change of your guardians waits</a> · takes effect" in told, "not when it was asked"
    ines = town.visitor("south", "friend.south")
    assert "it does not count yet" in ines.get("/wards").text
    town.wait()

    # Nobody is signed in: a new passphrase, a code.
    lost = Visitor(town.apps["north"])
    shown = lost.post("/lost", {"user": "rosa", "passphrase": NEW, "again": NEW}).text
    found = re.search(r"<code>([0-9A-Z-]{19})</code>", shown)
    assert found
    code = found.group(1)

    for member in ("north", "south"):
        friend = town.visitor(member, f"friend.{member}")
        page = friend.get("/wards").text
        named = re.search(r"/wards/vouch\?ward=([0-9a-f]{64})", page)
        assert named and "Rosa O." in page
        wrong = friend.post("/wards/vouch", {"ward": named.group(1), "code": "0" * 16})
        assert wrong.status_code == 403 and 'role="alert"' in wrong.text
        right = friend.post("/wards/vouch", {"ward": named.group(1), "code": code.lower()})
        assert right.headers["location"] == "/wards?done=let-in"
        town.work()

    rosa = town.visitor("north", "rosa")  # the old passphrase still opens it: she could say no
    assert "Somebody asked for a new key" in rosa.get("/home").text
    page = rosa.get("/guardians").text
    assert "Somebody asked for a new key" in page and 'action="/guardians/veto"' in page
    town.wait()
    assert Visitor(town.apps["north"]).sign_in("rosa").status_code == 401
    back = town.visitor("north", "rosa", NEW)
    assert back.get("/record").status_code == 200
    assert back.get("/guardians/renew").status_code == 200
    done = back.post("/guardians/renew", {})
    assert done.headers["location"] == "/guardians?done=renewed"
    assert back.get("/record").status_code == 200


def test_guardians_freeze_an_account_on_their_pages(town: Town) -> None:
    enrolment.add_person(
        town.network["north"].node,
        town.network.session("north", ADMINISTRATOR),
        "olaf",
        role=Role.PATIENT,
        passphrase=NEW,
    )
    olaf = town.visitor("north", "olaf", NEW)
    ines = town.visitor("south", "friend.south")
    ward = town.network["north"].node.desk.keystore.person("olaf").account.hex()
    fields = {"number-1": number(ines), "label-1": "Ines <b>", "needed": "1", "name": "Olaf"}
    assert olaf.post("/guardians/new", fields).status_code == 303
    assert f"freeze?ward={ward}" not in ines.get("/wards").text, "not before it counts"
    assert ines.post("/wards/freeze", {"ward": ward}).status_code == 404
    town.wait()
    ines, olaf = town.visitor("south", "friend.south"), town.visitor("north", "olaf", NEW)
    assert f"/wards/freeze?ward={ward}" in ines.get("/wards").text
    page = ines.get(f"/wards/freeze?ward={ward}").text
    assert "What it stops" in page and "Only by a new key" in page
    assert town.visitor("south", "dr.lee").post("/wards/freeze", {"ward": ward}).status_code == 404
    done = ines.post("/wards/freeze", {"ward": ward})
    assert done.headers["location"] == "/wards?done=freeze-enough"
    assert "Enough guardians asked" in ines.get("/wards?done=freeze-enough").text
    home = olaf.get("/home").text
    assert "Your guardians are freezing your account" in home
    assert "1 of 1 guardians: Ines &lt;b&gt;" in home
    page = olaf.get("/guardians").text
    assert "Ines &lt;b&gt;" in page and "only they can stop" in page
    town.work()
    shown = olaf.get("/home")
    assert shown.status_code == 403 and "frozen by its guardians" in shown.text
    assert 'href="/lost"' in shown.text
    again = Visitor(town.apps["north"]).sign_in("olaf", NEW)
    assert again.status_code == 403
    assert "frozen by its guardians" in again.text and "Ask for a new key" in again.text
    page = ines.get("/wards").text
    assert "Their account is frozen." in page and f"freeze?ward={ward}" not in page
    refused = ines.post("/wards/freeze", {"ward": ward})
    assert refused.status_code == 403 and "frozen already" in refused.text


def test_the_owner_stops_what_they_did_not_ask_for(town: Town) -> None:
    rosa = town.visitor("north", "rosa", NEW)
    ward = rosa_account(town)
    code = recovering.begin(
        town.network["north"].node, "rosa", "a thief's passphrase", address="192.0.2.1"
    ).code
    for member in ("north", "south"):
        friend = town.visitor(member, f"friend.{member}")
        friend.post("/wards/vouch", {"ward": ward, "code": code})
    town.work()
    assert rosa.post("/guardians/veto", {}).headers["location"] == "/guardians?done=vetoed"
    town.wait()
    assert Visitor(town.apps["north"]).sign_in("rosa", "a thief's passphrase").status_code == 401
    again = rosa.sign_in("rosa", NEW)
    assert again.status_code == 303
    assert rosa.post("/guardians/veto", {}).status_code == 409


def test_a_new_key_that_waits_is_shown_and_withdrawn(town: Town) -> None:
    nils, north = town.visitor("north", "friend.north"), town.network["north"].node
    assert "A new key waits for your account" not in nils.get("/home").text
    session = town.network.session("north", "friend.north")
    recovering.rotate(north, session, "what a thief would choose")
    assert "A new key waits for your account" in nils.get("/home").text
    page = nils.get("/guardians").text
    assert "A new key waits for your account" in page and "Withdraw the new key" in page
    done = nils.post("/guardians/cancel", {"what": "key"})
    assert done.headers["location"] == "/guardians?done=key-back"
    assert "The new key is withdrawn." in nils.get("/guardians?done=key-back").text
    assert "A new key waits for your account" not in nils.get("/home").text
    assert north.contracts.accounts.pending_rotation(session.actor.account) is None
    assert nils.post("/guardians/cancel", {"what": "key"}).status_code == 409


def rosa_account(town: Town) -> str:
    return town.network["north"].node.desk.keystore.person("rosa").account.hex()


@pytest.mark.parametrize(
    "others",
    [
        {"number-1": "", "number-2": ""},
        {"number-1": "0x12"},
        {"number-1": "0x" + "7" * 64},
        {"needed": "5"},
        {"needed": "x"},
        {"name": " "},
    ],
    ids=range(6),
)
def test_a_form_that_names_no_set_comes_back_with_what_was_typed(
    town: Town, others: dict[str, str]
) -> None:
    rosa = town.visitor("north", "rosa", NEW)
    shown = rosa.post("/guardians/new", appoint(town, rosa, **others))
    assert shown.status_code in (400, 404)
    assert 'role="alert"' in shown.text and "Ines" in shown.text


def test_asking_for_a_key_tells_nobody_who_has_an_account(town: Town) -> None:
    texts = set()
    for user in ("rosa", "nobody.at.all"):
        shown = Visitor(town.apps["north"]).post(
            "/lost", {"user": user, "passphrase": NEW, "again": NEW}
        )
        assert shown.status_code == 200
        texts.add(re.sub(r"<code>[^<]*</code>|value=\"[^\"]*\"|<time.*?</time>", "", shown.text))
    assert len(texts) == 1
    differs = Visitor(town.apps["north"]).post(
        "/lost", {"user": "rosa", "passphrase": NEW, "again": NEW + "x"}
    )
    assert differs.status_code == 400 and "not the same" in differs.text


def test_strangers_guard_nobody(town: Town) -> None:
    friend = town.visitor("south", "dr.lee")
    assert "You guard nobody" in friend.get("/wards").text
    asked = friend.post("/wards/vouch", {"ward": rosa_account(town), "code": "0" * 16})
    assert asked.status_code == 404


def test_two_organisations_let_a_patient_in_on_their_pages(town: Town) -> None:
    node = town.network["north"].node
    person = enrolment.add_person(
        node,
        town.network.session("north", ADMINISTRATOR),
        "petra",
        role=Role.PATIENT,
        passphrase=passphrase_of("petra"),
    )
    with node.database.transaction() as tx:
        tx.run("DELETE FROM sign_in_delay")
    shown = Visitor(town.apps["north"]).post(
        "/lost", {"user": "petra", "passphrase": NEW, "again": NEW}
    )
    assert "Without guardians" in shown.text
    code = re.search(r"<code>([0-9A-Z-]{19})</code>", shown.text)
    assert code
    said = {"code": code.group(1), "checked": "passport <b>"}

    north = town.visitor("north", ADMINISTRATOR)
    assert f"/people/recover?of={person.account.hex()}" in north.get("/people?only=patients").text
    page = north.get(f"/people/recover?of={person.account.hex()}").text
    assert "petra" in page and "Nobody can stop it afterwards." in page
    wrong = north.post("/people/recover", said | {"of": person.account.hex(), "code": "0" * 16})
    assert wrong.status_code == 403 and "under this code" in wrong.text
    assert "passport &lt;b&gt;" in wrong.text, "what was typed comes back"
    done = north.post("/people/recover", said | {"of": person.account.hex()})
    assert done.status_code == 200 and "Print this page for the patient." in done.text
    lines = lines_of(done.text)
    assert typed_numbers.octets(" ".join(lines), 32) == person.account
    assert code.group(1) in done.text and "data:image/svg" in done.text

    south = town.visitor("south", ADMINISTRATOR)
    assert "petra" not in south.get(f"/people/recover?of={person.account.hex()}").text
    for bad in ("", "0x12", "0x" + "7" * 64):
        refused = south.post("/people/recover", said | {"of": bad})
        assert refused.status_code in (400, 404) and 'role="alert"' in refused.text
    wrong_line = " ".join([*lines[:2], lines[2][::-1], lines[3]])
    refused = south.post("/people/recover", said | {"of": wrong_line})
    assert refused.status_code == 400 and "The third line is not as it" in refused.text
    number = " ".join(lines)
    silent = south.post("/people/recover", said | {"of": number, "checked": " "})
    assert silent.status_code == 400 and "how you know" in silent.text
    done = south.post("/people/recover", said | {"of": number})
    assert done.status_code == 200 and "Two organisations did." in done.text
    town.work()
    old = town.visitor("north", "petra")
    page = old.get("/guardians").text
    assert "it can't be stopped here" in page and "/guardians/veto" not in page
    assert "Somebody asked for a new key" in old.get("/home").text
    town.wait()
    assert Visitor(town.apps["north"]).sign_in("petra").status_code == 401
    town.visitor("north", "petra", NEW)
    page = town.visitor("north", ADMINISTRATOR).get("/people?only=patients").text
    assert "passport &lt;b&gt;" in page, "how they knew stays with the account"


def test_nobody_but_administrators_lets_patients_in(town: Town) -> None:
    for member, user in (("north", "dr.north"), ("south", "dr.lee"), ("south", "friend.south")):
        somebody = town.visitor(member, user)
        assert somebody.get("/people/recover").status_code == 403
        asked = {"of": rosa_account(town), "code": "0" * 16, "checked": "passport"}
        assert somebody.post("/people/recover", asked).status_code == 403
