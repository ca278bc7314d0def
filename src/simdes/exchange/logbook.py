"""The patient's log: who looked, who was refused, why, when, each with a proof (paper, "Data
access tracing").

Every organisation keeps its own append-only trail; the patient asks all that the network knows, so
that what one leaves out another shows. A proof is checked against the chain, not against whoever
handed it over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from simdes.access import audit, evidence, reading
from simdes.access.audit_event import Entry, decode
from simdes.access.categories import Purpose, Role
from simdes.access.reasons import words
from simdes.errors import SimdesError, Tampered
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.index import chain


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """One attempt as an organisation wrote it down. ``proof`` is a JSON document; ``anchored``
    says whether its batch is on chain yet; ``words`` say the reason of a refusal to people."""

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
    """The entries in the order of their times, and the organisations that did not answer."""

    entries: tuple[Logged, ...]
    silent: dict[bytes, str]


def anchor_trail(node: Node) -> int:
    """Put the audit entries that wait on chain; how many batches. A step of the worker."""
    node.desk.trail.close_folds(node.database)
    audit.build_batch(node.database, random=node.random, now_ms=node.now_ms())
    return audit.send_batches(
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
    silent: dict[bytes, str] = {}
    last: SimdesError | None = None
    for member in members:
        try:
            entries += _ask(node, session, vault, member)
        except SimdesError as error:
            silent[member] = error.message
            last = error
    if last is not None and len(silent) == len(members):
        raise last
    return Log(tuple(sorted(entries, key=lambda one: one.time_ms)), silent)


def _ask(node: Node, session: Session, vault: bytes, member: bytes) -> Iterator[Logged]:
    for text in reading.read_log(node.caller(session.key), vault, member):
        document = json.loads(text)
        if document.get("batch") is not None:
            verified = evidence.verify_audit_proof(document, node.contracts)
            entry, organisation = verified.entry, verified.organisation
        else:
            entry = decode(str(document.get("entry", "")).encode())
            organisation = entry.observer
        if organisation != member or entry.attempt.vault != vault:
            raise Tampered("An organisation gave an entry that is not its own about this vault.")
        yield _logged(entry, document)


def _logged(entry: Entry, document: dict[str, Any]) -> Logged:
    attempt = entry.attempt
    return Logged(
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
