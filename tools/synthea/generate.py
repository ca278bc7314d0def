"""Invent patients with Synthea: one line per resource, ``{"subject": …, "resource": …}``, gzipped.

Runs the generator from Maven Central that ``pom.xml`` names (Java 17; `make synthea` fetches it).
The same seed gives the same people. Each resource of a patient's compartment comes with the
patient's id as ``subject``; what is nobody's (organisations, practitioners) is left out.

    python tools/synthea/generate.py --people 1000 --seed 20 --into people.ndjson.gz
"""

from __future__ import annotations

import argparse
import gzip
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from simdes.fhir.json import dumps, loads

LIBRARIES = Path(__file__).parent / "target" / "lib"
SETTINGS = {
    "exporter.fhir.export": "true",
    "exporter.fhir.bulk_data": "true",
    "exporter.hospital.fhir.export": "false",
    "exporter.practitioner.fhir.export": "false",
    "exporter.years_of_history": "10",
    "generate.only_alive_patients": "false",
}


def generate(people: int, seed: int, folder: Path, *, types: Iterable[str] = ()) -> None:
    """Let Synthea write ``people`` living patients, and who died before, as NDJSON files."""
    settings = {**SETTINGS, "exporter.baseDirectory": f"{folder}/"}
    if types:
        settings["exporter.fhir.included_resources"] = ",".join(types)
    options = [f"--{name}={value}" for name, value in settings.items()]
    command = ["java", "-Xmx3g", "-cp", f"{LIBRARIES}/*", "App", "-p", str(people)]
    command += ["-s", str(seed), "-cs", str(seed), "-r", "20260101", *options, "Massachusetts"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)  # noqa: S603


def resources(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what Synthea wrote, each resource with the id of its patient."""
    for path in sorted((folder / "fhir").glob("*.ndjson")):
        with path.open("rb") as lines:
            for line in lines:
                resource = loads(line)
                subject = _subject(resource)
                if subject:
                    yield subject, resource


def _subject(resource: dict[str, Any]) -> str:
    if resource["resourceType"] == "Patient":
        return str(resource["id"])
    for name in ("subject", "patient", "beneficiary"):
        reference = resource.get(name, {}).get("reference", "")
        if reference.startswith("Patient/"):
            return str(reference.removeprefix("Patient/"))
    return ""


def main() -> None:
    """Generate what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--types", default="", help="resource types with commas between; all")
    parser.add_argument("--into", type=Path, required=True)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        generate(asked.people, asked.seed, Path(folder), types=filter(None, asked.types.split(",")))
        with gzip.open(asked.into, "wb", compresslevel=6) as out:
            for subject, resource in resources(Path(folder)):
                out.write(dumps({"subject": subject, "resource": resource}) + b"\n")


if __name__ == "__main__":
    main()
