"""Who asks, why, and through which app: made once a request, before anything else is done.

`ask` collects what the decision of `access.rights` is made from: role and state by the chain, the
vaults that the account controls, the client's scopes, and the consents under which copies are held
here. Everything in `exchange.interactions` takes the `Asking` that comes of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from simdes.access.categories import Purpose, Role
from simdes.access.rights import PURPOSES, Facts, Rights, Scopes, decide
from simdes.errors import Forbidden
from simdes.exchange.home import ensure_home
from simdes.exchange.node import Node
from simdes.exchange.retrieve import purpose_of
from simdes.exchange.signin import Session
from simdes.exchange.standing import emergency as standing_emergency
from simdes.index import chain, copies
from simdes.index.transaction import Transaction
from simdes.index.visible import OWN, PATIENT, Ground
from simdes.ledger.consents import Reason
from simdes.tracing import step


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A caller with what they may do now. ``facts`` allow to decide again after copies came."""

    session: Session
    facts: Facts
    rights: Rights
    emergency: tuple[bytes, bytes] | None = None

    @property
    def purpose(self) -> Purpose:
        """Why they ask."""
        return self.facts.purpose


@step("exchange.rights.ask")
def ask(
    node: Node,
    session: Session,
    *,
    scopes: Scopes | None = None,
    purpose: str = "",
    emergency: tuple[bytes, bytes] | None = None,
) -> Asking:
    """What a session may do now.

    ``scopes`` are the client's by type, None without a client; ``purpose`` a PurposeOfUse code, ""
    for the role's usual one; ``emergency`` (vault, handle) of one that the session opened. Raises
    Forbidden for a purpose that the role may not ask for.
    """
    node.following.keep_up()
    role = Role(session.actor.role)
    usual = PURPOSES.get(role)
    if not usual:
        raise Forbidden(
            "This account's role has no access to records.", reason=Reason.WRONG_ROLE.name
        )
    home = ensure_home(node)
    with _fresh(node) as tx:
        facts = Facts(
            role=role,
            purpose=purpose_of(purpose) if purpose else usual[0],
            home=home,
            account=session.actor.account,
            client=_client(session),
            vaults=_controlled(tx, session),
            scopes=scopes,
            nurses_prescribe=node.rules.nurses_prescribe,
        )
        return _asking(node, tx, session, facts, emergency)


@contextmanager
def _fresh(node: Node) -> Iterator[Transaction]:
    """A reading in which no copy has had its time, so that nothing is found in one.

    Workers drop such copies too, later.
    """
    now_ms = node.now_ms()
    with node.database.read() as tx:
        if not copies.expired(tx, now_ms=now_ms):
            yield tx
            return
    node.database.write(lambda tx: copies.purge(tx, now_ms=now_ms))
    with node.database.read() as tx:
        yield tx


def again(node: Node, asking: Asking, tx: Transaction) -> Asking:
    """The same caller after copies were opened for them: decided anew."""
    return _asking(node, tx, asking.session, asking.facts, asking.emergency)


def _asking(
    node: Node,
    tx: Transaction,
    session: Session,
    facts: Facts,
    emergency: tuple[bytes, bytes] | None,
) -> Asking:
    opened = _opened(node, tx, session, facts.purpose, emergency)
    decided = replace(facts, opened=opened)
    return Asking(session=session, facts=decided, rights=decide(decided), emergency=emergency)


def _client(session: Session) -> str | None:
    """The app whose own resources alone are seen; None for the person themselves."""
    context = session.actor.context
    return None if context.unrestricted else context.client


def _controlled(tx: Transaction, session: Session) -> tuple[bytes, ...]:
    return tuple(one.tag for one in chain.vaults_of(tx, session.actor.account))


def _opened(
    node: Node,
    tx: Transaction,
    session: Session,
    purpose: Purpose,
    emergency: tuple[bytes, bytes] | None,
) -> tuple[Ground, ...]:
    """Grounds of the copies that are held here under what stands for this caller.

    A reading pass opens what its account controls alone, whatever its key had opened before.
    """
    if session.by is not None:
        return ()
    held = tx.all(
        "SELECT DISTINCT vault, handle FROM remote_copy WHERE expires_ms > :now",
        now=node.now_ms(),
    )
    handles = {handle for _, handle in held} - {OWN, PATIENT}
    if not handles:
        return ()
    vaults: Sequence[bytes] = sorted({vault for vault, handle in held if handle in handles})
    now = node.now_seconds()
    grounds = [
        one.ground
        for one in node.standing.of(tx, session.actor, purpose, vaults, now_seconds=now)
        if one.consent.handle in handles
    ]
    if emergency is not None:
        found = standing_emergency(
            tx, node.contracts.ledger, session.actor, *emergency, now_seconds=now
        )
        grounds += [found] if found is not None else []
    return tuple(grounds)
