"""Vaults: a patient's custodians, opened for people nobody enrolled yet, claimed by them later.

A new patient of a feed gets a vault at once: a random tag and a local key, so that what is
received can be kept encrypted. Opening it, in a worker, asks each custodian for a fresh key,
publishes the descriptor and registers the vault on chain; every step can be repeated
(docs/formats/vault.md; paper: "user enrolment").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from simdes.access import custody_keys
from simdes.access.accounts import Agent, Transactor
from simdes.access.asking import Caller, ask
from simdes.access.descriptors import VaultDescriptor, encode_vault
from simdes.access.directory import Directory
from simdes.access.keystore import KeyStore
from simdes.access.local_keys import fresh_vault_key, vault_key
from simdes.access.messages import MAX_VAULTS, AttestBody, VaultAsked, VaultsBody
from simdes.access.requests import Signer, hexed
from simdes.crypto.capsule import Custodian
from simdes.crypto.digest import sha256
from simdes.errors import Conflict, Forbidden, Invalid, NotFound, SimdesError, Tampered
from simdes.index import contents
from simdes.index import vaults as rows
from simdes.index.database import Database
from simdes.index.transaction import Transaction
from simdes.ledger.contracts import Contracts
from simdes.storage.store import Store

__all__ = [
    "EPOCH",
    "MAX_VAULTS",
    "Opener",
    "add_local",
    "ask_attestation",
    "attest_here",
    "claim",
    "custodian_keys",
    "fresh_row",
    "open_vaults",
    "vault_key",
]

EPOCH: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Opener:
    """What opening vaults depends on. `caller` signs as our agent, whose key `lane` sends with."""

    keystore: KeyStore
    database: Database
    store: Store
    directory: Directory
    caller: Caller
    lane: Agent
    clock: Callable[[], float]
    random: Callable[[int], bytes]

    @property
    def contracts(self) -> Contracts:
        """The network's contracts."""
        return self.directory.contracts


# The local side: a tag and a key --------------------------------------------------------------


def add_local(
    tx: Transaction,
    keystore: KeyStore,
    tag: bytes,
    *,
    m: int,
    n: int,
    home: bool,
    random: Callable[[int], bytes],
    now_ms: int,
) -> rows.Vault:
    """The row of a vault with a fresh local key; the row that is there already, if one is."""
    vault = fresh_row(keystore, tag, m=m, n=n, home=home, random=random, now_ms=now_ms)
    if rows.add(tx, vault):
        return vault
    found = rows.get(tx, tag)
    if found is None:
        raise NotFound("No such vault here.")
    return found


def fresh_row(
    keystore: KeyStore,
    tag: bytes,
    *,
    m: int,
    n: int,
    home: bool,
    random: Callable[[int], bytes],
    now_ms: int,
) -> rows.Vault:
    """A vault with a fresh local key, not in the database yet."""
    return rows.Vault(
        tag=tag,
        m=m,
        n=n,
        epoch=EPOCH,
        descriptor_cid="",
        control=None,
        home=int(home),
        key_wrapped=fresh_vault_key(keystore, tag, random=random),
        state=rows.OPENING if home else rows.OPEN,
        created_ms=now_ms,
    )


# Opening --------------------------------------------------------------------------------------


def open_vaults(
    opener: Opener, tags: Sequence[bytes], custodians: Sequence[bytes], *, m: int
) -> dict[bytes, SimdesError | None]:
    """Open provisional vaults with these custodians (organisation ids, in share order).

    Custodians are asked once for all tags; each tag gets None or what stood in its way. Repeating
    it after a crash goes on where it stopped: a vault that the chain knows keeps its descriptor.
    Raises `Unavailable` when a custodian does not answer, `Invalid` for a bad choice.
    """
    if len(tags) > MAX_VAULTS:
        raise Invalid(f"At most {MAX_VAULTS} vaults are opened at once.")
    known = {tag: opener.contracts.accounts.vault(tag) for tag in tags}
    new = [tag for tag in tags if known[tag] is None]
    results: dict[bytes, SimdesError | None] = dict.fromkeys(tags)
    descriptors = _publish(opener, _describe(opener, new, custodians, m=m))
    calls = [
        opener.contracts.accounts.open_vault(
            tag=tag, descriptor=sha256(block), m=m, n=len(custodians)
        )
        for tag, (block, _) in descriptors.items()
    ]
    outcomes = opener.lane.transact_many(calls) if calls else []
    for tag, outcome in zip(descriptors, outcomes, strict=True):
        # Another process of ours may have been faster: the chain decides which descriptor holds.
        if isinstance(outcome, SimdesError) and not isinstance(outcome, Conflict):
            results[tag] = outcome
    for tag in tags:
        if results[tag] is None:
            results[tag] = _settle(opener, tag)
    return results


def _describe(
    opener: Opener, tags: Sequence[bytes], custodians: Sequence[bytes], *, m: int
) -> dict[bytes, VaultDescriptor]:
    if not tags:
        return {}
    if len(set(custodians)) != len(custodians) or not 2 <= m <= len(custodians):
        raise Invalid("A vault needs 2 ≤ m ≤ n distinct custodians.")
    publics = {one: custodian_keys(opener, one, tags) for one in custodians}
    return {
        tag: VaultDescriptor(
            tag, EPOCH, m, tuple(Custodian(one, publics[one][tag]) for one in custodians)
        )
        for tag in tags
    }


def custodian_keys(
    opener: Opener, custodian: bytes, tags: Sequence[bytes], *, epoch: int = EPOCH
) -> Mapping[bytes, bytes]:
    """A custodian's public keys for these vaults in an epoch; asked again, the same ones."""
    if custodian == opener.keystore.organisation:
        asked = [(tag, epoch) for tag in tags]
        now_ms = int(opener.clock() * 1000)
        publics = opener.database.write(
            lambda tx: custody_keys.bind(
                tx, opener.keystore, asked, random=opener.random, now_ms=now_ms
            )
        )
        return dict(zip(tags, publics, strict=True))
    body = VaultsBody(vaults=[VaultAsked(tag=hexed(tag), epoch=epoch) for tag in tags])
    answer = ask(opener.caller, custodian, "vaults", body)
    keys = answer.body.get("keys")
    found: dict[bytes, bytes] = {}
    for item in keys if isinstance(keys, list) else []:
        if isinstance(item, list) and len(item) == 3 and item[1] == epoch:
            tag, _, public = item
            if isinstance(tag, bytes) and isinstance(public, bytes):
                found[tag] = public
    if set(found) != set(tags):
        raise Tampered("A custodian did not give one key for each vault.")
    return found


def _publish(
    opener: Opener, descriptors: Mapping[bytes, VaultDescriptor]
) -> dict[bytes, tuple[bytes, str]]:
    blocks = {tag: encode_vault(one) for tag, one in descriptors.items()}
    return {tag: (block, opener.store.put(block)) for tag, block in blocks.items()}


def _settle(opener: Opener, tag: bytes) -> SimdesError | None:
    """Write down locally what the chain now says of an opened vault."""
    try:
        descriptor = opener.directory.vault(tag)
        cid = opener.store.put(encode_vault(descriptor))
    except SimdesError as error:
        return error

    def write(tx: Transaction) -> None:
        now_ms = int(opener.clock() * 1000)
        contents.add(tx, [(cid, contents.VAULT, None)], now_ms=now_ms)
        rows.set_epoch(
            tx,
            tag,
            epoch=descriptor.epoch,
            m=descriptor.m,
            n=descriptor.n,
            descriptor_cid=cid,
        )
        rows.set_state(tx, tag, rows.OPEN)

    opener.database.write(write)
    return None


# Claiming -------------------------------------------------------------------------------------


def attest_here(
    keystore: KeyStore, contracts: Contracts, *, tag: bytes, account: bytes, deadline_seconds: int
) -> bytes:
    """Our own attestation for a patient whose identity this organisation has checked itself."""
    digest = contracts.accounts.attest_vault_digest(
        tag=tag, account=account, deadline=deadline_seconds
    )
    return keystore.lanes[0].sign(digest)


def ask_attestation(
    caller: Caller, organisation: bytes, *, tag: bytes, account: bytes, deadline_seconds: int
) -> bytes:
    """Another organisation's attestation; `Forbidden` when its administrator decided none."""
    body = AttestBody(vault=hexed(tag), account=hexed(account), deadline=deadline_seconds)
    signature = ask(caller, organisation, "attest", body).body.get("signature")
    if not isinstance(signature, bytes) or len(signature) != 65:
        raise Tampered("The attestation is not a signature.")
    return signature


def claim(
    contracts: Contracts,
    relay: Transactor,
    patient: Signer,
    *,
    tag: bytes,
    account: bytes,
    deadline_seconds: int,
    attestations: Sequence[bytes],
) -> None:
    """Make a provisional vault the patient's: their signature and two organisations' attestations.

    Raises `Conflict` when the vault is somebody's already, `Forbidden` when an attestation does
    not count.
    """
    if len(attestations) != 2:
        raise Forbidden("A vault is claimed with the attestations of two organisations.")
    digest = contracts.accounts.claim_vault_digest(
        tag=tag, account=account, deadline=deadline_seconds
    )
    relay.transact(
        contracts.accounts.set_vault(
            tag=tag,
            account=account,
            deadline=deadline_seconds,
            signature=patient.sign(digest),
            attestations=attestations,
        )
    )
