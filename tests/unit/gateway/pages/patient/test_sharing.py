"""Granting, narrowing and ending in a browser: signed by the patient's own key, never by chance."""

from __future__ import annotations

import re
from typing import Any

import pytest

from simdes.access.consent import Grantee
from simdes.exchange import consents
from support.fhir_api import Api
from support.pages import Visitor
from support.portal import Enrolled, measured
from unit.gateway.pages.conftest import Place


def given(place: Place, who: Enrolled, state: str = "active") -> list[consents.Given]:
    """The patient's consents in a state."""
    return [one for one in consents.listed(place.north.node, who.vault) if one.state == state]


def choice(place: Place, **others: str) -> dict[str, str]:
    south = place.network["south"].node.organisation
    fields = {
        "organisation": f"0x{south.hex()}",
        "role": "doctor",
        "category": "observations",
        "purpose": "TREAT",
        "days": "7",
    }
    return fields | others


@pytest.fixture(autouse=True)
def nothing_shared(place: Place, rosa: Enrolled) -> None:
    """Each test begins with a closed record."""
    consents.revoke_all(
        place.north.node, place.network.session("north", rosa.user), vault=rosa.vault
    )


def test_a_preview_names_what_would_be_opened_and_changes_nothing(
    place: Place, rosa: Enrolled, browser: Visitor
) -> None:
    shown = browser.post("/sharing/new", choice(place, step="preview"))
    assert shown.status_code == 200
    assert "Potassium" in shown.text and "Penicillin" not in shown.text
    assert "one week" in shown.text and "Doctors of Clinic South" in shown.text
    assert given(place, rosa) == []


def test_a_preview_says_what_stays_closed(
    place: Place, rosa: Enrolled, doctor: Api, browser: Visitor
) -> None:
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HIV"}
    closed = measured(rosa.patient["id"], "2022-01-02", 4.0, meta={"security": [label]})
    doctor.create(closed | {"code": {"text": "Viral load"}})
    shown = browser.post("/sharing/new", choice(place, step="preview")).text
    assert "1 sensitive entry stays closed:" in shown and "HIV and AIDS" in shown
    assert "Viral load" not in shown
    opened = browser.post("/sharing/new", choice(place, step="preview", label="HIV")).text
    assert "stays closed" not in opened


def test_a_grant_becomes_contract_state_in_the_patients_name(
    place: Place, rosa: Enrolled, browser: Visitor
) -> None:
    done = browser.post("/sharing/new", choice(place, step="share"))
    assert done.headers["location"] == "/sharing?done=granted"
    [one] = given(place, rosa)
    assert (one.categories, one.role, one.purposes) == (("observations",), "doctor", ("TREAT",))
    assert one.expiry_seconds - one.not_before_seconds == 7 * 86_400
    text = browser.get("/sharing").text
    assert "Doctors, Clinic South" in text and "Measurements and test results" in text


def test_a_grant_needs_a_fresh_proof_and_an_end_does_not(
    place: Place, rosa: Enrolled, browser: Visitor
) -> None:
    browser.post("/sharing/new", choice(place, step="share"))
    [one] = given(place, rosa)
    place.clock.ahead_seconds += 901
    asked = browser.get("/sharing/new")
    assert asked.headers["location"] == "/sign-in/confirm?next=%2Fsharing%2Fnew"
    later = browser.post("/sharing/new", choice(place, step="share"))
    assert later.headers["location"] == "/sign-in/confirm?next=%2Fsharing%2Fnew"
    assert len(given(place, rosa)) == 1
    ended = browser.post("/sharing/end", {"consent": one.handle.hex()})
    assert ended.headers["location"] == "/sharing?done=ended"
    assert given(place, rosa) == []


def test_narrowing_grants_the_new_one_and_ends_the_old(
    place: Place, rosa: Enrolled, browser: Visitor
) -> None:
    form = browser.post("/sharing/new", choice(place, step="share"))
    [before] = given(place, rosa)
    form = browser.get(f"/sharing/new?from={before.handle.hex()}").text
    assert re.search('value="observations" checked', form)
    done = browser.post(
        "/sharing/new", choice(place, step="share", days="1", replaces=before.handle.hex())
    )
    assert done.headers["location"] == "/sharing?done=narrowed"
    [after] = given(place, rosa)
    assert after.handle != before.handle
    assert after.expiry_seconds < before.expiry_seconds


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"records": [bytes(31) + b"\1"]}, "1 single entry"),
        ({"while_open": "studies"}, "a study runs that you take part in"),
        ({"while_open": "claims"}, "one claim goes on"),
    ],
    ids=("records", "study", "claim"),
)
def test_what_hangs_on_more_than_time_says_so_and_is_not_made_wider_by_narrowing_it(
    place: Place, rosa: Enrolled, browser: Visitor, more: dict[str, Any], said: str
) -> None:
    node = place.network["north"].node
    if "while_open" in more:
        more = {"while_open": (getattr(node.contracts.addresses, more["while_open"]), bytes(32))}
    south = place.network["south"].node.organisation
    consents.grant(
        node,
        place.network.session("north", rosa.user),
        vault=rosa.vault,
        grantee=Grantee.organisation(south),
        categories=["observations"],
        purposes=["HRESCH"],
        valid_seconds=86_400,
        **more,
    )
    [one] = given(place, rosa)
    text = browser.get("/sharing").text
    assert said in text and "Narrow or change" not in text
    assert said in browser.get(f"/sharing/end?consent={one.handle.hex()}").text
    assert browser.get(f"/sharing/new?from={one.handle.hex()}").status_code == 404


def test_everything_ends_at_once(place: Place, rosa: Enrolled, browser: Visitor) -> None:
    for category in ("observations", "medications"):
        browser.post("/sharing/new", choice(place, step="share", category=category))
    assert "Everything that you share" in browser.get("/sharing/end?consent=all").text
    browser.post("/sharing/end", {"consent": "all"})
    assert given(place, rosa) == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"category": ""}, "Nothing is chosen yet."),
        ({"category": "prescriptions"}, "Nothing is chosen yet."),
        ({"organisation": "0x" + "ab" * 32}, "Choose an organisation."),
        ({"organisation": "<b>"}, "Choose an organisation."),
    ],
)
@pytest.mark.parametrize("step", ["preview", "share"])
def test_a_form_that_says_too_little_is_asked_for_again(
    place: Place,
    rosa: Enrolled,
    browser: Visitor,
    fields: dict[str, str],
    said: str,
    step: str,
) -> None:
    refused = browser.post("/sharing/new", choice(place, **fields, step=step))
    assert refused.status_code == 400
    assert said in refused.text
    assert given(place, rosa) == []


def test_a_form_without_a_step_shares_nothing(
    place: Place, rosa: Enrolled, browser: Visitor
) -> None:
    again = browser.post("/sharing/new", choice(place, step="edit"))
    assert re.search('value="observations" checked', again.text)
    assert given(place, rosa) == []


def test_another_patients_consent_is_not_to_be_ended(
    place: Place, rosa: Enrolled, hostile: Enrolled, browser: Visitor
) -> None:
    browser.post("/sharing/new", choice(place, step="share"))
    [one] = given(place, rosa)
    mallory = place.visitor()
    mallory.sign_in(hostile.user)
    assert mallory.get(f"/sharing/end?consent={one.handle.hex()}").status_code == 404
    assert mallory.post("/sharing/end", {"consent": one.handle.hex()}).status_code == 404
    assert mallory.post("/sharing/end", {"consent": "zz"}).status_code == 404
    refused = mallory.post(
        "/sharing/end", {"consent": one.handle.hex(), "patient": rosa.patient["id"]}
    )
    assert refused.status_code == 404
    assert given(place, rosa) == [one]
