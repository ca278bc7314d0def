"""Keep copies of what this organisation stored at others, and know who signed for them.

Each content is to have ``copies`` copies: one here, the others at the organisations that the
placement rule names (`storage.placement`). They are asked to keep them and answer under their
signature once a content lies in their own store; what they hold is asked about again every day, a
block of it is asked for and hashed. Who does not answer is asked again within seconds, without end.
What is erased is dropped here and at every organisation, each of which signs for it
(docs/storage.md), and so do those who destroy their keys of a vault (`exchange.erasure`).
`Storekeeper.run` is a thread beside the worker: no peer may hold up anchoring.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from simdes import logs
from simdes.access.copies import Said, ask_blocks, ask_drop, ask_keep
from simdes.access.messages import MAX_CIDS
from simdes.crypto.digest import sha256
from simdes.errors import Forbidden, SimdesError, TooLarge, Unavailable
from simdes.exchange import erasure
from simdes.exchange.elsewhere import Resting, verified
from simdes.exchange.node import Node
from simdes.exchange.running import worker_name
from simdes.exchange.safekeeping import Reader, Tended, fetch_wanted, remove_dropped
from simdes.index import contents, safekeeping
from simdes.index.contents import Content, Copy, Receipt
from simdes.index.transaction import Transaction
from simdes.storage.cid import cid_of_digest
from simdes.storage.placement import keepers

PLAN_CONTENTS: Final = 1_000
REST_SECONDS: Final = 5.0
"""How long an organisation that does not answer is left alone."""
SLOWEST_RETRY_MS: Final = 8_000
REFUSED_MS: Final = 600_000
"""When somebody is asked again who refused, or does not think that the copy is theirs to keep."""
LEASE_MS: Final = 15_000
DUTY: Final = "storekeeping"
IDLE_SECONDS: Final = 1.0

_log = structlog.get_logger("simdes.storekeeping")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How many copies there are to be, how often all is read again, and how fast at most."""

    copies: int = 3
    verify_seconds: int = 86_400
    verify_bytes_per_second: int = 8 << 20


@dataclass(slots=True)
class Upkeep:
    """What one round did."""

    planned: int = 0
    confirmed: int = 0
    signed: int = 0
    tended: Tended = field(default_factory=Tended)

    @property
    def idle(self) -> bool:
        """Whether there was nothing to do."""
        return self == Upkeep()


class Storekeeper:
    """Tends the store of one organisation. One thread at a time may call `work`."""

    def __init__(self, node: Node, options: Options) -> None:
        self._node = node
        self._options = options
        self._resting = Resting(REST_SECONDS)
        self._reader = Reader(node, options.verify_seconds, options.verify_bytes_per_second)
        self._held_until_ms = 0

    def run(self, stop: threading.Event) -> None:
        """Work in rounds until ``stop`` is set; of several processes one does it at a time."""
        name = worker_name()
        pause = IDLE_SECONDS
        while not stop.wait(pause):
            pause = IDLE_SECONDS
            try:
                if self._on_duty(name) and not self.work().idle:
                    pause = 0.1
            except SimdesError as error:
                _log.warning("round failed", issue=error.issue, kind=type(error).__name__)
            except Exception as error:  # a fault of ours must not end the thread for good, unseen
                _log.error("round failed", issue="exception", **logs.described(error))

    def work(self) -> Upkeep:
        """Do one round of every step; Unavailable where database or ledger do not answer."""
        done = Upkeep()
        try:
            self._tend(done)
        finally:  # no store that is away holds up an erasure, and no erasure the store
            done.signed = erasure.go_on(self._node)
        return done

    def _tend(self, done: Upkeep) -> None:
        self._note_descriptor()
        done.planned = self._plan()
        done.confirmed = self._ask_all(contents.WANTED) + self._ask_all(contents.HELD)
        done.confirmed += self._ask_all(contents.DROPPING)
        done.tended = (
            self._erase_here()
            + fetch_wanted(self._node, self._options.verify_seconds)
            + self._reader.read_due()
            + remove_dropped(self._node)
        )

    def verify_all(self, told: Callable[[int], None] = lambda _: None) -> Tended:
        """Read everything again now; ``told`` how many contents, bit by bit.

        Raises Unavailable where the store does not answer.
        """
        return self._reader.read_all(told)

    def _on_duty(self, name: str) -> bool:
        now_ms = self._node.now_ms()
        if self._held_until_ms - now_ms > LEASE_MS // 2:
            return True
        until_ms = now_ms + LEASE_MS
        held = self._node.database.write(
            lambda tx: safekeeping.hold(tx, DUTY, name, now_ms=now_ms, until_ms=until_ms)
        )
        self._held_until_ms = until_ms if held else 0
        return held

    def _note_descriptor(self) -> None:
        """Our descriptor was stored before there was a database to note it in."""
        node = self._node
        known = node.contracts.accounts.organisation(node.organisation)
        if known is None:
            return
        cid = cid_of_digest(known.descriptor)
        with node.database.read() as tx:
            noted = contents.get_many(tx, [cid])
        if not noted:
            row = (cid, contents.ORGANISATION, None)
            node.database.write(lambda tx: contents.add(tx, [row], now_ms=node.now_ms()))

    # Choosing ----------------------------------------------------------------------------------

    def _plan(self) -> int:
        """Choose keepers for what is new, and for everything after somebody joined or left."""
        node = self._node
        others = verified(node.database, but=node.organisation)
        plan = _plan_name(self._options.copies, others)
        with node.database.read() as tx:
            cids = contents.unplanned(tx, plan, limit=PLAN_CONTENTS)
        if not cids:
            return 0
        copies = self._options.copies
        chosen = {cid: keepers(cid, node.organisation, others, copies=copies) for cid in cids}
        now_ms = node.now_ms()
        node.database.write(lambda tx: contents.assign(tx, chosen, plan=plan, now_ms=now_ms))
        return len(cids)

    # Asking ------------------------------------------------------------------------------------

    def _ask_all(self, state: str) -> int:
        """Ask every organisation that is due about copies in a state; how many were confirmed."""
        node = self._node
        with node.database.read() as tx:
            organisations = contents.asked_of(tx, state=state, now_ms=node.now_ms())
        return sum(self._ask_one(one, state) for one in organisations if one not in self._resting)

    def _ask_one(self, organisation: bytes, state: str) -> int:
        node = self._node
        with node.database.read() as tx:
            due = contents.due(tx, organisation, state=state, now_ms=node.now_ms(), limit=MAX_CIDS)
        cids = [one.cid for one in due]
        try:
            said = self._asking(state)(organisation, cids)
        except Unavailable:
            self._resting.begin(organisation)
            return 0
        except (Forbidden, TooLarge) as error:
            _log.warning("copies refused", kind=type(error).__name__, contents=len(cids))
            self._put_off(organisation, cids, REFUSED_MS)
            return 0
        except SimdesError as error:
            _log.warning("copies not confirmed", kind=type(error).__name__, contents=len(cids))
            self._put_off(organisation, cids, SLOWEST_RETRY_MS)
            return 0
        return self._note(organisation, due, said, state)

    def _asking(self, state: str) -> Callable[[bytes, Sequence[str]], Said]:
        caller = self._node.agent_caller()
        if state == contents.DROPPING:
            return lambda organisation, cids: ask_drop(caller, organisation, cids)
        copies = max(self._options.copies, 2)
        return lambda organisation, cids: ask_keep(caller, organisation, cids, copies=copies)

    def _note(self, organisation: bytes, due: Sequence[Copy], said: Said, state: str) -> int:
        node = self._node
        dropping = state == contents.DROPPING
        good = set(said.dropped if dropping else said.held)
        if state == contents.HELD:
            good -= self._not_given(organisation, sorted(good))
        others = [one for one in due if one.cid not in good]
        now_ms = node.now_ms()
        receipt = Receipt(
            digest=sha256(said.token),
            organisation=organisation,
            token=said.token,
            received_ms=now_ms,
        )

        def write(tx: Transaction) -> None:
            contents.confirmed(
                tx,
                receipt,
                sorted(good),
                state=contents.DROPPED if dropping else contents.HELD,
                next_ms=now_ms + self._options.verify_seconds * 1000,
            )
            for tries in {one.tries for one in others}:
                again = [one.cid for one in others if one.tries == tries]
                pause = min(500 << min(tries, 4), SLOWEST_RETRY_MS)
                lost = state == contents.HELD
                contents.put_off(tx, organisation, again, next_ms=now_ms + pause, lost=lost)
            if dropping:
                contents.close_erased(tx)
            if state == contents.HELD:
                contents.drop_receipts(tx)

        node.database.write(write)
        if state == contents.HELD and others:
            _log.warning("copies lost elsewhere", contents=len(others))
        return len(good)

    def _not_given(self, organisation: bytes, cids: Sequence[str]) -> set[str]:
        """Ask for one of the contents that it says to hold, chosen at random; what it lacks."""
        if not cids:
            return set()
        number = int.from_bytes(self._node.random(8)) % len(cids)
        given = ask_blocks(self._node.agent_caller(), organisation, [cids[number]])
        return {cids[number]} - set(given)

    def _put_off(self, organisation: bytes, cids: Sequence[str], pause_ms: int) -> None:
        next_ms = self._node.now_ms() + pause_ms
        self._node.database.write(
            lambda tx: contents.put_off(tx, organisation, cids, next_ms=next_ms)
        )

    # Erasing -----------------------------------------------------------------------------------

    def _erase_here(self) -> Tended:
        node = self._node
        with node.database.read() as tx:
            cids = contents.erasing(tx, limit=MAX_CIDS)
        if not cids:
            return Tended()
        for cid in cids:
            node.store.delete(cid)

        def write(tx: Transaction) -> None:
            contents.erased_here(tx, cids)
            contents.close_erased(tx)

        node.database.write(write)
        return Tended(removed=len(cids))


def erase(node: Node, record_ids: Sequence[bytes]) -> int:
    """Erase the stored bytes of records that this organisation wrote, here and everywhere.

    Returns how many contents; the storekeeper carries it out and gathers the receipts. What others
    could have read they may have kept: erasure that holds destroys the custodians' keys, this
    takes away what those keys would have opened.
    """
    others = verified(node.database, but=node.organisation)
    now_ms = node.now_ms()

    def write(tx: Transaction) -> int:
        cids = [
            one.cid for one in contents.of_records(tx, record_ids) if one.state == contents.KEPT
        ]
        if cids:
            contents.erase(tx, cids, others, now_ms=now_ms)
        return len(cids)

    return node.database.write(write)


def copies_of(node: Node, record_id: bytes) -> list[tuple[Content, list[Copy]]]:
    """What is stored of a record that this organisation wrote, and who has copies of it."""
    with node.database.read() as tx:
        stored = contents.of_records(tx, [record_id])
        copies = contents.copies(tx, [one.cid for one in stored])
    return [(one, copies[one.cid]) for one in stored]


def _plan_name(copies: int, organisations: Sequence[bytes]) -> str:
    """A name for a choice: it changes with the number of copies and with who is verified."""
    digest = hashlib.sha256(b"".join(sorted(organisations))).hexdigest()
    return f"{copies}:{digest[:32]}"
