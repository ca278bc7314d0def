"""A finished encounter of an insured patient at hospital north, as tests of claims need it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simdes import config
from simdes.exchange import rights
from simdes.exchange.claims import billing_desk, cases, disclosing, opening
from simdes.exchange.claims.cases import Case as Shown
from simdes.exchange.rights import Asking
from simdes.index.vaults import Identifier, find
from simdes.ledger.contracts import ClaimState
from simdes.proofs.openings import number
from support.claiming import CPT, PLAN
from support.consortium import Clock, Consortium
from support.fhir_api import Api, Json

SYSTEM = "urn:oid:2.16.840.1.113883.4.1"
TARIFF = f"currency EUR\n{CPT}|99213 ; ; ; 80.00 ; Visit\n{CPT}|80050 ; ; ; 240.00 ; Panel\n"


def declare(folder: Path) -> None:
    """Give north its tariff and what east declared, and east its plan."""
    east = config.load(folder / "east").organisation
    north = folder / "north" / "claims"
    (north / "payers").mkdir(parents=True)
    (north / "tariff.txt").write_text(TARIFF)
    (north / "payers" / f"{east}.toml").write_text(PLAN)
    plans = folder / "east" / "claims" / "plans"
    plans.mkdir(parents=True)
    (plans / "basic.toml").write_text(PLAN)


@dataclass(frozen=True, slots=True)
class Visit:
    """One patient, their finished encounter, and everybody who has to do with its claim."""

    network: Consortium
    clock: Clock
    doctor: Api
    number: str
    vault: bytes

    @classmethod
    def of(cls, network: Consortium, clock: Clock, doctor: Api, number: str) -> Visit:
        """Register a patient with a Coverage at east, a visit with a diagnosis and two charges."""
        patient = doctor.create(
            {
                "resourceType": "Patient",
                "identifier": [{"system": SYSTEM, "value": number}],
                "name": [{"family": f"Okafor-{number}"}],
            }
        )
        subject = {"reference": f"Patient/{patient['id']}"}
        condition = doctor.create(
            {
                "resourceType": "Condition",
                "subject": subject,
                "code": {"coding": [{"system": "http://snomed.info/sct", "code": "195967001"}]},
            }
        )
        doctor.create(
            {
                "resourceType": "Condition",
                "subject": subject,
                "code": {"text": "Nothing that an insurer has to know"},
            }
        )
        east = network["east"].node.organisation.hex()
        payor = {"system": "urn:simdes:organisation", "value": f"0x{east}"}
        doctor.create(
            {
                "resourceType": "Coverage",
                "status": "active",
                "beneficiary": subject,
                "payor": [{"identifier": payor}],
                "period": {"start": "2020-01-01"},
            }
        )
        visit = doctor.create(
            {
                "resourceType": "Encounter",
                "identifier": [{"system": "urn:north:visit", "value": number}],
                "status": "finished",
                "class": {
                    "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                    "code": "AMB",
                },
                "subject": subject,
                "period": {"start": today(clock), "end": today(clock)},
                "diagnosis": [{"condition": {"reference": f"Condition/{condition['id']}"}}],
            }
        )
        for code in ("99213", "80050"):
            doctor.create(charge(code, subject, visit))
        with network["north"].node.database.read() as tx:
            vault = find(tx, Identifier(SYSTEM, number))
        assert vault is not None
        network.settle()
        return cls(network, clock, doctor, number, vault)

    def enrol(self) -> None:
        """Give the patient an account."""
        self.network.enrol(self.vault, f"p.{self.number}")
        self.network.settle()

    def work(self) -> opening.Worked:
        """Let a period of the timetable pass and the hospital's worker do its round."""
        node = self.network["north"].node
        self.clock.ahead_seconds += node.rules.batch_seconds
        done = opening.work(node)
        self.network.settle()
        return done

    @property
    def patient(self) -> Asking:
        """The patient."""
        node = self.network["north"].node
        return rights.ask(node, self.network.session("north", f"p.{self.number}"))

    @property
    def clerk(self) -> Asking:
        """The insurer's clerk."""
        node = self.network["east"].node
        node.following.catch_up()
        return rights.ask(node, self.network.session("east", "clerk.poe"))

    @property
    def biller(self) -> Asking:
        """Who bills at the hospital."""
        node = self.network["north"].node
        node.following.catch_up()
        return rights.ask(node, self.network.session("north", "dr.north"))

    def request(self) -> disclosing.Request:
        """What the insurer asks to see."""
        [found] = disclosing.requests(self.network["north"].node, self.patient)
        return found

    def disclose(self, **others: Any) -> bytes:
        """The patient discloses; the claim's id."""
        claim = self.request().claim
        disclosing.disclose(self.network["north"].node, self.patient, claim, **others)
        self.network.settle()
        return claim

    def disclosed(self) -> bytes:
        """Go on until the insurer may look; the claim's id."""
        self.enrol()
        self.work()
        self.work()
        claim = self.disclose()
        self.work()
        return claim

    def inbox(self) -> list[cases.Row]:
        """What the insurer's clerk has before them of this patient."""
        node = self.network["east"].node
        return [one for one in cases.inbox(node, self.clerk) if one.vault == self.vault]

    def shown(self, claim: bytes) -> Shown:
        """A claim as the insurer's clerk sees it."""
        return cases.case(self.network["east"].node, self.clerk, claim)

    def state(self, claim: bytes) -> ClaimState:
        """How a claim stands on the ledger."""
        return self.network["north"].node.contracts.claims.claim(number(claim)).state

    def mine(self) -> list[billing_desk.Own]:
        """The hospital's claims for this patient."""
        node = self.network["north"].node
        return [one for one in billing_desk.mine(node, self.biller) if one.vault == self.vault]


def today(clock: Clock) -> str:
    """The day by a network's clock."""
    return datetime.fromtimestamp(clock(), UTC).date().isoformat()


def charge(code: str, subject: Json, visit: Json) -> Json:
    """A ChargeItem of a visit, priced by the tariff."""
    return {
        "resourceType": "ChargeItem",
        "status": "billable",
        "code": {"coding": [{"system": CPT, "code": code}]},
        "subject": subject,
        "context": {"reference": f"Encounter/{visit['id']}"},
    }
