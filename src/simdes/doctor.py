"""`simdes doctor`: is this organisation set up to work, and if not, what to do.

Each check stands alone and says what it found; one that fails does not stop the others. Nothing is
changed, except that ``accept`` writes down the network's contracts as they are now.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from simdes import app, config
from simdes.app import Opened
from simdes.errors import Conflict, SimdesError, Tampered, Unavailable
from simdes.exchange import members
from simdes.index import batches, outbox, quarantine
from simdes.index.migrations import HEAD, revision
from simdes.ledger.network import check_pins

CLOCK_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: ``state`` is ok, warning or failed; ``advice`` may be empty."""

    part: str
    state: str
    message: str
    advice: str = ""


def examine(data: Path, *, accept: bool = False) -> list[Finding]:
    """Check an organisation's folder and everything it depends on."""
    try:
        config.load(data)
    except SimdesError as error:
        return [_failed("settings", error)]
    findings = [Finding("settings", "ok", f"{data} holds an organisation.")]
    try:
        with app.opened(data) as one:
            if accept:
                app.accept_pins(data, one)
            findings += _checks(one)
    except SimdesError as error:
        findings.append(_failed("start", error))
    return findings


def _checks(one: Opened) -> Iterator[Finding]:
    checks: tuple[tuple[str, Callable[[Opened], Finding]], ...] = (
        ("ledger", _ledger),
        ("contracts", _contracts),
        ("organisation", _organisation),
        ("database", _database),
        ("storage", _storage),
        ("custodians", _custodians),
        ("work", _work),
    )
    for part, check in checks:
        try:
            yield check(one)
        except SimdesError as error:
            yield _failed(part, error)


def _failed(part: str, error: SimdesError) -> Finding:
    return Finding(part, "failed", error.message, error.advice)


def _ledger(one: Opened) -> Finding:
    ledger = one.node.contracts.ledger
    head = ledger.head()
    ahead = head.timestamp - time.time()
    if ahead > CLOCK_SECONDS:
        return Finding(
            "ledger",
            "warning",
            f"The head is {int(ahead)} seconds ahead of this machine's clock.",
            "Synchronise the clock (NTP).",
        )
    limit = one.settings.stale_after_seconds
    if limit and -ahead > limit:
        raise Unavailable(
            f"The ledger's newest block is {int(-ahead)} seconds old; the limit is {limit}.",
            advice="Check that the node runs and is connected to the network.",
        )
    return Finding("ledger", "ok", f"Chain {ledger.chain_id()}, block {head.number}.")


def _contracts(one: Opened) -> Finding:
    contracts = one.node.contracts
    try:
        check_pins(contracts.ledger, contracts.addresses, app.read_pins(one.data))
    except Tampered as error:
        raise Tampered(
            error.message,
            advice="Ask the network's owners; then accept it with `simdes doctor --accept`.",
        ) from error
    return Finding("contracts", "ok", "Genesis, contracts and their code are those accepted.")


def _organisation(one: Opened) -> Finding:
    found = one.node.contracts.accounts.organisation(one.node.organisation)
    if found is None:
        raise Conflict("The network does not know this organisation.")
    agent = one.node.contracts.accounts.standing(one.node.agent.address)
    if agent is None or not agent.active:
        return Finding(
            "organisation",
            "warning",
            "The organisation or its software is not verified yet; records wait here, safe.",
            "An owner of the network must run `simdes organisation verify`.",
        )
    return Finding("organisation", "ok", f"{one.settings.name} is verified.")


def _database(one: Opened) -> Finding:
    found = revision(one.node.database)
    if found != HEAD:
        raise Conflict(f"The database is at revision {found}, this program needs {HEAD}.")
    entries = one.node.desk.trail.verify_chain(one.node.database)
    return Finding(
        "database", "ok", f"Revision {found}; {entries} audit entries, each following the last."
    )


def _storage(one: Opened) -> Finding:
    probe = b"simdes doctor " + secrets.token_bytes(16)
    cid = one.node.store.put(probe)
    if one.node.store.get(cid) != probe:
        raise Tampered("The content store gave back other bytes than it was given.")
    one.node.store.delete(cid)
    return Finding("storage", "ok", "A block was stored, read back and removed.")


def _custodians(one: Opened) -> Finding:
    listed = [
        member
        for member in members.listed(one.node)
        if member.state == "verified" and member.id != one.node.organisation
    ]
    silent = [member.name for member in listed if not one.node.custody.reachable(member.id)]
    needed = one.settings.custodians - 1
    if len(listed) < needed:
        return Finding(
            "custodians",
            "warning",
            f"A vault needs {needed} other verified organisations; the network has {len(listed)}.",
            "Records wait here, safe, until more organisations join.",
        )
    if silent:
        return Finding(
            "custodians",
            "warning",
            f"No answer from {', '.join(silent)}.",
            "Start their gateways (`simdes serve`), or check their custody URLs.",
        )
    return Finding("custodians", "ok", f"All {len(listed)} others answer.")


def _work(one: Opened) -> Finding:
    with one.node.database.read() as tx:
        waiting = outbox.pending(tx, now_ms=one.node.now_ms()).total
        unfinished = len(batches.unfinished(tx))
        kept = quarantine.count(tx)
    message = f"{waiting} resources to seal, {unfinished} batches to anchor, {kept} in quarantine."
    state = "warning" if kept else "ok"
    advice = "See what holds them up with `simdes quarantine summary`." if kept else ""
    return Finding("work", state, message, advice)
