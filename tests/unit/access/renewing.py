"""Next epochs of test vaults: what is agreed, signed as the contract wants it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from simdes.access.asking import ask
from simdes.access.descriptors import VaultDescriptor, encode_vault
from simdes.access.messages import (
    AcceptBody,
    DealBody,
    EntryBody,
    RenewalBody,
    VaultAsked,
    VaultsBody,
)
from simdes.access.requests import hexed
from simdes.crypto.capsule import Custodian
from simdes.crypto.digest import sha256
from simdes.crypto.keys import SigningKey
from simdes.index.custody import ManifestEntry
from simdes.ledger.renewals import Renewal, digest
from unit.access.conftest import Scene
from unit.access.network import Organisation


def next_epoch(
    scene: Scene,
    custodians: Sequence[Organisation],
    *,
    m: int = 2,
    vault: VaultDescriptor | None = None,
    by: Organisation | None = None,
    seconds: int = 600,
) -> Renewal:
    """An epoch of these custodians with keys that they gave, its descriptor stored."""
    old, by = vault or scene.vault, by or scene.home
    asked = VaultsBody(vaults=[VaultAsked(tag=hexed(old.tag), epoch=old.epoch + 1)])
    publics = [
        ask(scene.home.caller(), one.id, "vaults", asked).body["keys"][0][2]  # type: ignore[index]
        for one in custodians
    ]
    new = VaultDescriptor(
        old.tag,
        old.epoch + 1,
        m,
        tuple(
            Custodian(one.id, public)  # type: ignore[arg-type]
            for one, public in zip(custodians, publics, strict=True)
        ),
    )
    block = encode_vault(new)
    scene.network.store.put(block)
    return Renewal(
        tag=old.tag,
        epoch=new.epoch,
        descriptor=sha256(block),
        m=m,
        n=new.n,
        organisation=by.id,
        deadline=int(scene.network.clock()) + seconds,
    )


def signed(scene: Scene, renewal: Renewal, *keys: SigningKey) -> list[bytes]:
    """Signatures over a renewal; ada's without keys, who controls the scene's vault."""
    agreed = digest(scene.home.contracts.accounts, renewal)
    return [key.sign(agreed) for key in keys or (scene.home.people["ada"][1],)]


def deal_body(renewal: Renewal, signatures: Sequence[bytes], records: Sequence[bytes]) -> DealBody:
    return DealBody(
        renewal=RenewalBody.of(renewal),
        signatures=[hexed(one) for one in signatures],
        records=[hexed(one) for one in records],
    )


def accept_body(scene: Scene, renewal: Renewal, capsule_cid: str, **more: object) -> AcceptBody:
    """The scene's record with a capsule that is said to be of the next epoch."""
    return AcceptBody(
        renewal=RenewalBody.of(renewal),
        entries=[EntryBody.of(replace(entry(scene), **more), capsule_cid)],  # type: ignore[arg-type]
    )


def entry(scene: Scene) -> ManifestEntry:
    """The entry of the scene's record."""
    written = scene.written
    return ManifestEntry(
        batch_id=written.batch_id,
        record_id=written.sealed.record_id,
        vault=scene.vault.tag,
        category=written.category,
        labels=written.labels,
        types=(written.item.type,),
        body_cid=written.body_cid,
        body_digest=written.sealed.body_digest,
        capsule_cid=written.capsule_cid,
        indexes=(0,),
        organisation=scene.home.id,
        author=scene.home.keystore.lanes[0].address,
        created_ms=0,
    )
