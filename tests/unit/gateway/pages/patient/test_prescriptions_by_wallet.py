"""A patient with a wallet sends prescriptions on their pages: shown, signed there, and on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html import unescape

import httpx
import pytest

from simdes.exchange import consents
from simdes.exchange.node import Node
from support import consortium, wallet_owner
from support.consortium import Clock
from support.fhir_api import Api, Json, application
from support.pages import Visitor
from support.prescribing import Ward
from support.wallet_owner import Owner

PATH = "/prescriptions"


@dataclass(frozen=True, slots=True)
class Town:
    """A hospital and two pharmacies, a patient with a wallet and a prescription, browsers."""

    ward: Ward
    owner: Owner
    request: Json
    patient: Visitor
    pharmacist: Visitor

    def node(self, name: str) -> Node:
        return self.ward.network[name].node

    def at(self, name: str) -> dict[str, str]:
        """A form's choice of a pharmacy, for the prescription."""
        pharmacy = f"0x{self.node(name).organisation.hex()}"
        return {"prescription": self.request["id"], "pharmacy": pharmacy}

    def sign(self, asked: httpx.Response) -> httpx.Response:
        """Sign what a page asks for; the page that follows."""
        answer = self.owner.agree(self.patient, asked)
        if answer.status_code == 303:
            return self.patient.get(answer.headers["location"])
        return answer

    def code(self, shown: httpx.Response) -> str:
        found = re.search(r'class="counter"><code>([^<]+)</code>', shown.text)
        assert found, shown.text
        return unescape(found.group(1))

    def opens(self, name: str, code: str) -> bool:
        """Whether a pharmacist opens the prescription under a code."""
        self.node(name).following.catch_up()
        return self.pharmacist.post("/counter/open", {"code": code}).status_code == 200

    def standing(self) -> int:
        listed = consents.listed(self.node("north"), self.ward.vault)
        return sum(one.state == "active" for one in listed)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder, clock = tmp_path_factory.mktemp("by-wallet") / "network", Clock()
    consortium.found(folder, names=("north", "west", "cove"))
    with consortium.cheap_locks(), consortium.opened(folder, clock=clock) as network:
        apps = {name: application(network[name]) for name in ("north", "west")}
        owner = Owner()

        def begin() -> tuple[Ward, Json]:
            ward = Ward.of(network, clock, Api.of(network["north"], "dr.north"), "by-wallet-1")
            return ward, ward.issued()

        with ThreadPoolExecutor(max_workers=1) as pool:
            ward, request = pool.submit(begin).result()
        wallet_owner.enrol(network, ward.vault, owner.key, attester="cove", user="rosa")
        network.settle()
        pharmacist = Visitor(apps["west"])
        pharmacist.sign_in("ph.west")
        patient = owner.sign_in(network["north"].node, apps["north"])
        yield Town(ward, owner, request, patient, pharmacist)


def test_a_prescription_is_sent_by_what_the_wallet_signed_and_its_code_shown_again(
    town: Town,
) -> None:
    form = town.patient.get(f"{PATH}/submit?prescription={town.request['id']}").text
    assert "Pharmacy West" in form
    asked = town.patient.post(f"{PATH}/submit", town.at("west"))
    for words in (
        *("Let them read?", "Pharmacists, Pharmacy West", "Only as long as something is left of"),
        *("Amoxicillin 250 mg capsule", "Prescriptions", "Allergies", "Treatment"),
    ):
        assert words.lower() in asked.text.lower(), words
    assert town.standing() == 0
    stranger = Owner().agree(town.patient, asked)
    assert stranger.status_code == 403 and "Amoxicillin" in stranger.text
    shown = town.sign(asked)
    code = town.code(shown)
    assert 'alt="QR code of the prescription"' in shown.text
    assert town.standing() == 1 and town.opens("west", code)
    again = town.owner.agree(town.patient, asked)
    assert again.status_code == 409 and town.standing() == 1, "signed once, relayed once"
    listed = town.patient.get(PATH).text
    assert "Sent to" in listed
    found = re.search(rf'href="({PATH}/code[^"]+)"', listed)
    assert found
    assert town.code(town.patient.get(unescape(found.group(1)))) == code

    back = town.patient.post(f"{PATH}/withdraw", {"prescription": town.request["id"]})
    assert "Stop sharing this?" in back.text and "Pharmacy West" in back.text
    assert "something is left of one prescription" in back.text
    assert "at no pharmacy any more" in town.sign(back).text
    assert town.standing() == 0 and not town.opens("west", code)
    nothing = town.patient.post(f"{PATH}/withdraw", {"prescription": town.request["id"]})
    assert nothing.headers["location"] == f"{PATH}?done=withdrawn"
    gone = town.patient.get(f"{PATH}/code?prescription={town.request['id']}")
    assert gone.status_code == 404


def test_moving_it_is_two_signatures_and_stopping_between_them_loses_nothing(town: Town) -> None:
    first = town.sign(town.patient.post(f"{PATH}/submit", town.at("cove")))
    town.code(first)
    away = town.patient.post(f"{PATH}/submit", town.at("west") | {"away": "yes"})
    assert "First the wallet signs what you share" in away.text
    between = town.sign(away)
    assert "What is left is the end" in between.text and "Stop sharing this?" in between.text
    assert town.standing() == 2
    both = town.patient.get(PATH).text
    assert both.count("Show the code") == 2, "whoever stops here finds both, and how to end them"
    code = town.code(town.sign(between))
    assert town.standing() == 1 and town.opens("west", code)
    town.sign(town.patient.post(f"{PATH}/withdraw", {"prescription": town.request["id"]}))
    assert town.standing() == 0


def test_a_preferred_pharmacy_changes_and_is_given_up_by_the_wallet(town: Town) -> None:
    done = town.sign(town.patient.post(f"{PATH}/pharmacy", town.at("west")))
    assert "goes to Pharmacy West by itself" in done.text
    asked = town.patient.post(f"{PATH}/pharmacy", town.at("cove"))
    assert "First the wallet signs what you share" in asked.text
    second = town.sign(asked)
    assert "What is left is the end" in second.text
    both = town.patient.get(PATH).text
    assert "still stands with Pharmacy West" in both
    done = town.sign(second)
    assert "still stands" not in done.text and "West" not in done.text
    assert town.standing() == 1
    none = town.patient.post(f"{PATH}/pharmacy", {"pharmacy": "none"})
    assert "No prescription goes anywhere" in town.sign(none).text
    assert town.standing() == 0


def test_no_request_of_another_page_record_or_goal_goes_on_from_here(town: Town) -> None:
    asked = town.patient.post(f"{PATH}/submit", town.at("west"))
    right = {
        "request": unescape(asked.text.split('name="request" value="')[1].split('"')[0]),
        "signature": town.owner.sign(town.owner.asked(asked.text)),
        "goal": "send",
        "prescription": town.request["id"],
    }
    for wrong, status in (
        ({"goal": "everything"}, 404),
        ({"request": "{}"}, 400),
        ({"request": right["request"].replace("hangsOn", "hangs")}, 400),
        ({"signature": "0x" + "00" * 65}, 403),
    ):
        assert town.patient.post(f"{PATH}/sign", right | wrong).status_code == status
    stranger = Visitor(town.patient.app)
    assert stranger.post(f"{PATH}/sign", right).headers["location"].startswith("/sign-in")
    assert stranger.get(f"{PATH}/code?prescription=1").headers["location"].startswith("/sign-in")
    assert town.standing() == 0
