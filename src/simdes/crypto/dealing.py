"""The old custodians' side of redistribution: deal a share onward, assemble the new capsule.

Each dealer works alone and seals to each receiver, so no secret meets another one anywhere. The
receivers' side is `redistribution`. Format: ``docs/formats/key-capsule.md``.
"""

from __future__ import annotations

from collections.abc import Sequence

from simdes.crypto import cbor, shares
from simdes.crypto.capsule import (
    AUTHORED,
    REDISTRIBUTED,
    Custodian,
    Dealer,
    OpenedShare,
    Part,
    check_custodians,
    read_capsule,
)
from simdes.crypto.digest import sha256
from simdes.crypto.keys import SigningKey, seal_to
from simdes.crypto.redistribution import PAYLOAD_ITEMS, deal_parts, part_binding, part_info
from simdes.crypto.shares import MAX_SHARES
from simdes.crypto.statement import MAX_EPOCH, dealer_digest
from simdes.errors import Invalid


def _header(opened: OpenedShare, *, epoch: int, m: int, n: int) -> bytes:
    return cbor.encode_header(
        {
            "type": "capsule",
            "v": 1,
            "suite": 1,
            "kind": REDISTRIBUTED,
            "record": opened.record_id,
            "from": opened.epoch,
            "epoch": epoch,
            "m": m,
            "n": n,
            "secret": opened.commitment,
        }
    )


def deal(
    opened: OpenedShare,
    *,
    organisation: bytes,
    epoch: int,
    m: int,
    custodians: Sequence[Custodian],
    signer: SigningKey,
) -> Part:
    """Split an old custodian's share among the custodians of a later epoch.

    `organisation` is the dealer's own id, `signer` one of its accounts. Every dealer must use the
    same epoch, m and custodians in the same order.
    """
    check_custodians(custodians, m=m)
    if not opened.epoch < epoch <= MAX_EPOCH or len(organisation) != 32:
        raise Invalid("A new epoch comes after the old one; an organisation id is 32 bytes.")
    n, dealer = len(custodians), Dealer(opened.index, organisation, signer.address)
    parts, commitments = deal_parts(
        _scalar(opened),
        record_id=opened.record_id,
        old_epoch=opened.epoch,
        epoch=epoch,
        dealer=dealer.index,
        m=m,
        n=n,
    )
    subject = opened.subject
    signature = signer.sign(
        dealer_digest(
            subject,
            old_epoch=opened.epoch,
            epoch=epoch,
            m=m,
            n=n,
            dealer=dealer.index,
            organisation=organisation,
            commitments=commitments,
        )
    )
    binding = part_binding(sha256(_header(opened, epoch=epoch, m=m, n=n)), commitments)
    sealed = tuple(
        seal_to(
            custodian.public,
            _encode_payload(part.value, custodian.organisation, opened, dealer, signature),
            info=part_info(opened.record_id, epoch, dealer.index, part.index),
            aad=binding,
        )
        for part, custodian in zip(parts, custodians, strict=True)
    )
    return Part(dealer.index, commitments, sealed)


def _encode_payload(
    value: bytes, custodian: bytes, opened: OpenedShare, dealer: Dealer, signature: bytes
) -> bytes:
    warrant = opened.warrant
    return cbor.encode(
        [
            value,
            custodian,
            opened.vault,
            opened.category,
            opened.labels,
            opened.written_epoch,
            opened.organisation,
            opened.author,
            warrant.m,
            warrant.n,
            warrant.roster,
            warrant.content_digest,
            warrant.signature,
            dealer.organisation,
            dealer.address,
            signature,
        ]
    )


def assemble(opened: OpenedShare, parts: Sequence[Part], *, epoch: int, m: int) -> bytes:
    """Put the dealers' parts together to a capsule; needs no secret.

    `opened` is any old custodian's view of the old capsule. `Invalid` for fewer parts than the
    old epoch's m or parts that do not fit together.
    """
    if len(parts) < opened.m:
        raise Invalid(f"{opened.m} old custodians must deal and only {len(parts)} did.")
    capsule = _header(opened, epoch=epoch, m=m, n=len(parts[0].sealed)) + cbor.encode(
        [
            [part.dealer, part.commitments, part.sealed]
            for part in sorted(parts, key=lambda part: part.dealer)
        ]
    )
    read_capsule(capsule)
    return capsule


def _scalar(opened: OpenedShare) -> bytes:
    """Return the custodian's share as one field element."""
    if opened.kind == AUTHORED:
        return opened.value
    encoded = cbor.as_array(cbor.decode(opened.value), "parts", least=2, most=MAX_SHARES)
    points = []
    for dealer, one in zip(opened.dealers, encoded, strict=True):
        reader = cbor.Reader(cbor.as_bytes(one, "parts"))
        reader.array(PAYLOAD_ITEMS)
        points.append((dealer.index, int.from_bytes(reader.fixed(32), "big")))
    return shares.interpolate(points).to_bytes(32, "big")
