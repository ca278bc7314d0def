"""A hospital with patients, a clinic that sponsors a study, a doctor who judges it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

import msgspec

from simdes.exchange import retrieve
from simdes.exchange.research import studies
from simdes.exchange.research.studies import Asked, Document
from simdes.exchange.signin import Session
from simdes.research.policy import Policy, read_policy
from support.consortium import Consortium
from support.fhir_api import Api

A1C = ("http://loinc.org", "4548-4")
PERCENT = ("http://unitsofmeasure.org", "%")
AREA = "diabetes"
DAY = 86_400


@dataclass
class Patient:
    """Somebody with a result at the hospital, who can sign in there."""

    network: Consortium
    user: str
    vault: bytes

    @property
    def session(self) -> Session:
        return self.network.session("north", self.user)


def patient(network: Consortium, doctor: Api, name: str, *, value: float = 7.1) -> Patient:
    """A new patient with one result, anchored, enrolled at the hospital."""
    made = doctor.create(
        {
            "resourceType": "Patient",
            "identifier": [{"system": "urn:oid:1.2.3.9", "value": name}],
            "name": [{"family": f"Family-{name}"}],
            "gender": "female",
            "birthDate": "1961-02-03",
        }
    )
    doctor.create(
        {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [{"system": A1C[0], "code": A1C[1]}], "text": f"of {name}"},
            "subject": {"reference": f"Patient/{made['id']}"},
            "effectiveDateTime": "2026-11-02",
            "valueQuantity": {"value": value, "system": PERCENT[0], "code": PERCENT[1]},
        }
    )
    network.settle()
    [found] = retrieve.locate(
        network["north"].node,
        network.session("north", "dr.north"),
        [("urn:oid:1.2.3.9", name)],
    )
    user = f"pat.{name}"
    network.enrol(found.tag, user)
    return Patient(network, user, found.tag)


def document(network: Consortium, **changed: Any) -> Document:
    """A study of the clinic, of whom a doctor of the hospital is the one approver."""
    north, south = network["north"].node, network["south"].node
    now = south.now_seconds()
    approver = network.session("north", "dr.north").actor.account
    given: dict[str, Any] = {
        "title": "Sugar in the blood",
        "sponsor": f"0x{south.organisation.hex()}",
        "protocol": "0x" + "11" * 32,
        "purpose": "To see how results change with age.",
        "terms": "Delete it in time; look for nobody.",
        "area": AREA,
        "categories": ("demographics", "observations"),
        "collector": f"0x{south.organisation.hex()}",
        "begins": now - 60,
        "ends": now + 30 * DAY,
        "approvers": (f"0x{approver.hex()}",),
        "threshold": 1,
        "criteria": (Asked(codes=((A1C, PERCENT),), least=6_500, most=14_000),),
    }
    assert north.organisation != south.organisation
    return Document(**{**given, **changed})


def running(network: Consortium, **changed: Any) -> Document:
    """A study that is registered and approved."""
    made = document(network, **changed)
    studies.register(network["south"].node, network.session("south", "prof.ray"), made)
    studies.approve(network["north"].node, network.session("north", "dr.north"), made)
    return made


def pairs() -> Policy:
    """Safe Harbor for classes of two, as tests have few patients."""
    file = resources.files("simdes.research").joinpath("policies/hipaa-safe-harbor.json")
    told = json.loads(file.read_bytes())
    told["name"] = "two-alike"
    told["anonymity"] |= {"k": 2, "l": 1, "class_at_least": 2}
    return read_policy(json.dumps(told).encode())


def written(made: Document) -> bytes:
    """A document as a file."""
    return msgspec.json.encode(made)
