"""Write ``contracts/src/generated``: a Solidity verifier for each circuit's verification key.

    python -m tools.write_verifiers && contracts/forge fmt

Groth16 over BN254 (https://eprint.iacr.org/2016/260) with the precompiled contracts of EIP-196 and
EIP-197. The keys are those that ship with `simdes.proofs`; beside each a form without a key.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simdes.proofs.keys import CIRCUITS, load
from simdes.proofs.verification_keys import of_numbers, placeholders, require_sound

TARGET = Path(__file__).parents[1] / "contracts/src/generated"

_SOURCE = """\
// SPDX-License-Identifier: Apache-2.0
// Written by tools/write_verifiers.py from {what} of the circuit `{circuit}`.
pragma solidity 0.8.30;

/// @title {name}
/// @notice Groth16 over BN254 for {count} public inputs (EIP-196, EIP-197).
contract {name} {{
    uint256 private constant FIELD =
        21888242871839275222246405745257275088548364400416034343698204186575808495617;
    uint256 private constant BASE =
        21888242871839275222246405745257275088696311157297823662689037894645226208583;

    /// @notice Whether the proof holds for these inputs. False for anything malformed.
    /// @param proof A, B, C; of B's coordinates the imaginary part first
    function verifyProof(uint256[8] calldata proof, uint256[{count}] calldata inputs)
        external
        view
        returns (bool holds)
    {{
        assembly ("memory-safe") {{
            // sum := sum + point * input, where sum is at m and what follows it is free.
            function add_input(m, x, y, input) -> good {{
                mstore(add(m, 0x40), x)
                mstore(add(m, 0x60), y)
                mstore(add(m, 0x80), input)
                good := lt(input, FIELD)
                good := and(good, staticcall(gas(), 7, add(m, 0x40), 0x60, add(m, 0x40), 0x40))
                good := and(good, staticcall(gas(), 6, m, 0x80, m, 0x40))
            }}

            let m := mload(0x40)
            // The inputs' point: ic[0] + sum of ic[i + 1] * input i.
            let sum := add(m, 0x300)
            mstore(sum, {ic0[0]})
            mstore(add(sum, 0x20), {ic0[1]})
            let good := 1
{additions}
            // e(-A, B) e(alpha, beta) e(sum, gamma) e(C, delta) = 1
            let y := calldataload(add(proof, 0x20))
            good := and(good, lt(y, BASE))
            mstore(m, calldataload(proof))
            mstore(add(m, 0x20), mod(sub(BASE, y), BASE))
            calldatacopy(add(m, 0x40), add(proof, 0x40), 0x80)
{constants}
            mcopy(add(m, 0x180), sum, 0x40)
            calldatacopy(add(m, 0x240), add(proof, 0xc0), 0x40)
            good := and(good, staticcall(gas(), 8, m, 0x300, m, 0x20))
            holds := and(good, eq(mload(m), 1))
        }}
    }}
}}
"""


def source(circuit: str, key: Mapping[str, Any], *, form: bool = False) -> str:
    """The verifier of a circuit, from its key in snarkjs' form.

    A form's key is none yet: a network puts its own in the place of its numbers
    (`simdes.ledger.verifiers`).
    """
    points = [(int(x), int(y)) for x, y, _ in key["IC"]]
    additions = [
        f"            good := and(good, add_input(sum, {x}, {y},"
        f" calldataload(add(inputs, {32 * i:#x}))))"
        for i, (x, y) in enumerate(points[1:])
    ]
    alpha = [int(one) for one in key["vk_alpha_1"][:2]]
    words = {0xC0: [*alpha, *_twisted(key["vk_beta_2"])]}
    words[0x1C0] = _twisted(key["vk_gamma_2"])
    words[0x280] = _twisted(key["vk_delta_2"])
    constants = [
        f"            mstore(add(m, {start + 32 * i:#x}), {word})"
        for start, row in words.items()
        for i, word in enumerate(row)
    ]
    return _SOURCE.format(
        circuit=circuit,
        what="placeholders for the key" if form else "the verification key",
        name=f"{circuit.capitalize()}Verifier{'Form' if form else ''}",
        count=len(points) - 1,
        ic0=points[0],
        additions="\n".join(additions),
        constants="\n".join(constants),
    )


def _twisted(point: list[list[str]]) -> list[int]:
    """A G2 point's words as EIP-197 orders them: imaginary parts first."""
    return [int(point[axis][part]) for axis in (0, 1) for part in (1, 0)]


def main() -> None:
    """Write every verifier."""
    TARGET.mkdir(exist_ok=True)
    for circuit in CIRCUITS:
        key = load(circuit, allow_development=True).verification_key()
        require_sound(circuit, key)
        target = TARGET / f"{circuit.capitalize()}Verifier.sol"
        target.write_text(source(circuit, key), encoding="utf-8")
        form = of_numbers(placeholders(key["nPublic"]))
        target = TARGET / f"{circuit.capitalize()}VerifierForm.sol"
        target.write_text(source(circuit, form, form=True), encoding="utf-8")


if __name__ == "__main__":
    main()
