"""Proof files: everything needed to check a record or an audit entry without trusting a gateway.

A proof is a JSON document with a closed set of members; each is recomputed or compared, so that a
document with any member changed is refused (docs/formats/proofs.md). Checking takes the document
and one question to a ledger node of the verifier's choice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from simdes.access.audit_event import Entry, decode
from simdes.access.requests import Hex20, Hex32, hexed, unhex
from simdes.crypto import anchor
from simdes.crypto.digest import sha256
from simdes.errors import Invalid, NotFound, Tampered
from simdes.ledger.contracts import Contracts

MAX_PATH = 64
Path = Annotated[list[Hex32], Meta(max_length=MAX_PATH)]
Number = Annotated[int, Meta(ge=0, lt=1 << 53)]


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a leaf stands in an audit batch."""

    seq: Number
    root: Hex32
    count: Number
    index: Number
    path: Path


class AuditDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A proof of one audit entry. `batch` is None until its batch is on chain."""

    type: Literal["simdes-audit-proof"]
    v: Literal[1]
    chain: Number
    contract: Hex20
    organisation: Hex32
    entry: str
    salt: Hex32
    leaf: Hex32
    batch: Place | None


class RecordDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A proof of one resource version in an anchored record."""

    type: Literal["simdes-record-proof"]
    v: Literal[1]
    chain: Number
    contract: Hex20
    organisation: Hex32
    batch: Hex32
    root: Hex32
    count: Number
    index: Number
    path: Path
    record: Hex32
    body: Hex32
    resource: str
    salt: Hex32
    content_digest: Hex32
    leaf: Hex32


@dataclass(frozen=True, slots=True)
class VerifiedEntry:
    """An audit entry that the chain vouches for: by whom, when anchored (unix seconds)."""

    entry: Entry
    organisation: bytes
    seq: int
    anchored_seconds: int


@dataclass(frozen=True, slots=True)
class VerifiedRecord:
    """A resource version that the chain vouches for. `content_digest` is SHA-256 of its bytes."""

    record_id: bytes
    resource_type: str
    content_digest: bytes
    organisation: bytes
    batch_id: bytes
    anchored_seconds: int


# Making ---------------------------------------------------------------------------------------


def audit_proof(
    *,
    chain: int,
    contract: bytes,
    organisation: bytes,
    entry: bytes,
    salt: bytes,
    place: tuple[int, int, Sequence[bytes]] | None,
) -> dict[str, Any]:
    """The document of an audit entry; `place` is (batch number, index, leaves of the batch)."""
    batch = None
    if place is not None:
        seq, index, leaves = place
        batch = {
            "seq": seq,
            "root": hexed(anchor.root(leaves)),
            "count": len(leaves),
            "index": index,
            "path": [hexed(node) for node in anchor.path(leaves, index)],
        }
    return {
        "type": "simdes-audit-proof",
        "v": 1,
        "chain": chain,
        "contract": hexed(contract),
        "organisation": hexed(organisation),
        "entry": entry.decode("ascii"),
        "salt": hexed(salt),
        "leaf": hexed(anchor.audit_leaf(salt, entry)),
        "batch": batch,
    }


def record_proof(
    *,
    chain: int,
    contract: bytes,
    organisation: bytes,
    leaves: Sequence[bytes],
    index: int,
    record_id: bytes,
    body_digest: bytes,
    resource_type: str,
    salt: bytes,
    content_digest: bytes,
) -> dict[str, Any]:
    """The document of a resource version; `leaves` are those of its batch, in order.

    Raises `Invalid` when leaf number `index` is not the one that the other values give.
    """
    leaf = anchor.leaf(
        record_id=record_id,
        body_digest=body_digest,
        type=resource_type,
        salt=salt,
        content_digest=content_digest,
    )
    if not 0 <= index < len(leaves) or leaves[index] != leaf:
        raise Invalid("The leaf at this index is not this resource's.")
    root = anchor.root(leaves)
    return {
        "type": "simdes-record-proof",
        "v": 1,
        "chain": chain,
        "contract": hexed(contract),
        "organisation": hexed(organisation),
        "batch": hexed(anchor.batch_id(chain, organisation, root)),
        "root": hexed(root),
        "count": len(leaves),
        "index": index,
        "path": [hexed(node) for node in anchor.path(leaves, index)],
        "record": hexed(record_id),
        "body": hexed(body_digest),
        "resource": resource_type,
        "salt": hexed(salt),
        "content_digest": hexed(content_digest),
        "leaf": hexed(leaf),
    }


# Checking -------------------------------------------------------------------------------------


def verify_proof(
    document: bytes | Mapping[str, Any], contracts: Contracts
) -> VerifiedEntry | VerifiedRecord:
    """Check a proof of either kind; see `verify_audit_proof` and `verify_record_proof`."""
    kind = _parsed(document).get("type")
    if kind == "simdes-audit-proof":
        return verify_audit_proof(document, contracts)
    if kind == "simdes-record-proof":
        return verify_record_proof(document, contracts)
    raise Invalid("This is not a SIMDES proof.", advice="Give a file written by `simdes log`.")


def verify_audit_proof(document: bytes | Mapping[str, Any], contracts: Contracts) -> VerifiedEntry:
    """Check an audit proof against the chain.

    Raises `Invalid` for another form, `NotFound` when the chain does not hold the batch (yet),
    `Tampered` when any member is not the true one.
    """
    proof = _read(document, AuditDocument)
    _check_network(proof.chain, proof.contract, contracts.addresses.audit_log, contracts)
    content, leaf = _entry_and_leaf(proof)
    if proof.batch is None:
        raise NotFound(
            "The entry is not anchored yet.", advice="Fetch the proof again after the next batch."
        )
    place = proof.batch
    organisation = unhex(proof.organisation)
    batch = contracts.audit_log.entry_at(organisation=organisation, seq=place.seq)
    if batch is None:
        raise NotFound("The chain holds no such audit batch.")
    if (batch.root, batch.count) != (unhex(place.root), place.count):
        raise Tampered("The batch is not the one that the chain holds.")
    check_path(leaf, place.index, place.count, place.path, batch.root)
    entry = decode(content)
    if entry.observer != organisation:
        raise Tampered("The entry was written by another organisation.")
    return VerifiedEntry(entry, organisation, place.seq, batch.time)


def read_audit_proof(document: bytes | Mapping[str, Any]) -> tuple[AuditDocument, Entry]:
    """The members and the entry of an audit proof that hold together; the chain is not asked.

    Raises `Invalid` for another form, `Tampered` where entry, salt, leaf and writer do not fit.
    """
    proof: AuditDocument = _read(document, AuditDocument)
    content, _ = _entry_and_leaf(proof)
    entry = decode(content)
    if entry.observer != unhex(proof.organisation):
        raise Tampered("The entry was written by another organisation.")
    return proof, entry


def _entry_and_leaf(proof: AuditDocument) -> tuple[bytes, bytes]:
    try:
        content = proof.entry.encode("ascii")
    except UnicodeEncodeError as error:
        raise Tampered("The entry is not the one that was written.") from error
    leaf = anchor.audit_leaf(unhex(proof.salt), content)
    if leaf != unhex(proof.leaf):
        raise Tampered("Entry and salt do not give the leaf.")
    return content, leaf


def verify_record_proof(
    document: bytes | Mapping[str, Any], contracts: Contracts, *, content: bytes | None = None
) -> VerifiedRecord:
    """Check a record proof against the chain, and `content` (the resource's bytes) if given.

    Raises as `verify_audit_proof`.
    """
    proof = _read(document, RecordDocument)
    _check_network(proof.chain, proof.contract, contracts.addresses.records, contracts)
    leaf = anchor.leaf(
        record_id=unhex(proof.record),
        body_digest=unhex(proof.body),
        type=proof.resource,
        salt=unhex(proof.salt),
        content_digest=unhex(proof.content_digest),
    )
    if leaf != unhex(proof.leaf):
        raise Tampered("The members do not give the leaf.")
    organisation, root, batch_id = (
        unhex(proof.organisation),
        unhex(proof.root),
        unhex(proof.batch),
    )
    if anchor.batch_id(proof.chain, organisation, root) != batch_id:
        raise Tampered("Organisation and root do not give the batch id.")
    batch = contracts.records.batch(batch_id)
    if batch is None:
        raise NotFound("The chain holds no such batch.")
    if (batch.organisation, batch.root, batch.count) != (organisation, root, proof.count):
        raise Tampered("The batch is not the one that the chain holds.")
    check_path(leaf, proof.index, proof.count, proof.path, root)
    digest = unhex(proof.content_digest)
    if content is not None and sha256(content) != digest:
        raise Tampered("The content is not the one that was anchored.")
    return VerifiedRecord(
        unhex(proof.record), proof.resource, digest, organisation, batch_id, batch.time
    )


def _check_network(chain: int, contract: str, expected: bytes, contracts: Contracts) -> None:
    if chain != contracts.ledger.chain_id() or unhex(contract) != expected:
        raise Tampered("The proof is for another network.")


def check_path(leaf: bytes, index: int, count: int, path: Sequence[str], root: bytes) -> None:
    """Raise `Tampered` unless the path leads from leaf number `index` to the root."""
    nodes = [unhex(node) for node in path]
    if not anchor.verify_path(leaf, index=index, count=count, path=nodes, root=root):
        raise Tampered("The path does not lead from the leaf to the root.")


def _parsed(document: bytes | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(document, Mapping):
        return document
    try:
        parsed = msgspec.json.decode(document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("The proof is not JSON.") from error
    if not isinstance(parsed, dict):
        raise Invalid("The proof is not a JSON object.")
    return parsed


def _read(document: bytes | Mapping[str, Any], kind: Any) -> Any:
    try:
        return msgspec.convert(_parsed(document), kind)
    except msgspec.ValidationError as error:
        path = re.search(r"`(\$[^`]*)`", str(error))
        raise Invalid(f"The proof is malformed{' at ' + path.group(1) if path else ''}.") from error
