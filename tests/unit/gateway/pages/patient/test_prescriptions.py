"""A prescription from the patient's page to the pharmacist's, in two browsers at two gateways."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from simdes.exchange.prescriptions import waiting
from support import consortium
from support.consortium import Clock
from support.fhir_api import Api, Json, application
from support.pages import Visitor
from support.prescribing import Ward


@dataclass(frozen=True, slots=True)
class Town:
    """A hospital and a pharmacy, a patient with an issued prescription, and both browsers."""

    ward: Ward
    request: Json
    patient: Visitor
    pharmacist: Visitor
    pharmacy: str


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Everybody signed in."""
    folder, clock = tmp_path_factory.mktemp("counter") / "network", Clock()
    consortium.found(folder, names=("north", "west", "cove"))
    with consortium.cheap_locks(), consortium.opened(folder, clock=clock) as network:
        apps = {name: application(network[name]) for name in ("north", "west")}
        ward = Ward.of(network, clock, Api.of(network["north"], "dr.north"), "counter-1")
        request = ward.issued()
        network.enrol(ward.vault, "p.town")
        patient, pharmacist = Visitor(apps["north"]), Visitor(apps["west"])
        patient.sign_in("p.town")
        pharmacist.sign_in("ph.west")
        network["west"].node.following.catch_up()
        pharmacy = f"0x{network['west'].node.organisation.hex()}"
        yield Town(ward, request, patient, pharmacist, pharmacy)


def code_of(town: Town) -> str:
    """Send the prescription to the pharmacy; the code that the page shows."""
    shown = town.patient.post(
        "/prescriptions/submit",
        {"prescription": town.request["id"], "pharmacy": town.pharmacy},
    )
    assert shown.status_code == 303, shown.text
    shown = town.patient.get(shown.headers["location"])
    assert 'alt="QR code of the prescription"' in shown.text
    found = re.search(r'class="counter"><code>([^<]+)</code>', shown.text)
    assert found
    return html.unescape(found.group(1))


def test_a_prescription_goes_from_page_to_page_and_is_handed_out_once(town: Town) -> None:
    listed = town.patient.get("/prescriptions").text
    assert "Amoxicillin 250 mg capsule" in listed and "90 of 90 capsule" in listed
    assert "Nothing was sent" in town.pharmacist.get("/counter").text
    form = town.patient.get(f"/prescriptions/submit?prescription={town.request['id']}").text
    assert "Pharmacy West" in form
    code = code_of(town)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(waiting, "PATIENTS", 0)
        assert 'href="/counter?page=2"' in town.pharmacist.get("/counter").text
    whole = town.pharmacist.get("/counter").text
    assert "Amoxicillin" in whole and "page=2" not in whole
    assert whole.index("Okafor-counter-1") < whole.index("Amoxicillin"), "by who stands there"
    assert f'name="code" value="{code}"' in whole, "a prescription is opened where it is"
    assert "Nothing of the patients" in town.pharmacist.get("/counter?page=2").text

    opened = town.pharmacist.post("/counter/open", {"code": code})
    assert opened.status_code == 200
    assert "Okafor-counter-1" in opened.text and "Checks" in opened.text
    own = {"code": code, "prescription": town.request["id"]}
    assert "Keep it for this pharmacy" in opened.text
    kept = town.pharmacist.post("/counter/accept", own)
    assert kept.headers["location"] == "/counter?done=accepted", kept.text
    held = town.pharmacist.post("/counter/open", own).text
    assert "Let another pharmacy dispense it" in held and "Keep it for" not in held
    free = town.pharmacist.post("/counter/release", own)
    assert free.headers["location"] == "/counter?done=released", free.text
    again = town.pharmacist.post("/counter/release", own)
    assert again.status_code == 409
    assert "Give another product instead" in opened.text
    unsaid = town.pharmacist.post(
        "/counter/dispense", own | {"quantity": "10", "instead": "Amoxicillin 250 mg tablet"}
    )
    assert unsaid.status_code == 400, "a substitution says why"
    for quantity in ("many", "NaN", "1e99999999"):
        wrong = town.pharmacist.post("/counter/dispense", own | {"quantity": quantity})
        assert wrong.status_code == 400 and "The quantity is no number." in wrong.text
        assert f'value="{quantity}"' in wrong.text, "what was typed stays"
    done = town.pharmacist.post(
        "/counter/dispense",
        own | {"quantity": "10", "instead": "Amoxi Z 250 mg capsule", "swap": "Not in stock."},
    )
    assert done.status_code == 303, done.text
    told = town.pharmacist.get(done.headers["location"]).text
    assert "Hand out: 10 capsule" in told and "Amoxi Z" in told
    again = town.pharmacist.get(done.headers["location"])
    assert again.status_code == 200, "to look again dispenses nothing"
    listed = town.patient.get("/prescriptions").text
    assert "partly handed out" in listed and "80 of 90 capsule" in listed

    refused = town.pharmacist.post(
        "/counter/refuse", {"code": code, "prescription": town.request["id"], "why": "outofstock"}
    )
    assert refused.headers["location"] == "/counter?done=refused"

    gone = town.patient.post("/prescriptions/withdraw", {"prescription": town.request["id"]})
    assert gone.headers["location"] == "/prescriptions?done=withdrawn"
    town.ward.network["west"].node.following.catch_up()
    closed = town.pharmacist.post("/counter/open", {"code": code})
    assert closed.status_code == 404 and "Amoxicillin" not in closed.text


def test_a_preferred_pharmacy_is_kept_and_given_up(town: Town) -> None:
    done = town.patient.post("/prescriptions/pharmacy", {"pharmacy": town.pharmacy})
    assert done.headers["location"] == "/prescriptions?done=preferred"
    assert "goes to Pharmacy West by itself" in town.patient.get("/prescriptions").text
    assert "checked" in town.patient.get("/prescriptions/pharmacy").text
    done = town.patient.post("/prescriptions/pharmacy", {"pharmacy": "none"})
    assert done.headers["location"] == "/prescriptions?done=not-preferred"
    assert "No prescription goes anywhere" in town.patient.get("/prescriptions").text


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/prescriptions/submit", {"pharmacy": "0x" + "ab" * 32}),
        ("/prescriptions/submit", {}),
        ("/prescriptions/pharmacy", {"pharmacy": "<b>"}),
    ],
    ids=range(3),
)
def test_what_is_no_pharmacy_is_asked_for_again(
    town: Town, path: str, fields: dict[str, str]
) -> None:
    answer = town.patient.post(path, {"prescription": town.request["id"], **fields})
    assert answer.status_code == 400
    assert "Choose a pharmacy." in answer.text


@pytest.mark.parametrize("code", ["", "NO-SUCH-CODE", "simdes:rx:1:nonsense", "<script>"])
def test_a_code_that_leads_nowhere_opens_nothing(town: Town, code: str) -> None:
    answer = town.pharmacist.post("/counter/open", {"code": code})
    assert answer.status_code in (400, 404)
    assert "<script>" not in answer.text
