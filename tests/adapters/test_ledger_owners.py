"""What an account's owner signs and anybody relays: guardians, the veto, a key; on each ledger."""

from __future__ import annotations

import pytest

from adapters.ledgers import Person, Town, random_id, random_key
from simdes.errors import Conflict, SimdesError, Tampered, Unsupported
from simdes.ledger.accounts import AccountsContract
from simdes.ledger.contracts import Role, refusal_of
from simdes.ledger.events import GuardiansRequested, OwnerSigned
from simdes.ledger.lane import Call
from simdes.ledger.typed_data import TypedData


def signed(town: Town, owner: Person, data: TypedData) -> Call:
    return town.contracts.accounts.owner_signed(data, owner.key.sign(data.digest))


def asked(town: Town, owner: Person, verb: str, **what: bytes | int) -> TypedData:
    accounts = town.contracts.accounts
    said = {
        "account": owner.id,
        "nonce": accounts.owner_nonce(owner.id),
        "deadline": town.ledger.head().timestamp + 600,
    }
    return accounts.owner_data(verb, **(said | what))


def refused(town: Town, call: Call, kind: type[SimdesError], name: str) -> None:
    with pytest.raises(kind) as caught:
        town.deployer.transact(call)
    assert refusal_of(caught.value) == name


def test_an_owner_who_sends_nothing_appoints_vetoes_and_rotates(town: Town) -> None:
    accounts = town.contracts.accounts
    hospital, clinic = town.organisation(), town.organisation()
    owner, root, key = hospital.person(Role.PATIENT), random_id(), random_key().address
    appointing = asked(town, owner, "SetGuardians", root=root, count=3, threshold=2)
    receipt = town.deployer.transact(signed(town, owner, appointing))
    kinds = {type(town.contracts.decode(log)) for log in receipt.logs}
    assert kinds == {OwnerSigned, GuardiansRequested}
    waiting = accounts.pending_guardians(owner.id)
    assert waiting is not None and (waiting.root, waiting.count, waiting.threshold) == (root, 3, 2)
    refused(town, signed(town, owner, appointing), Conflict, "Accounts_WrongNonce")
    town.deployer.transact(signed(town, owner, asked(town, owner, "CancelGuardians", root=root)))
    assert accounts.pending_guardians(owner.id) is None

    town.deployer.transact(signed(town, owner, asked(town, owner, "RotateKey", key=key)))
    rotation = accounts.pending_rotation(owner.id)
    assert rotation is not None and rotation.key == key
    town.deployer.transact(signed(town, owner, asked(town, owner, "CancelRotation", key=key)))
    assert accounts.pending_rotation(owner.id) is None
    assert accounts.owner_nonce(owner.id) == 4

    veto = signed(town, owner, asked(town, owner, "VetoRecovery", key=key))
    refused(town, veto, Conflict, "Accounts_NothingPending")
    other = signed(town, clinic.person(Role.PATIENT), asked(town, owner, "RotateKey", key=key))
    refused(town, other, Tampered, "Signatures_Invalid")


def test_a_network_of_before_says_what_it_needs(town: Town) -> None:
    # Any contract without the view answers as an Accounts of before it: without a reason.
    older = AccountsContract(town.ledger, town.addresses.records)
    with pytest.raises(Unsupported, match="older than this") as caught:
        older.owner_nonce(random_id())
    assert "upgrade" in caught.value.advice
