"""Compile UCUM's table of units into the atoms that ``simdes.fhir.ucum`` needs.

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


def compile_ucum() -> str:
    """Return JSON: the prefixes, the atoms that take them (metric), and the others (plain)."""
    (library,) = LIBRARIES.glob("ucum-*.jar")
    with zipfile.ZipFile(library) as archive:
        tree = etree.fromstring(archive.read("ucum-essence.xml"))
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


def main() -> int:
    """Write the compiled file, or compare it with the committed one; exit code 1 if they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    if parser.parse_args().check:
        return 0 if TARGET.read_text("utf-8") == compile_ucum() else 1
    TARGET.write_text(compile_ucum(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
