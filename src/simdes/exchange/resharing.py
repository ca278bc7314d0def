"""Giving a vault's new custodians their shares: dealt by old ones, looked at by new ones.

The second half of `renewal`, and what comes after it: what was anchored while an epoch changed is
dealt (`tend`), keys of past epochs are destroyed (`retire`). Everything may be repeated.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from simdes.access import custody_renewal as verbs
from simdes.access import epochs
from simdes.access.asking import ask
from simdes.access.descriptors import VaultDescriptor
from simdes.access.held import at_epoch, held_in_vault
from simdes.access.messages import (
    MAX_ACCEPTED,
    MAX_DEALT,
    AcceptBody,
    DealBody,
    EntryBody,
    RenewalBody,
)
from simdes.access.requests import hexed
from simdes.crypto.capsule import OpenedShare, Part
from simdes.crypto.dealing import assemble
from simdes.errors import SimdesError, Tampered, Unavailable
from simdes.exchange.node import Node
from simdes.index import chain, contents, custody, renewals
from simdes.index.custody import ManifestEntry
from simdes.index.transaction import Transaction
from simdes.ledger.renewals import Renewal

GRACE_SECONDS: Final = 7 * 86_400
"""How long after a renewal keys of the old epoch are kept, for what was sealed just before."""


@dataclass(frozen=True, slots=True)
class UnderWay:
    """An agreed next epoch: what was signed, by whom, and the custodians it names."""

    renewal: Renewal
    signatures: tuple[bytes, ...]
    new: VaultDescriptor


def of_row(node: Node, row: renewals.Renewal) -> UnderWay:
    """What an organisation wrote down when it was agreed."""
    renewal = Renewal(
        tag=row.tag,
        epoch=row.epoch,
        descriptor=row.descriptor,
        m=row.m,
        n=row.n,
        organisation=node.organisation,
        deadline=row.deadline_seconds,
    )
    signatures = tuple(row.signatures[at : at + 65] for at in range(0, len(row.signatures), 65))
    return UnderWay(renewal, signatures, epochs.named(node.desk.directory, renewal))


def share_out(node: Node, under_way: UnderWay, *, without: Collection[bytes] = ()) -> int:
    """Deal every record that has no capsule of the new epoch; let each new custodian keep all."""
    node.following.catch_up()
    tag, epoch = under_way.renewal.tag, under_way.renewal.epoch
    undealt = _undealt(node, tag, epoch)
    for page in _pages(undealt, MAX_DEALT):
        _deal(node, under_way, [one.record_id for one in page], without=without)
    with node.database.read() as tx:
        listed = list(held_in_vault(tx, tag))
    _let_all_keep(node, under_way, listed)
    return len(undealt)


def _let_all_keep(node: Node, under_way: UnderWay, listed: Sequence[ManifestEntry]) -> None:
    with node.database.read() as tx:
        held = {one.record_id: one for one in listed}
        dealt = list(at_epoch(tx, held, epoch=under_way.renewal.epoch).values())
    for page in _pages(dealt, MAX_ACCEPTED):
        for custodian in under_way.new.custodians:
            _let_keep(node, under_way, custodian.organisation, page)


def _undealt(node: Node, tag: bytes, epoch: int) -> list[ManifestEntry]:
    with node.database.read() as tx:
        listed = list(held_in_vault(tx, tag))
        known = renewals.capsules(tx, [one.record_id for one in listed], epoch=epoch)
    dealt = {record for record, one in known.items() if one.epoch == epoch}
    return [one for one in listed if one.record_id not in dealt]


def _pages(listed: Sequence[ManifestEntry], size: int) -> Iterator[Sequence[ManifestEntry]]:
    return (listed[start : start + size] for start in range(0, len(listed), size))


def _deal(
    node: Node, under_way: UnderWay, records: Sequence[bytes], *, without: Collection[bytes]
) -> None:
    """Gather parts of as many old custodians as the old epoch needs, and store the new capsules."""
    renewal, new = under_way.renewal, under_way.new
    opened: dict[bytes, OpenedShare] = {}
    parts: dict[bytes, list[Part]] = {record: [] for record in records}
    for record, share, part in verbs.deal_records(node.desk, new, records):
        opened[record] = share
        parts[record].append(part)
    if missing := len(records) - len(opened):
        raise Unavailable(f"{missing} records have no share here that opens; nothing was changed.")
    body = DealBody(
        renewal=RenewalBody.of(renewal),
        signatures=[hexed(one) for one in under_way.signatures],
        records=[hexed(one) for one in records],
    )
    old = epochs.at(node.desk, renewal.tag, renewal.epoch - 1)
    asked = [one.organisation for one in old.custodians if one.organisation != node.organisation]
    failure: SimdesError = Unavailable("Too few old custodians dealt their shares.")
    for custodian in (one for one in asked if one not in without):
        if all(len(parts[record]) >= opened[record].m for record in records):
            break
        try:
            _take(node, body, custodian, parts)
        except SimdesError as error:
            failure = error
    if any(len(parts[record]) < opened[record].m for record in records):
        raise failure
    _store(node, under_way, opened, parts)


def _take(node: Node, body: DealBody, custodian: bytes, parts: dict[bytes, list[Part]]) -> None:
    listed = ask(node.agent_caller(), custodian, "deal", body).body.get("parts")
    for row in listed if isinstance(listed, list) else ():
        record, part = verbs.part_of(row)
        if record in parts and part.dealer not in {one.dealer for one in parts[record]}:
            parts[record].append(part)


def _store(
    node: Node,
    under_way: UnderWay,
    opened: dict[bytes, OpenedShare],
    parts: dict[bytes, list[Part]],
) -> None:
    epoch, m = under_way.renewal.epoch, under_way.renewal.m
    capsules = [
        assemble(share, parts[record][: share.m], epoch=epoch, m=m)
        for record, share in opened.items()
    ]
    rows = [
        renewals.Capsule(
            record_id=record, epoch=epoch, vault=under_way.renewal.tag, capsule_cid=cid
        )
        for record, cid in zip(opened, node.store.put_many(capsules), strict=True)
    ]

    def write(tx: Transaction) -> None:
        renewals.add_capsules(tx, rows)
        stored = [(one.capsule_cid, contents.CAPSULE, one.record_id) for one in rows]
        contents.add(tx, stored, now_ms=node.now_ms())

    node.database.write(write)


def _let_keep(
    node: Node, under_way: UnderWay, custodian: bytes, page: Sequence[ManifestEntry]
) -> None:
    """A new custodian looks at its shares; every one must hold, or nothing is put in force."""
    entries = [EntryBody.of(one, one.capsule_cid) for one in page]
    if custodian == node.organisation:
        found = verbs.accept_entries(node.desk, under_way.renewal, entries)
        bad = {} if found is None else dict(found.bad)
    else:
        body = AcceptBody(renewal=RenewalBody.of(under_way.renewal), entries=entries)
        receipt = ask(node.agent_caller(), custodian, "accept", body).receipt
        good, listed = receipt.get("good"), receipt.get("bad")
        told = set(good) if isinstance(good, list) else set()
        reasons = listed if isinstance(listed, dict) else {}
        bad = {
            one.record_id: str(reasons.get(hexed(one.record_id), "no answer"))
            for one in page
            if hexed(one.record_id) not in told
        }
    if bad:
        _forget(node, under_way, list(bad))
        raise Tampered(
            f"New custodian 0x{custodian.hex()} can't keep {len(bad)} of its shares "
            f"({next(iter(bad.values()))}); nothing was changed.",
            advice="Repeat it, leaving out (--without) an old custodian that deals badly.",
        )


def _forget(node: Node, under_way: UnderWay, records: Sequence[bytes]) -> None:
    """Capsules that do not hold are dealt anew."""
    epoch = under_way.renewal.epoch
    node.database.write(lambda tx: renewals.drop_capsules(tx, records, epoch=epoch))


# Afterwards ------------------------------------------------------------------------------------


def tend(node: Node) -> int:
    """Deal what was anchored while an epoch changed; how many records. A worker's step.

    Raises Unavailable where a custodian does not answer; the next call goes on.
    """
    with node.database.read() as tx:
        waiting = renewals.in_state(tx, renewals.AGREED)
        known = {row.tag: chain.vault(tx, row.tag) for row in waiting}
    done = 0
    for row in waiting:
        vault = known[row.tag]
        if vault is None or (vault.epoch, vault.descriptor) != (row.epoch, row.descriptor):
            continue
        under_way, undealt = of_row(node, row), _undealt(node, row.tag, row.epoch)
        for page in _pages(undealt, MAX_DEALT):
            _deal(node, under_way, [one.record_id for one in page], without=())
        _let_all_keep(node, under_way, undealt)
        done += len(undealt)
    return done


def retire(node: Node) -> int:
    """Destroy our keys of epochs that are past for good; how many. A worker's step."""
    with node.database.read() as tx:
        superseded = renewals.superseded_keys(tx)
    return sum(_retire(node, tag) for tag in superseded)


def _retire(node: Node, tag: bytes) -> int:
    """Destroy our keys of a vault's past epochs, once the time for it has come.

    Who still is a custodian keeps them while any record has no capsule of the present epoch.
    """
    known = node.contracts.accounts.vault(tag)
    if known is None or node.now_seconds() <= known.since + GRACE_SECONDS:
        return 0
    stays = node.desk.directory.vault(tag).index_of(node.organisation) is not None
    if stays and _undealt(node, tag, known.epoch):
        return 0

    def write(tx: Transaction) -> int:
        renewals.set_done(tx, tag, known.epoch)
        return custody.destroy(tx, tag, through_epoch=known.epoch - 1)

    return node.database.write(write)
