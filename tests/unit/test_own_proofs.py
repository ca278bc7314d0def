"""What proofs a network takes that is founded with a ceremony's keys, for the demo, or without."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from tools.write_verifiers import source

from simdes.errors import Invalid, Tampered
from simdes.ledger.abi import artifact
from simdes.ledger.network import NO_KEYS
from simdes.ledger.verifiers import with_key
from simdes.own_proofs import VERIFIERS, verifiers_for
from simdes.proofs import keys
from simdes.proofs.verification_keys import numbers_of, of_numbers, placeholders


def shipped(circuit: str) -> dict[str, Any]:
    return keys.load(circuit, allow_development=True).verification_key()


def test_development_keys_serve_the_demo_alone(tmp_path: Path) -> None:
    assert verifiers_for(None, development=True) == ([], keys.pin_of())
    for folder in (keys.SHIPPED, shutil.copytree(keys.SHIPPED, tmp_path / "copy")):
        with pytest.raises(Invalid, match="development"):
            verifiers_for(folder, development=True)


def test_without_keys_nothing_can_be_proved() -> None:
    verifiers, pin = verifiers_for(None, development=False)
    assert {one.name for one in verifiers} == set(VERIFIERS.values())
    assert pin == NO_KEYS
    for one in verifiers:
        assert one.deployed == bytes.fromhex("5f5f5260205ff3")
        assert one.bytecode.endswith(bytes.fromhex("5f5260076019f3"))
        assert one.deployed in one.bytecode


@pytest.mark.parametrize("circuit", VERIFIERS)
def test_a_key_stands_where_the_placeholders_stood(circuit: str) -> None:
    numbers = numbers_of(shipped(circuit))
    places = placeholders(shipped(circuit)["nPublic"])
    made = with_key(VERIFIERS[circuit], dict(zip(places, numbers, strict=True)))
    form = artifact(f"{VERIFIERS[circuit]}Form")
    assert (made.name, len(made.deployed)) == (VERIFIERS[circuit], len(form.deployed))
    for place, number in zip(places, numbers, strict=True):
        assert form.deployed.count(place.to_bytes(32, "big")) == 1
        assert place.to_bytes(32, "big") not in made.deployed + made.bytecode
        assert number.to_bytes(32, "big") in made.deployed
        assert number.to_bytes(32, "big") in made.bytecode


@pytest.mark.parametrize("circuit", VERIFIERS)
def test_numbers_of_a_key_are_the_key(circuit: str) -> None:
    key = shipped(circuit)
    numbers = numbers_of(key)
    again = of_numbers(numbers)
    assert all(key[name] == value for name, value in again.items())
    assert all(str(one) in source(circuit, key) for one in numbers)


def test_what_has_no_place_is_refused() -> None:
    with pytest.raises(Tampered, match="not have a place for this key"):
        with_key("DispenseVerifier", {12_345: 1})
