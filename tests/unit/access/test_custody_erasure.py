"""`erase`: who may have a vault's keys destroyed, and that nobody opens anything afterwards."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest

from simdes.access import custody_keys, orders
from simdes.access.asking import Because, Caller, ask
from simdes.access.audit_event import Attempt, Verb
from simdes.access.categories import Purpose, Role
from simdes.access.messages import EraseBody, ReleaseBody
from simdes.access.orders import read_order, sign_order
from simdes.access.requests import Answer, Signer, hexed, sign_request
from simdes.crypto.keys import SigningKey
from simdes.errors import Forbidden, NotFound, SimdesError, Unauthenticated
from simdes.index import custody
from unit.access.conftest import Scene
from unit.access.network import Network, Organisation


def erase(caller: Caller, asked: Organisation, tag: bytes) -> Answer:
    return ask(caller, asked.id, "erase", EraseBody(vault=hexed(tag)))


def order(signer: Signer, network: Network, tag: bytes, *, chain: int | None = None) -> str:
    return sign_order(
        signer,
        chain=network.ledger.chain_id() if chain is None else chain,
        vault=tag,
        now_seconds=int(network.clock()),
    )


def carry(by: Caller, asked: Organisation, tag: bytes, signed: str) -> Answer:
    return ask(by, asked.id, "erase", EraseBody(vault=hexed(tag), order=signed))


def states(member: Organisation, tag: bytes) -> set[str]:
    with member.database.read() as tx:
        return {one.state for one in custody.keys_of(tx, tag)}


def attempts(member: Organisation) -> list[Attempt]:
    entries = member.desk.trail.entries(member.database, limit=100_000)
    return [one.attempt for _, one in entries if one.attempt.verb is Verb.ERASE]


def test_who_controls_a_vault_has_a_custodians_keys_destroyed_for_good(scene: Scene) -> None:
    ada, tag = scene.home.caller("ada"), scene.vault.tag
    said = erase(ada, scene.second, tag).receipt
    assert (said["vault"], said["epochs"], said["chart"], said["duty"]) == (
        hexed(tag), [1], "none", "",
    )  # fmt: skip
    assert states(scene.second, tag) == {custody.DESTROYED}
    assert states(scene.third, tag) == {custody.BOUND}
    [*_, entry] = attempts(scene.second)
    assert entry.granted and entry.records == (tag,) and entry.account
    again = erase(ada, scene.second, tag).receipt
    assert (again["epochs"], again["chart"]) == ([1], "none")
    with scene.second.database.transaction() as tx:
        found = custody_keys.opening_key(tx, scene.second.keystore, tag, epoch=1)
    assert found is None


def test_no_share_comes_from_a_custodian_afterwards(scene: Scene) -> None:
    ada, tag = scene.home.caller("ada"), scene.vault.tag
    body = ReleaseBody(
        basis=Because(Purpose.PATRQT).basis(tag),
        records=[hexed(scene.written.sealed.record_id)],
        epoch=1,
    )
    ask(ada, scene.second.id, "release", body)
    erase(ada, scene.second, tag)
    with pytest.raises((NotFound, Forbidden)):
        ask(ada, scene.second.id, "release", body)


def test_nobody_else_has_a_patients_vault_erased(scene: Scene) -> None:
    tag = scene.vault.tag
    for role in (Role.DOCTOR, Role.ADMINISTRATOR, Role.PATIENT):
        user = f"{role.name.lower()}-{tag.hex()[:6]}"
        scene.home.enrol(user, role)
        with pytest.raises(Forbidden, match="WRONG_ROLE"):
            erase(scene.home.caller(user), scene.second, tag)
    for member in (scene.home, scene.second, scene.reader):
        with pytest.raises(Forbidden, match="CONTROLLED"):
            erase(member.caller(), scene.second, tag)
    with pytest.raises(Forbidden, match="UNKNOWN_VAULT"):
        erase(scene.home.caller("ada"), scene.second, bytes(32))
    assert states(scene.second, tag) == {custody.BOUND}
    refused = [one for one in attempts(scene.second) if one.vault == tag]
    assert {one.reason for one in refused} == {"WRONG_ROLE", "CONTROLLED"}


def test_an_organisation_has_a_vault_erased_that_it_opened_and_alone_wrote_into(
    scene: Scene,
) -> None:
    network, home = scene.network, scene.home
    vault = network.open_vault(home, network.members[:3], m=2)
    network.write(home, vault, b'{"resourceType":"Observation","id":"o2"}')
    for other in (scene.second, scene.reader):
        with pytest.raises(Forbidden, match="NOT_ITS_VAULT"):
            erase(other.caller(), scene.third, vault.tag)
    assert erase(home.caller(), scene.third, vault.tag).receipt["epochs"] == [1]
    assert states(scene.third, vault.tag) == {custody.DESTROYED}


def test_what_others_wrote_is_only_the_patients_to_erase(scene: Scene) -> None:
    network, home = scene.network, scene.home
    vault = network.open_vault(home, network.members[:3], m=2)
    network.write(scene.second, vault, b'{"resourceType":"Observation","id":"o3"}')
    with pytest.raises(Forbidden, match="OTHERS_WROTE"):
        erase(home.caller(), scene.third, vault.tag)
    assert states(scene.third, vault.tag) == {custody.BOUND}


def test_a_key_that_a_restore_set_aside_is_destroyed_too(scene: Scene) -> None:
    ada, tag = scene.home.caller("ada"), scene.vault.tag
    with scene.third.database.transaction() as tx:
        tx.run(
            "UPDATE custody_key SET state = 'pool', vault = NULL, epoch = NULL,"
            " created_ms = -1 WHERE vault = :tag",
            tag=tag,
        )
        assert custody.keys_of(tx, tag) == []
    erase(ada, scene.third, tag)
    assert states(scene.third, tag) == {custody.DESTROYED}


def test_the_trail_goes_on_without_what_can_t_be_read_any_more(scene: Scene) -> None:
    ada, tag, trail = scene.home.caller("ada"), scene.vault.tag, scene.home.desk.trail
    ask(ada, scene.home.id, "manifests", {"basis": Because(Purpose.PATRQT).basis(tag)})
    database = scene.home.database
    assert trail.entries(database, vault=tag, limit=1000)
    erase(ada, scene.home, tag)
    assert trail.entries(database, vault=tag, limit=1000) == ()
    assert trail.page(database, tag, after=0, limit=100).proofs == ()
    assert trail.verify_chain(database) >= len(trail.entries(database, limit=100_000)) > 0


def test_any_members_software_carries_on_what_the_patient_signed(scene: Scene) -> None:
    ada, tag = scene.home.caller("ada"), scene.vault.tag
    signed = order(ada.signer, scene.network, tag)
    assert carry(scene.reader.caller(), scene.second, tag, signed).receipt["epochs"] == [1]
    assert states(scene.second, tag) == {custody.DESTROYED}
    [*_, entry] = attempts(scene.second)
    assert entry.granted and entry.account == scene.home.people["ada"][0].account  # who wanted it
    assert carry(scene.home.caller(), scene.second, tag, signed).receipt["epochs"] == [1]


def test_an_order_counts_for_one_vault_on_one_chain_by_who_controls_it(scene: Scene) -> None:
    network, tag, carrier = scene.network, scene.vault.tag, scene.home.caller()
    ada = scene.home.caller("ada").signer
    stranger = f"patient-{tag.hex()[:6]}"
    scene.home.enrol(stranger, Role.PATIENT)
    outside = SigningKey.generate(os.urandom)
    whole = order(ada, network, tag)
    wrong = (
        order(scene.home.caller(stranger).signer, network, tag),
        order(carrier.signer, network, tag),
        order(outside, network, tag),
        order(ada, network, bytes(32)),
        order(ada, network, tag, chain=1),
        f"{whole[:-4]}AAAA",
        whole.rpartition(".")[0],
        "",
    )
    for signed in wrong:
        with pytest.raises(Forbidden, match="BAD_ORDER"):
            carry(carrier, scene.second, tag, signed)
    with pytest.raises(Forbidden, match="WRONG_ROLE"):
        carry(scene.home.caller(stranger), scene.second, tag, whole)
    with pytest.raises(SimdesError):
        carry(carrier, scene.second, tag, whole + "A" * 4_096)
    with pytest.raises(Unauthenticated, match="for this use"):
        read_order(question_of(scene, tag), contracts=carrier.contracts, vault=tag)
    assert states(scene.second, tag) == {custody.BOUND}


def by_wallet(signer: Signer, network: Network, tag: bytes, *, issued: int = 1) -> str:
    """An order that a wallet signed."""
    contracts = network.members[0].desk.contracts
    data = orders.typed_data(contracts, vault=tag, issued_seconds=issued)
    return orders.wallet_order(issued_seconds=issued, signature=signer.sign(data.digest))


def test_software_carries_on_what_a_wallet_signed_as_typed_data(scene: Scene) -> None:
    ada, tag = scene.home.caller("ada"), scene.vault.tag
    signed = by_wallet(ada.signer, scene.network, tag)
    said = carry(scene.reader.caller(), scene.second, tag, signed).receipt
    assert (said["epochs"], states(scene.second, tag)) == ([1], {custody.DESTROYED})
    [*_, entry] = attempts(scene.second)
    assert entry.granted and entry.account == scene.home.people["ada"][0].account
    assert carry(scene.home.caller(), scene.second, tag, signed).receipt["epochs"] == [1]


def test_a_wallets_order_counts_for_one_vault_chain_and_contract_by_its_signer(
    scene: Scene,
) -> None:
    network, tag, carrier = scene.network, scene.vault.tag, scene.home.caller()
    ada, contracts = scene.home.caller("ada").signer, scene.home.desk.contracts
    stranger = f"patient-{tag.hex()[:6]}"
    scene.home.enrol(stranger, Role.PATIENT)
    whole, data = by_wallet(ada, network, tag), contracts.accounts.erase_vault_data

    def other(**changed: Any) -> str:
        changed_data = replace(data(tag=tag, issued=1), **changed)
        return orders.wallet_order(issued_seconds=1, signature=ada.sign(changed_data.digest))

    wrong = (
        by_wallet(scene.home.caller(stranger).signer, network, tag),
        by_wallet(carrier.signer, network, tag),
        by_wallet(SigningKey.generate(os.urandom), network, tag),
        by_wallet(ada, network, bytes(32)),
        other(chain_id=1),
        other(contract=bytes(20)),
        other(name="SIMDES Consents"),
        other(struct="ClaimVault(bytes32 tag,uint256 issued)"),
        whole.replace("eip712.1.", "eip712.2."),
        whole.replace("eip712.1.", "eip712.01."),
        whole.replace("eip712.1.", "eip712.-1."),
        whole.replace("eip712.1.", f"eip712.{'9' * 16}."),
        whole.replace("eip712.1.", "eip712.١."),
        whole.upper(),
        whole[:-2],
        f"{whole}0",
        f"{whole}\n",
        f"{whole[:-2]}00",
        f"eip712.1.{'00' * 65}",
        "eip712.",
    )
    for signed in wrong:
        with pytest.raises(Forbidden, match="BAD_ORDER"):
            carry(carrier, scene.second, tag, signed)
    with pytest.raises(Forbidden, match="WRONG_ROLE"):
        carry(scene.home.caller(stranger), scene.second, tag, whole)
    assert states(scene.second, tag) == {custody.BOUND}


def question_of(scene: Scene, tag: bytes) -> str:
    """What the patient signed for something else: to ask another custodian the same."""
    ada = scene.home.caller("ada")
    return sign_request(
        ada.signer,
        method="erase",
        audience=scene.third.id,
        chain=scene.network.ledger.chain_id(),
        body=EraseBody(vault=hexed(tag)),
        now_seconds=int(scene.network.clock()),
        random=ada.random,
    ).token.decode()


def test_an_order_counts_nothing_where_no_patient_controls_the_vault(scene: Scene) -> None:
    network, home = scene.network, scene.home
    vault = network.open_vault(home, network.members[:3], m=2)
    signed = order(home.caller().signer, network, vault.tag)
    with pytest.raises(Forbidden, match="BAD_ORDER"):
        carry(home.caller(), scene.third, vault.tag, signed)
    assert states(scene.third, vault.tag) == {custody.BOUND}


def test_rubbish_is_refused(scene: Scene) -> None:
    for body in ({}, {"vault": "0x12"}, {"vault": hexed(bytes(32)), "more": 1}, {"vault": 7}):
        with pytest.raises(SimdesError):
            ask(scene.home.caller("ada"), scene.second.id, "erase", body)
    assert states(scene.second, scene.vault.tag) == {custody.BOUND}
