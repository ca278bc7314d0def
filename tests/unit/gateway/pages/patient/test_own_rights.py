"""What a patient is asked, what they have corrected, erased, or let research read, on pages."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from simdes.access.requests import verify_receipt
from simdes.exchange import access_requests, consents, emergencies
from simdes.exchange.research import studies
from simdes.gateway.app import create_gateway
from support import consortium
from support.consortium import Consortium
from support.fhir_api import Api
from support.pages import Visitor
from support.portal import Enrolled, enrolled, history
from support.researching import AREA, document

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Consortium, Enrolled, Api]]:
    folder = tmp_path_factory.mktemp("rights") / "network"
    consortium.found(folder, names=("north", "south"))
    with consortium.cheap_locks(), consortium.opened(folder) as network:

        def people() -> tuple[Enrolled, Api]:
            doctor = Api.of(network["north"], "dr.north")
            who = enrolled(network, doctor, "rights-1", user="rosa")
            for one in history(who.patient["id"]):
                doctor.create(one)
            network.settle()
            return who, doctor

        with ThreadPoolExecutor(max_workers=1) as pool:
            who, doctor = pool.submit(people).result()
        yield network, who, doctor


@pytest.fixture
def network(town: tuple[Consortium, Enrolled, Api]) -> Consortium:
    return town[0]


@pytest.fixture
def rosa(town: tuple[Consortium, Enrolled, Api]) -> Enrolled:
    return town[1]


@pytest.fixture
def browser(network: Consortium, rosa: Enrolled) -> Visitor:
    one = network["north"]
    made = Visitor(create_gateway(one.custody, node=one.node))
    assert made.sign_in(rosa.user).status_code == 303
    return made


def ask(network: Consortium, rosa: Enrolled, text: str) -> bytes:
    """A doctor of the other hospital asks for access; the request's id."""
    access_requests.request(
        network["south"].node,
        network.session("south", "dr.lee"),
        vault=rosa.vault,
        categories=["observations", "allergies"],
        purpose="TREAT",
        days=45,
        text=text,
        name=f"Dr Lee {HOSTILE}",
    )
    [one, *_] = access_requests.waiting(
        network["north"].node, network.session("north", rosa.user), rosa.vault
    )
    return one.id


def test_who_asks_is_shown_and_answered_with_a_consent_for_no_longer(
    network: Consortium, rosa: Enrolled, browser: Visitor
) -> None:
    named = ask(network, rosa, "You come to us on Monday").hex()
    home = browser.get("/home").text
    assert "Somebody asks you for access" in home and "Clinic South" in home
    page = browser.get("/sharing").text
    assert "You come to us on Monday" in page and "Clinic South" in page
    assert HOSTILE not in page and html.escape(HOSTILE) in page
    form = browser.get(f"/sharing/new?request={named}").text
    ticked = re.findall(r'name="category" value="([\w-]+)" checked', form)
    assert sorted(ticked) == ["allergies", "observations"]
    fields = {
        "organisation": f"0x{network['south'].node.organisation.hex()}",
        "role": "doctor",
        "category": "observations",
        "purpose": "TREAT",
        "days": "30",
        "request": named,
    }
    assert re.search(r'<option value="30" selected', form), "not longer than was asked"
    shown = browser.post("/sharing/new", fields | {"step": "preview"}).text
    assert f'name="request" value="{named}"' in shown
    done = browser.post("/sharing/new", fields | {"step": "share"})
    assert done.headers["location"] == "/sharing?done=granted"
    assert "Somebody asks you" not in browser.get("/sharing").text
    assert "What is new" not in browser.get("/home").text
    [given] = [
        one for one in consents.listed(network["north"].node, rosa.vault) if one.state == "active"
    ]
    assert given.categories == ("observations",) and given.role == "doctor"
    again = browser.post("/sharing/new", fields | {"step": "share"})
    assert again.status_code == 404, "a request is answered once"


def test_a_request_is_declined_without_a_word(
    network: Consortium, rosa: Enrolled, browser: Visitor
) -> None:
    named = ask(network, rosa, "Once more").hex()
    done = browser.post("/sharing/decline", {"request": named})
    assert done.headers["location"] == "/sharing?done=declined"
    assert "Once more" not in browser.get("/sharing").text
    assert browser.post("/sharing/decline", {"request": named}).status_code == 404
    assert browser.post("/sharing/decline", {"request": "ab"}).status_code == 404


def test_an_emergency_is_seen_and_ended_by_its_patient(
    network: Consortium, rosa: Enrolled, browser: Visitor
) -> None:
    south, lee = network["south"].node, network.session("south", "dr.lee")
    opened = emergencies.open_(
        south, lee, vault=rosa.vault, reason="unconscious", text="Found at the station", name="Lee"
    )
    assert "Somebody opened your record in an emergency" in browser.get("/home").text
    page = browser.get("/sharing").text
    assert "Opened in an emergency" in page and "Found at the station" in page
    assert "The patient can" in page and "not reviewed yet" in page
    done = browser.post("/sharing/close", {"emergency": opened.handle.hex()})
    assert done.headers["location"] == "/sharing?done=ended"
    [one] = [
        each
        for each in emergencies.of_vault(
            network["north"].node, network.session("north", rosa.user), rosa.vault
        )
        if each.handle == opened.handle
    ]
    assert not one.open
    assert browser.post("/sharing/close", {"emergency": "77" * 32}).status_code == 404


def test_a_correction_is_part_of_the_record_and_its_answer_is_read(
    town: tuple[Consortium, Enrolled, Api], browser: Visitor
) -> None:
    _, rosa, doctor = town
    page = browser.get("/record?part=all").text
    link = re.search(r'href="(/corrections/new\?about=AllergyIntolerance/[^"]+)"', page)
    assert link
    about = link.group(1).partition("about=")[2]
    form = browser.get(link.group(1)).text
    assert "Penicillin" in form
    empty = browser.post("/corrections/new", {"about": about, "text": " "})
    assert empty.status_code == 400 and "Penicillin" in empty.text
    done = browser.post(
        "/corrections/new", {"about": about, "text": f"It was amoxicillin {HOSTILE}"}
    )
    assert done.headers["location"] == "/corrections?done=correction"
    page = browser.get("/corrections").text
    assert "It was amoxicillin" in page and "Not answered yet." in page and HOSTILE not in page
    found = doctor.found(f"Communication?subject=Patient/{rosa.patient['id']}")
    [asked] = [one for one in found if one.get("about")]
    assert asked["about"] == [{"reference": about}]
    assert asked["category"][0]["coding"][0]["code"] == "medRecCxReq"
    doctor.create(
        {
            "resourceType": "Communication",
            "status": "completed",
            "subject": {"reference": f"Patient/{rosa.patient['id']}"},
            "inResponseTo": [{"reference": f"Communication/{asked['id']}"}],
            "sent": "2026-11-23T10:00:00Z",
            "payload": [{"contentString": "You are right, it is put right."}],
        }
    )
    assert "You are right, it is put right." in browser.get("/corrections").text


@pytest.mark.parametrize("about", ["", "Observation/none", "../../etc", "Patient/x?y", "a" * 130])
def test_nothing_else_is_corrected(browser: Visitor, about: str) -> None:
    sent = browser.post("/corrections/new", {"about": about, "text": "wrong"})
    assert sent.status_code == 404


def test_a_study_is_joined_after_it_was_read_and_left_again(
    network: Consortium, browser: Visitor
) -> None:
    south, ray = network["south"].node, network.session("south", "prof.ray")
    study = document(network)
    studies.register(south, ray, study)
    studies.approve(network["north"].node, network.session("north", "dr.north"), study)
    text = msgspec.json.encode(study).decode()
    shown = browser.post("/research/join", {"document": text, "step": "look"}).text
    assert study.title in shown and "Clinic South" in shown and study.terms in shown
    for wrong in ("", "{}", text.replace("Sugar", "Salt")):
        refused = browser.post("/research/join", {"document": wrong, "step": "look"})
        assert refused.status_code in (400, 404) and 'role="alert"' in refused.text
    done = browser.post("/research/join", {"document": text, "step": "join"})
    assert done.headers["location"] == "/research?done=takes-part"
    assert browser.post("/research/join", {"document": text, "step": "join"}).status_code == 409
    page = browser.get("/research").text
    assert "It goes on." in page and "Clinic South" in page
    named = studies.id_of(south, study).hex()
    assert browser.post("/research/leave", {"study": named}).status_code == 303
    page = browser.get("/research").text
    assert "You take part in nothing." in page and "What you left" in page
    assert browser.post("/research/leave", {"study": named}).status_code == 404


def test_standing_by_names_sponsor_area_and_what_may_be_seen(
    network: Consortium, browser: Visitor
) -> None:
    sponsor = f"0x{network['south'].node.organisation.hex()}"
    good = {"sponsor": sponsor, "area": AREA, "category": "observations"}
    for wrong in ({"sponsor": "0x12"}, {"area": " "}, {"category": "everything"}):
        refused = browser.post("/research/prefer", good | wrong)
        assert refused.status_code == 400 and 'role="alert"' in refused.text
    assert browser.post("/research/prefer", good).headers["location"] == (
        "/research?done=stands-by"
    )
    page = browser.get("/research").text
    assert "Standing by for studies of an area" in page
    group = re.search(r'name="study" value="([0-9a-f]{64})"', page)
    assert group
    assert browser.post("/research/leave", {"study": group.group(1)}).status_code == 303


# The last one: nothing is left afterwards.


def test_a_record_is_erased_after_a_word_and_everybody_signed(
    network: Consortium, rosa: Enrolled, browser: Visitor
) -> None:
    named = rosa.vault.hex()
    wrong = browser.post("/erasure", {"vault": named, "word": "yes"})
    assert wrong.status_code == 400 and "Type the word" in wrong.text
    assert browser.post("/erasure", {"vault": "77" * 32, "word": "ERASE"}).status_code == 404
    network.down("south")
    done = browser.post("/erasure", {"vault": named, "word": "erase"})
    assert done.headers["location"] == "/erasure?done=erasing"
    page = browser.get("/erasure").text
    assert "Not answered yet: Clinic South" in re.sub(r"\s+", " ", page)
    assert "asked again until they sign, without you" in page
    assert "Ask them again now" in page and "Keep it" not in page, "nobody can keep it any more"
    network.up("south")
    browser.post("/erasure", {"vault": named, "word": "ERASE"})
    page = browser.get("/erasure").text
    assert "Nobody can open it any more." in page and "Not answered yet" not in page
    links = re.findall(r'href="(/erasure/receipt[^"]+)"', page)
    assert len(links) == 2
    for link in links:
        sent = browser.get(html.unescape(link))
        assert sent.headers["content-type"].startswith("application/jose")
        claims, _ = verify_receipt(sent.content)
        assert claims.receipt["vault"] == f"0x{named}"
    assert browser.get(f"/erasure/receipt?vault={named}&of={'77' * 32}").status_code == 404
    assert "Penicillin" not in browser.get("/record").text
    for path in ("/home", "/guardians", "/account"):
        assert browser.get(path).status_code == 200, path
