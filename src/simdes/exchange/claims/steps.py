"""Each step of a claim: written down with what it will write, sent, and settled by the ledger.

Killed anywhere, the worker asks the ledger whether it has the step: commitments and states say so
exactly. What it has is written into the record, once; what it has not is let go, to be done again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import msgspec

from simdes.access.requests import hexed
from simdes.crypto.keys import unwrap, wrap
from simdes.decoding import ready
from simdes.errors import Conflict, SimdesError, Unavailable
from simdes.exchange.node import Node
from simdes.exchange.placing import Home
from simdes.exchange.prescriptions import records
from simdes.exchange.prescriptions.records import Author
from simdes.exchange.rights import Asking
from simdes.fhir.json import dumps, loads
from simdes.fhir.prescribing import ORGANISATION
from simdes.index import claims
from simdes.index.claims import NewStep, Step
from simdes.index.transaction import Transaction
from simdes.ledger.contracts import Claim, ClaimState
from simdes.ledger.lane import Call
from simdes.proofs.openings import number, octets

LEASE_MS: Final = 60_000
BLIND_BYTES: Final = 31
BLIND_URL: Final = "urn:simdes:claim-blind"
"""The extension of an answer that opens what the ledger has as approved or paid."""
_CONTEXT: Final = b"simdes/claim-step/v1"
_NOT_KNOWN: Final = "The ledger did not say whether it has this step of the claim."

Json = dict[str, Any]


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a step: the resources that it writes, an amount with its blind, the
    encounter's total after it (sum, version, salt), what is used of the insured's period."""

    made: list[bytes]
    amount: int = 0
    currency: str = ""
    blind: bytes = b""
    total: tuple[int, int, bytes] | None = None
    used: bytes = b""
    coverage: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A step to carry out; ``call`` makes the transaction, after the step is written down."""

    claim: int
    tag: int
    vault: bytes
    resource: str
    encounter: str
    other: bytes
    verb: str
    expects: int
    content: Content
    call: Callable[[], Call]


def carry_out(node: Node, planned: Planned, author: Author) -> None:
    """Write a step down, send it, write what it makes.

    Raises Conflict while another step of the encounter is under way or where the ledger refuses,
    Unavailable where it did not answer: then it is found out by itself.
    """
    row = _begin(node, planned, author)
    try:
        node.agent.transact(planned.call())
    except Unavailable as error:
        raise Unavailable(_NOT_KNOWN, advice="Look at the claim in a minute.") from error
    except SimdesError:
        if not took(node, row):
            _refuse(node, row)
            raise
    finish(node, row, planned.content, author)


def _begin(node: Node, planned: Planned, author: Author) -> Step:
    def write(tx: Transaction) -> Step | None:
        home = records.home_of(node, tx, planned.vault)
        return claims.begin(
            tx,
            NewStep(
                claim=planned.claim.to_bytes(32, "big"),
                tag=planned.tag.to_bytes(32, "big"),
                vault=planned.vault,
                resource=planned.resource,
                encounter=planned.encounter,
                other=planned.other,
                verb=planned.verb,
                expects=planned.expects.to_bytes(32, "big"),
                content_wrapped=_wrapped(node, home, planned.content),
                account=author.account,
                until_ms=node.now_ms() + LEASE_MS,
                created_ms=node.now_ms(),
            ),
        )

    row = node.database.write(write)
    if row is None:
        raise Conflict(
            "Another step of this claim is under way here.", advice="Try again in a minute."
        )
    return row


def _wrapped(node: Node, home: Home, content: Content) -> bytes:
    return wrap(home.key, msgspec.msgpack.encode(content), aad=_CONTEXT, random=node.random)


def opened(home: Home, row: Step) -> Content:
    """What is kept of a step."""
    content = unwrap(home.key, row.content_wrapped, aad=_CONTEXT)
    return msgspec.msgpack.decode(content, type=ready(Content))


def content_of(node: Node, row: Step) -> Content:
    """What is kept of a step. Raises Conflict where its vault was erased."""
    with node.database.read() as tx:
        return opened(records.home_of(node, tx, row.vault), row)


def finish(node: Node, row: Step, content: Content, author: Author) -> None:
    """Write what a step that the ledger has makes into the record, once."""

    def write(tx: Transaction) -> None:
        if not claims.confirm(tx, row.id):
            return
        made = [loads(one) for one in content.made]
        if made:
            records.write(node, tx, records.home_of(node, tx, row.vault), made, author)
        else:
            records.note(node, tx, row.vault, author)

    node.database.write(write)


_TOOK: Final[Mapping[str, Callable[[Claim, int], bool]]] = {
    "open": lambda claim, expects: claim.claimed == expects,
    "ask": lambda claim, expects: claim.state is ClaimState.ASKED,
    "adjudicate": lambda claim, expects: (
        claim.approved == expects if expects else claim.state is ClaimState.DENIED
    ),
    "settle": lambda claim, expects: claim.paid == expects,
    "reverse": lambda claim, expects: claim.state is ClaimState.REVERSED,
    "free": lambda claim, expects: claim.counted == expects,
}
"""How the ledger shows that it has a step."""


def took(node: Node, row: Step) -> bool:
    """Whether the ledger has a step."""
    claim = node.contracts.claims.claim(number(row.claim))
    return _TOOK[row.verb](claim, number(row.expects))


def settle(node: Node) -> int:
    """Find out what became of steps that nobody works on; how many were settled."""
    with node.database.read() as tx:
        waiting = claims.begun(tx, now_ms=node.now_ms())
    if waiting:
        node.agent.resume()
    for row in waiting:
        _settle(node, row)
    found = 0
    while (lost := _lost(node)) is not None:  # one by one: of two alike the ledger has one
        found += _settle(node, lost)
    return len(waiting) + found


def _lost(node: Node) -> Step | None:
    with node.database.read() as tx:
        return claims.lost(tx, now_ms=node.now_ms())


def _settle(node: Node, row: Step) -> bool:
    """Whether the ledger has it."""
    if not took(node, row):
        _refuse(node, row)
        return False
    account = node.contracts.accounts.account(row.account)
    address = account.key if account is not None else bytes(20)
    role = int(account.role) if account is not None else 0
    author = Author(row.account, address, role, node.organisation)
    try:
        content = content_of(node, row)
    except Conflict:  # erased with the vault: there is no record to write it into
        content = Content(made=[])
    finish(node, row, content, author)
    return True


def _refuse(node: Node, row: Step) -> None:
    """Looked for once more when it is twice as old: ever more seldom."""
    now = node.now_ms()
    again = now + max(LEASE_MS, now - row.created_ms)
    node.database.write(lambda tx: claims.refuse(tx, row.id, until_ms=again))


def author_of(asking: Asking) -> Author:
    """In whose name a person's step is written."""
    actor = asking.session.actor
    return Author(actor.account, actor.address, actor.role, actor.organisation)


def insurer(node: Node) -> Json:
    """This organisation as the insurer of an answer."""
    identifier = {"system": ORGANISATION, "value": hexed(node.organisation)}
    return {"identifier": identifier, "display": node.name}


def today(node: Node) -> date:
    """The day, UTC."""
    return datetime.fromtimestamp(node.now_seconds(), UTC).date()


def blind_said(blind: int) -> Json:
    """An amount's blind as an extension."""
    return {"url": BLIND_URL, "valueString": octets(blind).hex()}


def blind_of(answer: Json) -> int | None:
    """The blind that an answer says, None where it says none."""
    for one in answer.get("extension") or ():
        if one.get("url") == BLIND_URL and isinstance(one.get("valueString"), str):
            try:
                return int(one["valueString"], 16)
            except ValueError:
                return None
    return None


def packed(made: list[Json]) -> list[bytes]:
    """Resources as they are kept."""
    return [dumps(one) for one in made]
