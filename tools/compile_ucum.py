"""Compile UCUM's table of units: atoms for ``simdes.fhir.ucum``, values for ``simdes.fhir.units``.

Source: ``ucum-essence.xml`` (https://ucum.org), as the library org.fhir:ucum packs it; `make
validator` brings that library. See NOTICE for UCUM's licence.

    python tools/compile_ucum.py [--check]
"""

from __future__ import annotations

import argparse
import json
import sys
import zipfile
from pathlib import Path

from lxml import etree

ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = ROOT / "tools/validator/target/lib"
TARGET = ROOT / "src/simdes/fhir/definitions/ucum.json"
VALUES = TARGET.with_name("units.json")


def compile_ucum() -> str:
    """Return JSON: the prefixes, the atoms that take them (metric), and the others (plain)."""
    tree = _essence()
    names: dict[str, list[str]] = {"prefixes": [], "metric": [], "plain": []}
    for element in tree:
        kind = etree.QName(element).localname
        if kind == "prefix":
            names["prefixes"].append(element.get("Code"))
        elif kind in ("base-unit", "unit"):
            metric = kind == "base-unit" or element.get("isMetric") == "yes"
            names["metric" if metric else "plain"].append(element.get("Code"))
    rows = [f'"{name}":{json.dumps(sorted(codes))}' for name, codes in names.items()]
    return "{" + ",\n".join(rows) + "}\n"


def compile_values() -> str:
    """Return JSON: what each prefix multiplies by, and what each unit is in other units.

    A base unit and an arbitrary one (``[iU]``) is nothing else: ``null``. Special ones (``Cel``),
    which no factor converts, are left out.
    """
    prefixes, units = {}, {}
    for element in _essence():
        kind, code = etree.QName(element).localname, element.get("Code")
        value = element.find("value")
        if kind == "prefix":
            prefixes[code] = value.get("value")
        elif kind == "base-unit" or element.get("isArbitrary") == "yes":
            units[code] = None
        elif kind == "unit" and element.get("isSpecial") != "yes":
            units[code] = [value.get("value"), value.get("Unit")]
    rows = [f"{json.dumps(code)}:{json.dumps(units[code])}" for code in sorted(units)]
    table = ",\n".join(rows)
    return f'{{"prefixes":{json.dumps(prefixes, sort_keys=True)},\n"units":{{\n{table}\n}}}}\n'


def _essence() -> etree._Element:
    (library,) = LIBRARIES.glob("ucum-*.jar")
    with zipfile.ZipFile(library) as archive:
        return etree.fromstring(archive.read("ucum-essence.xml"))


def main() -> int:
    """Write the compiled files, or compare with the committed ones; exit code 1 if they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    files = {TARGET: compile_ucum(), VALUES: compile_values()}
    if parser.parse_args().check:
        return 0 if all(p.read_text("utf-8") == text for p, text in files.items()) else 1
    for path, text in files.items():
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
