"""Guardians: people whom somebody trusts to let a new key in when theirs is lost.

Whoever appoints them signs with their own key; a set waits for the network's delay before it
counts. Each guardian's organisation is told, and shows the guardian whom they guard. Only a salted
root stands on chain (`access.guardians`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simdes.access.asking import ask
from simdes.access.audit_event import Verb
from simdes.access.custody_guardians import ward_of
from simdes.access.guardians import MOST_GUARDIANS, Seat, is_seated, seat_all
from simdes.access.messages import MAX_NAME, AppointBody, SeatBody
from simdes.access.requests import hexed
from simdes.crypto import cbor
from simdes.crypto.digest import keccak256
from simdes.crypto.keys import unwrap, wrap
from simdes.errors import Conflict, Invalid, NotFound, SimdesError
from simdes.exchange import credentials
from simdes.exchange.node import Node
from simdes.exchange.signin import Session, caller
from simdes.index import guardians as rows
from simdes.index.transaction import Transaction
from simdes.ledger.accounts import PendingKey, State
from simdes.ledger.lane import Call

_DETAILS: Final = b"simdes/guardian/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Somebody to be appointed: their account, and what their ward calls them."""

    account: bytes
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A set of guardians to be asked for: what stands on chain for it, and what is kept of it."""

    root: bytes
    count: int
    threshold: int
    kept: tuple[rows.Guardian, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardian:
    """A guardian as the ward sees them; ``told``: their organisation knows."""

    account: bytes
    organisation: bytes
    label: str
    told: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardianSet:
    """Guardians, and how many of them it takes; ``ready_at`` 0: in force."""

    guardians: tuple[Guardian, ...]
    threshold: int
    count: int
    ready_at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a person's account is guarded, and what is under way."""

    present: GuardianSet | None
    waiting: GuardianSet | None
    recovery: PendingKey | None
    rotation: PendingKey | None
    veto_spent: bool
    delay_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ward:
    """Somebody whom a person here guards; ``waiting``: not yet in force."""

    account: bytes
    organisation: bytes
    name: str
    count: int
    threshold: int
    seat: Seat
    waiting: bool
    frozen: bool = False


def appoint(
    node: Node, session: Session, chosen: Sequence[Chosen], *, threshold: int, name: str
) -> int:
    """Ask for a set of guardians in the place of what stands; how many could not be told yet.

    ``name`` is what the guardians read of their ward. Raises Invalid for a set that is none,
    NotFound for an account that the network does not know or that may not act.
    """
    account = session.actor.account
    asked = plan(node, account, chosen, threshold=threshold, name=name, seed=node.random(32))
    call = node.contracts.accounts.set_guardians(
        root=asked.root, count=asked.count, threshold=asked.threshold
    )
    set_out(node, account, asked, lambda: _sent(node, session, call))
    return tell(node, session)


def plan(
    node: Node,
    account: bytes,
    chosen: Sequence[Chosen],
    *,
    threshold: int,
    name: str,
    seed: bytes,
) -> Plan:
    """The set of these guardians for an account, the same for the same ``seed`` (32 random bytes,
    of which their salts are made). Raises as `appoint`."""
    name = name.strip()
    _check(account, chosen, threshold=threshold, name=name)
    accounts = node.contracts.accounts
    keys: list[tuple[bytes, bytes]] = []
    for number, one in enumerate(chosen):
        known = accounts.account(one.account)
        if known is None or known.state is not State.VERIFIED:
            raise NotFound(
                "The network knows no such account.",
                advice="Let your guardian read you the number of their account again.",
            )
        keys.append((keccak256(seed + number.to_bytes(32, "big")), known.key))
    root, seats = seat_all(keys)
    kept = tuple(
        _kept(node, account, root, one, seat, threshold=threshold, name=name)
        for one, seat in zip(chosen, seats, strict=True)
    )
    return Plan(root=root, count=len(chosen), threshold=threshold, kept=kept)


def set_out(node: Node, account: bytes, asked: Plan, send: Callable[[], None]) -> None:
    """Keep a set, then ask the ledger for it by ``send``; kept once, however often it is sent."""

    def keep(tx: Transaction) -> None:
        if all(one.root != asked.root for one in rows.guardians(tx, account)):
            rows.add_guardians(tx, asked.kept)

    node.database.write(keep)
    send()
    _on_record(node, account)


def _sent(node: Node, session: Session, call: Call) -> None:
    node.lane(session.key).transact(call)


def _check(account: bytes, chosen: Sequence[Chosen], *, threshold: int, name: str) -> None:
    accounts = {one.account for one in chosen}
    if len(accounts) != len(chosen):
        raise Invalid("Each guardian is named once.")
    if not 0 < len(chosen) <= MOST_GUARDIANS:
        raise Invalid("Name one to ten guardians.", advice="Three, of whom two suffice, are usual.")
    if not 0 < threshold <= len(chosen):
        raise Invalid("It takes at least one of them, and not more than there are.")
    if account in accounts:
        raise Invalid("Nobody is their own guardian.")
    if not 0 < len(name) <= MAX_NAME or any(len(one.label) > MAX_NAME for one in chosen):
        raise Invalid("A name has 1 to 64 characters.")


def _kept(
    node: Node,
    account: bytes,
    root: bytes,
    one: Chosen,
    seat: Seat,
    *,
    threshold: int,
    name: str,
) -> rows.Guardian:
    details = {
        "guardian": one.account,
        "label": one.label.strip(),
        "name": name,
        "threshold": threshold,
        "salt": seat.salt,
        "count": seat.count,
        "path": list(seat.path),
    }
    return rows.Guardian(
        account=account,
        root=root,
        number=seat.index,
        details_wrapped=wrap(
            node.desk.keystore.database_key,
            cbor.encode(details),
            aad=_DETAILS + account + root,
            random=node.random,
        ),
        told=0,
    )


def tell(node: Node, session: Session) -> int:
    """Tell the organisations of guardians that do not know yet; how many could not be told."""
    account, left = session.actor.account, 0
    asking = caller(node, session)
    for row in _counting(node, account):
        if row.told:
            continue
        said = _details(node, row)
        seat = Seat(said["salt"], row.number, said["count"], tuple(said["path"]))
        body = AppointBody(
            guardian=hexed(said["guardian"]),
            seat=SeatBody.of(seat),
            threshold=said["threshold"],
            name=said["name"],
        )
        known = node.contracts.accounts.account(said["guardian"])
        try:
            if known is None:
                raise NotFound("The network knows no such account.")
            ask(asking, known.organisation, "appoint", body)
        except SimdesError:
            left += 1
            continue
        number, root = row.number, row.root
        node.database.write(
            lambda tx, root=root, number=number: rows.set_told(tx, account, root, number)  # type: ignore[misc]
        )
    return left


def cancel(node: Node, session: Session) -> None:
    """Take a set back that waits. Raises Conflict where none does."""
    call = node.contracts.accounts.cancel_guardians()
    take_back(node, session.actor.account, lambda: _sent(node, session, call))


def take_back(node: Node, account: bytes, send: Callable[[], None]) -> None:
    """As `cancel`, by ``send``, which tells the ledger so."""
    send()
    _on_record(node, account)


def dismiss(node: Node, session: Session) -> None:
    """Ask for no guardians at all; after the delay nobody can recover the account."""
    _sent(
        node,
        session,
        node.contracts.accounts.set_guardians(root=bytes(32), count=0, threshold=0),
    )
    _on_record(node, session.actor.account)


def _on_record(node: Node, account: bytes) -> None:
    """Write down that somebody here changed who guards them."""
    person = node.desk.keystore.person_of(account)
    if person is not None:
        node.database.write(lambda tx: credentials.audit(node, tx, person, Verb.APPOINT))


def standing(node: Node, account: bytes) -> Standing:
    """How an account is guarded. Raises NotFound for one that the network does not know."""
    accounts = node.contracts.accounts
    known = accounts.account(account)
    if known is None:
        raise NotFound("The network knows no such account.")
    with node.database.read() as tx:
        listed = rows.guardians(tx, account)
    waiting = accounts.pending_guardians(account)

    def seen(root: bytes) -> tuple[Guardian, ...]:
        return tuple(_seen(node, one) for one in listed if one.root == root)

    return Standing(
        present=GuardianSet(
            guardians=seen(known.guardians_root),
            threshold=known.guardian_threshold,
            count=known.guardian_count,
        )
        if known.guardian_count
        else None,
        waiting=GuardianSet(
            guardians=seen(waiting.root),
            threshold=waiting.threshold,
            count=waiting.count,
            ready_at=waiting.ready_at,
        )
        if waiting
        else None,
        recovery=accounts.pending_recovery(account),
        rotation=accounts.pending_rotation(account),
        veto_spent=known.vetoed,
        delay_seconds=accounts.delay_seconds(),
    )


def wards(node: Node, guardian: bytes) -> list[Ward]:
    """Whom a person here guards, by the chain as it stands, oldest first."""
    accounts, person = node.contracts.accounts, node.desk.keystore.person_of(guardian)
    with node.database.read() as tx:
        listed = rows.guardianships(tx, guardian)
    found: dict[bytes, Ward] = {}
    for one in listed:
        name, threshold, seat = ward_of(node.desk.keystore, one)
        known, waiting = accounts.account(one.account), accounts.pending_guardians(one.account)
        if person is None or known is None:
            continue
        present = is_seated(seat, person.address, known.guardians_root)
        if not present and not (waiting and is_seated(seat, person.address, waiting.root)):
            continue
        if present or one.account not in found:
            found[one.account] = Ward(
                account=one.account,
                organisation=known.organisation,
                name=name,
                count=seat.count,
                threshold=threshold,
                seat=seat,
                waiting=not present,
                frozen=known.frozen,
            )
    return list(found.values())


def guarded(node: Node, guardian: bytes, ward: bytes) -> Ward:
    """Somebody whom a person here guards now. Raises NotFound for anybody else."""
    for one in wards(node, guardian):
        if one.account == ward and not one.waiting:
            return one
    raise NotFound("You are no guardian of this account, or not yet.")


def put_in_force(node: Node) -> int:
    """Complete sets of people here whose delay is over, forget older ones. A worker's step."""
    done = 0
    with node.database.read() as tx:
        accounts = rows.wards(tx)
    for account in accounts:
        contract = node.contracts.accounts
        waiting = contract.pending_guardians(account)
        if waiting is not None and waiting.ready_at <= contract.ledger.head().timestamp:
            try:
                node.agent.transact(contract.complete_guardians(account))
            except (Conflict, SimdesError):
                continue  # another gateway of ours did it, or the account may not change now
            done += 1
            waiting = None
        known = contract.account(account)
        counting = [known.guardians_root] if known else []
        counting += [waiting.root] if waiting else []
        _forget_older(node, account, counting)
    return done


def _forget_older(node: Node, account: bytes, counting: Sequence[bytes]) -> None:
    def write(tx: Transaction) -> None:
        rows.drop_guardians(tx, account, but=counting)

    node.database.write(write)


def _counting(node: Node, account: bytes) -> list[rows.Guardian]:
    """The rows of the sets that stand, or wait, on chain."""
    known = node.contracts.accounts.account(account)
    waiting = node.contracts.accounts.pending_guardians(account)
    roots = {known.guardians_root} if known else set()
    roots |= {waiting.root} if waiting else set()
    with node.database.read() as tx:
        return [one for one in rows.guardians(tx, account) if one.root in roots]


def _details(node: Node, row: rows.Guardian) -> dict[str, Any]:
    said = cbor.decode(
        unwrap(
            node.desk.keystore.database_key,
            row.details_wrapped,
            aad=_DETAILS + row.account + row.root,
        )
    )
    assert isinstance(said, dict)  # noqa: S101 (our own writing)
    return said


def _seen(node: Node, row: rows.Guardian) -> Guardian:
    said = _details(node, row)
    known = node.contracts.accounts.account(said["guardian"])
    return Guardian(
        account=said["guardian"],
        organisation=known.organisation if known else bytes(32),
        label=said["label"],
        told=bool(row.told),
    )
