"""Read with the help of custodians: list what a ground opens, gather shares, name culprits.

The reader's side of docs/formats/custody-release.md. Before the first share is asked for, m
custodians must answer at all: when they do not, nothing is released and nothing stands in any log
as read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from simdes.access.asking import Because, Caller, CustodyClient, ask
from simdes.access.descriptors import VaultDescriptor
from simdes.access.messages import (
    MAX_RECORDS,
    CapsulesBody,
    Identifier,
    LocateBody,
    LogBody,
    ManifestsBody,
    ReleaseBody,
)
from simdes.access.reasons import words
from simdes.access.requests import Answer, hexed
from simdes.crypto import cbor
from simdes.crypto.capsule import REDISTRIBUTED, Custodian
from simdes.crypto.seal import combine_for, read_capsule, share_matches
from simdes.crypto.shares import Share
from simdes.errors import Forbidden, Invalid, SimdesError, Tampered, TooLarge, Unavailable

T = TypeVar("T")
Trusted = Callable[[bytes, Share], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A record as a custodian lists it; every field is to be checked against what is opened."""

    record_id: bytes
    category: int
    labels: int
    types: tuple[str, ...]
    body_cid: str
    body_digest: bytes
    capsule_cid: str
    batch_id: bytes
    leaf_indexes: tuple[int, ...]
    organisation: bytes
    author: bytes
    time_ms: int


@dataclass(frozen=True, slots=True)
class Located:
    """A vault that a holder names for identifiers: tag, m, epoch and custodians (ids)."""

    tag: bytes
    m: int
    epoch: int
    custodians: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Gathered:
    """What custodians released: secrets by record id, reasons of the refused, signed receipts.

    `culprits` says whose fault a bad share was: organisation id to what it did.
    """

    secrets: Mapping[bytes, bytes]
    refused: Mapping[bytes, str]
    receipts: tuple[bytes, ...]
    culprits: Mapping[bytes, str] = field(default_factory=dict)


def list_records(caller: Caller, vault: VaultDescriptor, because: Because) -> tuple[Listed, ...]:
    """Every record of the vault that the ground opens, from the first custodian that answers.

    Raises `Forbidden` when a custodian refuses, `Unavailable` when none answers.
    """
    return _first(vault.custodians, lambda custodian: _pages(caller, vault, because, custodian))


def list_from_two(
    caller: Caller, vault: VaultDescriptor, because: Because
) -> tuple[tuple[Listed, ...], Mapping[bytes, tuple[Listed, ...]]]:
    """As `list_records`, from two custodians at once: every record that either lists.

    With it, for each of the two that leaves out what the other lists, those records. One that does
    not answer, or refuses where the other does not, is passed over.
    """
    pair = [one.organisation for one in vault.custodians[:2]]
    answers = _at_once(lambda custodian: _pages(caller, vault, because, custodian), pair)
    lists = {one: {its.record_id: its for its in given}
             for one, given in zip(pair, answers, strict=True)
             if not isinstance(given, SimdesError)}  # fmt: skip
    if not lists:
        refusal = next((one for one in answers if isinstance(one, Forbidden)), None)
        if refusal is not None:
            raise refusal
        return _first(
            vault.custodians[2:], lambda custodian: _pages(caller, vault, because, custodian)
        ), {}
    both = {record: one for its in reversed(lists.values()) for record, one in its.items()}
    lacking = {
        custodian: tuple(one for record, one in both.items() if record not in its)
        for custodian, its in lists.items()
    }
    listed = sorted(both.values(), key=lambda one: (one.time_ms, one.record_id))
    return tuple(listed), {custodian: its for custodian, its in lacking.items() if its}


def look_up(
    caller: Caller, vault: VaultDescriptor, because: Because, records: Sequence[bytes]
) -> tuple[Listed, ...]:
    """Where these records lie now, for those that the ground opens."""

    def one(custodian: bytes) -> tuple[Listed, ...]:
        body = CapsulesBody(basis=because.basis(vault.tag), records=[hexed(r) for r in records])
        return _listed(ask(caller, custodian, "capsules", body))

    return _first(vault.custodians, one)


def read_log(caller: Caller, vault: bytes, custodian: bytes, *, after: int = 0) -> tuple[str, ...]:
    """One custodian's audit entries of a vault with proofs (JSON documents), for its patient."""
    proofs: list[str] = []
    while True:
        body = LogBody(vault=hexed(vault), after=after)
        answer = ask(caller, custodian, "log", body).body
        page = answer.get("entries")
        if not isinstance(page, list) or not all(isinstance(one, str) for one in page):
            raise Tampered("The custodian's log is not of the agreed form.")
        proofs += [str(one) for one in page]
        last = answer.get("last")
        if not page or not answer.get("more"):
            return tuple(proofs)
        if not isinstance(last, int) or last <= after:
            raise Tampered("The custodian's log goes round in circles.")
        after = last


def locate(
    caller: Caller, holder: bytes, identifiers: Sequence[tuple[str, str]], *, purpose: int
) -> tuple[Located, ...]:
    """Ask one organisation which vaults it holds for a person; () when none."""
    body = LocateBody(
        identifiers=[Identifier(system=system, value=value) for system, value in identifiers],
        purpose=purpose,
    )
    answer = ask(caller, holder, "locate", body)
    return tuple(_located(item) for item in _items(answer.body.get("vaults")))


def _located(item: cbor.Value) -> Located:
    if isinstance(item, list) and len(item) == 4:
        tag, m, epoch, custodians = item
        ids = tuple(one for one in _items(custodians) if isinstance(one, bytes))
        if isinstance(tag, bytes) and isinstance(m, int) and isinstance(epoch, int) and ids:
            return Located(tag, m, epoch, ids)
    raise Tampered("The answer to locate is not of the agreed form.")


class Looking:
    """Looking who of a vault's custodians answers at all; another thing may be done meanwhile."""

    def __init__(self, client: CustodyClient, vault: VaultDescriptor) -> None:
        self._client, self._vault = client, vault
        self._threads: ThreadPoolExecutor | None = None
        self._answers: list[tuple[bytes, Future[bool]]] = []

    def begin(self) -> None:
        """Ask each whether it answers."""
        custodians = [one.organisation for one in self._vault.custodians]
        asker = copy_context()  # how long the asker waits holds in these threads, too
        self._threads = self._threads or ThreadPoolExecutor(min(16, len(custodians)))
        submit = self._threads.submit
        self._answers = [
            (one, submit(asker.copy().run, self._client.reachable, one)) for one in custodians
        ]

    def answering(self) -> tuple[bytes, ...]:
        """Who answered, in the order of their shares; each look is good for one gathering."""
        if not self._answers:
            self.begin()
        answers, self._answers = self._answers, []
        return tuple(one for one, answer in answers if answer.result())

    def end(self) -> None:
        """Wait for nobody any more."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)


@contextmanager
def looking(client: CustodyClient, vault: VaultDescriptor) -> Iterator[Looking]:
    """A look at who answers; nothing is asked before it begins or is needed."""
    look = Looking(client, vault)
    try:
        yield look
    finally:
        look.end()


def gather(
    caller: Caller,
    vault: VaultDescriptor,
    because: Because,
    capsules: Mapping[bytes, bytes],
    *,
    trusted: Trusted = lambda _capsule, _share: None,
    up: Looking | None = None,
) -> Gathered:
    """Ask m custodians for shares of these records and combine them.

    `capsules` are the capsule bytes by record id, at most 1,000. `trusted` raises where a share of
    a redistributed capsule names dealers that were no custodians of the old epoch. `up` knows who
    answers, where that was asked already. A custodian that fails or gives a bad share is replaced
    by another. Raises `Unavailable` when fewer than m
    custodians answer (before anything is released), `Forbidden` when the records are refused,
    `Tampered` naming the culprits when good shares of fewer than m custodians are left.
    """
    if not capsules:
        raise Invalid("There is no record to ask for.")
    if len(capsules) > MAX_RECORDS:
        raise TooLarge("At most 1,000 records can be asked for at once.")
    round_ = _Round(caller, vault, because, capsules, trusted)
    with looking(caller.client, vault) if up is None else nullcontext(up) as seen:
        waiting = list(seen.answering())
    if len(waiting) < vault.m:
        raise Unavailable(
            f"{len(waiting)} of the {vault.m} custodians needed answer; nothing was read.",
            advice="Try again when more custodians of the vault are up.",
        )
    while missing := round_.missing(len(waiting)):
        asked, waiting = waiting[:missing], waiting[missing:]
        round_.ask(asked, left=len(waiting))
    return round_.result()


class _Round:
    """One gathering: who was asked, which shares came, who failed and how."""

    def __init__(
        self,
        caller: Caller,
        vault: VaultDescriptor,
        because: Because,
        capsules: Mapping[bytes, bytes],
        trusted: Trusted,
    ) -> None:
        self.caller, self.vault, self.because = caller, vault, because
        self.trusted = trusted
        self.raw = capsules
        self.capsules = {record: read_capsule(data) for record, data in capsules.items()}
        if any(one.record_id != record for record, one in self.capsules.items()):
            raise Tampered("A key capsule belongs to another record.")
        self.shares: dict[bytes, dict[int, Share]] = {record: {} for record in capsules}
        self.names = {hexed(record): record for record in capsules}
        self.refused: dict[bytes, str] = {}
        self.receipts: list[bytes] = []
        self.culprits: dict[bytes, str] = {}
        self.errors: list[SimdesError] = []

    def missing(self, left: int) -> int:
        """How many of the `left` custodians to ask next; 0 when it is enough or hopeless."""
        return max((self.vault.m - len(self.shares[one]) for one in self._wanted(left)), default=0)

    def _wanted(self, left: int) -> list[bytes]:
        """The records that lack shares and can still get them: one refusal is not the last word."""
        m = self.vault.m
        return [
            record for record, found in self.shares.items() if len(found) < m <= len(found) + left
        ]

    def ask(self, custodians: Sequence[bytes], *, left: int) -> None:
        """Ask these custodians for every record that needs them; `left` others are not asked."""
        wanted = self._wanted(left + len(custodians))
        for epoch in {self.capsules[record].epoch for record in wanted}:
            records = [record for record in wanted if self.capsules[record].epoch == epoch]
            body = ReleaseBody(
                basis=self.because.basis(self.vault.tag),
                records=[hexed(record) for record in records],
                epoch=epoch,
            )
            answers = _at_once(partial(self._release, body), custodians)
            for custodian, answer in zip(custodians, answers, strict=True):
                self._take(custodian, answer)

    def _release(self, body: ReleaseBody, custodian: bytes) -> Answer:
        return ask(self.caller, custodian, "release", body)

    def _take(self, custodian: bytes, answer: Answer | SimdesError) -> None:
        if isinstance(answer, SimdesError):
            self.errors.append(answer)
            if isinstance(answer, Tampered):
                self.culprits[custodian] = answer.message
            return
        self.receipts.append(answer.token)
        for item in _items(answer.body.get("shares")):
            self._keep(custodian, item)
        refused = answer.receipt.get("refused")
        for name, reason in refused.items() if isinstance(refused, dict) else ():
            if name in self.names:
                self.refused.setdefault(self.names[name], str(reason)[:64])

    def _keep(self, custodian: bytes, item: cbor.Value) -> None:
        index = self.vault.index_of(custodian)
        if not isinstance(item, list) or len(item) != 3:
            self.culprits[custodian] = "gave something that is no share"
            return
        record, number, value = item
        capsule = self.capsules.get(record) if isinstance(record, bytes) else None
        if (
            capsule is None
            or number != index
            or not isinstance(record, bytes)
            or not isinstance(value, bytes)
            or not share_matches(capsule, Share(index, value))
        ):
            self.culprits[custodian] = "gave a share that its author did not commit to"
            return
        try:
            if capsule.kind == REDISTRIBUTED:
                self.trusted(self.raw[record], Share(index, value))
        except SimdesError:
            self.culprits[custodian] = "gave a share from dealers who were no custodians"
            return
        self.shares[record][index] = Share(index, value)

    def result(self) -> Gathered:
        """The secrets that came together; raises when there is none."""
        secrets = {}
        for record, found in self.shares.items():
            if len(found) < self.vault.m:
                continue
            chosen = [found[index] for index in sorted(found)][: self.vault.m]
            try:
                secrets[record] = combine_for(self.capsules[record], chosen)
            except SimdesError as error:  # every share is as committed: it is the capsule
                self.refused[record] = "BAD_CAPSULE"
                self.errors.append(error)
        if not secrets:
            raise self._failure()
        refused = {
            record: self.refused.get(record, "TOO_FEW_SHARES")
            for record in self.shares
            if record not in secrets
        }
        return Gathered(secrets, refused, tuple(self.receipts), self.culprits)

    def _failure(self) -> SimdesError:
        """Why nothing was read: a refusal if there was one, else whose fault it is."""
        refusal = next((one for one in self.errors if isinstance(one, Forbidden)), None)
        if refusal is not None:
            return refusal
        if self.culprits:
            named = ", ".join(f"0x{one.hex()} {what}" for one, what in self.culprits.items())
            return Tampered(f"Too few good shares: {named}.")
        if self.refused:
            reason = next(iter(self.refused.values()))
            return Forbidden(f"Refused: {words(reason)} ({reason}).")
        return next(iter(self.errors), Unavailable("Too few custodians released their share."))


def _at_once(verb: Callable[[bytes], T], custodians: Sequence[bytes]) -> list[T | SimdesError]:
    asker = copy_context()  # how long the asker waits holds in these threads, too

    def guarded(custodian: bytes) -> T | SimdesError:
        try:
            return asker.copy().run(verb, custodian)
        except SimdesError as error:
            return error

    with ThreadPoolExecutor(max_workers=max(1, min(16, len(custodians)))) as threads:
        return list(threads.map(guarded, custodians))


def _first(custodians: Sequence[Custodian], verb: Callable[[bytes], T]) -> T:
    """The answer of the first custodian that gives one; a refusal is an answer."""
    last: SimdesError | None = None
    for custodian in custodians:
        try:
            return verb(custodian.organisation)
        except (Unavailable, Tampered) as error:
            last = error
    raise last or Unavailable("No custodian of the vault answers.")


def _pages(
    caller: Caller, vault: VaultDescriptor, because: Because, custodian: bytes
) -> tuple[Listed, ...]:
    found: list[Listed] = []
    seen: set[bytes] = set()
    after: str | None = None
    while True:
        body = ManifestsBody(basis=because.basis(vault.tag), after=after)
        answer = ask(caller, custodian, "manifests", body)
        page = _listed(answer)
        if seen & {one.record_id for one in page}:
            raise Tampered("The custodian's list goes round in circles.")
        seen |= {one.record_id for one in page}
        found += page
        if not page or not answer.body.get("more"):
            return tuple(found)
        after = hexed(page[-1].record_id)


def _items(value: cbor.Value | None) -> list[cbor.Value]:
    return value if isinstance(value, list) else []


_SIZES = {0: 32, 5: 32, 7: 32, 9: 32, 10: 20}


def _listed(answer: Answer) -> tuple[Listed, ...]:
    """Rows of `manifests` and `capsules`; `Tampered` unless each is of the agreed form."""
    found = []
    for row in _items(answer.body.get("entries")):
        if (
            not isinstance(row, list)
            or len(row) != 12
            or any(not _fixed(row[at], size) for at, size in _SIZES.items())
            or not all(isinstance(row[at], int) for at in (1, 2, 11))
            or not all(isinstance(row[at], str) for at in (4, 6))
            or not _all(row[3], str)
            or not _all(row[8], int)
        ):
            raise Tampered("The custodian's list is not of the agreed form.")
        values = [tuple(value) if isinstance(value, list) else value for value in row]
        names = Listed.__dataclass_fields__
        found.append(Listed(**dict(zip(names, values, strict=True))))  # type: ignore[arg-type]
    return tuple(found)


def _all(value: cbor.Value, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(one, kind) for one in value)


def _fixed(value: cbor.Value, size: int) -> bool:
    return isinstance(value, bytes) and len(value) == size
