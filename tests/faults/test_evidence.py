"""The evidence of the fault suite fails where it must: damage is done, and it is named."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults import evidence
from faults.writer import WRITER, write
from simdes.crypto import anchor
from simdes.crypto.manifest import Manifest, encode_manifest
from simdes.errors import Tampered
from simdes.exchange.submit import Accepted
from simdes.storage.cid import binary_cid
from support import consortium
from support.consortium import Consortium, sample_messages


@pytest.fixture(scope="module")
def written(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network in which one message was written and nobody was killed."""
    folder = consortium.copy(template, tmp_path_factory.mktemp("written") / "network")
    with consortium.opened(folder) as network:
        write(network, sample_messages("HL7DataExtractorTest_098.hl7"), lambda _: None)
    return folder


@pytest.fixture
def network(written: Path, tmp_path: Path) -> Iterator[Consortium]:
    with consortium.opened(consortium.copy(written, tmp_path / "network")) as opened:
        yield opened


def acknowledged(network: Consortium) -> dict[str, bytes]:
    [(name, data)] = sample_messages("HL7DataExtractorTest_098.hl7")
    [answer] = network.submit(WRITER, name, data)
    assert isinstance(answer, Accepted)
    return {name: answer.vault}


def test_an_undisturbed_run_leaves_nothing_wrong(network: Consortium) -> None:
    assert evidence.wrong(network, WRITER, acknowledged(network)) == []


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            "DELETE FROM resource WHERE type = 'Patient'",
            "Patient of HL7DataExtractorTest_098.hl7 is lost",
        ),
        (
            "UPDATE resource SET state = 'sealed' WHERE type = 'Patient'",
            "Patient of HL7DataExtractorTest_098.hl7 is sealed",
        ),
        ("DELETE FROM leaf WHERE place = 0", "leaves here"),
        ("UPDATE leaf SET position = position + 1000", "is anchored elsewhere than it says"),
        ("UPDATE batch SET state = 'built'", "wait still"),
        ("DELETE FROM batch", "batches, the database 0"),
        ("UPDATE vault SET state = 'opening'", "is not open"),
        ("DELETE FROM chain_batch", "the read model differs from the chain"),
        ("UPDATE audit_batch SET state = 'sent'", "audit batch 1 is sent"),
        ("DELETE FROM audit_batch WHERE seq = (SELECT max(seq) FROM audit_batch)", "AuditLog's"),
        ("UPDATE audit_entry SET batch_seq = NULL", "audit entries"),
    ],
)
def test_damage_in_the_database_is_named(network: Consortium, damage: str, said: str) -> None:
    known = acknowledged(network)
    with sqlite3.connect(network[WRITER].data / "simdes.sqlite") as database:
        assert database.execute(damage).rowcount > 0
    found = evidence.wrong(network, WRITER, known)
    assert any(said in one for one in found), found


def test_a_swapped_content_is_named(network: Consortium) -> None:
    known = acknowledged(network)
    with sqlite3.connect(network[WRITER].data / "simdes.sqlite") as database:
        database.execute(
            "UPDATE resource SET content_wrapped = (SELECT content_wrapped FROM resource"
            " WHERE type = 'MessageHeader') WHERE type = 'Patient'"
        )
    with pytest.raises(Tampered):
        evidence.wrong(network, WRITER, known)


def test_a_leaf_anchored_twice_is_named(network: Consortium) -> None:
    known = acknowledged(network)
    node = network[WRITER].node
    with node.database.read() as tx:
        leaves = tuple(leaf for (leaf,) in tx.all("SELECT leaf FROM leaf LIMIT 2"))
    block = encode_manifest(Manifest(leaves, ()))
    node.agent.transact(
        node.contracts.records.anchor(
            root=anchor.root(leaves), count=2, manifest=binary_cid(node.store.put(block))
        )
    )
    found = evidence.wrong(network, WRITER, known)
    assert f"leaf {leaves[0].hex()} is anchored 2 times" in found


def test_a_custodian_that_lost_its_list_is_named(network: Consortium) -> None:
    known = acknowledged(network)
    with sqlite3.connect(network["south"].data / "simdes.sqlite") as database:
        database.execute("DELETE FROM manifest_entry")
    found = evidence.wrong(network, WRITER, known)
    assert any("does not open" in one for one in found), found
