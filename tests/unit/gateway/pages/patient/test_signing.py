"""A patient with a wallet decides on the pages of sharing: shown, signed there, relayed, back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from html import unescape

import pytest

from simdes.access.categories import Role
from simdes.app import ADMINISTRATOR
from simdes.errors import Forbidden
from simdes.exchange import (
    access_requests,
    consents,
    emergencies,
    enrolment,
    guardians,
    recovering,
    retrieve,
)
from simdes.exchange.consents import Given
from simdes.exchange.guardians import Chosen
from simdes.gateway.app import create_gateway
from support import consortium
from support.consortium import Clock, Consortium, passphrase_of
from support.fhir_api import Api
from support.pages import Visitor
from support.portal import Enrolled, enrolled, measured
from support.wallet_owner import Owner

NEW = "words that nobody guesses"
SHARE = {"category": "observations", "purpose": "TREAT", "days": "30"}


class Town:
    """Two organisations, and a patient of north whose account a wallet keeps."""

    def __init__(self, network: Consortium, clock: Clock, rosa: Enrolled) -> None:
        self.network, self.clock, self.rosa = network, clock, rosa
        self.node, self.south = network["north"].node, network["south"].node
        self.app = create_gateway(network["north"].custody, node=self.node)
        self.owner = Owner()
        self.befriend()
        self.owner.take_over(self.node, rosa.session, clock)
        network.sessions.clear()

    def befriend(self) -> None:
        """Somebody at south guards her."""
        friend = enrolment.add_person(
            self.south,
            self.network.session("south", ADMINISTRATOR),
            "friend.south",
            role=Role.PATIENT,
            passphrase=passphrase_of("friend.south"),
        )
        one = Chosen(account=friend.account, label="a friend")
        guardians.appoint(self.node, self.rosa.session, [one], threshold=1, name="Rosa")
        self.pass_delay()
        guardians.put_in_force(self.node)
        self.rosa = replace(self.rosa, session=self.network.session("north", "rosa"))

    def pass_delay(self) -> None:
        """Let the network's delay pass."""
        self.clock.ahead_seconds += self.node.contracts.accounts.delay_seconds() + 1
        self.network.sessions.clear()

    def visitor(self) -> Visitor:
        return self.owner.sign_in(self.node, self.app)

    @property
    def whom(self) -> dict[str, str]:
        return {"organisation": f"0x{self.south.organisation.hex()}", "role": "doctor"}

    def standing(self) -> list[Given]:
        return [one for one in consents.listed(self.node, self.rosa.vault) if one.state == "active"]

    def reads(self) -> int:
        """How many of the patient's records the doctor of south opens."""
        doctor = self.network.session("south", "dr.lee")
        return len(retrieve.retrieve(self.south, doctor, vault=self.rosa.vault).resources)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder, clock = tmp_path_factory.mktemp("signing") / "network", Clock()
    consortium.found(folder, names=("north", "south"))
    with consortium.cheap_locks(), consortium.opened(folder, clock=clock) as network:
        doctor = Api.of(network["north"], "dr.north")

        def begin() -> Enrolled:
            who = enrolled(network, doctor, "signing-1", user="rosa")
            doctor.create(measured(who.patient["id"], "2025-03-11", 4.1))
            network.settle()
            return who

        with ThreadPoolExecutor(max_workers=1) as pool:
            rosa = pool.submit(begin).result()
        yield Town(network, clock, rosa)


def test_sharing_is_previewed_signed_by_the_wallet_and_stands_and_is_ended(town: Town) -> None:
    rosa, owner = town.visitor(), town.owner
    assert rosa.get("/sharing").status_code == 200
    preview = rosa.post("/sharing/new", SHARE | town.whom | {"step": "preview"})
    assert "What you are about to share" in preview.text and "Potassium" in preview.text
    shown = rosa.post("/sharing/new", SHARE | town.whom | {"step": "share"})
    assert "Let them read?" in shown.text and "Clinic South" in shown.text
    assert town.standing() == [], "nothing stands before the wallet signed"
    stranger = Owner().agree(rosa, shown)
    assert stranger.status_code == 403 and "not a signature of the wallet" in stranger.text
    assert "Let them read?" in stranger.text and town.standing() == []
    assert owner.agree(rosa, shown).headers["location"] == "/sharing?done=granted"
    assert "It is shared." in rosa.get("/sharing?done=granted").text
    [given] = town.standing()
    assert given.categories == ("observations",) and town.reads() == 1

    asked = rosa.post("/sharing/end", {"consent": given.handle.hex()})
    assert "Stop sharing this?" in asked.text and town.standing() == [given]
    assert owner.agree(rosa, asked).headers["location"] == "/sharing?done=ended"
    assert town.standing() == []
    with pytest.raises(Forbidden):
        town.reads()


def test_narrowing_is_two_signatures_each_with_its_words(town: Town) -> None:
    rosa, owner = town.visitor(), town.owner
    wide = SHARE | town.whom | {"step": "share", "days": "90"}
    owner.agree(rosa, rosa.post("/sharing/new", wide))
    [before] = town.standing()
    narrow = SHARE | town.whom | {"step": "share", "days": "1", "replaces": before.handle.hex()}
    first = rosa.post("/sharing/new", narrow)
    assert "The first of two steps" in first.text
    done = owner.agree(rosa, first).headers["location"]
    assert done == f"/sharing/end?consent={before.handle.hex()}&narrowed=yes"
    assert "One step is left" in rosa.get(done).text and len(town.standing()) == 2
    second = rosa.post("/sharing/end", {"consent": before.handle.hex(), "narrowed": "yes"})
    assert "The second of two steps" in second.text
    assert owner.agree(rosa, second).headers["location"] == "/sharing?done=narrowed"
    [left] = town.standing()
    assert left.handle != before.handle and left.expiry_seconds < before.expiry_seconds

    everything = rosa.post("/sharing/end", {"consent": "all"})
    assert "Stop sharing everything?" in everything.text
    assert owner.agree(rosa, everything).headers["location"] == "/sharing?done=all-ended"
    assert town.standing() == []


def test_somebody_who_asks_is_answered_by_the_wallet_or_declined_without_it(town: Town) -> None:
    rosa, owner, doctor = town.visitor(), town.owner, town.network.session("south", "dr.lee")

    def ask(text: str) -> bytes:
        access_requests.request(
            town.south,
            doctor,
            vault=town.rosa.vault,
            categories=["observations"],
            purpose="TREAT",
            days=7,
            text=text,
            name="Dr. Lee",
        )
        listed = access_requests.waiting(town.node, town.rosa.session, town.rosa.vault)
        return listed[0].id

    wanted = ask("Your blood test")
    assert "Somebody asks you for access" in rosa.get("/home").text
    assert "Your blood test" in rosa.get("/sharing").text
    assert rosa.get(f"/sharing/new?request={wanted.hex()}").status_code == 200
    answer = SHARE | town.whom | {"step": "share", "days": "7", "request": wanted.hex()}
    assert owner.agree(rosa, rosa.post("/sharing/new", answer)).status_code == 303
    assert access_requests.waiting(town.node, town.rosa.session, town.rosa.vault) == []
    [given] = town.standing()
    wanted = ask("Once more")
    late = rosa.post("/sharing/new", answer | {"request": wanted.hex()})
    rosa.post("/sharing/decline", {"request": wanted.hex()})
    assert access_requests.waiting(town.node, town.rosa.session, town.rosa.vault) == []
    assert owner.agree(rosa, late).status_code == 404
    assert town.standing() == [given], "what was declined meanwhile is not shared"
    owner.agree(rosa, rosa.post("/sharing/end", {"consent": given.handle.hex()}))
    assert town.standing() == []


def test_an_emergency_is_ended_by_the_wallet(town: Town) -> None:
    rosa, owner = town.visitor(), town.owner
    doctor = town.network.session("south", "dr.lee")
    emergencies.open_(
        town.south, doctor, vault=town.rosa.vault, reason="unconscious", text="After a fall"
    )
    [broken] = emergencies.of_vault(town.node, town.rosa.session, town.rosa.vault)
    asked = rosa.post("/sharing/close", {"emergency": broken.handle.hex()})
    assert "Stop sharing this?" in asked.text
    assert owner.agree(rosa, asked).headers["location"] == "/sharing?done=ended"
    [after] = emergencies.of_vault(town.node, town.rosa.session, town.rosa.vault)
    assert broken.open and not after.open


def test_no_request_of_another_kind_or_record_is_relayed_here(town: Town) -> None:
    rosa = town.visitor()
    shown = rosa.post("/sharing/new", SHARE | town.whom | {"step": "share"})
    right = {
        "request": unescape(shown.text.split('name="request" value="')[1].split('"')[0]),
        "signature": town.owner.sign(town.owner.asked(shown.text)),
        "done": "granted",
    }
    for wrong, status in (({"done": "vetoed"}, 404), ({"request": "{}"}, 400)):
        assert rosa.post("/sharing/sign", right | wrong).status_code == status
    assert town.standing() == []
    stranger = Visitor(town.app)
    assert stranger.post("/sharing/sign", right).headers["location"].startswith("/sign-in")


# The last one: the wallet is lost.


def test_a_wallet_that_is_lost_is_no_end_the_new_key_is_kept_here_again(town: Town) -> None:
    rosa, account = town.visitor(), town.rosa.session.actor.account
    lost = Visitor(town.app)
    assert "when you lost a wallet of your own" in lost.get("/lost").text
    shown = lost.post("/lost", {"user": "rosa", "passphrase": NEW, "again": NEW}).text
    code = re.search("<code>([0-9A-Z-]{19})</code>", shown)
    assert code
    friend = town.network.session("south", "friend.south")
    recovering.vouch(town.south, friend, account, code.group(1))
    recovering.tend(town.node)
    page = rosa.get("/guardians").text
    assert 'action="/guardians/veto"' in page, "the wallet could stop it"
    town.pass_delay()
    assert recovering.tend(town.node) == 1
    assert rosa.get("/home").headers["location"].startswith("/sign-in")
    back = Visitor(town.app)
    assert back.sign_in("rosa", NEW).headers["location"] == "/home"
    assert back.get("/record").status_code == 200
    shared = back.post("/sharing/new", SHARE | town.whom | {"step": "share"})
    assert shared.headers["location"] == "/sharing?done=granted", "a key that is kept here signs"
