"""Synthea's people as patients of a hospital: a handful of each one's records, written over FHIR.

    python tests/support/synthea_patients.py --from people.ndjson.gz --people 50 --into some.gz

cuts what tools/synthea/generate.py wrote down to such records: Patient, diagnoses, vaccinations
and the last results of a few kinds, each with what a record needs and no more.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from simdes.app import ADMINISTRATOR
from simdes.exchange import enrolment
from simdes.exchange.research import taking_part
from simdes.exchange.research.studies import Document
from simdes.fhir.json import dumps, loads
from simdes.index.vaults import Identifier, find
from support import consortium
from support.consortium import Consortium
from support.fhir_api import Api

Resource = dict[str, Any]
SYSTEM = "https://github.com/synthetichealth/synthea"
_MEMBERS = {
    "Patient": ("identifier", "name", "gender", "birthDate", "deceasedDateTime", "address"),
    "Condition": ("clinicalStatus", "verificationStatus", "code", "subject", "onsetDateTime"),
    "Immunization": ("status", "vaccineCode", "patient", "occurrenceDateTime"),
    "Observation": ("status", "code", "subject", "effectiveDateTime", "valueQuantity"),
}
_CODES = frozenset(("4548-4", "39156-5", "8302-2", "29463-7", "8867-4"))
_MOST = {"Observation": 6, "Condition": 10, "Immunization": 6}


def people_in(path: Path, most: int) -> dict[str, list[Resource]]:
    """Some people of a file: a few records of each, the Patient first."""
    found: defaultdict[str, list[Resource]] = defaultdict(list)
    with gzip.open(path, "rb") as lines:
        for line in lines:
            if not any(f'"resourceType":"{kind}"'.encode() in line[:120] for kind in _MEMBERS):
                continue
            row = loads(line)
            resource = row["resource"]
            if _is_kept(resource):
                found[row["subject"]].append(_cut(resource))
    whole = {who: list(_newest(its)) for who, its in found.items()}
    whole = {who: its for who, its in whole.items() if its[0]["resourceType"] == "Patient"}
    return dict(list(whole.items())[:most])


def _is_kept(resource: Resource) -> bool:
    if resource["resourceType"] != "Observation":
        return True
    return "valueQuantity" in resource and resource["code"]["coding"][0]["code"] in _CODES


def _cut(resource: Resource) -> Resource:
    kind = resource["resourceType"]
    made = {"resourceType": kind, "id": resource["id"]}
    made |= {name: resource[name] for name in _MEMBERS[kind] if name in resource}
    if kind == "Patient":
        made["identifier"] = [one for one in made["identifier"] if one["system"] == SYSTEM]
        made["address"] = [
            {name: item for name, item in one.items() if name != "extension"}
            for one in made["address"]
        ]
    return made


def _newest(resources: Iterable[Resource]) -> Iterator[Resource]:
    by_kind: defaultdict[str, list[Resource]] = defaultdict(list)
    for one in resources:
        by_kind[one["resourceType"]].append(one)
    for kind in sorted(by_kind, key=lambda kind: kind != "Patient"):
        its = sorted(by_kind[kind], key=lambda one: str(one.get(_MEMBERS[kind][-1], "")))
        if kind == "Observation":
            its = sorted(by_kind[kind], key=lambda one: str(one["effectiveDateTime"]))
        yield from its[-_MOST.get(kind, 1) :]


def bundle_of(resources: Sequence[Resource]) -> Resource:
    """A transaction that writes one person's records."""
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": f"urn:uuid:{one['id']}",
                "resource": _referring(one),
                "request": {"method": "POST", "url": one["resourceType"]},
            }
            for one in resources
        ],
    }


def _referring(resource: Resource) -> Resource:
    made = {name: item for name, item in resource.items() if name != "id"}
    for name in ("subject", "patient"):
        if name in made:
            made[name] = {
                "reference": "urn:uuid:" + made[name]["reference"].removeprefix("Patient/")
            }
    return made


def admit(
    network: Consortium, doctor: Api, people: Mapping[str, Sequence[Resource]], document: Document
) -> int:
    """Write everybody's records at the hospital, enrol them there, and let them take part.

    Returns how many resources there are.
    """
    node = network["north"].node
    for its in people.values():
        answer = doctor.send("POST", "", json.loads(dumps(bundle_of(its))))
        assert answer.status_code == 200, answer.text
    network.settle()
    attester = network["south"].node
    enrolment.trust_checks(
        attester,
        network.session("south", ADMINISTRATOR),
        checked_by=node.organisation,
        valid_seconds=86_400,
    )
    with consortium.cheap_locks():
        for number, who in enumerate(people):
            _join(network, f"syn.{number}", who, document)
    return sum(map(len, people.values()))


def _join(network: Consortium, user: str, who: str, document: Document) -> None:
    node = network["north"].node
    with node.database.read() as tx:
        vault = find(tx, Identifier(SYSTEM, who))
    assert vault is not None
    enrolment.enrol(
        node,
        network.session("north", ADMINISTRATOR),
        user,
        vault=vault,
        passphrase=consortium.passphrase_of(user),
        attesters=[network["south"].node.organisation],
    )
    session = network.session("north", user)
    taking_part.opt_in(node, session, document, vault=vault)
    network.sessions.pop(("north", user))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="source", type=Path, required=True)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--into", type=Path, required=True)
    asked = parser.parse_args()
    with gzip.GzipFile(asked.into, "wb", mtime=0) as out:
        for who, its in people_in(asked.source, asked.people).items():
            for one in its:
                out.write(dumps({"subject": who, "resource": one}) + b"\n")


if __name__ == "__main__":
    main()
