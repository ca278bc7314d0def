"""Keep up with the chain: the read model, what events point at, and copies that must go.

Called by a worker in a loop, and before a verb that depends on the newest state. A revocation, and
an emergency's review, drop what was read under it at once (docs/formats/custody-release.md).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from simdes.access import fetching
from simdes.access import following as access_following
from simdes.access.consent import Consent, decode_terms_row
from simdes.access.desk import Desk
from simdes.budget import charge, left
from simdes.errors import Unavailable
from simdes.index import chain, chain_consents, copies, custody
from simdes.index.transaction import Transaction
from simdes.ledger import events
from simdes.ledger.follow import HistoryChanged, Range, Step

_Ended = events.Revoked | events.EmergencyReviewed
"""What ends one consent, or one emergency: its copies go."""
_WAIT_SECONDS = 60.0
_FOLLOWERS = 2
"""The read model's, and the one that fetches letters; each has a checkpoint of its own."""


@dataclass(frozen=True, slots=True)
class KnownConsent:
    """A consent whose terms this organisation was sent; ``active`` unless it was withdrawn."""

    consent: Consent
    active: bool


BELIEVED_SECONDS: Final = 0.25
"""How long a node's answer to what its head is may be believed by requests that come often."""


class Following:
    """One organisation's followers. Safe for several threads; one of them does the work."""

    def __init__(
        self,
        desk: Desk,
        *,
        believed_seconds: float = 0.0,
        reorganised: Callable[[], object] = lambda: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``believed_seconds``: how long `keep_up` and `head` rest on what the node said; 0 where
        asking costs nothing. `reorganised` is called where blocks were replaced, before they are
        read anew."""
        self._desk = desk
        self._reorganised = reorganised
        self._lock = threading.Lock()
        self._head = b""
        self._believed_seconds = believed_seconds
        self._monotonic = monotonic
        self._looked = float("-inf")
        self._fetcher = fetching.Fetcher(
            keystore=desk.keystore,
            contracts=desk.contracts,
            directory=desk.directory,
            database=desk.database,
            store=desk.store,
            clock=desk.clock,
            random=desk.random,
        )

    def keep_up(self) -> None:
        """As `catch_up`, at most ``believed_seconds`` behind it: for what comes with each request.

        A verb of ours that changed the chain catches up itself, and the read model is in the
        database, which all processes of an organisation share.
        """
        if self._monotonic() - self._looked >= self._believed_seconds:
            self.catch_up()

    def head(self) -> bytes:
        """The hash of the ledger's head, at most ``believed_seconds`` old."""
        if self._head and self._monotonic() - self._looked < self._believed_seconds:
            return self._head
        return self._desk.contracts.ledger.head().hash

    def catch_up(self) -> int:
        """Bring the read model and what we keep up to the head; how many events or letters.

        Where a development node reorganised its chain, each follower forgets what it read, and all
        is read again.
        """
        for _ in range(_FOLLOWERS):
            try:
                return self._catch_up()
            except HistoryChanged:
                self._head = b""
                self._reorganised()
        return self._catch_up()

    def _catch_up(self) -> int:
        desk = self._desk
        begun = time.monotonic()
        if not self._lock.acquire(timeout=left(_WAIT_SECONDS)):
            raise Unavailable("The ledger node is slow; the chain is being followed.")
        charge(time.monotonic() - begun)
        try:
            looked = self._monotonic()
            head = desk.contracts.ledger.head()
            if head.hash == self._head and not self._fetcher.is_due:
                self._looked = looked
                return 0
            read: dict[Range, Step] = {}
            fetched = self._fetcher.step(head, read)
            count = 0
            if head.hash != self._head:
                count = access_following.follow_chain(
                    desk.database, desk.contracts, heard=self._drop_copies, head=head, read=read
                )
            self._head, self._looked = head.hash, looked
            return count + fetched
        finally:
            self._lock.release()

    def _drop_copies(self, heard: Sequence[events.ChainEvent]) -> None:
        revoked = [one for one in heard if isinstance(one, _Ended)]
        emptied = [one for one in heard if isinstance(one, events.RevokedAll)]
        if revoked or emptied:
            self._desk.database.write(lambda tx: _drop(tx, revoked, emptied))


def _drop(tx: Transaction, revoked: Sequence[_Ended], emptied: Sequence[events.RevokedAll]) -> None:
    for one in revoked:
        copies.drop_handle(tx, one.tag, one.handle)
    for everything in emptied:
        copies.drop_vault(tx, everything.tag)


def known_consents(desk: Desk, vault: bytes) -> list[KnownConsent]:
    """Every consent of a vault whose terms came here, oldest first."""
    with desk.database.read() as tx:
        rows = custody.terms_of(tx, vault)
        states = {one.handle: one for one in chain_consents.of_vault(tx, vault)}
        model = chain.vault(tx, vault)
    generation = model.generation if model is not None else 0
    return [
        KnownConsent(
            decode_terms_row(row),
            (state := states.get(row.handle)) is not None
            and state.state == chain_consents.GRANTED
            and state.generation == generation,
        )
        for row in rows
    ]
