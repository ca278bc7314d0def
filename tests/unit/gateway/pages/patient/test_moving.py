"""Moving to a wallet on pages: read, proven, ticked, shown with what calls it off, in force."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html import unescape

import httpx
import pytest

from adapters.ethereum import Account
from simdes.crypto.keys import SigningKey
from simdes.errors import NotFound
from simdes.exchange import recovering
from simdes.gateway.app import create_gateway
from simdes.gateway.pages.patient import moving
from simdes.index import guardians as rows
from support import consortium
from support.consortium import Clock, Consortium
from support.fhir_api import Api
from support.pages import Visitor
from support.portal import enrolled
from support.wallet_owner import Owner


class Town:
    """A gateway, a patient with a record, a wallet."""

    def __init__(self, network: Consortium, clock: Clock) -> None:
        self.network, self.clock = network, clock
        self.node = network["north"].node
        self.app = create_gateway(network["north"].custody, node=self.node)
        self.wallet = SigningKey.generate(secrets.token_bytes)

    def visitor(self, user: str) -> Visitor:
        made = Visitor(self.app)
        assert made.sign_in(user).status_code == 303
        return made

    def look(self, visitor: Visitor) -> dict[str, str]:
        """The form after the wallet signed what it shows, its box ticked."""
        address = f"0x{self.wallet.address.hex()}"
        page = visitor.post(moving.PATH, {"step": "look", "address": address}).text
        found = re.search('data-wallet="([^"]*)"', page)
        assert found, page
        document = json.loads(unescape(found.group(1)))
        signed = Account.sign_typed_data(self.wallet.to_bytes(), full_message=document)
        return {
            "step": "move",
            "address": address,
            "deadline": document["message"]["deadline"],
            "signature": f"0x{signed.signature.hex()}",
            "sure": "yes",
        }


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder, clock = tmp_path_factory.mktemp("moving") / "network", Clock()
    consortium.found(folder, names=("north", "south"))
    with consortium.cheap_locks(), consortium.opened(folder, clock=clock) as network:
        doctor = Api.of(network["north"], "dr.north")
        with ThreadPoolExecutor(max_workers=1) as pool:
            pool.submit(lambda: enrolled(network, doctor, "moved-1", user="rosa")).result()
        yield Town(network, clock)


def test_what_is_wrong_is_said_and_nothing_moves(town: Town) -> None:
    rosa = town.visitor("rosa")
    assert "You have no guardians" in rosa.get(moving.PATH).text
    for address in ("", "0x12", "x" * 42):
        said = rosa.post(moving.PATH, {"step": "look", "address": address})
        assert said.status_code == 400 and "That is no address of a wallet." in unescape(said.text)
    own = f"0x{town.node.desk.keystore.person('rosa').address.hex()}"
    said = rosa.post(moving.PATH, {"step": "look", "address": own})
    assert said.status_code == 409
    right = town.look(rosa)
    for wrong, status, words in (
        ({"sure": ""}, 400, "Say first that you know"),
        ({"signature": "0x12"}, 400, "That is no signature."),
        ({"signature": "0x" + "11" * 65}, 403, "not a signature of that wallet"),
        ({"deadline": "1"}, 400, "The time to sign is over."),
        ({"deadline": "\u0664"}, 400, "The time to sign is over."),
    ):
        said = rosa.post(moving.PATH, right | wrong)
        assert (said.status_code, words in said.text) == (status, True)
    assert recovering.waiting_wallet(town.node, rosa_account(town)) is None


def test_others_than_patients_and_whoever_proved_nothing_lately_are_kept_out(town: Town) -> None:
    doctor = town.visitor("dr.north")
    assert doctor.get(moving.PATH).status_code == 403
    assert doctor.post(moving.PATH, {"step": "look"}).status_code == 403
    assert doctor.post(moving.OFF, {}).status_code == 403
    assert moving.PATH not in doctor.get("/account").text
    rosa = town.visitor("rosa")
    town.clock.ahead_seconds += 16 * 60
    for answer in (rosa.get(moving.PATH), rosa.post(moving.PATH, {"step": "look"})):
        assert answer.headers["location"].startswith("/sign-in/confirm")


def test_it_is_shown_while_it_waits_called_off_and_in_force_after_the_delay(town: Town) -> None:
    rosa, account = town.visitor("rosa"), rosa_account(town)
    assert moving.PATH in rosa.get("/account").text
    done = rosa.post(moving.PATH, town.look(rosa))
    assert done.headers["location"] == f"{moving.PATH}?done=wallet-asked"
    for path in ("/home", "/account", moving.PATH):
        page = rosa.get(path).text
        assert "moves to a wallet" in page and f'action="{moving.OFF}"' in page, path
    again = rosa.post(moving.PATH, {"step": "look", "address": "0x" + "77" * 20})
    assert again.status_code == 409 and "Call it off" in again.text
    assert rosa.post(moving.OFF, {}).headers["location"] == "/account?done=wallet-off"
    assert "moves to a wallet" not in rosa.get("/home").text
    assert rosa.post(moving.OFF, {}).status_code == 409

    rosa.post(moving.PATH, town.look(rosa))
    town.clock.ahead_seconds += town.node.contracts.accounts.delay_seconds() + 1
    assert recovering.tend(town.node) == 1
    known = town.node.contracts.accounts.account(account)
    assert known is not None and known.key == town.wallet.address
    assert rosa.get("/home").headers["location"].startswith("/sign-in")
    assert Visitor(town.app).sign_in("rosa").status_code == 401


def rosa_account(town: Town) -> bytes:
    return town.node.desk.keystore.person("rosa").account


# From one wallet to another -----------------------------------------------------------------------


def moved(town: Town) -> Owner:
    """Rosa with the wallet that keeps her account, moved there unless a test before did."""
    account = town.node.contracts.accounts.account(rosa_account(town))
    assert account is not None
    if account.key != town.wallet.address:
        rosa = town.visitor("rosa")
        rosa.post(moving.PATH, town.look(rosa))
        town.clock.ahead_seconds += town.node.contracts.accounts.delay_seconds() + 1
        assert recovering.tend(town.node) == 1
    return Owner(town.wallet)


def proven(other: Owner, rosa: Visitor) -> httpx.Response:
    """The page that asks the present wallet, after the other one signed that it is there."""
    page = rosa.post(moving.PATH, {"step": "look", "address": other.address})
    document = other.asked(page.text)
    assert document["primaryType"] == "MoveAccount"
    return rosa.post(
        moving.PATH,
        {
            "step": "move",
            "address": other.address,
            "deadline": document["message"]["deadline"],
            "signature": other.sign(document),
            "sure": "yes",
        },
    )


def hidden(page: httpx.Response) -> dict[str, str]:
    """What the form of a page brings back, but for token and signature."""
    [form] = [one for one in page.text.split("<form ") if 'name="signature"' in one]
    found = dict(re.findall('<input type="hidden" name="([^"]+)" value="([^"]*)"', form))
    del found["token"]
    return found


def test_another_wallet_takes_over_once_both_signed_and_the_first_one_calls_it_off(
    town: Town,
) -> None:
    owner, other, account = moved(town), Owner(), rosa_account(town)
    rosa = owner.sign_in(town.node, town.app)
    assert moving.PATH in rosa.get("/account").text
    page = rosa.get(moving.PATH).text
    assert "Move on to another wallet" in page and owner.address in page
    asked = proven(other, rosa)
    assert "Let the other wallet take over?" in asked.text
    assert owner.address in asked.text and other.address in asked.text
    assert recovering.waiting_wallet(town.node, account) is None, "nothing is sent by one of them"
    done = owner.agree(rosa, asked)
    assert done.headers["location"] == f"{moving.PATH}?done=wallet-asked", done.text
    for path in ("/home", "/account", moving.PATH):
        assert f'action="{moving.OFF}"' in rosa.get(path).text, path
    again = rosa.post(moving.PATH, {"step": "look", "address": Owner().address})
    assert again.status_code == 409 and "Call it off" in again.text

    off = rosa.post(moving.OFF, {})
    assert "Withdraw the new key?" in off.text and other.address in off.text
    assert other.agree(rosa, off).status_code == 403
    assert recovering.waiting_wallet(town.node, account) is not None
    assert owner.agree(rosa, off).headers["location"] == "/guardians?done=key-back"
    assert recovering.waiting_wallet(town.node, account) is None
    assert owner.agree(rosa, asked).status_code == 403, "what was taken once is worth nothing more"

    owner.agree(rosa, proven(other, rosa))
    town.clock.ahead_seconds += town.node.contracts.accounts.delay_seconds() + 1
    assert recovering.tend(town.node) == 1
    known = town.node.contracts.accounts.account(account)
    assert known is not None and known.key == other.key.address
    assert rosa.get("/home").headers["location"].startswith("/sign-in")
    with pytest.raises(NotFound):
        owner.sign_in(town.node, town.app)
    newly = other.sign_in(town.node, town.app)
    assert "Hello" in newly.get("/home").text
    back = newly.post(moving.PATH, {"step": "look", "address": owner.address})
    assert back.status_code == 409 and "has or had" in back.text
    town.wallet = other.key


def test_no_one_signature_and_none_of_something_else_moves_a_wallets_account(town: Town) -> None:
    owner, other, thief = moved(town), Owner(), Owner()
    account = rosa_account(town)
    rosa = owner.sign_in(town.node, town.app)
    look = rosa.post(moving.PATH, {"step": "look", "address": other.address})
    document = other.asked(look.text)
    first = {
        "step": "move",
        "address": other.address,
        "deadline": document["message"]["deadline"],
        "signature": other.sign(document),
        "sure": "yes",
    }
    for wrong, status in (
        ({"sure": ""}, 400),
        ({"signature": owner.sign(document)}, 403),
        ({"address": thief.address}, 403),
        ({"deadline": "1"}, 400),
        ({"deadline": "9" * 16}, 400),
    ):
        assert rosa.post(moving.PATH, first | wrong).status_code == status, wrong
    page = proven(other, rosa)
    right = hidden(page) | {"signature": owner.sign(owner.asked(page.text))}
    for wrong, status in (
        ({"signature": other.sign(owner.asked(page.text))}, 403),
        ({"signature": thief.sign(owner.asked(page.text))}, 403),
        ({"signature": right["proof"]}, 403),
        ({"signature": "0x12"}, 400),
        ({"proof": right["signature"]}, 403),
        ({"proof": ""}, 400),
        ({"proven": "1"}, 400),
        ({"address": thief.address}, 403),
        ({"deadline": str(int(right["deadline"]) - 1)}, 403),
        ({"deadline": "\u0664"}, 400),
        ({"sure": ""}, 400),
    ):
        assert rosa.post(moving.PATH, right | wrong).status_code == status, wrong
    stranger = Visitor(town.app)
    assert stranger.post(moving.PATH, right).headers["location"].startswith("/sign-in")
    assert recovering.waiting_wallet(town.node, account) is None
    with town.node.database.read() as tx:
        assert not rows.recoveries(tx, account), "nothing is stored before both signed"
    assert rosa.post(moving.OFF, {}).status_code == 409
