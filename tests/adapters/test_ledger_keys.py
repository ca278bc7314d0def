"""A network founded with other keys than the shipped ones, or with none, on the ledger."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tools import write_proof_vectors

from simdes import app, config
from simdes.ledger.contracts import Addresses, DisclosureVerifierContract
from simdes.ledger.deploy import DEMO, PRODUCTION, Delays
from simdes.ledger.ledger import open_ledger
from simdes.proofs import keys

VECTORS = json.loads(write_proof_vectors.TARGET.read_bytes())
PROOF = b"".join(int(one).to_bytes(32, "big") for one in VECTORS["disclosure"]["proof"])
INPUTS = [int(one) for one in VECTORS["disclosure"]["inputs"]]


def founded(folder: Path, delays: Delays, kept: Path | None = None) -> tuple[Addresses, bool]:
    """Found a network; return its addresses and whether it takes a proof by the shipped keys."""
    settings = config.Settings(
        name="Hospital North",
        kind="hospital",
        organisation="0x" + "11" * 32,
        ledger_url="embedded:ledger.sqlite",
        store_url="file:blocks",
        database_url="sqlite:simdes.sqlite",
        custody_url="http://127.0.0.1:8400",
    )
    addresses = app.create(
        folder,
        settings,
        passphrase="of the store",
        administrator_passphrase="of the administrator",
        network=None,
        delays=delays,
        keys=kept,
    )
    ledger = open_ledger(config.load(folder).ledger_url, clock=time.time)
    try:
        verifier = DisclosureVerifierContract(ledger, addresses.disclosure_verifier)
        return addresses, verifier.holds(PROOF, INPUTS)
    finally:
        ledger.close()


def test_the_demo_takes_development_proofs_and_says_so(tmp_path: Path) -> None:
    addresses, holds = founded(tmp_path / "north", DEMO)
    assert holds
    assert addresses.keys == keys.pin_of()
    written = json.loads((tmp_path / "north/network.json").read_bytes())
    assert written["keys"] == f"0x{keys.pin_of().hex()}"
    assert Addresses.from_dict(written) == addresses


def test_a_network_without_a_ceremony_takes_none(tmp_path: Path) -> None:
    addresses, holds = founded(tmp_path / "north", PRODUCTION)
    assert not holds
    assert not any(addresses.keys)


def remade(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The shipped keys as if a ceremony had made them: other files, the same points."""
    shutil.copytree(keys.SHIPPED, folder)
    for circuit in keys.CIRCUITS:
        with (folder / circuit / "proving_key.zkey").open("ab") as file:
            file.write(b"\0")
    path = folder / "disclosure/verification_key.json"
    key = json.loads(path.read_bytes())
    change(key)
    path.write_text(json.dumps(key))
    keys.write_manifest(folder, development=False, ceremony="00" * 32)
    return folder


def swapped(key: dict[str, Any]) -> None:
    key["IC"][0], key["IC"][1] = key["IC"][1], key["IC"][0]


@pytest.mark.parametrize(("change", "expected"), [(lambda _: None, True), (swapped, False)])
def test_a_network_takes_proofs_by_its_own_keys_alone(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], expected: bool
) -> None:
    made = remade(tmp_path / "keys", change)
    addresses, holds = founded(tmp_path / "north", PRODUCTION, made)
    assert holds == expected
    assert addresses.keys == keys.pin_of(made)
