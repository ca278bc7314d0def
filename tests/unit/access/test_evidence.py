"""Proof files: each member of each proof changed in every way, and every one refused."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from simdes.access.asking import ask
from simdes.access.evidence import (
    record_proof,
    verify_audit_proof,
    verify_proof,
    verify_record_proof,
)
from simdes.access.messages import LogBody
from simdes.access.requests import hexed
from simdes.crypto.digest import sha256
from simdes.errors import Invalid, NotFound, SimdesError, Tampered
from unit.access.conftest import Scene

Document = dict[str, Any]


@pytest.fixture
def audit(scene: Scene) -> Document:
    """A proof as the patient gets it from a custodian, anchored among others."""
    for _ in range(3):
        ask(scene.home.caller("ada"), scene.home.id, "log", LogBody(vault=hexed(scene.vault.tag)))
    scene.home.anchor_audit()
    page = scene.home.desk.trail.page(scene.home.database, scene.vault.tag, after=0, limit=100)
    return page.proofs[1]


@pytest.fixture
def record(scene: Scene) -> Document:
    written = scene.written
    return record_proof(
        chain=scene.network.ledger.chain_id(),
        contract=scene.home.contracts.addresses.records,
        organisation=scene.home.id,
        leaves=written.leaves,
        index=0,
        record_id=written.sealed.record_id,
        body_digest=written.sealed.body_digest,
        resource_type=written.item.type,
        salt=written.item.salt,
        content_digest=sha256(written.item.content),
    )


def mutations(document: Document) -> Iterator[tuple[str, Document]]:
    """Every member changed, removed and of another type; lists lengthened, shortened, reordered."""
    for path in paths(document):
        name = ".".join(map(str, path))
        for label, change in changes(at(document, path)):
            yield f"{name} {label}", replaced(document, path, change)
        yield f"{name} removed", removed(document, path)
    yield "extra member", document | {"note": "x"}
    if isinstance(document["batch"], dict):
        yield "extra inner member", document | {"batch": document["batch"] | {"note": 1}}


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    items: Any = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        yield from paths(inner, (*path, key))


def changes(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, bool) or value is None:
        yield "set", 1
    elif isinstance(value, int):
        yield "plus one", value + 1
        yield "minus one", value - 1
        yield "as text", str(value)
    elif isinstance(value, str):
        last = value[-1]
        yield "last letter", value[:-1] + ("0" if last != "0" else "1")
        yield "first letters", ("0y" if value.startswith("0x") else "x") + value[2:]
        yield "upper", value.upper() if value != value.upper() else value.lower()
        yield "empty", ""
    elif isinstance(value, list):
        yield "longer", [*value, "0x" + "00" * 32]
        yield "shorter", value[:-1]
        yield "backwards", value[::-1] if len(value) > 1 else [*value, *value]
    yield "null", None


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


def replaced(document: Document, path: tuple[Any, ...], value: Any) -> Document:
    changed = copy.deepcopy(document)
    at(changed, path[:-1])[path[-1]] = value
    return changed


def removed(document: Document, path: tuple[Any, ...]) -> Document:
    changed = copy.deepcopy(document)
    del at(changed, path[:-1])[path[-1]]
    return changed


def test_both_kinds_of_proof_verify_as_they_were_made(
    scene: Scene, audit: Document, record: Document
) -> None:
    contracts = scene.third.contracts
    entry = verify_proof(json.dumps(audit).encode(), contracts)
    assert entry == verify_audit_proof(audit, contracts)
    verified = verify_proof(json.dumps(record).encode(), contracts)
    assert verified == verify_record_proof(record, contracts, content=scene.written.item.content)
    assert scene.written.batch_id.hex() in record["batch"]


def test_every_changed_member_of_an_audit_proof_is_refused(scene: Scene, audit: Document) -> None:
    count = 0
    for name, changed in mutations(audit):
        if changed == audit:
            continue
        with pytest.raises(SimdesError):
            verify_audit_proof(changed, scene.home.contracts)
            pytest.fail(f"accepted with {name}")
        count += 1
    assert count > 50


def test_every_changed_member_of_a_record_proof_is_refused(scene: Scene, record: Document) -> None:
    count = 0
    for name, changed in mutations(record):
        if changed == record:
            continue
        with pytest.raises(SimdesError):
            verify_record_proof(changed, scene.home.contracts)
            pytest.fail(f"accepted with {name}")
        count += 1
    assert count > 60


def test_other_content_than_the_anchored_is_refused(scene: Scene, record: Document) -> None:
    with pytest.raises(Tampered):
        verify_record_proof(record, scene.home.contracts, content=b"{}")


def test_a_proof_of_a_batch_that_nobody_anchored_is_not_found(
    scene: Scene, record: Document
) -> None:
    written = scene.written
    forged = record_proof(
        chain=record["chain"],
        contract=scene.home.contracts.addresses.records,
        organisation=scene.home.id,
        leaves=(written.leaves[0], os.urandom(32)),
        index=0,
        record_id=written.sealed.record_id,
        body_digest=written.sealed.body_digest,
        resource_type=written.item.type,
        salt=written.item.salt,
        content_digest=sha256(written.item.content),
    )
    with pytest.raises(NotFound):
        verify_record_proof(forged, scene.home.contracts)


def test_a_proof_is_not_made_for_a_leaf_that_is_not_there(scene: Scene) -> None:
    written = scene.written
    for index in (-1, 1, 99):
        with pytest.raises(Invalid):
            record_proof(
                chain=1,
                contract=bytes(20),
                organisation=scene.home.id,
                leaves=written.leaves,
                index=index,
                record_id=written.sealed.record_id,
                body_digest=written.sealed.body_digest,
                resource_type=written.item.type,
                salt=written.item.salt,
                content_digest=sha256(written.item.content),
            )


@pytest.mark.parametrize(
    "rubbish", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"type": "other"}', b'"x"']
)
def test_rubbish_is_no_proof(scene: Scene, rubbish: bytes) -> None:
    with pytest.raises(Invalid):
        verify_proof(rubbish, scene.home.contracts)
