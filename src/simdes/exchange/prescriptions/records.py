"""What the journey itself writes into a patient's record: openings, dispenses, what came of them.

Like everything that is written over the API it gets its outbox row, its search rows, a Provenance
and an audit entry in one commit; but it is written in the name of who caused it, also by a worker
that finishes after a crash what a person began.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simdes.access.audit_event import Attempt, Verb
from simdes.access.categories import Purpose, Role, classify
from simdes.access.vaults import vault_key
from simdes.errors import Conflict, Forbidden, Invalid
from simdes.exchange.indexing import Written, index_own
from simdes.exchange.interactions.changes import Method
from simdes.exchange.interactions.writers import writing_provenance
from simdes.exchange.node import Node
from simdes.exchange.placing import Home
from simdes.exchange.versions import new_version
from simdes.fhir.json import dumps
from simdes.index import moments, outbox, resources, vaults
from simdes.index.resources import NewResource
from simdes.index.transaction import Transaction

Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Author:
    """In whose name something is written: an account of this organisation and its key."""

    account: bytes
    address: bytes
    role: int
    organisation: bytes


def software(node: Node) -> Author:
    """This organisation's software, for what nobody in particular causes."""
    address = node.agent.address
    standing = node.contracts.accounts.standing(address)
    if standing is None:
        raise Forbidden("The organisation's agent is not registered.")
    return Author(standing.account, address, Role.AGENT, node.organisation)


def attached(document: Resource) -> bytes:
    """What a DocumentReference has attached first. Raises Invalid where it has nothing."""
    try:
        return b64decode(document["content"][0]["attachment"]["data"], validate=True)
    except (KeyError, IndexError, TypeError, ValueError):
        raise Invalid("Nothing is attached to this DocumentReference.") from None


def home_of(node: Node, tx: Transaction, vault: bytes) -> Home:
    """A vault with its local key. Raises Conflict where it was erased here."""
    row = vaults.get(tx, vault)
    if row is None or row.key_wrapped is None:
        raise Conflict("The patient's records were erased here.")
    return Home(vault, vault_key(node.desk.keystore, row))


def write(
    node: Node, tx: Transaction, home: Home, made: Sequence[Resource], author: Author
) -> None:
    """Add versions of resources to a vault."""
    now_ms = node.now_ms()
    rows = [(_new(node, home, one, author, now_ms), one) for one in made]
    stored = resources.add(tx, [row for row, _ in rows])
    told = writing_provenance(
        node,
        author,
        [(Method.CREATE, one, row.labels) for one, (row, _) in zip(stored, rows, strict=True)],
    )
    rows.append((_new(node, home, told, author, now_ms), told))
    stored += resources.add(tx, [rows[-1][0]])
    index_own(
        tx,
        node.organisation,
        [Written(row, one, said) for one, (row, said) in zip(stored, rows, strict=True)],
    )
    fresh = [one.id for one in stored if one.created]
    outbox.add(tx, fresh)
    moments.put(tx, dict.fromkeys(fresh, (None, now_ms)))
    node.desk.trail.append(tx, [_attempt(author, home.tag)])


def note(node: Node, tx: Transaction, vault: bytes, author: Author) -> None:
    """Write down that somebody acted on a vault's records where they write nothing into it."""
    node.desk.trail.append(tx, [_attempt(author, vault)])


def _new(node: Node, home: Home, one: Resource, author: Author, now_ms: int) -> NewResource:
    category, labels = classify(one)
    return new_version(
        home,
        type=str(one["resourceType"]),
        logical_id=str(one["id"]),
        content=dumps(dict(one)),
        category=category,
        labels=labels,
        created_ms=now_ms,
        random=node.random,
        account=author.account,
    )


def _attempt(author: Author, vault: bytes) -> Attempt:
    return Attempt(
        verb=Verb.WRITE,
        account=author.account,
        address=author.address,
        role=author.role,
        organisation=author.organisation,
        purpose=int(Purpose.TREAT),
        vault=vault,
    )
