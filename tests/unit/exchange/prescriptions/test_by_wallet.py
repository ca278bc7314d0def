"""A prescription whose patient has a wallet: what it signs, in true words, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.applications import Starlette

from simdes.errors import Conflict, Invalid, NotFound, SimdesError
from simdes.exchange import meanings, wallets
from simdes.exchange.node import Node
from simdes.exchange.prescriptions import holding, submitting
from simdes.exchange.rights import Asking, ask
from support import wallet_owner
from support.consortium import Clock, Consortium
from support.fhir_api import Api, Json
from support.prescribing import Ward
from support.wallet_owner import Owner


@dataclass(frozen=True, slots=True)
class Signer:
    """A patient with a wallet and a prescription."""

    ward: Ward
    owner: Owner
    request: Json

    @property
    def node(self) -> Node:
        return self.ward.network["north"].node

    @property
    def west(self) -> bytes:
        return self.ward.network["west"].node.organisation

    def asking(self) -> Asking:
        return ask(self.node, self.owner.session(self.node))

    def to_send(self, *, about: str = "", **others: Any) -> wallets.Request:
        asking, own = self.asking(), str(self.request["id"])
        what: Any = submitting.to_submit(self.node, asking, own, self.west) | others
        return wallets.grant(self.node, asking, (meanings.PRESCRIPTION, about or own), **what)

    def read(self, text: str) -> wallets.Request:
        return wallets.read(self.node, text, asking=self.asking())


def signer_of(network: Consortium, clock: Clock, doctor: Api, number: str) -> Signer:
    ward, owner = Ward.of(network, clock, doctor, number), Owner()
    request = ward.issued()
    wallet_owner.enrol(network, ward.vault, owner.key, attester="cove", user=f"w.{number}")
    network.settle()
    ward.network["north"].node.following.catch_up()
    return Signer(ward, owner, request)


@pytest.fixture(scope="module")
def rosa(founded: tuple[Consortium, Clock], doctor: Api, north: Starlette) -> Signer:
    return signer_of(*founded, doctor, "wallet-1")


@pytest.fixture(scope="module")
def other(founded: tuple[Consortium, Clock], doctor: Api, north: Starlette) -> Signer:
    return signer_of(*founded, doctor, "wallet-2")


def test_what_the_wallet_signed_sends_a_prescription_and_takes_it_back(rosa: Signer) -> None:
    request = rosa.read(wallets.written(rosa.to_send()))
    assert request.meaning is not None
    assert request.meaning.found.request["id"] == rosa.request["id"]
    given = wallets.given(rosa.node, request)
    assert (given.organisation, given.role) == (rosa.west, "pharmacist")
    assert submitting.submitted(rosa.node, rosa.asking(), rosa.request["id"]) == []
    rosa.owner.agree_to(rosa.node, request)
    [sent] = submitting.submitted(rosa.node, rosa.asking(), rosa.request["id"])
    assert (sent.pharmacy, sent.handle) == (rosa.west, request.message["handle"])

    pharmacy = rosa.ward.network["west"].node
    pharmacy.following.catch_up()
    pharmacist = ask(pharmacy, rosa.ward.network.session("west", "ph.west"))
    consent = submitting.consent_of_code(pharmacy, pharmacist, sent.code)
    held = holding.hold(pharmacy, pharmacist, rosa.request["id"], vault=consent.vault)
    assert submitting.is_of(consent, held)
    with pytest.raises(Conflict):
        rosa.owner.agree_to(rosa.node, request)

    undo = wallets.revoke(rosa.node, vault=rosa.ward.vault, handle=sent.handle)
    rosa.owner.agree_to(rosa.node, rosa.read(wallets.written(undo)))
    assert submitting.submitted(rosa.node, rosa.asking(), rosa.request["id"]) == []
    pharmacy.following.catch_up()
    with pytest.raises(NotFound):
        submitting.consent_of_code(pharmacy, pharmacist, sent.code)


def test_nobody_but_the_patient_is_told_what_it_is_for_so_nobody_else_has_it_signed(
    rosa: Signer, other: Signer
) -> None:
    text = wallets.written(rosa.to_send())
    for node in (rosa.node, rosa.ward.network["west"].node):
        with pytest.raises(Invalid, match="own record alone"):
            wallets.read(node, text)
    with pytest.raises(Invalid, match="not yours"):
        other.read(text)


def _drop(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda it: it.pop(name)


@pytest.mark.parametrize(
    "spoil",
    [
        _drop("hangsOn"),
        lambda it: it.update(hangsOn=["prescription", "nothing-like-that"]),
        lambda it: it.update(hangsOn=["prescription", ""]),
        lambda it: it.update(hangsOn=["claim", it["hangsOn"][1]]),
        lambda it: it.update(hangsOn=["prescription"]),
        lambda it: it.update(hangsOn=7),
        lambda it: it.update(hangsOn=[1, 2]),
        lambda it: it.update(records=["0x" + "11" * 32]),
        lambda it: it.update(letter=""),
        lambda it: it.update(letter="AAAA"),
        lambda it: it.update(letter=7),
        lambda it: it["terms"].update(condition_id="0x" + "22" * 32),
        lambda it: it["terms"].update(condition="0x" + "00" * 20),
    ],
)
def test_words_that_are_not_those_of_the_terms_are_never_shown(
    rosa: Signer, spoil: Callable[[dict[str, Any]], object]
) -> None:
    spoilt = json.loads(wallets.written(rosa.to_send()))
    spoil(spoilt)
    with pytest.raises(SimdesError):
        rosa.read(json.dumps(spoilt))


def test_terms_about_another_vaults_or_no_prescription_are_refused(
    rosa: Signer, other: Signer
) -> None:
    prescriptions = rosa.node.contracts.addresses.prescriptions
    foreign = holding.hold(other.node, other.asking(), other.request["id"]).tag_bytes
    for condition in (
        (prescriptions, foreign),
        (prescriptions, bytes(31) + b"\1"),
        (rosa.node.contracts.addresses.studies, foreign),
        (bytes(20), foreign),
    ):
        for name in (rosa.request["id"], other.request["id"]):
            with pytest.raises(Invalid):
                rosa.to_send(about=name, while_open=condition)
    with pytest.raises(Invalid):
        rosa.to_send(records=[b"\1" * 32])


def test_what_the_patient_is_shown_for_too_long_is_worth_nothing(rosa: Signer) -> None:
    request = rosa.to_send()
    rosa.ward.clock.ahead_seconds += wallets.SIGN_SECONDS + 60
    with pytest.raises(SimdesError):
        rosa.owner.agree_to(rosa.node, request)
    assert submitting.submitted(rosa.node, rosa.asking(), rosa.request["id"]) == []


def test_a_pharmacy_by_preference_is_granted_and_the_one_before_still_to_be_ended(
    rosa: Signer,
) -> None:
    for name in ("west", "cove"):
        pharmacy = rosa.ward.network[name].node.organisation
        what = submitting.to_prefer(rosa.node, rosa.asking(), rosa.ward.vault, pharmacy)
        request = wallets.grant(rosa.node, **what)
        rosa.owner.agree_to(rosa.node, rosa.read(wallets.written(request)))
        assert submitting.preferred(rosa.node, rosa.ward.vault) == pharmacy
    both = submitting.all_preferred(rosa.node, rosa.asking(), rosa.ward.vault)
    assert len(both) == 2
    for one in both:
        undo = wallets.revoke(rosa.node, vault=rosa.ward.vault, handle=one.handle)
        rosa.owner.agree_to(rosa.node, undo)
    assert submitting.preferred(rosa.node, rosa.ward.vault) is None
