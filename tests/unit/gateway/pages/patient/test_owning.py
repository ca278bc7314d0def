"""A patient whose wallet keeps their key appoints guardians, calls them off and says no to a
recovery: shown in words, signed there, relayed."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from simdes import typed_numbers
from simdes.access.categories import Role
from simdes.access.guardians import code_of
from simdes.app import ADMINISTRATOR
from simdes.errors import Conflict, Forbidden
from simdes.exchange import enrolment, guardians, owners, recovering
from simdes.gateway.app import create_gateway
from simdes.index import guardians as rows
from simdes.ledger.accounts import AccountsContract
from support import consortium
from support.consortium import Clock, Consortium, passphrase_of
from support.fhir_api import Api
from support.pages import Visitor
from support.portal import Enrolled, enrolled
from support.wallet_owner import Owner

NEW = "words that nobody guesses"


class Town:
    """Two organisations, two friends at south, and a patient of north with a wallet."""

    def __init__(self, network: Consortium, clock: Clock, rosa: Enrolled) -> None:
        self.network, self.clock = network, clock
        self.node, self.south = network["north"].node, network["south"].node
        self.app = create_gateway(network["north"].custody, node=self.node)
        self.owner, self.account = Owner(), rosa.session.actor.account
        self.owner.take_over(self.node, rosa.session, clock)
        self.friends = [self.friend(name) for name in ("friend.one", "friend.two")]

    def friend(self, name: str) -> bytes:
        return enrolment.add_person(
            self.south,
            self.network.session("south", ADMINISTRATOR),
            name,
            role=Role.PATIENT,
            passphrase=passphrase_of(name),
        ).account

    def visitor(self) -> Visitor:
        return self.owner.sign_in(self.node, self.app)

    def form(self, needed: int = 2) -> dict[str, str]:
        """The form of /guardians/new."""
        lines = {"needed": str(needed), "name": "Rosa B."}
        for place, one in enumerate(self.friends, start=1):
            lines |= {f"number-{place}": f"0x{one.hex()}", f"label-{place}": f"Friend {place}"}
        return lines

    def pass_delay(self) -> None:
        """Let the network's delay pass."""
        self.clock.ahead_seconds += self.node.contracts.accounts.delay_seconds() + 1
        self.network.sessions.clear()

    def appoint(self, needed: int = 2) -> None:
        """A new set, in force; the veto is fresh again."""
        self.network.sessions.clear()
        rosa = self.visitor()
        said = self.owner.agree(rosa, rosa.post("/guardians/new", self.form(needed)))
        assert said.headers["location"] == "/guardians?done=appointed", said.text
        self.pass_delay()
        guardians.put_in_force(self.node)

    def attack(self) -> bytes:
        """Both friends let in a key that Rosa never asked for; it waits on the chain."""
        begun = recovering.begin(
            self.node, "rosa", f"{NEW} {secrets.token_hex(4)}", address="192.0.2.1"
        )
        for name in ("friend.one", "friend.two"):
            session = self.network.session("south", name)
            recovering.vouch(self.south, session, self.account, begun.code)
        recovering.tend(self.node)
        waiting = self.node.contracts.accounts.pending_recovery(self.account)
        assert waiting is not None and code_of(waiting.key) == begun.code
        return waiting.key


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder, clock = tmp_path_factory.mktemp("owning") / "network", Clock()
    consortium.found(folder, names=("north", "south"))
    with consortium.cheap_locks(), consortium.opened(folder, clock=clock) as network:
        doctor = Api.of(network["north"], "dr.north")

        def begin() -> Enrolled:
            return enrolled(network, doctor, "owning-1", user="rosa")

        with ThreadPoolExecutor(max_workers=1) as pool:
            rosa = pool.submit(begin).result()
        yield Town(network, clock, rosa)


def resent(town: Town, rosa: Visitor, page: httpx.Response, **changes: Any) -> httpx.Response:
    """The form of a page with a signature of what it shows, changed."""
    [form] = [one for one in page.text.split("<form ") if 'name="signature"' in one]
    action = re.search('action="([^"]+)"', form)
    assert action
    fields = dict(re.findall('<input type="hidden" name="([^"]+)" value="([^"]*)"', form))
    fields["signature"] = town.owner.sign(town.owner.asked(page.text))
    del fields["token"]
    return rosa.post(action.group(1), fields | changes)


def test_guardians_are_shown_in_words_signed_by_the_wallet_and_told(town: Town) -> None:
    rosa, accounts = town.visitor(), town.node.contracts.accounts
    assert rosa.get("/guardians/new").status_code == 200
    shown = rosa.post("/guardians/new", town.form())
    assert "Appoint these guardians?" in shown.text and "2 of these 2 together" in shown.text
    for place, one in enumerate(town.friends, start=1):
        assert f"Friend {place}" in shown.text
        assert all(line in shown.text for line in typed_numbers.printed(one))
    assert "Clinic South" in shown.text
    document = town.owner.asked(shown.text)
    assert document["primaryType"] == "SetGuardians"
    assert (document["message"]["count"], document["message"]["threshold"]) == ("2", "2")
    assert accounts.pending_guardians(town.account) is None, "nothing before the wallet signed"

    stranger = Owner().agree(rosa, shown)
    assert stranger.status_code == 403 and "not a signature of your wallet" in stranger.text
    assert "Appoint these guardians?" in stranger.text
    assert accounts.pending_guardians(town.account) is None
    said = town.owner.agree(rosa, shown)
    assert said.headers["location"] == "/guardians?done=appointed"
    waiting = accounts.pending_guardians(town.account)
    assert waiting is not None and f"0x{waiting.root.hex()}" == document["message"]["root"]
    [ward] = guardians.wards(town.south, town.friends[0])
    assert (ward.account, ward.name, ward.waiting) == (town.account, "Rosa B.", True)
    listed = rosa.get("/guardians").text
    assert "Friend 1" in listed and "not told yet" not in listed

    again = town.owner.agree(rosa, shown)
    assert again.status_code == 403, "what was relayed is worth nothing any more"


def test_a_set_that_waits_is_called_off_by_the_wallet(town: Town) -> None:
    rosa, accounts = town.visitor(), town.node.contracts.accounts
    town.owner.agree(rosa, rosa.post("/guardians/new", town.form(1)))
    shown = rosa.post("/guardians/cancel", {})
    assert "Take these guardians back?" in shown.text and "Friend 2" in shown.text
    assert accounts.pending_guardians(town.account) is not None
    said = town.owner.agree(rosa, shown)
    assert said.headers["location"] == "/guardians?done=guardians-back"
    assert accounts.pending_guardians(town.account) is None
    assert rosa.post("/guardians/cancel", {}).status_code == 409


def test_a_wrong_form_is_answered_with_the_form_before_anything_is_signed(town: Town) -> None:
    rosa = town.visitor()
    for wrong in ({"number-2": town.form()["number-1"]}, {"needed": "3"}, {"number-1": "0x12"}):
        answer = rosa.post("/guardians/new", town.form() | wrong)
        assert answer.status_code == 400 and "data-wallet" not in answer.text


def test_a_recovery_that_the_owner_did_not_ask_for_is_stopped_once(town: Town) -> None:
    rosa, accounts = town.visitor(), town.node.contracts.accounts
    town.appoint()
    key = town.attack()
    assert 'action="/guardians/veto"' in rosa.get("/guardians").text
    shown = rosa.post("/guardians/veto", {})
    assert "Stop this new key?" in shown.text and code_of(key) in shown.text
    assert accounts.pending_recovery(town.account) is not None
    assert Owner().agree(rosa, shown).status_code == 403
    said = town.owner.agree(rosa, shown)
    assert said.headers["location"] == "/guardians?done=vetoed"
    assert accounts.pending_recovery(town.account) is None
    with town.node.database.read() as tx:
        assert rows.recoveries(tx, town.account) == []

    town.attack()
    page = rosa.get("/guardians").text
    assert "which is possible once" in page and 'action="/guardians/veto"' not in page
    assert rosa.post("/guardians/veto", {}).status_code == 409, "the veto is spent"
    with pytest.raises(Conflict, match="possible once"):
        owners.to_sign(town.node, town.account, owners.VETO)
    town.appoint()
    assert accounts.pending_recovery(town.account) is None, "the former guardians' goes with them"


def test_a_signature_counts_for_this_key_this_account_this_chain_and_its_time(town: Town) -> None:
    rosa, accounts = town.visitor(), town.node.contracts.accounts
    town.appoint()
    town.attack()
    shown = rosa.post("/guardians/veto", {})
    document = town.owner.asked(shown.text)
    other_chain = document | {"domain": document["domain"] | {"chainId": 1}}
    theirs = document | {"message": document["message"] | {"account": f"0x{bytes(32).hex()}"}}
    for wrong in (other_chain, theirs):
        answer = resent(town, rosa, shown, signature=town.owner.sign(wrong))
        assert answer.status_code == 403, wrong
    late = document["message"] | {"deadline": str(town.node.now_seconds() - 1)}
    signed = town.owner.sign(document | {"message": late})
    answer = resent(town, rosa, shown, deadline=late["deadline"], signature=signed)
    assert answer.status_code == 400 and "time to sign is over" in answer.text
    far = document["message"] | {"deadline": str(town.node.now_seconds() + 86_400)}
    signed = town.owner.sign(document | {"message": far})
    assert resent(town, rosa, shown, deadline=far["deadline"], signature=signed).status_code == 400

    again = town.attack()  # the guardians begin anew with another key
    kept = town.owner.agree(rosa, shown)
    assert kept.status_code == 403, "a veto of one recovery stops no other"
    assert code_of(again) in kept.text, "what waits now is shown instead"
    waiting = accounts.pending_recovery(town.account)
    assert waiting is not None and waiting.key == again
    assert town.owner.agree(rosa, kept).headers["location"] == "/guardians?done=vetoed"
    with pytest.raises(Conflict):
        owners.send(
            town.node,
            town.account,
            owners.VETO,
            deadline=int(document["message"]["deadline"]),
            signature=bytes.fromhex(town.owner.sign(document)[2:]),
        )


def test_nobody_says_anything_for_another_account(town: Town) -> None:
    town.appoint()
    town.attack()
    friend = Visitor(town.app)
    assert friend.post("/guardians/veto", {}).headers["location"].startswith("/sign-in")
    deadline = town.node.now_seconds() + 60
    data = owners.to_sign(town.node, town.account, owners.VETO, deadline=deadline)
    with pytest.raises(Forbidden):
        owners.send(
            town.node,
            town.account,
            owners.VETO,
            deadline=deadline,
            signature=Owner().key.sign(data.digest),
        )
    assert town.node.contracts.accounts.pending_recovery(town.account) is not None
    town.appoint()


def test_any_organisation_stops_a_recovery_for_the_wallet_that_signs(town: Town) -> None:
    town.appoint()
    key = town.attack()
    stranger = Visitor(create_gateway(town.network["south"].custody, node=town.south))
    number = {"account": " ".join(typed_numbers.printed(town.account))}
    assert stranger.post("/wallet/veto", {"account": "0x12"}).status_code == 400
    nobodys = stranger.post("/wallet/veto", {"account": f"0x{bytes(32).hex()}"})
    assert nobodys.status_code == 404 and "knows no such account" in nobodys.text
    shown = stranger.post("/wallet/veto", number)
    assert code_of(key) in shown.text and "Friend" not in shown.text
    assert Owner().agree(stranger, shown).status_code == 403
    waiting = town.node.contracts.accounts.pending_recovery(town.account)
    assert waiting is not None and waiting.key == key
    said = town.owner.agree(stranger, shown)
    assert said.headers["location"] == "/wallet?done=wallet-sent"
    assert town.node.contracts.accounts.pending_recovery(town.account) is None
    assert stranger.post("/wallet/veto", number).status_code == 409


def test_an_older_network_says_so_before_anything_is_signed(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def older(self: AccountsContract, verb: str, *arguments: object) -> object:
        if verb == "ownerNonce":
            raise Conflict("a contract refused: it gave no reason")
        return real(self, verb, *arguments)

    real = AccountsContract.read
    rosa = town.visitor()
    monkeypatch.setattr(AccountsContract, "read", older)
    answer = rosa.post("/guardians/new", town.form())
    assert answer.status_code == 501 and "older than this" in answer.text
    assert "data-wallet" not in answer.text
