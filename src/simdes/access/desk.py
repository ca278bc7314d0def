"""What a custodian's verbs depend on, who is asking, and what a verb hands back.

A verb decides and reads; it writes nothing (but for what `evaluate` counts) and answers nobody.
`custody.Custodian` spends the nonce, writes the audit entries and whatever the verb wants written
in one transaction, and only then lets the answer out. So no verb can forget to leave evidence.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from simdes.access.anomaly import RULES, Rule
from simdes.access.attestations import Attestations
from simdes.access.audit import Trail
from simdes.access.audit_event import Attempt, Verb
from simdes.access.categories import OWN_PURPOSES, STAFF, Role
from simdes.access.directory import Directory
from simdes.access.keystore import KeyStore
from simdes.access.messages import NO_TERMS, Basis
from simdes.access.reasons import words
from simdes.access.requests import unhex
from simdes.crypto import cbor
from simdes.errors import Forbidden, NotFound, SimdesError, TooLarge, Unavailable
from simdes.index.custody import ManifestEntry
from simdes.index.database import Database
from simdes.index.transaction import Transaction
from simdes.ledger.accounts import Standing
from simdes.ledger.contracts import Contracts
from simdes.ledger.network import Pins, check_pins
from simdes.ledger.terms import ZERO32, Request, Terms
from simdes.storage.store import Store

Body = dict[str, cbor.Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Calls an account may make in a minute at one process, and the age of a usable head.

    `stale_after_seconds` 0: the ledger makes blocks on demand, its head has no meaningful age.
    `counts_of_researcher` and `counts_of_organisation` are how many answers to `count` somebody,
    and all researchers of an organisation, get here in all; 0: none (docs/research.md).
    `reading` are the rules for unusual reading by people here. `keep_bytes` is what each other
    organisation may have us keep of its contents (0: without limit), of which `keep_waiting` may
    wait to be fetched. `evaluations_per_day` is how many fingerprints each insurer may have
    evaluated here in a day.
    """

    calls_per_minute: int = 600
    locates_per_minute: int = 30
    blocks_per_minute: int = 6_000
    reconciles_per_minute: int = 120
    tellings_per_minute: int = 60
    counts_per_minute: int = 30
    counts_of_researcher: int = 20
    counts_of_organisation: int = 100
    keep_bytes: int = 0
    keep_waiting: int = 20_000
    evaluations_per_day: int = 20_000
    stale_after_seconds: int = 0
    reading: tuple[Rule, ...] = RULES


class PinWatch:
    """Compares the network with what our operator accepted, once for every new head."""

    def __init__(self, accepted: Pins) -> None:
        self._accepted = accepted
        self._lock = threading.Lock()
        self._head = b""

    def check(self, contracts: Contracts, head: bytes) -> None:
        """`Tampered` when genesis, proxies or code differ from what was accepted."""
        with self._lock:
            if self._head == head:
                return
        check_pins(contracts.ledger, contracts.addresses, self._accepted)
        with self._lock:
            self._head = head


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Everything a custodian's verbs use; `app` puts it together."""

    keystore: KeyStore
    contracts: Contracts
    directory: Directory
    database: Database
    store: Store
    trail: Trail
    attestations: Attestations
    clock: Callable[[], float]
    random: Callable[[int], bytes]
    pins: PinWatch
    limits: Limits = Limits()
    chart_duty: str = ""
    """The law that has this organisation keep what it wrote of a patient; "" where none does."""

    @property
    def organisation(self) -> bytes:
        """The custodian's own id."""
        return self.keystore.organisation


@dataclass(frozen=True, slots=True)
class Asker:
    """The registered account behind a question, and the moment at which it is judged.

    `unfit` names what keeps the custodian from judging at all (stale head, changed contracts) and
    is "" otherwise. `time_seconds` is the later of our clock and the head's.
    """

    standing: Standing
    address: bytes
    time_seconds: int
    unfit: str = ""

    def attempt(
        self,
        verb: Verb,
        *,
        vault: bytes | None = None,
        purpose: int | None = None,
        records: Sequence[bytes] = (),
        reason: str = "",
        handle: bytes | None = None,
    ) -> Attempt:
        """The audit record of what this asker tried."""
        return Attempt(
            verb=verb,
            account=self.standing.account,
            address=self.address,
            role=self.standing.role,
            organisation=self.standing.organisation,
            purpose=purpose,
            vault=vault,
            records=tuple(records),
            reason=reason,
            handle=handle,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a verb decided: audit records, and either an error or a receipt with a sealed body.

    `write` runs in the transaction that writes the audit entries and may add to the body; `still`
    says there, alone among all who write entries, which of the attempts are still to be entered.
    """

    attempts: tuple[Attempt, ...]
    receipt: Mapping[str, Any] = field(default_factory=dict)
    body: Body = field(default_factory=dict)
    error: SimdesError | None = None
    write: Callable[[Transaction], Body] | None = None
    still: Callable[[Transaction, Attempt], bool] | None = None


@dataclass(frozen=True, slots=True)
class Ground:
    """The basis of a question in bytes."""

    vault: bytes
    purpose: int
    handle: bytes
    terms: Terms
    salt: bytes
    proofs: Mapping[bytes, tuple[bytes, ...]]

    @classmethod
    def of(cls, basis: Basis) -> Ground:
        """Read a basis; without terms, those of an emergency (none)."""
        return cls(
            vault=unhex(basis.vault),
            purpose=basis.purpose,
            handle=unhex(basis.handle) if basis.handle else ZERO32,
            terms=basis.terms.value() if basis.terms else NO_TERMS,
            salt=unhex(basis.salt) if basis.salt else ZERO32,
            proofs={
                unhex(record): tuple(unhex(node) for node in path)
                for record, path in basis.proofs.items()
            },
        )

    def request(self, asker: Asker, *, record: bytes, category: int, labels: int) -> Request:
        """The question to the contract for one record."""
        return Request(
            vault=self.vault,
            record=record,
            actor=asker.address,
            category=category,
            labels=labels,
            purpose=self.purpose,
            time=asker.time_seconds,
            record_proof=self.proofs.get(record, ()),
        )

    @property
    def named_handle(self) -> bytes | None:
        """The handle, None where the ground is no consent."""
        return None if self.handle == ZERO32 else self.handle


STALE: Final = "STALE_LEDGER"
CHANGED: Final = "CHANGED_CONTRACTS"
UNKNOWN_RECORD: Final = "UNKNOWN_RECORD"
UNREACHABLE: Final = "SHARE_UNAVAILABLE"
WRONG_EPOCH: Final = "WRONG_EPOCH"
RATE: Final = "RATE_LIMITED"
QUOTA: Final = "QUOTA"
BUDGET: Final = "BUDGET"

_AUTHORS: Final = STAFF | {Role.AGENT}


def judge(desk: Desk, asker: Asker, ground: Ground, listed: Sequence[ManifestEntry]) -> list[str]:
    """For each record "" when the asker may have it, else the reason's name.

    What an organisation wrote it can always read; everything else is asked of the contract at our
    own node's head, once for each category and label set (each record, under a list of records).
    """
    questions: dict[tuple[bytes, int, int], Request] = {}
    keys: list[tuple[bytes, int, int] | None] = []
    for entry in listed:
        if may_read_own(asker, ground, entry.organisation):
            keys.append(None)
            continue
        single = entry.record_id if ground.terms.records != ZERO32 else ZERO32
        key = (single, entry.category, entry.labels)
        keys.append(key)
        if key not in questions:
            questions[key] = ground.request(
                asker, record=entry.record_id, category=entry.category, labels=entry.labels
            )
    answers = _ask(desk, asker, ground, questions)
    return ["" if key is None else answers[key] for key in keys]


def _ask(
    desk: Desk, asker: Asker, ground: Ground, questions: Mapping[tuple[bytes, int, int], Request]
) -> dict[tuple[bytes, int, int], str]:
    if asker.unfit:
        return dict.fromkeys(questions, asker.unfit)
    decisions = desk.contracts.consents.are_allowed(
        [(ground.handle, ground.terms, ground.salt, request) for request in questions.values()]
    )
    return {
        key: "" if decision.allowed else decision.reason.name
        for key, decision in zip(questions, decisions, strict=True)
    }


def may_read_own(asker: Asker, ground: Ground, author: bytes) -> bool:
    """Whether the author's organisation asks, by staff or software of it that is active.

    Its patients, researchers and administrators are not meant: their reading needs consent.
    """
    return (
        asker.standing.active
        and asker.standing.organisation == author
        and asker.standing.role in _AUTHORS
        and ground.purpose in OWN_PURPOSES
    )


# What a refusal is to the caller. Reasons of the contract not named here are `Forbidden`.
_REFUSALS: Final[Mapping[str, tuple[type[SimdesError], str]]] = {
    STALE: (Unavailable, "The custodian's ledger is behind; it does not judge on old state."),
    CHANGED: (Unavailable, "The contracts changed; the custodian's operator has not accepted it."),
    UNREACHABLE: (Unavailable, "The custodian cannot reach its share now."),
    UNKNOWN_RECORD: (NotFound, "The custodian holds no share of such a record in this vault."),
    WRONG_EPOCH: (NotFound, "The custodian holds no share of this epoch."),
    RATE: (TooLarge, "Too many requests by this account; wait a minute."),
    BUDGET: (TooLarge, "The budget for counts is used up here (BUDGET)."),
    QUOTA: (TooLarge, "The asker keeps, or had evaluated today, as much here as it may (QUOTA)."),
}


def refusal(reason: str) -> SimdesError:
    """The error for a reason's name; it names the reason and holds no value of the request."""
    kind, text = _REFUSALS.get(reason, (Forbidden, f"Refused: {words(reason)} ({reason})."))
    return kind(text, reason=reason)


def refuse(attempt: Attempt) -> Outcome:
    """An outcome that is nothing but this refusal."""
    return Outcome(attempts=(attempt,), error=refusal(attempt.reason))
