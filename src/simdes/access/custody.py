"""The custody API of one organisation: what it answers to other organisations and why.

`Custodian.answer` is the whole surface: signed bytes in, signed bytes out, whoever carries them
(docs/formats/custody-release.md; paper: "key management"). The order is always the same: form and
signature, registered account, rate, decision by the verb, then one transaction that spends the
nonce and appends the audit entries, and only then the answer. Requests that are not validly signed
by a registered account raise counters and leave no entry.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from simdes.access import passes
from simdes.access.audit_event import Verb
from simdes.access.custody_attesting import recover
from simdes.access.custody_corrections import CorrectBody, correct
from simdes.access.custody_erasure import erase
from simdes.access.custody_fingerprints import conclude, contribute, evaluate, fingerprints
from simdes.access.custody_guardians import appoint, vouch
from simdes.access.custody_lists import capsules, log, manifests
from simdes.access.custody_locate import locate
from simdes.access.custody_reconcile import reconcile
from simdes.access.custody_release import release
from simdes.access.custody_renewal import accept, deal, renew
from simdes.access.custody_requests import explain, request
from simdes.access.custody_store import blocks, drop, keep
from simdes.access.custody_told import ToldBody, claims, prescriptions
from simdes.access.custody_vaults import ack, attest, vaults
from simdes.access.desk import CHANGED, RATE, STALE, Asker, Body, Desk, Outcome, refuse
from simdes.access.fingerprint_messages import (
    ConcludeBody,
    ContributeBody,
    EvaluateBody,
    FingerprintsBody,
)
from simdes.access.messages import (
    AcceptBody,
    AckBody,
    AppointBody,
    AttestBody,
    BlocksBody,
    CapsulesBody,
    DealBody,
    DropBody,
    EraseBody,
    ExplainBody,
    KeepBody,
    LocateBody,
    LogBody,
    ManifestsBody,
    ReconcileBody,
    RecoverBody,
    ReleaseBody,
    RenewBody,
    RequestBody,
    VaultsBody,
    VouchBody,
)
from simdes.access.requests import Question, decode, read_request, sign_answer, unhex
from simdes.errors import NotFound, SimdesError, Tampered, Unauthenticated
from simdes.index import audit
from simdes.index import custody as nonces
from simdes.index.transaction import Transaction

Act = Callable[[Desk, Asker, Any], Outcome]
Heard = Callable[[bytes, bytes], None]
"""Is told the account and the organisation behind a question, once they are established."""

VERBS: Final[Mapping[str, tuple[type, Act]]] = {
    "vaults": (VaultsBody, vaults),
    "locate": (LocateBody, locate),
    "manifests": (ManifestsBody, manifests),
    "capsules": (CapsulesBody, capsules),
    "release": (ReleaseBody, release),
    "log": (LogBody, log),
    "ack": (AckBody, ack),
    "attest": (AttestBody, attest),
    "keep": (KeepBody, keep),
    "drop": (DropBody, drop),
    "blocks": (BlocksBody, blocks),
    "renew": (RenewBody, renew),
    "deal": (DealBody, deal),
    "accept": (AcceptBody, accept),
    "reconcile": (ReconcileBody, reconcile),
    "erase": (EraseBody, erase),
    "contribute": (ContributeBody, contribute),
    "conclude": (ConcludeBody, conclude),
    "evaluate": (EvaluateBody, evaluate),
    "fingerprints": (FingerprintsBody, fingerprints),
    "claims": (ToldBody, claims),
    "prescriptions": (ToldBody, prescriptions),
    "request": (RequestBody, request),
    "explain": (ExplainBody, explain),
    "correct": (CorrectBody, correct),
    "appoint": (AppointBody, appoint),
    "vouch": (VouchBody, vouch),
    "recover": (RecoverBody, recover),
}
"""Every verb with the form of its body; the authorisation matrix has a row for each."""

Verbs = Mapping[str, tuple[type, Act]]


class Rate:
    """Calls of one account in the last minute, in this process."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._calls: dict[tuple[bytes, str], deque[float]] = {}

    def passes(self, account: bytes, method: str, *, per_minute: int) -> bool:
        """Count this call; whether it is still within the limit."""
        now = self._clock()
        with self._lock:
            if len(self._calls) > 100_000:
                self._calls = {k: q for k, q in self._calls.items() if q and q[-1] > now - 60}
            calls = self._calls.setdefault((account, method), deque())
            while calls and calls[0] <= now - 60:
                calls.popleft()
            if len(calls) >= per_minute:
                return False
            calls.append(now)
            return True


class Custodian:
    """Answers the custody API for one organisation. Safe to use from several threads."""

    def __init__(self, desk: Desk, verbs: Verbs = VERBS) -> None:
        """``verbs``: what may be asked; more than `VERBS` where an answer takes more than access
        knows of."""
        self.desk = desk
        self._verbs = verbs
        self.counters: Counter[str] = Counter()
        self.decisions: Counter[tuple[str, str]] = Counter()
        self._counting = threading.Lock()
        self._rate = Rate(desk.clock)

    def answer(self, method: str, token: bytes, *, heard: Heard | None = None) -> bytes:
        """The signed answer to a signed question.

        Raises one of `simdes.errors` for a refusal, after its audit entry is durable where the
        question was validly signed by a registered account.
        """
        desk = self.desk
        try:
            kind, act = self._verb(method)
            question = self._read(method, token)
            asker = self._asker(question)
            if heard is not None:
                heard(asker.standing.account, asker.standing.organisation)
            body: Any = decode(question.body, kind)
        except SimdesError as error:
            self.counters[type(error).__name__] += 1
            raise
        outcome = (
            self._limited(method, asker)
            or self._not_by_pass(question, asker, body)
            or act(desk, asker, body)
        )
        added = self._record(question, outcome)
        with self._counting:
            self.decisions.update((one.verb.value, one.reason) for one in outcome.attempts)
        if outcome.error is not None:
            raise outcome.error
        return sign_answer(
            desk.keystore.lanes[0],
            question,
            custodian=desk.organisation,
            receipt=dict(outcome.receipt),
            body=outcome.body | added,
            now_seconds=int(desk.clock()),
        )

    def _verb(self, method: str) -> tuple[type, Act]:
        if method not in self._verbs:
            raise NotFound("The custody API has no such verb.")
        return self._verbs[method]

    def _read(self, method: str, token: bytes) -> Question:
        desk = self.desk
        return read_request(
            token,
            method=method,
            audience=desk.organisation,
            chain=desk.contracts.ledger.chain_id(),
            now_seconds=int(desk.clock()),
        )

    def _asker(self, question: Question) -> Asker:
        """The registered account behind the key, whatever state it is in: the verbs judge that.

        With a reading pass it is the account whose present key signed the pass.
        """
        desk, by, now = self.desk, question.by, int(self.desk.clock())
        key = passes.signer(desk.contracts, by, now_seconds=now) if by else question.sender
        head, standing = desk.contracts.accounts.standing_at_head(key)
        if standing is None:
            raise Unauthenticated("No account has the key that signed the request.")
        if by and (by.account, by.organisation) != (standing.account, standing.organisation):
            raise Unauthenticated("The reading pass is not of this account.")
        unfit = ""
        stale = desk.limits.stale_after_seconds
        if stale and now - head.timestamp > stale:
            unfit = STALE
        else:
            try:
                desk.pins.check(desk.contracts, head.hash)
            except Tampered:
                unfit = CHANGED
        return Asker(standing, key, max(now, head.timestamp), unfit)

    def _not_by_pass(self, question: Question, asker: Asker, body: Any) -> Outcome | None:
        """Refuse what takes the account's own key, and not a pass that its wallet signed."""
        if question.by is None or passes.opens(question.method, body):
            return None
        vault = passes.vault_named(body)
        attempt = asker.attempt(
            Verb(question.method),
            vault=unhex(vault) if vault else None,
            reason=passes.NOT_BY_PASS,
        )
        return refuse(attempt)

    def _limited(self, method: str, asker: Asker) -> Outcome | None:
        limits = self.desk.limits
        per_minute = {
            "locate": limits.locates_per_minute,
            "blocks": limits.blocks_per_minute,
            "reconcile": limits.reconciles_per_minute,
            "request": limits.locates_per_minute,
            "recover": limits.locates_per_minute,
            "claims": limits.tellings_per_minute,
            "prescriptions": limits.tellings_per_minute,
            "count": limits.counts_per_minute,
            "released": limits.counts_per_minute,
        }.get(method, limits.calls_per_minute)
        if self._rate.passes(asker.standing.account, method, per_minute=per_minute):
            return None
        self.counters["rate"] += 1
        return refuse(asker.attempt(Verb(method), reason=RATE))

    def _record(self, question: Question, outcome: Outcome) -> Body:
        """Spend the nonce, append the entries and do the verb's writes: all or nothing."""
        desk = self.desk
        now_ms = int(desk.clock() * 1000)
        expires_ms = question.expires_seconds * 1000

        def write(tx: Transaction) -> Body:
            nonces.purge_nonces(tx, now_ms=now_ms)
            if not nonces.spend_nonce(tx, question.nonce, expires_ms=expires_ms):
                raise Unauthenticated("The request was answered before; sign a new one.")
            attempts = outcome.attempts
            if outcome.still is not None:
                audit.lock_head(tx)
                attempts = tuple(one for one in attempts if outcome.still(tx, one))
            desk.trail.append(tx, attempts)
            return outcome.write(tx) if outcome.write else {}

        return desk.database.write(write)
