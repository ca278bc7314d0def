"""A patient whose key a wallet keeps has their record erased: told, signed there, carried on."""

from __future__ import annotations

import re
from itertools import count

from simdes.exchange import erasure
from simdes.index.vaults import Identifier, find
from support.bundles import SYSTEM, bundle
from support.wallet_owner import Owner
from unit.gateway.pages.conftest import Place

_numbers = count(8001)
WORDS = {"word": "erase"}


def patient(place: Place, user: str) -> tuple[bytes, Owner]:
    """A vault whose patient was hosted at north and moved to a wallet."""
    number = f"{next(_numbers)}-wallet-answers"
    place.network.submit("north", f"{number}.json", bundle(number))
    place.network.settle()
    with place.north.node.database.read() as tx:
        vault = find(tx, Identifier(SYSTEM, number))
    assert vault is not None
    owner, session = Owner(), place.network.enrol(vault, user)
    owner.take_over(place.north.node, session, place.clock)
    place.network.sessions.clear()
    return vault, owner


def test_a_wallet_orders_the_erasure_and_who_was_away_is_asked_again_without_it(
    place: Place,
) -> None:
    vault, owner = patient(place, "erna")
    erna, named = owner.sign_in(place.north.node, place.app), {"vault": vault.hex()}
    assert 'name="word"' in erna.get("/erasure").text
    wrong = erna.post("/erasure", named | {"word": "yes"})
    assert wrong.status_code == 400 and 'name="signature"' not in wrong.text
    shown = erna.post("/erasure", named | WORDS)
    assert erasure.look(place.north.node, vault).begun is None, "nothing before the wallet signed"
    data = owner.asked(shown.text)
    assert data["primaryType"] == "EraseVault" and data["message"]["tag"] == f"0x{vault.hex()}"
    assert f"0x{vault.hex()}" in shown.text.partition("<details>")[0]
    place.network.down("south")
    assert owner.agree(erna, shown).headers["location"] == "/erasure?done=erasing"
    page = re.sub(r"\s+", " ", erna.get("/erasure").text)
    assert "Not answered yet: Clinic South" in page and "asked again until they sign" in page
    place.network.up("south")
    again = erna.post("/erasure", named | WORDS)
    assert again.headers["location"] == "/erasure?done=erasing", "the order stands"
    page = erna.get("/erasure").text
    assert "Nobody can open it any more." in page and "Not answered yet" not in page
    assert len(re.findall(r'href="/erasure/receipt[^"]+"', page)) == 2


def test_only_a_fresh_signature_of_just_this_by_the_wallet_erases(place: Place) -> None:
    vault, owner = patient(place, "edda")
    other, stranger = patient(place, "egon")
    edda = owner.sign_in(place.north.node, place.app)
    named = {"vault": vault.hex()} | WORDS
    shown = edda.post("/erasure", named)
    data = owner.asked(shown.text)
    signed = {"issued": data["message"]["issued"], "signature": owner.sign(data)}
    for form, status in (
        (named | signed | {"signature": stranger.sign(data)}, 403),
        (named | signed | {"issued": str(int(signed["issued"]) - 1)}, 403),
        (named | signed | {"issued": "1"}, 400),
        (named | signed | {"issued": "-"}, 400),
        (named | signed | {"issued": ""}, 400),
        (named | signed | {"word": ""}, 400),
        (named | signed | {"signature": f"0x{'00' * 65}"}, 403),
        (named | signed | {"signature": "0x12"}, 400),
        (named | signed | {"vault": other.hex()}, 404),
        (named | signed | {"vault": "77" * 32}, 404),
    ):
        assert edda.post("/erasure", form).status_code == status, form
    egon = stranger.sign_in(place.north.node, place.app)
    assert egon.post("/erasure", named | signed).status_code == 404
    late = named | signed
    place.clock.ahead_seconds += 1000
    assert "/sign-in/" in edda.post("/erasure", late).headers["location"], "a fresh proof first"
    edda = owner.sign_in(place.north.node, place.app)
    place.clock.ahead_seconds += 850
    over = edda.post("/erasure", late)
    assert over.status_code == 400 and "The time to sign is over." in over.text
    for tag in (vault, other):
        assert erasure.look(place.north.node, tag).begun is None
