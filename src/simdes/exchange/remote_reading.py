"""Evidence of one opening at other organisations, from before the first question to the entries.

The reader's trail gets an entry for whatever custodians were asked, granted or refused, so that
theirs and ours hold the same (docs/audit.md). What each of them answered is kept, with the receipt
that it signed, until its own trail was seen to say so.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from simdes.access.asking import Because, Caller, Heard
from simdes.access.audit_event import Attempt, Verb
from simdes.access.descriptors import VaultDescriptor
from simdes.access.openings import TOO_FEW, UNFINISHED, own_openings
from simdes.access.requests import unhex
from simdes.errors import Forbidden, NotFound, SimdesError, Tampered, Unavailable
from simdes.exchange.node import Node
from simdes.exchange.on_record import put_on_record, reason_of
from simdes.exchange.signin import Session
from simdes.index.reconciling import NewWitness
from simdes.index.transaction import Transaction

_LISTS: Final = ("manifests", "capsules")
_NAMED: Final = re.compile(r"\(([A-Z][A-Z_]{2,63})\)\.?$", re.ASCII)
_ID: Final = re.compile(r"0x[0-9a-f]{64}", re.ASCII)
_REASON: Final = re.compile(r"[A-Z][A-Z_]{0,63}", re.ASCII)
_OLDEST_MS: Final = 50 * 60_000
"""An answer given longer before the entry is not asked about: it would not be found by its time."""


@dataclass(slots=True)
class Opening:
    """What is known of an opening so far; ``needed`` shares make a key; ``had`` are
    records whose key was put together."""

    node: Node
    because: Because
    needed: int
    attempt: Attempt
    id: bytes
    asked: dict[bytes, None] = field(default_factory=dict)
    had: dict[bytes, None] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)

    def caller(self, caller: Caller) -> Caller:
        """The same caller, whose answers are remembered here."""
        return replace(caller, listen=self.heard.append)

    def succeeded(self, found: Iterable[bytes], refused: Mapping[bytes, str]) -> None:
        """Write down what is about to be shown, and what was refused."""
        self._end(found, self._reasons(refused))

    def failed(self, error: SimdesError) -> None:
        """Write down what was tried; records whose key was here count as read."""
        left = dict.fromkeys((one for one in self.asked if one not in self.had), reason_of(error))
        reasons = self._reasons(left)
        if not reasons and not self.had:
            reasons = {reason_of(error): []}
        with suppress(SimdesError):  # then it stays open, and the worker writes it down
            self._end(self.had if self.had else None, reasons)
        put_on_record(error)

    def _reasons(self, refused: Mapping[bytes, str]) -> dict[str, list[bytes]]:
        """Records that were not opened by why, with what custodians gave in mind.

        Where as many as are needed may have given their share, it may have been read.
        """
        gave: Counter[bytes] = Counter()
        for one in self.heard:
            if one.method == "release" and one.answer is not None:
                gave.update(set(_ids(one.answer.receipt.get("granted"))))
        unknown = sum(
            one.method == "release" and isinstance(one.error, (Unavailable, Tampered))
            for one in self.heard
        )
        found: defaultdict[str, list[bytes]] = defaultdict(list)
        for record, reason in refused.items():
            if gave[record] + unknown >= self.needed:
                found[UNFINISHED].append(record)
            elif gave[record]:
                found[TOO_FEW].append(record)
            else:
                known = _REASON.fullmatch(reason)
                found[reason if known else Forbidden.default_reason].append(record)
        return found

    def _end(self, found: Iterable[bytes] | None, reasons: Mapping[str, Collection[bytes]]) -> None:
        node = self.node
        openings = own_openings(node.desk)
        openings.close_unended(now_ms=node.now_ms())  # this one, where it took very long
        read = [] if found is None else [replace(self.attempt, records=tuple(found))]
        refused = [
            replace(self.attempt, records=tuple(records), reason=reason)
            for reason, records in reasons.items()
        ]
        witnesses = list(self._witnesses(len(read) if refused else 0))

        def write(tx: Transaction) -> None:
            openings.end(tx, self.id, [*read, *refused], witnesses)

        node.database.write(write)

    def _witnesses(self, refused_at: int) -> Iterator[tuple[int, NewWitness]]:
        """What custodians must show of it, with the place of our attempt that it belongs to."""
        since_ms = self.node.now_ms() - _OLDEST_MS
        for one in self.heard:
            if one.organisation == self.node.organisation or one.at_ms < since_ms:
                continue
            if one.answer is None:
                if reason := _refused_by(one.error):
                    yield refused_at, self._witness(one, reason, ())
            elif one.method in _LISTS:
                yield 0, self._witness(one, "", ())
            else:
                receipt = one.answer.receipt
                yield 0, self._witness(one, "", _ids(receipt.get("granted")))
                for reason, records in _by_reason(receipt.get("refused")).items():
                    yield refused_at, self._witness(one, reason, records)

    def _witness(self, one: Heard, reason: str, records: Collection[bytes]) -> NewWitness:
        answer = one.answer
        return NewWitness(
            seq=0,
            organisation=one.organisation,
            verb=one.method,
            reason=reason,
            said_ms=one.at_ms if answer is None else answer.issued_seconds * 1000,
            records=b"".join(records),
            token=None if answer is None else answer.token,
        )


@contextmanager
def recorded(
    node: Node, session: Session, descriptor: VaultDescriptor, because: Because
) -> Iterator[Opening]:
    """Open records with evidence: durable before anybody is asked, and however it ends.

    Whoever uses it calls `Opening.succeeded` before anything is shown. A `SimdesError` that ends it
    is in the trail before it goes on; anything else is written down by the worker.
    """
    actor = session.actor
    attempt = Attempt(
        verb=Verb.READ,
        account=actor.account,
        address=actor.address,
        role=actor.role,
        organisation=actor.organisation,
        purpose=because.purpose,
        vault=descriptor.tag,
        handle=because.handle,
    )
    id_ = own_openings(node.desk).begin(attempt, vault=descriptor.tag, now_ms=node.now_ms())
    opening = Opening(node, because, descriptor.m, attempt, id_)
    try:
        yield opening
    except SimdesError as error:
        opening.failed(error)
        raise


def _refused_by(error: SimdesError | None) -> str:
    """The reason of a custodian's refusal that its trail must hold; "" where it is not one.

    A text that names no reason may come from something between us.
    """
    if not isinstance(error, (Forbidden, NotFound)):
        return ""
    named = _NAMED.search(error.message)
    return named[1] if named else ""


def _ids(listed: Any) -> tuple[bytes, ...]:
    """The record ids of a receipt; another organisation wrote it."""
    named = listed if isinstance(listed, list) else []
    return tuple(unhex(one) for one in named if isinstance(one, str) and _ID.fullmatch(one))


def _by_reason(refused: Any) -> dict[str, list[bytes]]:
    found: defaultdict[str, list[bytes]] = defaultdict(list)
    for record, reason in refused.items() if isinstance(refused, dict) else ():
        if _REASON.fullmatch(str(reason)):
            found[str(reason)] += _ids([record])
    return found
