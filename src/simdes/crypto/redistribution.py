"""Redistributed capsules: new custodians for a record whose author is gone.

At least m old custodians each split their own share among the new ones and sign commitments to
what they dealt (after Desmedt and Jajodia, "Redistributing secret shares to new access
structures", 1997). Each part is sealed to its receiver, so nobody, not even whoever puts the
capsule together, sees enough to open the record. A reader recomputes every dealer's polynomial and
names the dealer that cheated. Format: ``docs/formats/key-capsule.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from simdes.crypto import cbor, shares
from simdes.crypto.capsule import (
    AUTHORED,
    MAX_CAPSULE_BYTES,
    REDISTRIBUTED,
    Capsule,
    Dealer,
    OpenedShare,
    Part,
    read_capsule,
)
from simdes.crypto.digest import sha256
from simdes.crypto.keys import OpeningKey, recover
from simdes.crypto.shares import MAX_SHARES, Share
from simdes.crypto.statement import (
    MAX_CATEGORY,
    MAX_EPOCH,
    MAX_LABELS,
    Subject,
    Warrant,
    author_of,
    dealer_digest,
)
from simdes.errors import Invalid, SimdesError, Tampered

_INFO_TAG: Final = b"simdes/capsule-part/v1\0"
_PART_TAG: Final = b"simdes/part/v1\0"
PAYLOAD_ITEMS: Final = 16


@dataclass(frozen=True, slots=True)
class _Payload:
    """One dealer's part as its receiver opened it."""

    value: bytes
    custodian: bytes
    subject: Subject
    author: bytes
    warrant: Warrant
    dealer: Dealer


def commit_part(value: bytes, *, record_id: bytes, epoch: int, dealer: int, index: int) -> bytes:
    """Return the commitment to the part that old custodian `dealer` gave new custodian `index`."""
    place = epoch.to_bytes(4, "big") + bytes((dealer, index))
    return sha256(b"".join((_PART_TAG, record_id, place, value)))


def deal_parts(
    scalar: bytes, *, record_id: bytes, old_epoch: int, epoch: int, dealer: int, m: int, n: int
) -> tuple[tuple[Share, ...], tuple[bytes, ...]]:
    """Split a dealer's share; return the parts, and the commitments to it and to them."""
    parts = shares.split(scalar, m=m, n=n, record_id=record_id, epoch=epoch)
    own = shares.commit_share(dealer, scalar, record_id=record_id, epoch=old_epoch)
    dealt = (
        commit_part(p.value, record_id=record_id, epoch=epoch, dealer=dealer, index=p.index)
        for p in parts
    )
    return parts, (own, *dealt)


def part_info(record_id: bytes, epoch: int, dealer: int, index: int) -> bytes:
    """Return what a part's sealing is for."""
    return b"".join((_INFO_TAG, record_id, epoch.to_bytes(4, "big"), bytes((dealer, index))))


def part_binding(header_digest: bytes, commitments: Sequence[bytes]) -> bytes:
    """Return what a part's sealing is bound to beside that."""
    return header_digest + sha256(b"".join(commitments))


def unseal_redistributed(capsule: Capsule, key: OpeningKey, index: int) -> bytes:
    """Open every dealer's part for new custodian `index`; return them as a share's value."""
    return cbor.encode(
        [
            key.open(
                part.sealed[index - 1],
                info=part_info(capsule.record_id, capsule.epoch, part.dealer, index),
                aad=part_binding(capsule.binding, part.commitments),
            )
            for part in capsule.parts
        ]
    )


def _payloads(capsule: Capsule, value: bytes) -> list[_Payload]:
    count = len(capsule.parts)
    encoded = cbor.as_array(cbor.decode(value), "parts", least=count, most=count)
    return [
        _payload(capsule, part, cbor.as_bytes(one, "parts"))
        for part, one in zip(capsule.parts, encoded, strict=True)
    ]


def _payload(capsule: Capsule, part: Part, encoded: bytes) -> _Payload:
    reader = cbor.Reader(encoded)
    reader.array(PAYLOAD_ITEMS)
    value, custodian, vault = (reader.fixed(32) for _ in range(3))
    category, labels, epoch = (reader.uint(x) for x in (MAX_CATEGORY, MAX_LABELS, MAX_EPOCH))
    organisation, author = reader.fixed(32), reader.fixed(20)
    warrant = Warrant(
        reader.uint(MAX_SHARES),
        reader.uint(MAX_SHARES),
        reader.fixed(32),
        reader.fixed(32),
        reader.fixed(65),
    )
    dealer = Dealer(part.dealer, reader.fixed(32), reader.fixed(20))
    signature = reader.fixed(65)
    reader.end()
    subject = Subject(
        record_id=capsule.record_id,
        vault=vault,
        category=category,
        labels=labels,
        epoch=epoch,
        organisation=organisation,
        commitment=capsule.commitment,
    )
    signed = dealer_digest(
        subject,
        old_epoch=capsule.old_epoch,
        epoch=capsule.epoch,
        m=capsule.m,
        n=capsule.n,
        dealer=part.dealer,
        organisation=dealer.organisation,
        commitments=part.commitments,
    )
    if recover(signed, signature) != dealer.address:
        raise Tampered(f"Dealer {part.dealer} did not sign what it dealt.")
    return _Payload(value, custodian, subject, author, warrant, dealer)


def _check_payloads(capsule: Capsule, payloads: Sequence[_Payload], index: int) -> _Payload:
    """Check author, agreement and commitments; return the first payload, which speaks for all."""
    first = payloads[0]
    for part, payload in zip(capsule.parts, payloads, strict=True):
        if (payload.subject, payload.author, payload.warrant, payload.custodian) != (
            first.subject,
            first.author,
            first.warrant,
            first.custodian,
        ):
            raise Tampered(f"Dealer {part.dealer} speaks of another record than the first one.")
        expected = commit_part(
            payload.value,
            record_id=capsule.record_id,
            epoch=capsule.epoch,
            dealer=part.dealer,
            index=index,
        )
        if not shares.is_secret(payload.value) or part.commitments[index] != expected:
            raise Tampered(f"Dealer {part.dealer} gave another part than it committed to.")
    warrant = first.warrant
    if author_of(first.subject, warrant) != first.author:
        raise Tampered("The author did not sign what the dealers say of this record.")
    if len(payloads) < warrant.m and capsule.old_epoch == first.subject.epoch:
        raise Tampered("Fewer custodians dealt than the old epoch's threshold.")
    return first


def check_redistributed(
    capsule: Capsule, value: bytes, organisation: bytes, index: int
) -> OpenedShare:
    """Read and check the parts of new custodian `index`; see `seal.open_share`."""
    payloads = _payloads(capsule, value)
    first = _check_payloads(capsule, payloads, index)
    if first.custodian != organisation:
        raise Tampered(f"Share {index} was not made for this custodian.")
    subject = first.subject
    return OpenedShare(
        index=index,
        value=value,
        record_id=capsule.record_id,
        vault=subject.vault,
        category=subject.category,
        labels=subject.labels,
        epoch=capsule.epoch,
        written_epoch=subject.epoch,
        m=capsule.m,
        n=capsule.n,
        author=first.author,
        organisation=subject.organisation,
        custodian=organisation,
        kind=REDISTRIBUTED,
        commitment=capsule.commitment,
        warrant=first.warrant,
        dealers=tuple(payload.dealer for payload in payloads),
    )


def share_matches(capsule: Capsule, share: Share) -> bool:
    """Tell whether a released share holds what the dealers signed and committed to."""
    try:
        _checked(capsule, share)
    except SimdesError:
        return False
    return True


def _checked(capsule: Capsule, share: Share) -> list[_Payload]:
    if not 1 <= share.index <= capsule.n or len(share.value) > MAX_CAPSULE_BYTES:
        raise Invalid("The key capsule has no share with this number.")
    payloads = _payloads(capsule, share.value)
    _check_payloads(capsule, payloads, share.index)
    return payloads


def combine(capsule: Capsule, released: Sequence[Share]) -> bytes:
    """Return the secret from m or more released shares; `Tampered` names who cheated."""
    shares.check_enough(released, m=capsule.m)
    checked: list[tuple[int, list[_Payload]]] = []
    for share in released:
        try:
            checked.append((share.index, _checked(capsule, share)))
        except SimdesError:
            # Its custodian verified the same bytes when the capsule was issued, or should have.
            raise Tampered(
                f"Share {share.index} is bad: its custodian did not give the share it got."
            ) from None
    _check_agreement(checked)
    points = []
    for place, part in enumerate(capsule.parts):
        dealt = [
            (index, int.from_bytes(payloads[place].value, "big"))
            for index, payloads in checked[: capsule.m]
        ]
        scalar = shares.interpolate(dealt)
        _check_dealer(capsule, part, scalar.to_bytes(32, "big"))
        points.append((part.dealer, scalar))
    secret = shares.interpolate(points).to_bytes(32, "big")
    if shares.commit_secret(secret, record_id=capsule.record_id) != capsule.commitment:
        raise Tampered(
            "A dealer did not deal the share it held.",
            advice="Compare the dealers with the old epoch's capsule to find which one.",
        )
    return secret


def dealers_of(capsule: bytes, share: Share) -> tuple[Dealer, ...]:
    """Return who signed the parts of a released share, for a reader to look up on chain.

    `Tampered` or `Invalid` when the share does not hold.
    """
    return tuple(payload.dealer for payload in _checked(read_capsule(capsule), share))


def _check_agreement(checked: Sequence[tuple[int, list[_Payload]]]) -> None:
    _, first = checked[0]
    for index, payloads in checked[1:]:
        if [(p.subject, p.author, p.warrant, p.dealer) for p in payloads] != [
            (p.subject, p.author, p.warrant, p.dealer) for p in first
        ]:
            raise Tampered(
                f"Shares {checked[0][0]} and {index} name different authors or dealers.",
                advice="Look up on chain which dealers were custodians of the old epoch.",
            )


def _check_dealer(capsule: Capsule, part: Part, scalar: bytes) -> None:
    _, expected = deal_parts(
        scalar,
        record_id=capsule.record_id,
        old_epoch=capsule.old_epoch,
        epoch=capsule.epoch,
        dealer=part.dealer,
        m=capsule.m,
        n=capsule.n,
    )
    if expected != part.commitments:
        raise Tampered(f"Dealer {part.dealer} of the old epoch dealt inconsistent parts.")


def check_dealers(capsule: bytes, old_capsule: bytes) -> None:
    """`Tampered` names a dealer that committed to another share than the old authored capsule's."""
    new, old = read_capsule(capsule), read_capsule(old_capsule)
    if (
        new.kind != REDISTRIBUTED
        or old.kind != AUTHORED
        or (new.record_id, new.old_epoch, new.commitment)
        != (old.record_id, old.epoch, old.commitment)
    ):
        raise Invalid("The second capsule is not the one that was redistributed.")
    for part in new.parts:
        if part.dealer > old.n or part.commitments[0] != old.shares[part.dealer - 1]:
            raise Tampered(f"Dealer {part.dealer} of the old epoch did not deal the share it held.")
