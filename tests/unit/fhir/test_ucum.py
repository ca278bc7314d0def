"""UCUM's grammar: what is a unit and what only looks like one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from simdes.fhir.ucum import LONGEST_UNIT, is_unit

ROOT = Path(__file__).parents[3]
UNITS = """
    mg/dL mm[Hg] 10*3/uL 10^9/L /min [iU]/mL mL/min/{1.73_m2} kg/m2 Cel [degF] [in_i] % {x}/uL
    kg.m.s-2 mg/(kg.d) dB[SPL] 1/d 10*-3 m+2 [APL'U] ' '' KiBy B[10.nV]
"""


@pytest.mark.parametrize(
    "unit",
    UNITS.split(),
)
def test_units_as_ucum_writes_them(unit: str) -> None:
    assert is_unit(unit)


@pytest.mark.parametrize(
    "text",
    [
        *"MG/DL mcg IU/L mmHg sec lbs m** .m m/ m//s ((m) m) () {x {é} -1 0 cells k%".split(),  # noqa: SIM905
        "",
        "mg dL",
        "{x y}",
        "mg/dL\n",
        "(mg/dL)2",  # brackets take no exponent
        "2m",  # a factor needs an operator
        "m." * LONGEST_UNIT + "m",
        "(" * 150,
    ],
)
def test_what_is_no_unit(text: str) -> None:
    assert not is_unit(text)


@pytest.mark.accept
def test_the_atoms_are_those_of_ucum_essence() -> None:
    script = str(ROOT / "tools/compile_ucum.py")
    assert subprocess.run([sys.executable, script, "--check"], check=False).returncode == 0


def test_the_atoms_are_all_there() -> None:
    path = ROOT / "src/simdes/fhir/definitions/ucum.json"
    atoms = json.loads(path.read_text(encoding="utf-8"))
    assert {name: len(codes) for name, codes in atoms.items()} == {
        "prefixes": 24,
        "metric": len(set(atoms["metric"])),
        "plain": len(set(atoms["plain"])),
    }
    assert len(atoms["metric"]) + len(atoms["plain"]) == 307
