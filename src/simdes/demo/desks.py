"""What desks of the living demo have before them: a claim, a study, what the office looks at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from simdes.app import ADMINISTRATOR, Opened
from simdes.demo.people import Json
from simdes.errors import SimdesError
from simdes.exchange import emergencies, reconciling, rights, submit
from simdes.exchange.claims import arriving, cases, disclosing
from simdes.exchange.claims.rules import FOLDER
from simdes.exchange.research import studies, taking_part
from simdes.exchange.signin import Session
from simdes.ledger.deploy import TimelockContract
from simdes.mapper import map_bytes

_CPT: Final = "http://www.ama-assn.org/go/cpt"
_LONGER_SECONDS: Final = 120
SERVICES: Final = {"99213": "Visit, up to 30 minutes", "80050": "General health panel"}
"""What is claimed in the demo, by its code."""
TARIFF: Final = "\n".join(
    (
        "currency EUR",
        f"{_CPT}|99213 ; ; ; 80.00 ; Visit",
        f"{_CPT}|80050 ; ; ; 240.00 ; Panel",
        "",
    )
)
PLAN: Final = """
[plan]
id = "basic"
name = "Basic cover"
currency = "EUR"
deductible = "50.00"
coinsurance = "10"
out_of_pocket = "900.00"
filing_days = 3650

[[rule]]
name = "everything"

[[need]]
resource = "Condition"
why = "To see what the visit was for"

[[need]]
resource = "Observation"
why = "To see what was measured"
"""
REFUSED: Final = "\r".join(
    (
        r"MSH|^~\&|REG|WARD3|||20260101120000||ADT^A01|DEMO-1|P|2.5.1",
        "EVN||20260101120000",
        "PV1|1|I",
    )
).encode()


def declare(data: Path, provider: str, insurer: str, insurer_id: str) -> None:
    """Give the provider its prices and what the insurer needs, and the insurer its plan."""
    payers, plans = data / provider / FOLDER / "payers", data / insurer / FOLDER / "plans"
    payers.mkdir(parents=True)
    plans.mkdir(parents=True)
    (payers.parent / "tariff.txt").write_text(TARIFF, encoding="utf-8")
    (payers / f"{insurer_id}.toml").write_text(PLAN, encoding="utf-8")
    (plans / "basic.toml").write_text(PLAN, encoding="utf-8")


def covered(reference: str, insurer: Opened) -> Json:
    """That the patient ``Patient/…`` is insured."""
    payor = {
        "system": "urn:simdes:organisation",
        "value": f"0x{insurer.node.organisation.hex()}",
    }
    return {
        "resourceType": "Coverage",
        "status": "active",
        "beneficiary": {"reference": reference},
        "payor": [{"identifier": payor}],
        "period": {"start": "2020-01-01"},
    }


def problem(reference: str) -> Json:
    """What a visit is for."""
    return {
        "resourceType": "Condition",
        "code": {
            "coding": [{"system": "http://snomed.info/sct", "code": "195967001"}],
            "text": "Asthma",
        },
        "subject": {"reference": reference},
    }


def visit(reference: str, condition: str, day: str) -> Json:
    """A finished visit because of a problem."""
    return {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
            "code": "AMB",
            "display": "ambulatory",
        },
        "type": [{"text": "Check-up"}],
        "subject": {"reference": reference},
        "period": {"start": day, "end": day},
        "diagnosis": [{"condition": {"reference": condition}}],
    }


def charge(reference: str, encounter: str, code: str) -> Json:
    """What a visit costs, priced by the tariff."""
    return {
        "resourceType": "ChargeItem",
        "status": "billable",
        "code": {"coding": [{"system": _CPT, "code": code}], "text": SERVICES[code]},
        "subject": {"reference": reference},
        "context": {"reference": encounter},
    }


def disclose(north: Opened, patient: Session) -> bool:
    """Let the patient disclose what the insurer asks to see, once it asks; whether it did."""
    asking = rights.ask(north.node, patient)
    for one in disclosing.requests(north.node, asking):
        disclosing.disclose(north.node, asking, one.claim)
        return True
    return False


def has_claim(east: Opened, clerk: Session) -> bool:
    """Whether the insurer's clerk has a claim before them."""
    east.node.following.catch_up()
    arriving.collect(east.node)
    with suppress(SimdesError):
        return bool(cases.inbox(east.node, rights.ask(east.node, clerk)))
    return False


def study(north: Opened, south: Opened, people: Mapping[str, Session], vault: bytes) -> None:
    """Register a study of the hospital, which the clinic's doctor approves; the patient takes
    part."""
    document = studies.read_document(
        json.dumps(
            {
                "title": "Long-term sugar after fifty",
                "sponsor": f"0x{north.node.organisation.hex()}",
                "protocol": "0x" + "11" * 32,
                "purpose": "To see how hemoglobin A1c changes with age.",
                "terms": "Delete it in time; look for nobody; share with nobody.",
                "area": "diabetes",
                "categories": ["demographics", "observations"],
                "collector": f"0x{north.node.organisation.hex()}",
                "begins": north.node.now_seconds() - 60,
                "ends": north.node.now_seconds() + 365 * 86_400,
                "approvers": [f"0x{people['approver'].actor.account.hex()}"],
                "threshold": 1,
                "criteria": [
                    {
                        "codes": [
                            [["http://loinc.org", "4548-4"], ["http://unitsofmeasure.org", "%"]]
                        ]
                    }
                ],
            }
        ).encode()
    )
    studies.register(north.node, people["researcher"], document)
    studies.approve(south.node, people["approver"], document)
    taking_part.opt_in(north.node, people["patient"], document, vault=vault)


def office(north: Opened, people: Mapping[str, Session], vault: bytes) -> None:
    """A message that nobody could accept, an emergency to review, a change in the timelock."""
    node = north.node
    list(submit.submit(node, map_bytes("ward-3.hl7", REFUSED, site=node.site)))
    emergencies.open_(
        node, people["doctor"], vault=vault, reason="unconscious", name="Dr Ann Adams"
    )
    timelock = TimelockContract(node.contracts.ledger, node.contracts.addresses.timelock)
    later = timelock.artifact.call_data("updateDelay", _LONGER_SECONDS)
    delay = int(timelock.read("getMinDelay"))
    fields = (timelock.address, 0, later, bytes(32), node.random(32))
    node.contracts.administrators.carry_out(
        timelock.write("schedule", *fields, delay),
        salt=node.random(32),
        owners=[node.lane(people[ADMINISTRATOR].key)],
    )
    reconciling.reconcile(node, settled_seconds=0)
