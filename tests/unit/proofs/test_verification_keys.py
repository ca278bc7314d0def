"""Keys by which proofs could be forged, or that are none, are refused; those shipped are sound."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simdes.errors import Tampered
from simdes.proofs import keys, prover
from simdes.proofs.poseidon import FIELD
from simdes.proofs.verification_keys import BASE, require_sound

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/proofs.json").read_bytes())
INPUTS = {"dispense": 5, "disclosure": 8, "cohort": 6, "claim": 8, "settle": 4, "free": 6}


def shipped(circuit: str) -> dict[str, Any]:
    return keys.load(circuit, allow_development=True).verification_key()


@pytest.mark.parametrize("circuit", keys.CIRCUITS)
def test_the_keys_that_ship_are_sound(circuit: str) -> None:
    require_sound(circuit, shipped(circuit), inputs=INPUTS[circuit])


def uncontributed(key: dict[str, Any]) -> None:
    key["vk_delta_2"] = key["vk_gamma_2"]


def other_gamma(key: dict[str, Any]) -> None:
    key["vk_gamma_2"] = key["vk_beta_2"]


def off_curve(key: dict[str, Any]) -> None:
    key["IC"][1][1] = "5"


def off_twist(key: dict[str, Any]) -> None:
    key["vk_beta_2"][1][0] = "5"


def too_large(key: dict[str, Any]) -> None:
    key["vk_alpha_1"][0] = str(int(key["vk_alpha_1"][0]) + BASE)


def infinite(key: dict[str, Any]) -> None:
    key["IC"][2] = ["0", "1", "0"]


def input_that_does_not_count(key: dict[str, Any]) -> None:
    key["IC"][3] = key["IC"][2]


def input_less(key: dict[str, Any]) -> None:
    key["IC"].pop()


def nothing(key: dict[str, Any]) -> None:
    key.clear()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (uncontributed, "never contributed"),
        (other_gamma, "not the generator"),
        (off_curve, "no curve"),
        (off_twist, "no curve"),
        (too_large, "malformed"),
        (infinite, "malformed"),
        (input_that_does_not_count, "two public inputs"),
        (input_less, "another circuit"),
        (nothing, "malformed"),
    ],
)
def test_a_key_that_is_not_is_refused(change: Callable[[dict[str, Any]], None], why: str) -> None:
    key = copy.deepcopy(shipped("dispense"))
    change(key)
    with pytest.raises(Tampered, match=why):
        require_sound("dispense", key)


def test_another_circuits_key_is_refused() -> None:
    with pytest.raises(Tampered, match="another circuit"):
        require_sound("dispense", shipped("disclosure"), inputs=INPUTS["dispense"])


def joined(words: list[str]) -> bytes:
    return b"".join(int(one).to_bytes(32, "big") for one in words)


@pytest.mark.parametrize("circuit", keys.CIRCUITS)
def test_published_proofs_hold_and_nothing_near_them(circuit: str) -> None:
    own = keys.load(circuit, allow_development=True)
    proof, inputs = joined(VECTORS[circuit]["proof"]), [int(i) for i in VECTORS[circuit]["inputs"]]
    assert prover.holds(own, proof, inputs)
    for place, one in enumerate(inputs):
        for other in (one + 1, one + FIELD, one - FIELD, FIELD - one, 0):
            if other != one:
                assert not prover.holds(own, proof, [*inputs[:place], other, *inputs[place + 1 :]])
    assert not prover.holds(own, proof, inputs[:-1])
    assert not prover.holds(own, proof, [*inputs, 0])
    for wrong in (b"", bytes(256), proof[:-1], proof + b"\0", proof[::-1], b"\xff" * 256):
        assert not prover.holds(own, wrong, inputs)
    for at in range(0, 256, 32):
        word = int.from_bytes(proof[at : at + 32], "big")
        for other in (word + BASE, word ^ 1):
            if other < 2**256:
                changed = proof[:at] + other.to_bytes(32, "big") + proof[at + 32 :]
                assert not prover.holds(own, changed, inputs)
