"""Write the circuits' constants from `simdes.proofs.poseidon`, which derives them.

python -m tools.write_poseidon_constants
"""

from __future__ import annotations

from itertools import chain
from pathlib import Path

from simdes.proofs.poseidon import PARTIAL_ROUNDS, parameters

TARGET = Path(__file__).parents[1] / "src/simdes/proofs/circuits/lib/constants.circom"
_HEAD = """\
// SPDX-License-Identifier: Apache-2.0
// Written by tools/write_poseidon_constants.py. Poseidon's constants by width, row after row.
pragma circom 2.1.0;
"""


def text() -> str:
    """The whole file."""
    derived = {width: parameters(width) for width in PARTIAL_ROUNDS}
    return "\n".join(
        [
            _HEAD,
            _function("PARTIAL_ROUNDS", {width: str(n) for width, n in PARTIAL_ROUNDS.items()}),
            _function("ROUND_CONSTANTS", {w: _flat(rows) for w, (rows, _) in derived.items()}),
            _function("MATRIX", {w: _flat(rows) for w, (_, rows) in derived.items()}),
        ]
    )


def _flat(rows: tuple[tuple[int, ...], ...]) -> str:
    return "[\n" + ",\n".join(map(str, chain.from_iterable(rows))) + "\n]"


def _function(name: str, values: dict[int, str]) -> str:
    *others, last = values
    branches = [f"if (width == {width}) {{ return {values[width]}; }}" for width in others]
    return (
        f"function {name}(width) {{\n" + "\n".join([*branches, f"return {values[last]};"]) + "\n}\n"
    )


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
