"""Unusual reading on pages leads to a second factor, and back."""

from __future__ import annotations

import base64
import dataclasses
import re
from urllib.parse import urlencode

from simdes.access import anomaly
from simdes.access.one_time_codes import code_at
from simdes.gateway.app import create_gateway
from simdes.index import readings
from support.pages import Visitor
from support.portal import Enrolled
from unit.gateway.pages.conftest import Place


def reading_much(place: Place, visitor: Visitor) -> Visitor:
    """The same browser where nobody may look at anybody without a second factor."""
    node = place.north.node
    limits = dataclasses.replace(
        node.desk.limits,
        reading=anomaly.rules(strangers_per_hour=1, patients_per_hour=1, patients_per_day=1),
    )
    strict = dataclasses.replace(node, desk=dataclasses.replace(node.desk, limits=limits))
    other = Visitor(create_gateway(place.north.custody, node=strict))
    other.client.cookies = visitor.client.cookies
    return other


def looked_at(place: Place, user: str) -> None:
    """Let a person have looked at two patients a moment ago."""
    node = place.north.node
    account = node.desk.keystore.person(user).account
    with node.database.transaction() as tx:
        strangers = {bytes([one] * 32): False for one in (1, 2)}
        readings.add_readings(tx, account, strangers, now_ms=node.now_ms())


def test_who_reads_unusually_much_shows_a_second_factor_and_goes_on(
    place: Place, rosa: Enrolled
) -> None:
    user, visitor = place.person().user, place.visitor()
    visitor.sign_in(user)
    address = f"/patients/record?patient={rosa.patient['id']}"
    strict = reading_much(place, visitor)
    looked_at(place, user)
    refused = strict.get(address)
    assert refused.status_code == 403, "there is no second factor to ask for"
    assert 'href="/account"' in refused.text and "4.9 mmol/L" not in refused.text

    visitor.post("/account/codes/begin", {})
    text = re.search(r"<code>([A-Z2-7 ]+)</code>", visitor.get("/account/codes").text)
    assert text
    secret = base64.b32decode(text.group(1).replace(" ", ""))
    done = visitor.post("/account/codes", {"code": code_at(secret, int(place.clock()))})
    assert done.status_code == 200, done.text
    place.clock.ahead_seconds += 1_000
    strict = reading_much(place, visitor)
    looked_at(place, user)
    led = strict.get(address).headers["location"]
    assert led == "/sign-in/confirm?" + urlencode({"next": address})
    assert strict.post("/patients", {"text": "pages-1"}).headers["location"] == (
        "/sign-in/confirm?next=%2Fpatients"
    )
    code = code_at(secret, int(place.clock()))
    back = strict.post("/sign-in/confirm", {"code": code, "next": address})
    assert back.headers["location"] == address
    assert "4.9 mmol/L" in strict.get(address).text
