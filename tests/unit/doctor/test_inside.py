"""Faults that show from inside the open organisation: each is made, and named."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from simdes import app, doctor
from simdes.index import erasures
from simdes.index.erasures import Begun, Missing
from simdes.index.transaction import Transaction
from support import consortium
from support.insured import make_key
from support.served import serving
from unit.doctor.conftest import Patient

Change = Callable[[str, str], None]


def test_a_wrong_passphrase_is_named_and_the_rest_is_not_examined(
    north: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIMDES_PASSPHRASE", "another one")
    state, said = north.found("start")
    assert state == "failed" and "does not open this key store" in said
    assert north.found("custodians") == ("unknown", "Not examined: it could not be opened.")


def test_a_clock_that_is_behind_is_named(north: Patient) -> None:
    late = {"clock": lambda: time.time() - 1_000}
    state, said = north.found("ledger", **late)
    assert state == "warning" and "ahead of this machine's clock" in said


def test_other_contracts_than_were_accepted_are_named_until_they_are(north: Patient) -> None:
    path = north.folder / "pins.json"
    document = json.loads(path.read_text())
    document["code_hashes"]["consents"] = "0x" + "11" * 32
    path.write_text(json.dumps(document))
    state, said = north.found("contracts")
    assert state == "failed" and "code_hashes.consents" in said
    assert north.found("contracts", accept=True)[0] == "ok"


def test_somebody_else_who_sends_with_our_lane_is_named(
    north: Patient, in_database: Change
) -> None:
    table = "UPDATE ledger_transaction SET nonce = nonce"
    in_database(f"{table} - 100", f"{table} + 100")
    state, said = north.found("lanes")
    assert state == "failed" and "Lane 0 sent transactions that this database" in said


def test_an_organisation_that_nobody_verified_is_named(healthy: tuple[Path, object]) -> None:
    folder = healthy[0]
    with consortium.cheap_locks():
        urls = {"database_url": "sqlite:simdes.sqlite", "store_url": "file:../blocks"}
        urls["ledger_url"] = consortium.EMBEDDED
        consortium._create(folder, "west", ("north", "south", "east"), 2, urls, 1)
    [found] = doctor.examine(folder / "west", only=["organisation"])
    assert found.state == "warning" and "not verified" in found.message


def test_an_address_that_others_were_not_told_is_named(north: Patient) -> None:
    north.set(custody_url="https://simdes.example")
    state, said = north.found("published-url")
    assert state == "failed" and "custody_url says simdes.example" in said


def test_another_gateway_at_our_address_is_named(north: Patient, tmp_path: Path) -> None:
    network = north.network
    here, there = network["south"].settings.custody_url, north.folder.parent / "south"
    other = Patient(there, network)
    network.down("south")
    try:
        state, said = other.found("published-url")
        assert state == "warning" and "Nothing answers" in said
        wrong = serving(network["east"])
        wrong.url, wrong.port = here, int(here.rpartition(":")[2])
        with wrong:
            state, said = other.found("published-url")
        assert state == "failed" and "another gateway" in said
    finally:
        network.up("south")


def test_an_audit_trail_that_was_changed_is_named(north: Patient, in_database: Change) -> None:
    table = "UPDATE audit_entry SET created_ms = created_ms"
    in_database(table, table)
    assert north.found("audit-trail")[0] == "ok"
    table = "UPDATE audit_entry SET previous = {} WHERE seq = 1"
    in_database(table.format("X'" + "11" * 32 + "'"), table.format("X'" + "00" * 32 + "'"))
    state, said = north.found("audit-trail")
    assert state == "failed" and "Audit entry 1 does not follow" in said


def test_a_store_that_does_not_answer_is_named(north: Patient) -> None:
    north.set(store_url="ipfs:http://127.0.0.1:1")
    assert north.found("storage")[0] == "failed"


def test_too_few_copies_are_named(north: Patient, in_database: Change) -> None:
    north.set(copies=7)
    state, said = north.found("copies")
    assert state == "warning" and "the network has 3 verified organisations" in said
    north.set(copies=3)
    assert north.found("copies")[0] == "ok"
    in_database("UPDATE content SET damaged = 1", "UPDATE content SET damaged = 0")
    state, said = north.found("copies")
    assert state == "failed" and "damaged" in said
    later = {"clock": lambda: time.time() + 10 * 86_400}
    said = north.found("copies", **later)[1]
    assert "should have been read again" in said and "still have too few copies" in said


def test_a_share_of_fingerprints_that_does_not_open_is_named(
    north: Patient, in_database: Change
) -> None:
    assert north.found("fingerprints")[0] == "ok"
    make_key(north.network, custodians=("north", "south"))
    assert north.found("fingerprints") == ("ok", "1 shares of keys of fingerprints.")
    kept = "UPDATE fingerprint_plan SET share_wrapped = CAST(X'01' || share_wrapped AS BLOB)"
    in_database(kept, "UPDATE fingerprint_plan SET share_wrapped = substr(share_wrapped, 2)")
    state, said = north.found("fingerprints")
    assert state == "failed" and "does not open" in said


def test_custodians_that_are_away_or_too_few_are_named(north: Patient) -> None:
    north.network.down("south")
    try:
        state, said = north.found("custodians")
    finally:
        north.network.up("south")
    assert state == "warning" and "No answer from Clinic South" in said
    north.set(custodians=9)
    state, said = north.found("custodians")
    assert state == "warning" and "needs 8 other verified organisations" in said


def test_a_custodian_that_is_another_is_named(north: Patient) -> None:
    south, east = (north.network[name] for name in ("south", "east"))
    app._here.open(south.node.organisation, east.custody.answer)
    try:
        state, said = north.found("custodians-network")
    finally:
        north.network.up("south")
    assert state == "failed" and "Clinic South is not who it should be" in said


def test_a_custodian_with_another_time_is_named(north: Patient) -> None:
    """Its clock, as it says it over HTTP, against the one that this machine goes by."""
    network = north.network
    with serving(network["south"]):
        state, said = north.found("custodians-network", clock=lambda: time.time() + 3_600)
    assert state == "failed" and "The clock of Clinic South is -3" in said


def test_a_database_that_is_older_than_the_vaults_is_named(
    north: Patient, in_database: Change
) -> None:
    assert north.found("epochs")[0] == "ok"
    epoch = "UPDATE custody_key SET epoch = epoch {} 7 WHERE state = 'bound'"
    in_database(epoch.format("+"), epoch.format("-"))
    state, said = north.found("epochs")
    assert state == "failed" and "count on a key that is not here" in said


def test_a_vault_in_another_epoch_than_the_chains_is_named(
    north: Patient, in_database: Change
) -> None:
    epoch = "UPDATE vault SET epoch = epoch {} 1 WHERE home = 1"
    in_database(epoch.format("+"), epoch.format("-"))
    state, said = north.found("epochs")
    assert state == "warning" and "in another epoch here" in said


def test_what_waits_and_what_is_in_quarantine_is_named(north: Patient) -> None:
    north.network.submit("north", "late.hl7", consortium.sample_messages("ADT-A08-01.hl7")[0][1])
    assert north.found("work")[0] == "ok"
    state, said = north.found("work", clock=lambda: time.time() + 7_200)
    assert state == "warning" and "has waited for 1" in said
    north.network.settle()
    north.network.submit("north", "bad.hl7", b"MSH|rubbish")
    state, said = north.found("work")
    assert state == "warning" and "1 in quarantine" in said


def test_who_has_not_signed_that_a_vault_is_erased_is_named(north: Patient) -> None:
    assert north.found("erasures")[0] == "ok"
    south = north.network["south"].node.organisation
    begun = Begun(vault=bytes(31) + b"v", signed="", begun_ms=1)
    missing = Missing(vault=begun.vault, organisation=south, why="Refused: it says so.", asked_ms=2)

    def wait(tx: Transaction) -> None:
        erasures.put(tx, begun)
        erasures.miss(tx, missing)

    database = north.network["north"].node.database
    database.write(wait)
    try:
        state, said = north.found("erasures")
        assert state == "warning" and "Clinic South has not: Refused: it says so." in said
    finally:
        database.write(lambda tx: erasures.forget(tx, begun))
