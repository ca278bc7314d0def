"""Bring here what other organisations anchor, while a consent opens it to a subscriber.

Nobody is there whose key could ask custodians, but the organisation's software has one of its own:
under a consent that names the organisation it opens what a subscriber may see under the same
consent, on the custodians' record and on ours. A consent that names a person or a role is not the
software's to use: what it opens is told once somebody reads it.

Only what is anchored from then on is opened, never what a vault already holds, and custodians are
asked only where the chain has batches that were not looked for, each vault once a minute at most:
which patients a batch is about is sealed, so that only its custodians can say.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from simdes.access.asking import Because
from simdes.access.categories import categories_of
from simdes.access.consent import Consent
from simdes.errors import Forbidden, NotFound, SimdesError
from simdes.exchange import reach
from simdes.exchange.node import Node
from simdes.exchange.opening import read_under
from simdes.exchange.rights import Asking
from simdes.exchange.signin import Session
from simdes.exchange.software import software_session
from simdes.exchange.subscriptions import owners
from simdes.index import arrivals, chain, subscriptions
from simdes.index.arrivals import Arrival
from simdes.index.subscriptions import Subscription
from simdes.index.transaction import Transaction

LOOK_MS: Final = 60_000
"""How often the custodians of one vault are asked, at most."""
MOST_LOOKS: Final = 16
"""Vaults of one round; the others have their turn in the next, those that waited longest first."""

_log = structlog.get_logger("simdes.subscriptions")


@dataclass(slots=True)
class _Source:
    """A consent and what of it is opened: the categories that its subscribers are told of."""

    consent: Consent
    purpose: int
    categories: int


_Sources = dict[bytes, dict[tuple[bytes, int], _Source]]
"""By vault, then by handle and purpose."""


def look(node: Node) -> int:
    """One round; how many records were opened. Raises what the database and the chain raise."""
    node.following.keep_up()
    with node.database.read() as tx:
        living = subscriptions.all_living(tx)
        known = arrivals.known(tx)
        head = chain.last_batch(tx, but=node.organisation)
    if not living:
        if known:
            node.database.write(lambda tx: arrivals.forget(tx, known))
        return 0
    software = software_session(node)
    named, sources = _wanted(node, software, living, _due(known, head, node.now_ms()))
    new = [Arrival(vault=one, block=head, ahead=head, looked_ms=0) for one in named - known.keys()]
    gone = known.keys() - named
    if new or gone:
        node.database.write(lambda tx: _follow(tx, new, gone))
    opened = 0
    for one in _due(known, head, node.now_ms()):
        if one.vault in named:
            opened += _looked(node, software, one, list(sources.get(one.vault, {}).values()), head)
    return opened


def _follow(tx: Transaction, new: Sequence[Arrival], gone: Collection[bytes]) -> None:
    arrivals.begin(tx, new)
    arrivals.forget(tx, gone)


def _due(known: dict[bytes, Arrival], head: int, now_ms: int) -> Sequence[Arrival]:
    """The vaults whose turn it is."""
    waiting = [
        one for one in known.values() if one.block < head and one.looked_ms + LOOK_MS <= now_ms
    ]
    return sorted(waiting, key=lambda one: one.looked_ms)[:MOST_LOOKS]


def _wanted(
    node: Node, software: Session, living: Iterable[Subscription], due: Sequence[Arrival]
) -> tuple[set[bytes], _Sources]:
    """The vaults of which consents name a subscriber; and by what those due may be opened."""
    named, sources = set[bytes](), _Sources()
    vaults = [one.vault for one in due]
    types: dict[Subscription, set[str]] = {}
    for one in living:
        types.setdefault(_owner(one), set()).add(one.type)
    for owner, its in types.items():
        try:
            asking = owners.present(node, owner)
        except SimdesError:
            continue  # who may not act is told nothing: `telling` finds out why
        mask = 0
        for type_ in its:
            mask |= categories_of(type_)
        with node.database.read() as tx:
            theirs = node.standing.vaults(tx, asking.session.actor)
            let = set(reach.let_at(asking, theirs) or ())
            named |= let
            chosen = [tag for tag in vaults if tag in let]
            _gather(node, tx, software, asking, chosen, mask & reach.allowed(asking), sources)
    return named, sources


def _owner(one: Subscription) -> Subscription:
    """The same for all subscriptions of one owner, asked through one permission."""
    return Subscription(
        id="",
        resource_id=0,
        account=one.account,
        client=one.client,
        scope=one.scope,
        grant_id=one.grant_id,
        launch_vault=one.launch_vault,
        purpose=one.purpose,
        type="",
        channel="",
        status="",
    )


def _gather(
    node: Node,
    tx: Transaction,
    software: Session,
    asking: Asking,
    vaults: Sequence[bytes],
    categories: int,
    sources: _Sources,
) -> None:
    """Add the consents that stand for a subscriber and for the software alike."""
    now, purpose = node.now_seconds(), asking.purpose
    theirs = {
        one.consent.handle
        for one in node.standing.of(tx, asking.session.actor, purpose, vaults, now_seconds=now)
    }
    for one in node.standing.of(tx, software.actor, purpose, vaults, now_seconds=now):
        consent = one.consent
        wanted = categories & one.ground.categories
        if consent.handle not in theirs or not wanted:
            continue
        of_vault = sources.setdefault(consent.vault, {})
        found = of_vault.setdefault(
            (consent.handle, int(purpose)), _Source(consent, int(purpose), 0)
        )
        found.categories |= wanted


def _looked(
    node: Node, software: Session, one: Arrival, sources: Collection[_Source], head: int
) -> int:
    """Look at one vault: open what was anchored since, and note how far that is."""
    if not node.database.write(lambda tx: arrivals.claim(tx, one, now_ms=node.now_ms())):
        return 0
    with node.database.read() as tx:
        batches = chain.batches(tx, first_block=one.block + 1, last_block=head)
    wanted = frozenset(each.batch_id for each in batches if each.organisation != node.organisation)
    opened = 0
    for source in sources if wanted else ():
        because = Because(source.purpose, consent=source.consent, listed=source.consent.listed)
        try:
            found = read_under(
                node, software, one.vault, source.categories, because, batches=wanted
            )
        except (Forbidden, NotFound):
            continue  # refused, and on record at the custodians
        except SimdesError as error:
            _log.warning("arrivals wait", issue=error.issue, kind=type(error).__name__)
            return opened  # and are looked for again
        opened += len(found.records)
    node.database.write(lambda tx: arrivals.advance(tx, one, ahead=head))
    return opened
