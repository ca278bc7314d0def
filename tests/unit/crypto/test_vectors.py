"""The vector files hold for this implementation and for the second reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simdes.crypto import anchor, padding, shares
from simdes.crypto.keys import OpeningKey, SigningKey, recover, unlock, unwrap
from simdes.crypto.letter import open_letter
from simdes.crypto.manifest import ManifestEntry, decode_manifest, open_entries
from simdes.crypto.redistribution import check_dealers
from simdes.crypto.seal import (
    Custodian,
    Item,
    combine_shares,
    open_body,
    open_share,
    read_capsule,
)
from simdes.crypto.statement import Subject
from simdes.errors import SimdesError
from simdes.ledger.consents import commitment
from simdes.ledger.terms import Terms
from vectors import second_reader

HERE = Path(__file__).parents[2] / "vectors"


def unhexed(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("0x"):
        return bytes.fromhex(value[2:])
    if isinstance(value, dict):
        return {key: unhexed(one) for key, one in value.items()}
    return [unhexed(one) for one in value] if isinstance(value, list) else value


def read(name: str) -> dict[str, Any]:
    vectors: dict[str, Any] = unhexed(json.loads((HERE / f"{name}.json").read_text()))
    return vectors


@pytest.fixture(scope="module")
def sealed() -> dict[str, Any]:
    return read("sealed-record")


def test_the_sealed_record_opens(sealed: dict[str, Any]) -> None:
    opened = []
    for share, custodian in zip(sealed["shares"], sealed["custodians"], strict=True):
        key = OpeningKey.from_bytes(custodian["seed"])
        assert key.public == custodian["public"]
        one = open_share(sealed["capsule"], key, custodian["organisation"])
        assert (one.index, one.value) == (share["index"], share["value"])
        assert (one.vault, one.category, one.labels) == (sealed["vault"], 3, 2)
        assert one.warrant.content_digest == sealed["content_digest"]
        assert one.warrant.signature == sealed["signature"]
        assert one.author == sealed["author"]["address"]
        opened.append(one.share)
    assert combine_shares(sealed["capsule"], opened[1:]) == sealed["secret"]
    record = open_body(sealed["body"], sealed["secret"], record_id=sealed["record"])
    assert list(record.items) == [Item(i["type"], i["content"], i["salt"]) for i in sealed["items"]]
    assert record.body_digest == sealed["body_digest"]
    assert list(record.leaves) == [item["leaf"] for item in sealed["items"]]
    assert (record.author, record.organisation) == (
        SigningKey.from_bytes(sealed["author"]["secret"]).address,
        sealed["organisation"],
    )


def test_the_second_reader_opens_the_sealed_record_too(sealed: dict[str, Any]) -> None:
    found = {
        index: second_reader.open_share(sealed["capsule"], custodian["seed"], index)["value"]
        for index, custodian in enumerate(sealed["custodians"], 1)
    }
    assert found == {share["index"]: share["value"] for share in sealed["shares"]}
    assert found == second_reader.split(sealed["secret"], 2, 3, sealed["record"], 7)
    del found[1]
    assert second_reader.combine(found) == sealed["secret"]
    body = second_reader.open_body(sealed["body"], sealed["secret"])
    assert body["items"] == [(i["type"], i["salt"], i["content"]) for i in sealed["items"]]
    assert body["leaves"] == [item["leaf"] for item in sealed["items"]]


def test_everything_under_refused_is_refused(sealed: dict[str, Any]) -> None:
    assert len(sealed["refused"]["body"]) == 9
    for why, body in sealed["refused"]["body"].items():
        with pytest.raises(SimdesError):
            open_body(body, sealed["secret"], record_id=sealed["record"])
            pytest.fail(why)
    custodian = sealed["custodians"][0]
    assert len(sealed["refused"]["capsule"]) == 7
    for why, capsule in sealed["refused"]["capsule"].items():
        with pytest.raises(SimdesError):
            open_share(capsule, OpeningKey.from_bytes(custodian["seed"]), custodian["organisation"])
            pytest.fail(why)


def test_the_redistributed_capsule_opens_in_both_readers() -> None:
    vector = read("redistributed-capsule")
    check_dealers(vector["capsule"], vector["old_capsule"])
    opened = [
        open_share(vector["capsule"], OpeningKey.from_bytes(c["seed"]), c["organisation"])
        for c in vector["custodians"]
    ]
    assert [(s.index, s.value) for s in opened] == [
        (s["index"], s["value"]) for s in vector["shares"]
    ]
    for one in opened:
        assert [
            {"index": d.index, "organisation": d.organisation, "address": d.address}
            for d in one.dealers
        ] == vector["dealers"]
    secret = combine_shares(vector["capsule"], [one.share for one in opened[:2]])
    assert secret == vector["secret"]
    assert open_body(vector["body"], secret, record_id=vector["record"]).items

    parts = [
        second_reader.open_parts(vector["capsule"], c["seed"], index)
        for index, c in enumerate(vector["custodians"], 1)
    ]
    scalars = {
        dealer: second_reader.combine({2: parts[1][dealer], 3: parts[2][dealer]})
        for dealer in parts[0]
    }
    assert second_reader.combine(scalars) == secret


def test_the_keys_locks_and_statements_hold() -> None:
    vector = read("keys")
    signing, opening = vector["signing"], vector["opening"]
    key = SigningKey.from_bytes(signing["secret"])
    assert (key.public, key.address) == (signing["public"], signing["address"])
    assert key.sign(signing["digest"]) == signing["signature"]
    assert recover(signing["digest"], signing["signature"]) == key.address
    assert second_reader.signer(signing["digest"], signing["signature"]) == key.address
    seed, use = opening["seed"], (opening["info"], opening["aad"])
    assert OpeningKey.from_bytes(seed).public == opening["public"]
    assert second_reader.public_key(seed) == opening["public"]
    plain = OpeningKey.from_bytes(seed).open(opening["sealed"], info=use[0], aad=use[1])
    assert plain == opening["plaintext"]
    assert second_reader.open_sealed(seed, opening["sealed"], *use) == plain
    subject = vector["subject"]
    packed = subject.pop("packed")
    subject["record_id"], subject["labels"] = subject.pop("record"), int(subject["labels"])
    assert Subject(**subject).packed() == packed
    lock, wrap = vector["lock"], vector["wrap"]
    assert unlock(lock["locked"], lock["passphrase"]) == lock["secret"]
    assert unwrap(wrap["key"], wrap["wrapped"], aad=wrap["aad"]) == wrap["plaintext"]


def test_the_letter_opens_for_each_recipient_in_both_readers() -> None:
    vector = read("letter")
    for recipient in vector["recipients"]:
        key = OpeningKey.from_bytes(recipient["seed"])
        payload = open_letter(vector["letter"], key, info=vector["info"])
        assert payload == vector["payload"]
        assert payload == second_reader.open_letter(
            vector["letter"], recipient["seed"], vector["info"]
        )


def test_the_manifest_gives_its_root_and_its_entry() -> None:
    vector = read("manifest")
    found = decode_manifest(vector["manifest"], root=vector["root"])
    assert list(found.leaves) == vector["leaves"]
    key = OpeningKey.from_bytes(vector["recipients"][1]["seed"])
    entry = vector["entry"]
    entry["record_id"] = entry.pop("record")
    entry["types"], entry["leaf_indexes"] = tuple(entry["types"]), tuple(entry["leaf_indexes"])
    assert open_entries(found.letters[0], key) == (vector["vault"], (ManifestEntry(**entry),))


def test_the_leaves_trees_and_batch_ids_hold() -> None:
    vector = read("anchor")
    leaf = vector["leaf"]
    expected, leaf["record_id"] = leaf.pop("leaf"), leaf.pop("record")
    assert anchor.leaf(**leaf) == expected
    audit = vector["audit"]
    assert anchor.audit_leaf(audit["salt"], audit["entry"]) == audit["leaf"]
    for tree in vector["trees"]:
        leaves = vector["leaves"][: tree["count"]]
        assert anchor.root(leaves) == tree["root"]
        made = anchor.batch_id(vector["chain_id"], vector["organisation"], tree["root"])
        assert made == tree["batch_id"]
        for index, path in enumerate(tree["paths"]):
            assert list(anchor.path(leaves, index)) == path
            assert anchor.verify_path(
                leaves[index], index=index, count=len(leaves), path=path, root=tree["root"]
            )


def test_the_consent_commitment_is_what_the_ledger_computes() -> None:
    vector = read("consent")
    terms = vector["terms"]
    values = (int(v) if isinstance(v, str) else v for v in terms.values())
    assert commitment(Terms(*values), vector["salt"]) == vector["commitment"]
    assert second_reader.keccak256(vector["encoded"]) == vector["commitment"]
    assert len(vector["encoded"]) == 12 * 32


def test_the_paddings_hold() -> None:
    vector = read("padding")
    assert [padding.padme(length) for length, _ in vector["padme"]] == [
        padded for _, padded in vector["padme"]
    ]
    for data, padded in vector["padded"]:
        assert padding.pad(data) == padded and padding.unpad(padded) == data


def test_the_capsule_says_in_clear_only_what_it_must(sealed: dict[str, Any]) -> None:
    parsed = read_capsule(sealed["capsule"])
    assert (parsed.record_id, parsed.epoch, parsed.m, parsed.n) == (sealed["record"], 7, 2, 3)
    custodians = [Custodian(c["organisation"], c["public"]) for c in sealed["custodians"]]
    for hidden in (sealed["vault"], sealed["organisation"], *(c.organisation for c in custodians)):
        assert hidden not in sealed["capsule"]
    assert shares.commit_secret(sealed["secret"], record_id=sealed["record"]) == parsed.commitment
