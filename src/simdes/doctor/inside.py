"""Checks from inside the opened organisation: contracts, members, custodians, lanes, work."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

import httpx

from simdes.access.asking import Caller, ask
from simdes.access.messages import BlocksBody
from simdes.app import Opened
from simdes.doctor.check import Said, good, warning, wrong
from simdes.doctor.place import host_of
from simdes.errors import Conflict, Forbidden, SimdesError, Tampered, Unavailable
from simdes.exchange import members
from simdes.exchange.members import Member
from simdes.exchange.operations import OVERDUE_MS
from simdes.index import batches, outbox, quarantine
from simdes.index import erasures as erasing
from simdes.index.backlog import backlog
from simdes.index.storekeeping import storekeeping
from simdes.ledger.network import check_pins
from simdes.own_ledger import read_pins
from simdes.storage.cid import cid_of

CLOCK_SECONDS: Final = 30
CUSTODIAN_CLOCK_SECONDS: Final = 5
"""Requests are refused when their time is further ahead (docs/formats/custody-release.md)."""
WAITS_SECONDS: Final = 900
ASK_SECONDS: Final = 3.0

T = TypeVar("T")


def started(one: Opened) -> Iterator[Said]:
    """All its parts open."""
    yield good(f"{one.settings.name} opens.")


def ledger(one: Opened) -> Iterator[Said]:
    """The ledger as the program sees it: its head is neither old nor ahead of the clock."""
    found = one.node.contracts.ledger
    head = found.head()
    ahead = head.timestamp - one.node.desk.clock()
    limit = one.settings.stale_after_seconds
    if ahead > CLOCK_SECONDS:
        yield warning(
            f"The head is {int(ahead)} seconds ahead of this machine's clock.",
            "Synchronise the clock (NTP).",
        )
    elif limit and -ahead > limit:
        yield wrong(
            f"The ledger's newest block is {int(-ahead)} seconds old; the limit is {limit}."
        )
    else:
        yield good(f"Chain {found.chain_id()}, block {head.number}.")


def contracts(one: Opened) -> Iterator[Said]:
    """Genesis, contracts and their code are those that the operator accepted."""
    found = one.node.contracts
    check_pins(found.ledger, found.addresses, read_pins(one.data))
    yield good("Genesis, contracts and their code are those accepted.")


def history(one: Opened) -> Iterator[Said]:
    """The ledger has what it took from us, where it said that it has it."""
    with one.node.database.read() as tx:
        rows = tx.all(
            "SELECT hash, block_number FROM ledger_transaction WHERE block_number IS NOT NULL"
            " ORDER BY block_number DESC LIMIT 20"
        )
    if not rows:
        return
    receipts = one.node.contracts.ledger.receipts([bytes(row[0]) for row in rows])
    gone = [
        row[1]
        for row, receipt in zip(rows, receipts, strict=True)
        if receipt is None or receipt.block_number != row[1]
    ]
    if gone:
        yield wrong(
            f"{len(gone)} of our last {len(rows)} transactions are not where the ledger put them."
        )
    else:
        yield good(f"The ledger has our last {len(rows)} transactions.")


def lanes(one: Opened) -> Iterator[Said]:
    """Nobody else sends with this organisation's lanes."""
    chain = one.node.contracts.ledger.chain_id()
    strange = []
    for number, lane in enumerate(one.node.desk.keystore.lanes):
        name = f"{chain}:0x{lane.address.hex()}"
        with one.node.database.read() as tx:
            row = tx.one("SELECT max(nonce) FROM ledger_transaction WHERE lane = :lane", lane=name)
        ours = 0 if row is None or row[0] is None else int(row[0]) + 1
        if one.node.contracts.ledger.nonce(lane.address) > ours:
            strange.append(str(number))
    if strange:
        yield wrong(
            f"Lane {', '.join(strange)} sent transactions that this database does not know."
        )
    else:
        yield good("Lanes sent nothing but what stands in this database.")


def organisation(one: Opened) -> Iterator[Said]:
    """The network knows this organisation and its software."""
    known = one.node.contracts.accounts.organisation(one.node.organisation)
    if known is None:
        raise Conflict("The network does not know this organisation.")
    agent = one.node.contracts.accounts.standing(one.node.agent.address)
    if agent is None or not agent.active:
        yield warning("The organisation or its software is not verified yet; records wait here.")
    else:
        yield good(f"{one.settings.name} is verified.")


def published_url(one: Opened) -> Iterator[Said]:
    """What others were told as this gateway's address is what is set here, and leads here."""
    ours = one.settings.custody_url.rstrip("/")
    told = one.node.desk.directory.organisation(one.node.organisation).url.rstrip("/")
    if told != ours:
        yield wrong(f"Others were told {host_of(told)}, custody_url says {host_of(ours)}.")
        return
    answered = _status(f"{ours}/healthz")
    if answered is None:
        yield warning(f"Nothing answers at {host_of(ours)} now.", "Start it with `simdes serve`.")
        return
    try:
        _question(one, one.node.organisation)
    except Unavailable as error:
        yield wrong(f"At {host_of(ours)} there is no gateway: {error.message}")
    except SimdesError:
        yield wrong(f"At {host_of(ours)} there is another gateway than this organisation's.")
    else:
        yield good(f"This gateway answers at {host_of(ours)}.")


def proxy(one: Opened) -> Iterator[Said]:
    """What is for this machine alone does not go out by the proxy in front."""
    ours = one.settings.custody_url.rstrip("/")
    if not ours.startswith("https:") or one.settings.metrics_token_file:
        return
    status = _status(f"{ours}/metrics")
    if status == httpx.codes.OK:
        yield wrong(
            f"{host_of(ours)} shows /metrics to everybody: the proxy passes on that it asks for"
            " others neither in X-Forwarded-For nor in Forwarded."
        )
    elif status is not None:
        yield good("The proxy keeps /metrics to itself.")


def audit(one: Opened) -> Iterator[Said]:
    """The audit trail here is unbroken."""
    entries = one.node.desk.trail.verify_chain(one.node.database)
    yield good(f"{entries} audit entries, each following the last.")


def storage(one: Opened) -> Iterator[Said]:
    """A block is stored, read back and removed."""
    probe = b"simdes doctor " + secrets.token_bytes(16)
    cid = one.node.store.put(probe)
    if one.node.store.get(cid) != probe:
        raise Tampered("The content store gave back other bytes than it was given.")
    one.node.store.delete(cid)
    yield good("A block was stored, read back and removed.")


def copies(one: Opened) -> Iterator[Said]:
    """As many copies lie elsewhere as are to, and none is damaged."""
    verified = len(_others(one)) + 1
    wanted = one.settings.copies
    if verified < wanted:
        yield warning(
            f"copies is {wanted}, and the network has {verified} verified organisations.",
            "More organisations must join, or set copies to what there is.",
        )
    now_ms = int(one.node.desk.clock() * 1000)
    with one.node.database.read() as tx:
        counted = storekeeping(tx, overdue_before_ms=now_ms - OVERDUE_MS)
        short = _count(tx.one(_SHORT, before=now_ms - WAITS_SECONDS * 1000))
    if counted.damaged:
        yield wrong(f"{counted.damaged} contents were missing or damaged here when read last.")
    if short:
        yield warning(f"{short} of {counted.contents} contents still have too few copies.")
    if counted.overdue:
        yield warning(f"{counted.overdue} contents should have been read again by now.")
    if verified >= wanted and not (counted.damaged or short or counted.overdue):
        yield good(f"{counted.contents} contents, each with its copies.")


_SHORT: Final = (
    "SELECT count(*) FROM content AS c WHERE c.state = 'kept' AND c.created_ms < :before"
    " AND (c.plan = '' OR EXISTS (SELECT 1 FROM content_copy AS o WHERE o.cid = c.cid"
    " AND o.state = 'wanted' AND o.assigned = 1))"
)


def erasures(one: Opened) -> Iterator[Said]:
    """No erasure of a vault waits long for somebody."""
    now_ms = one.node.now_ms()
    with one.node.database.read() as tx:
        counted = erasing.count(tx)
        late = erasing.waiting(tx, before_ms=now_ms - WAITS_SECONDS * 1000, limit=VAULTS)
        missing = {org: why for job in late for org, why in erasing.missing(tx, job.vault).items()}
    if not late:
        yield good(f"{counted.settled} vaults erased everywhere, {counted.waiting} being erased.")
        return
    yield warning(f"Erasing {len(late)} vaults waits for organisations that have not signed.")
    for organisation, found in missing.items():
        yield warning(f"{members.name_of(one.node, organisation)} has not: {found.why}")


def custodians(one: Opened) -> Iterator[Said]:
    """Enough other organisations, and they answer."""
    listed = _others(one)
    needed = one.settings.custodians - 1
    if len(listed) < needed:
        yield warning(
            f"A vault needs {needed} other verified organisations; the network has {len(listed)}.",
            "Records wait here, safe, until more organisations join.",
        )
        return
    answers = _each(listed, lambda member: one.node.custody.reachable(member.id))
    silent = [member.name for member, fine in zip(listed, answers, strict=True) if not fine]
    if silent:
        yield warning(f"No answer from {', '.join(silent)}.")
    elif listed:
        yield good(f"All {len(listed)} others answer.")


def same_network(one: Opened) -> Iterator[Said]:
    """Custodians are who they should be, on this chain; their clocks agree with ours."""
    listed = _others(one)
    seen = _each(listed, lambda member: _look_at(one, member))
    troubles = [said for view in seen for said in view.troubles]
    yield from troubles
    if not troubles and any(view.answered for view in seen):
        yield good("Those who answer are who they should be, on this chain and at this time.")


def epochs(one: Opened) -> Iterator[Said]:
    """We hold the key of our share in the present epoch of the newest vaults."""
    with one.node.database.read() as tx:
        rows = tx.all(_NEWEST, limit=VAULTS)
        lagging = _count(tx.one(_LAGGING))
    lost = 0
    for tag, epoch, has_key in rows:
        if has_key:
            continue
        try:
            vault = one.node.desk.directory.vault(bytes(tag))
        except SimdesError:
            continue  # its descriptor is not to be had now; that is the store's trouble
        lost += vault.epoch == epoch and vault.index_of(one.node.organisation) is not None
    if lost:
        yield wrong(f"Of {len(rows)} vaults looked at, {lost} count on a key that is not here.")
    if lagging:
        yield warning(f"{lagging} of our vaults are in another epoch here than on the chain.")
    if not (lost or lagging):
        yield good(f"Keys are here, of the present epochs; {len(rows)} vaults were looked at.")


VAULTS: Final = 40
_NEWEST: Final = (
    "SELECT v.tag, v.epoch, EXISTS (SELECT 1 FROM custody_key AS k WHERE k.vault = v.tag"
    " AND k.epoch = v.epoch) FROM chain_vault AS v ORDER BY v.block_number DESC LIMIT :limit"
)
_LAGGING: Final = (
    "SELECT count(*) FROM vault AS own JOIN chain_vault AS v ON v.tag = own.tag"
    " WHERE own.home = 1 AND own.state = 'open' AND own.epoch <> v.epoch"
)


def work(one: Opened) -> Iterator[Said]:
    """Nothing waits longer than it should."""
    now_ms = one.node.now_ms()
    with one.node.database.read() as tx:
        waiting = outbox.pending(tx, now_ms=now_ms).total
        unfinished = len(batches.unfinished(tx))
        kept = quarantine.count(tx)
        oldest = backlog(tx, now_ms=now_ms).oldest_ms
    message = f"{waiting} resources to seal, {unfinished} batches to anchor, {kept} in quarantine."
    late = oldest is not None and now_ms - oldest > WAITS_SECONDS * 1000
    if late:
        yield warning(f"Something has waited for {(now_ms - (oldest or 0)) // 60_000} minutes.")
    if kept:
        advice = "See what holds them up with `simdes quarantine summary`."
        yield warning(message, advice)
    elif not late:
        yield good(message)


# What checks share ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _View:
    """What a custodian turned out to be."""

    answered: bool
    troubles: tuple[Said, ...] = ()


def _look_at(one: Opened, member: Member) -> _View:
    before = time.monotonic()
    asked_at = one.node.desk.clock()
    try:
        answer = httpx.get(
            f"{member.url.rstrip('/')}/healthz", timeout=ASK_SECONDS, trust_env=False
        )
        date = answer.headers.get("date")
    except (httpx.HTTPError, httpx.InvalidURL):
        date = None
    troubles: list[Said] = []
    if date is not None:
        took = time.monotonic() - before
        theirs = parsedate_to_datetime(date).timestamp()
        off = theirs + 0.5 - (asked_at + took / 2)  # the header has whole seconds
        if abs(off) > CUSTODIAN_CLOCK_SECONDS + took:
            troubles.append(wrong(f"The clock of {member.name} is {off:+.0f} seconds off ours."))
    try:
        _question(one, member.id)
    except (Unavailable, Forbidden):
        pass  # `custodians` says the first; the second is said by the right one
    except SimdesError as error:
        troubles.append(wrong(f"{member.name} is not who it should be: {error.message}"))
    else:
        return _View(True, tuple(troubles))
    return _View(bool(troubles), tuple(troubles))


def _question(one: Opened, organisation: bytes) -> None:
    """Ask a custodian for a block that nobody has: a signed question, a signed answer."""
    node = one.node
    caller = Caller(
        node.desk.keystore.lanes[0], node.custody, node.contracts, node.desk.clock, node.random
    )
    nothing = cid_of(b"simdes doctor " + secrets.token_bytes(16))
    ask(caller, organisation, "blocks", BlocksBody(cids=[nothing]))


def _others(one: Opened) -> list[Member]:
    return [
        member
        for member in members.listed(one.node)
        if member.state == "verified" and member.id != one.node.organisation
    ]


def _each(listed: list[Member], work: Callable[[Member], T]) -> list[T]:
    if not listed:
        return []
    with ThreadPoolExecutor(min(8, len(listed))) as pool:
        return list(pool.map(work, listed))


def _status(url: str) -> int | None:
    """What is answered there; whether its certificate is good is for `tls` to say."""
    try:
        answer = httpx.get(url, timeout=ASK_SECONDS, trust_env=False, verify=False)  # noqa: S501
        return answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL):
        return None


def _count(row: object) -> int:
    return int(row[0]) if isinstance(row, tuple) else 0
