"""The patient's log: who looked, who was refused, why, when, each with a proof (paper, "Data
access tracing").

Every organisation keeps its own append-only trail; the patient asks all that the network knows, so
that what one leaves out another shows. A proof is checked against the chain, not against whoever
handed it over.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simdes.access import audit_batches, reading
from simdes.access.categories import Purpose, Role
from simdes.access.cross_checking import Doubt, Trails, cross_check
from simdes.access.epochs import ever
from simdes.access.openings import own_openings
from simdes.access.reasons import words
from simdes.access.trails import UNPROVEN, Shown, read_proof
from simdes.errors import NotFound, SimdesError, Tampered
from simdes.exchange.node import Node
from simdes.exchange.signin import Session, caller
from simdes.index import chain


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """One attempt as an organisation wrote it down. ``id`` is the digest of its entry, ``proof``
    a JSON document; ``anchored`` says whether its batch is on chain yet; ``words`` say the reason
    of a refusal to people."""

    id: bytes
    time_ms: int
    observer: bytes
    verb: str
    account: bytes
    role: str
    organisation: bytes
    purpose: str
    granted: bool
    reason: str
    words: str
    count: int
    records: tuple[bytes, ...]
    anchored: bool
    proof: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Log:
    """The entries in the order of their times, the organisations that did not answer, and what the
    trails of all do not agree about."""

    entries: tuple[Logged, ...]
    silent: dict[bytes, str]
    doubts: tuple[Doubt, ...] = ()


def anchor_trail(node: Node) -> int:
    """Put the audit entries that wait on chain; how many batches. A step of the worker."""
    own_openings(node.desk).close_unended(now_ms=node.now_ms())
    node.desk.trail.close_folds(node.database)
    audit_batches.build_batch(node.database, random=node.random, now_ms=node.now_ms())
    return audit_batches.send_batches(
        node.database, node.contracts, node.agent, organisation=node.organisation
    )


def read_log(node: Node, session: Session, *, vault: bytes) -> Log:
    """Ask every verified organisation for its entries about a vault, as its patient.

    Raises Forbidden where every organisation that answers refuses. Tampered entries are refused
    and their organisation is named among the silent ones.
    """
    node.following.catch_up()
    with node.database.read() as tx:
        members = [one.id for one in chain.organisations(tx) if one.state == chain.VERIFIED]
    entries: list[Logged] = []
    shown: dict[bytes, list[Shown]] = {}
    silent: dict[bytes, str] = {}
    failures: list[SimdesError] = []
    doubts: list[Doubt] = []
    for member in members:
        try:
            theirs = list(_ask(node, session, vault, member))
        except SimdesError as error:
            silent[member] = error.message
            failures.append(error)
            if isinstance(error, Tampered):
                now_ms = node.now_ms()
                doubts.append(Doubt(kind=UNPROVEN, organisations=(member,), time_ms=now_ms))
            continue
        entries += [logged for logged, _ in theirs]
        shown[member] = [one for _, one in theirs]
    if failures and len(silent) == len(members):
        raise failures[-1]
    doubts += _doubts(node, vault, shown, silent)
    return Log(tuple(sorted(entries, key=lambda one: one.time_ms)), silent, tuple(doubts))


def read_entry(
    node: Node, session: Session, *, vault: bytes, member: bytes, entry: bytes
) -> Logged:
    """One entry of an organisation's trail about a vault, by its digest, as the patient.

    Raises NotFound where the organisation shows no such entry, and as `read_log`.
    """
    node.following.catch_up()
    for logged, _ in _ask(node, session, vault, member):
        if logged.id == entry:
            return logged
    raise NotFound("The organisation shows no such entry.")


def _doubts(
    node: Node, vault: bytes, shown: Mapping[bytes, Sequence[Shown]], silent: Collection[bytes]
) -> list[Doubt]:
    """What the trails of everybody do not agree about."""
    epochs = ever(node.desk, vault)
    trails = Trails(
        shown=shown,
        silent=silent,
        custodians={one.organisation for its in epochs for one in its.custodians},
        needed=min((its.m for its in epochs), default=0),
    )
    return cross_check(trails, now_ms=node.now_ms())


def _ask(
    node: Node, session: Session, vault: bytes, member: bytes
) -> Iterator[tuple[Logged, Shown]]:
    for text in reading.read_log(caller(node, session), vault, member):
        document = json.loads(text)
        one = read_proof(document, member, node.contracts)
        if one is None or one.entry.attempt.vault != vault:
            raise Tampered("An organisation gave an entry that is not its own about this vault.")
        if one.wrong == UNPROVEN:
            raise Tampered("An organisation gave an entry that is not the one on chain.")
        yield _logged(one, document), one


def _logged(one: Shown, document: dict[str, Any]) -> Logged:
    entry, attempt = one.entry, one.entry.attempt
    return Logged(
        id=one.digest,
        time_ms=entry.recorded_ms,
        observer=entry.observer,
        verb=attempt.verb.value,
        account=attempt.account,
        role=Role(attempt.role).name.lower(),
        organisation=attempt.organisation,
        purpose="" if attempt.purpose is None else Purpose(attempt.purpose).name,
        granted=attempt.granted,
        reason=attempt.reason,
        words=words(attempt.reason),
        count=attempt.count,
        records=attempt.records,
        anchored=document.get("batch") is not None,
        proof=document,
    )
