"""New custodians for a vault: an organisation joins or leaves, and every record stays readable.

The next epoch is agreed (by the patient who controls the vault, or by two organisations), old
custodians deal their shares to the new ones, who say that theirs open, and only then the chain
puts the epoch in force: until that moment readers use the old epoch, afterwards the new one. Bodies
are never touched. Each step is durable before the next and may be repeated, so a kill at any point
loses nothing; what was anchored meanwhile is dealt afterwards, and keys of old epochs are destroyed
after a week (`resharing`; docs/formats/vault.md, "Epochs"; docs/operations/join-leave.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from simdes.access import vaults as vault_access
from simdes.access.asking import ask
from simdes.access.descriptors import VaultDescriptor, encode_vault
from simdes.access.messages import (
    RenewalBody,
    RenewBody,
)
from simdes.access.requests import Signer
from simdes.crypto.capsule import Custodian
from simdes.crypto.digest import sha256
from simdes.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    SimdesError,
    Tampered,
    Unavailable,
)
from simdes.exchange.anchoring import opener
from simdes.exchange.node import Node
from simdes.exchange.resharing import UnderWay, of_row, share_out
from simdes.index import contents, renewals, vaults
from simdes.index.transaction import Transaction
from simdes.ledger.accounts import Vault
from simdes.ledger.renewals import Renewal, digest, renew_vault

AGREED_SECONDS: Final = 3_600
"""How long custodians may deal under one agreement; after that it is agreed anew."""


@dataclass(frozen=True, slots=True)
class Renewed:
    """A vault in its new epoch, and how many records were dealt now."""

    vault: bytes
    epoch: int
    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Who leaves, who joins (organisation ids), whom not to ask to deal; m None: as before."""

    leaving: tuple[bytes, ...] = ()
    joining: tuple[bytes, ...] = ()
    without: tuple[bytes, ...] = ()
    m: int | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A vault that was not renewed: because it is a patient's, or because something ``failed``."""

    vault: bytes
    why: str
    failed: bool


def custodians(node: Node) -> dict[bytes, int]:
    """How many of the vaults opened here each organisation keeps shares of."""
    node.following.catch_up()
    counted: Counter[bytes] = Counter()
    for tag in _opened_here(node):
        counted.update(one.organisation for one in node.desk.directory.vault(tag).custodians)
    return dict(counted.most_common())


def renew_all(node: Node, change: Change) -> tuple[list[Renewed], list[Waiting]]:
    """Renew every vault opened here that who leaves keeps shares of; a patient's wait for them.

    One that fails does not stop the others. Raises Invalid where nobody leaves.
    """
    if not change.leaving:
        raise Invalid("Say who leaves.", advice="--leaving NAME, or --patient for one vault.")
    node.following.catch_up()
    done: list[Renewed] = []
    waiting: list[Waiting] = []
    for tag in _opened_here(node):
        listed = [one.organisation for one in node.desk.directory.vault(tag).custodians]
        if not set(listed) & set(change.leaving):
            continue
        known = node.contracts.accounts.vault(tag)
        if known is not None and known.control is not None:
            waiting.append(Waiting(tag, "waits for its patient", failed=False))
            continue
        try:
            done.append(renew_one(node, tag, change))
        except SimdesError as error:
            waiting.append(Waiting(tag, error.message, failed=True))
    return done, waiting


def renew_one(
    node: Node, vault: bytes, change: Change, *, control: Signer | None = None
) -> Renewed:
    """Renew one vault; see `renew`."""
    current = node.desk.directory.vault(vault)
    wanted = successors(node, vault, leaving=change.leaving, joining=change.joining)
    if len(set(wanted)) != len(wanted):
        raise Invalid("Who joins is a custodian already.")
    m = change.m if change.m is not None else current.m
    return renew(node, vault, wanted, m=m, control=control, without=change.without)


def _opened_here(node: Node) -> list[bytes]:
    """Open vaults of this organisation's patients, and its own."""
    found: list[bytes] = []
    after = b""
    while True:
        with node.database.read() as tx:
            page = vaults.page(tx, after=after)
        if not page:
            return found
        found += [one.tag for one in page if one.home and one.state == vaults.OPEN]
        after = page[-1].tag


def successors(
    node: Node, vault: bytes, *, leaving: Collection[bytes] = (), joining: Sequence[bytes] = ()
) -> tuple[bytes, ...]:
    """The custodians after a change; who joins takes the place, and the number, of who leaves."""
    waiting = list(joining)
    kept: list[bytes] = []
    for one in node.desk.directory.vault(vault).custodians:
        if one.organisation not in leaving:
            kept.append(one.organisation)
        elif waiting:
            kept.append(waiting.pop(0))
    return (*kept, *waiting)


def renew(
    node: Node,
    vault: bytes,
    custodians: Sequence[bytes],
    *,
    m: int,
    control: Signer | None = None,
    without: Collection[bytes] = (),
) -> Renewed:
    """Give a vault these custodians (organisation ids, in share order), any m of whom open it.

    ``control`` is the key of the patient who controls the vault; None for a provisional one, which
    another custodian must agree to. Old custodians in ``without`` are not asked to deal. Repeated
    after a failure it goes on where it stopped. Raises Forbidden where it is not agreed,
    Unavailable where too few old custodians or not every new one answers, Tampered naming who gave
    false bytes.
    """
    node.following.catch_up()
    under_way = _agreed(node, vault, custodians, m=m, control=control)
    count = share_out(node, under_way, without=without)
    _put_in_force(node, under_way)
    return Renewed(vault, under_way.renewal.epoch, count)


def _agreed(
    node: Node, tag: bytes, custodians: Sequence[bytes], *, m: int, control: Signer | None
) -> UnderWay:
    """What is agreed on: what was agreed before and still holds, or a fresh agreement."""
    known = node.contracts.accounts.vault(tag)
    if known is None:
        raise NotFound("The network knows no such vault.")
    with node.database.read() as tx:
        row = renewals.get(tx, tag)
    if row is not None and (before := _still_holds(node, row, known)) is not None:
        listed = [one.organisation for one in before.new.custodians]
        if before.new.m == m and listed == [*custodians]:
            return before
        if before.renewal.epoch != known.epoch:
            raise Conflict(
                "Another change of this vault's custodians is under way.",
                advice="Repeat that one first; it goes on where it stopped.",
            )
        share_out(node, before)  # in force: what came late is dealt before the next change
    if node.desk.directory.vault(tag).index_of(node.organisation) is None:
        raise Forbidden("Only a custodian of the vault sees to its next epoch.")
    return _agree(node, known, tag, custodians, m=m, control=control)


def _still_holds(node: Node, row: renewals.Renewal, known: Vault) -> UnderWay | None:
    """A renewal that goes on: agreed and in time, or in force with records still to be dealt."""
    in_force = (known.epoch, known.descriptor) == (row.epoch, row.descriptor)
    in_time = known.epoch + 1 == row.epoch and row.deadline_seconds > node.now_seconds()
    if row.state == renewals.DONE or not (in_force or in_time):
        return None
    return of_row(node, row)


def _agree(
    node: Node,
    known: Vault,
    tag: bytes,
    custodians: Sequence[bytes],
    *,
    m: int,
    control: Signer | None,
) -> UnderWay:
    epoch = known.epoch + 1
    opening = opener(node)
    new = VaultDescriptor(
        tag,
        epoch,
        m,
        tuple(
            Custodian(one, vault_access.custodian_keys(opening, one, [tag], epoch=epoch)[tag])
            for one in custodians
        ),
    )
    block = encode_vault(new)
    stored = (node.store.put(block), contents.VAULT, None)
    renewal = Renewal(
        tag=tag,
        epoch=epoch,
        descriptor=sha256(block),
        m=m,
        n=new.n,
        organisation=node.organisation,
        deadline=node.now_seconds() + AGREED_SECONDS,
    )
    signatures = _signatures(node, known, renewal, control)
    row = renewals.Renewal(
        tag=tag,
        epoch=epoch,
        descriptor=renewal.descriptor,
        m=m,
        n=new.n,
        deadline_seconds=renewal.deadline,
        signatures=b"".join(signatures),
        state=renewals.AGREED,
    )

    def write(tx: Transaction) -> None:
        contents.add(tx, [stored], now_ms=node.now_ms())
        renewals.put(tx, row)

    node.database.write(write)
    return UnderWay(renewal, signatures, new)


def _signatures(
    node: Node, known: Vault, renewal: Renewal, control: Signer | None
) -> tuple[bytes, ...]:
    signed = digest(node.contracts.accounts, renewal)
    if known.control is not None:
        if control is None:
            raise Forbidden(
                "The vault is a patient's: only they agree to other custodians.",
                advice="Let the patient sign in and repeat it.",
            )
        return (control.sign(signed),)
    return (node.desk.keystore.lanes[0].sign(signed), _second(node, known, renewal))


def _second(node: Node, known: Vault, renewal: Renewal) -> bytes:
    """Another custodian's signature: the opener's if it gives one, else the first to give one."""
    current = [one.organisation for one in node.desk.directory.vault(renewal.tag).custodians]
    others = [one for one in current if one != node.organisation]
    others.sort(key=lambda one: one != known.organisation)
    body = RenewBody(renewal=RenewalBody.of(renewal))
    last: SimdesError = Unavailable("The vault has no other custodian to agree.")
    for one in others:
        try:
            signature = ask(node.agent_caller(), one, "renew", body).body.get("signature")
        except SimdesError as error:
            last = error
            continue
        if isinstance(signature, bytes) and len(signature) == 65:
            return signature
        last = Tampered("The agreement is not a signature.")
    raise last


def _put_in_force(node: Node, under_way: UnderWay) -> None:
    renewal = under_way.renewal
    known = node.contracts.accounts.vault(renewal.tag)
    if known is None or known.epoch != renewal.epoch:
        call = renew_vault(node.contracts.accounts, renewal, under_way.signatures)
        with suppress(Conflict):  # sent by another process of ours; the chain is asked below
            node.agent.transact(call)
        known = node.contracts.accounts.vault(renewal.tag)
    if known is None or known.descriptor != renewal.descriptor:
        raise Conflict(
            "The vault's next epoch is not in force.", advice="Repeat it: it is agreed on anew."
        )
    node.following.catch_up()
    # What was anchored meanwhile is dealt by `resharing`, which also says that all is done.
