"""Constraint systems as circom writes them, and which signals they leave free.

The file format: https://github.com/iden3/r1csfile/blob/master/doc/r1cs_bin_format.md. A system
holds for values w where (a . w)(b . w) = c . w for each of its constraints. Two questions are asked
of it, neither of which trusts the circuit's own code for calculating values:

- `others`: which other values may one signal have where all the rest stay?
- `undetermined`: which signals do the inputs not determine, whatever the inputs are?
"""

from __future__ import annotations

import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from simdes.proofs.poseidon import FIELD

ROOT: Final = Path(__file__).parents[2]
CIRCUITS: Final = ROOT / "src/simdes/proofs/circuits"
COMPILER: Final = ROOT / "node_modules/circom2/cli.js"

Sum = dict[int, int]
"""A linear expression: wire -> coefficient. Wire 0 is always 1."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """(a)(b) = c."""

    a: Sum
    b: Sum
    c: Sum
    _wires: set[int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_wires", self.a.keys() | self.b.keys() | self.c.keys())

    def wires(self) -> set[int]:
        """All that stand in it."""
        return self._wires


@dataclass(frozen=True, slots=True)
class System:
    """A compiled circuit: its constraints, its wires' names, how many of these are inputs."""

    constraints: list[Constraint]
    wires: int
    public: int
    private: int
    names: list[str]

    @property
    def inputs(self) -> range:
        """The wires of the inputs, the public ones first."""
        return range(1, 1 + self.public + self.private)

    def broken(self, values: list[int]) -> list[int]:
        """The constraints that don't hold for these values."""
        return [i for i, one in enumerate(self.constraints) if not _holds(one, values)]

    def using(self) -> Mapping[int, list[int]]:
        """The constraints in which each wire stands."""
        found: dict[int, list[int]] = defaultdict(list)
        for number, one in enumerate(self.constraints):
            for wire in one.wires():
                found[wire].append(number)
        return found

    def others(self, wire: int, values: list[int], using: Mapping[int, list[int]]) -> set[int]:
        """What else the wire could be, all the others as they are; {-1}: anything.

        In each constraint the change d of one wire is a root of a polynomial of degree two, one of
        whose roots is 0, as the values satisfy it: the other one is calculated, not guessed.
        """
        roots: set[int] | None = None
        for number in using.get(wire, ()):
            one = self.constraints[number]
            here = _changes(one, wire, values)
            if here is not None:
                roots = here if roots is None else roots & here
        if roots is None:
            return {-1}
        return {(values[wire] + change) % FIELD for change in roots - {0}}


@cache
def _inverse(number: int) -> int:
    return pow(number, -1, FIELD)


def _value(terms: Sum, values: list[int]) -> int:
    return sum(factor * values[wire] for wire, factor in terms.items()) % FIELD


def _holds(one: Constraint, values: list[int]) -> bool:
    product = _value(one.a, values) * _value(one.b, values)
    return (product - _value(one.c, values)) % FIELD == 0


def _changes(one: Constraint, wire: int, values: list[int]) -> set[int] | None:
    """By how much a wire could change here, None for anything."""
    a, b, c = (part.get(wire, 0) for part in (one.a, one.b, one.c))
    square = a * b % FIELD
    with_a = a * _value(one.b, values) if a else 0
    with_b = b * _value(one.a, values) if b else 0
    linear = (with_a + with_b - c) % FIELD
    if square:
        return {0, -linear * _inverse(square) % FIELD}
    return {0} if linear else None


def undetermined(system: System) -> set[int]:
    """The wires that aren't shown to follow from the inputs, for all inputs at once.

    Three rules, applied until nothing changes: what is linear in one unknown, with a constant
    factor, gives it; a sum of bits with the factors 1, 2, 4 ... (times a constant) below the
    field's order gives its bits; x . i = 1 - z with x . z = 0 gives z.
    """
    known, bits, using = {0, *system.inputs}, _bits(system), system.using()
    waiting = dict.fromkeys(range(len(system.constraints)))
    while waiting:
        number = next(iter(waiting))
        del waiting[number]
        found = _given(system.constraints[number], known, bits)
        if not waiting and not found:
            found = _zero_tests(system.constraints, known)
        known |= found
        waiting.update((later, None) for wire in found for later in using[wire])
    return set(range(system.wires)) - known


def _given(one: Constraint, known: set[int], bits: set[int]) -> set[int]:
    unknown = one.wires() - known
    if not unknown or (unknown & (one.a.keys() | one.b.keys()) and _product(one)):
        return set()
    terms = dict(one.c) if _product(one) else _flat(one)
    factors = {wire: terms[wire] % FIELD for wire in unknown if terms.get(wire, 0) % FIELD}
    if len(factors) == 1:
        return set(factors)
    if factors and factors.keys() <= bits and _powers(factors.values()):
        return set(factors)
    return set()


def _product(one: Constraint) -> bool:
    """Whether there is a product of two signals in it."""
    return bool(one.a.keys() - {0}) and bool(one.b.keys() - {0})


def _flat(one: Constraint) -> Sum:
    """A constraint without a product as one linear expression that is zero."""
    constant, other = (one.a, one.b) if not one.a.keys() - {0} else (one.b, one.a)
    factor = constant.get(0, 0)
    terms = {wire: -value % FIELD for wire, value in one.c.items()}
    for wire, value in other.items():
        terms[wire] = (terms.get(wire, 0) + factor * value) % FIELD
    return terms


def _bits(system: System) -> set[int]:
    """The wires for which b(b - 1) = 0 stands among the constraints."""
    found = set()
    for one in system.constraints:
        wires = one.wires() - {0}
        if len(wires) != 1 or not _product(one):
            continue
        (wire,) = wires
        if all(_holds(one, _only(wire, value)) for value in (0, 1)):
            found.add(wire)
    return found


def _only(wire: int, value: int) -> list[int]:
    values = [0] * (wire + 1)
    values[0], values[wire] = 1, value
    return values


def _powers(factors: Iterable[int]) -> bool:
    """Whether they are k, 2k, 4k ..., so that the sums of any bits are all different."""
    listed = list(factors)
    powers = [1 << i for i in range(len(listed))]
    for one in listed if len(listed) < FIELD.bit_length() else ():
        inverse = pow(one, -1, FIELD)
        if sorted(other * inverse % FIELD for other in listed) == powers:
            return True
    return False


def _zero_tests(constraints: list[Constraint], known: set[int]) -> set[int]:
    """Wires z of which x . i = 1 - z and x . z = 0 stand here, for a known x.

    They are 1 where x is 0 and else 0, whatever i is.
    """
    ends = {}
    for one in constraints:
        if not one.c and one.a.keys() - {0} <= known and len(one.b) == 1:
            ends[next(iter(one.b))] = one.a
    found = set()
    for one in constraints:
        unknown = one.wires() - known
        for wire in unknown & one.c.keys() & ends.keys():
            if len(one.c) == 2 and 0 in one.c and _same(one.a, ends[wire]):
                found.add(wire)
    return found


def _same(one: Sum, other: Sum) -> bool:
    """Whether two expressions are the same up to a factor."""
    if one.keys() != other.keys() or not one:
        return False
    wire = next(iter(one))
    factor = one[wire] * pow(other[wire], -1, FIELD) % FIELD
    return all(value == other[wire] * factor % FIELD for wire, value in one.items())


def compiled(circuit: str, folder: Path) -> tuple[System, Path]:
    """Compile one of the project's circuits; return its system and its code (.wasm)."""
    subprocess.run(
        ["node", str(COMPILER), f"{circuit}.circom", "--r1cs", "--wasm", "--sym", "--O1",
         "-o", str(folder)],
        cwd=CIRCUITS, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    system = read(
        (folder / f"{circuit}.r1cs").read_bytes(), (folder / f"{circuit}.sym").read_text()
    )
    return system, folder / f"{circuit}_js/{circuit}.wasm"


def read(content: bytes, symbols: str) -> System:
    """Read a .r1cs file, and the names of its wires from the .sym file."""
    sections = dict(_sections(content))
    size = int.from_bytes(sections[1][:4], "little")
    order = int.from_bytes(sections[1][4 : 4 + size], "little")
    assert order == FIELD
    head = sections[1][4 + size :]
    wires, outputs, public, private = (
        int.from_bytes(head[i : i + 4], "little") for i in (0, 4, 8, 12)
    )
    assert outputs == 0
    names = ["1"] + [""] * (wires - 1)
    for line in symbols.splitlines():
        _, wire, _, name = line.split(",")
        if int(wire) > 0:
            names[int(wire)] = names[int(wire)] or name.removeprefix("main.")
    return System(_constraints(sections[2], size), wires, public, private, names)


def _sections(content: bytes) -> Iterable[tuple[int, bytes]]:
    assert content[:8] == b"r1cs" + (1).to_bytes(4, "little")
    at = 12
    while at < len(content):
        kind = int.from_bytes(content[at : at + 4], "little")
        length = int.from_bytes(content[at + 4 : at + 12], "little")
        yield kind, content[at + 12 : at + 12 + length]
        at += 12 + length


def _constraints(content: bytes, size: int) -> list[Constraint]:
    at, found = 0, []

    def terms() -> Sum:
        nonlocal at
        count = int.from_bytes(content[at : at + 4], "little")
        at += 4
        read: Sum = {}
        for _ in range(count):
            wire = int.from_bytes(content[at : at + 4], "little")
            read[wire] = int.from_bytes(content[at + 4 : at + 4 + size], "little")
            at += 4 + size
        return read

    while at < len(content):
        found.append(Constraint(terms(), terms(), terms()))
    return found


def values_of(witness: bytes) -> list[int]:
    """The signals' values from a witness file."""
    at = 12
    while True:
        kind = int.from_bytes(witness[at : at + 4], "little")
        length = int.from_bytes(witness[at + 4 : at + 12], "little")
        body = witness[at + 12 : at + 12 + length]
        if kind == 2:
            return [int.from_bytes(body[i : i + 32], "little") for i in range(0, length, 32)]
        at += 12 + length
