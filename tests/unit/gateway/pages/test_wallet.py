"""The page for patients' own wallets: takes what is a request, tells what is wrong with others."""

from __future__ import annotations

import json

import pytest

from simdes.gateway.pages import wallet
from support.pages import Visitor
from unit.gateway.pages.conftest import Place

NOBODYS = "0x" + "ab" * 32


@pytest.mark.parametrize(
    ("fields", "said", "status"),
    [
        ({"step": "look", "request": "<script>"}, "That is no request for a wallet.", 400),
        ({"step": "send", "request": "{}"}, "That is no request for a wallet.", 400),
        ({"step": "look", "request": "[" * 9_000}, "That is no request for a wallet.", 400),
        ({"step": "stop", "vault": "0x12"}, "That is no number of a record.", 400),
        ({"step": "stop", "vault": NOBODYS}, "knows no such vault", 404),
        ({}, "That is no request for a wallet.", 400),
    ],
)
def test_what_is_no_request_is_said_so_on_the_same_page(
    visitor: Visitor, fields: dict[str, str], said: str, status: int
) -> None:
    answer = visitor.post(wallet.PATH, fields)
    assert answer.status_code == status
    assert said in answer.text and "<script>" not in answer.text


def test_a_request_for_a_vault_that_nobody_has_is_shown_and_refused_when_sent(
    place: Place, visitor: Visitor
) -> None:
    message = {"tag": NOBODYS, "handle": NOBODYS, "nonce": "1", "deadline": "1"}
    contract = place.north.node.contracts.consents
    values = {"tag": bytes.fromhex("ab" * 32), "handle": bytes.fromhex("ab" * 32)}
    data = contract.revoke_data(**values, nonce=1, deadline=1)
    assert data.document()["message"] == message
    request = json.dumps({"type": "wallet-request", "v": 1, "typedData": data.document()})
    shown = visitor.post(wallet.PATH, {"step": "look", "request": request})
    assert shown.status_code == 200 and "Stop sharing this?" in shown.text
    fields = {"step": "send", "request": request, "signature": "0x" + "11" * 65}
    refused = visitor.post(wallet.PATH, fields)
    assert refused.status_code == 404 and "knows no such vault" in refused.text


def test_an_address_has_so_many_forms_a_minute_and_others_theirs(visitor: Visitor) -> None:
    fields, token = {"step": "look", "request": "{}"}, visitor.token()

    def status(address: str) -> int:
        headers = {"X-Forwarded-For": address}
        return visitor.post(wallet.PATH, fields, token=token, **headers).status_code

    # Twice as many as a minute has, and one: a minute may end between them.
    said = [status("192.0.2.7") for _ in range(2 * wallet.PER_MINUTE + 1)]
    assert said[: wallet.PER_MINUTE] == [400] * wallet.PER_MINUTE and 429 in said
    assert status("192.0.2.8") == 400
    assert visitor.get(wallet.PATH, **{"X-Forwarded-For": "192.0.2.7"}).status_code == 200
