"""A finished encounter of an insured patient at a hospital, as tests of claims need it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simdes import config
from simdes.exchange import rights
from simdes.exchange.claims import (
    arriving,
    billing_desk,
    cases,
    deciding,
    disclosing,
    opening,
    paying,
)
from simdes.exchange.claims.cases import Case as Shown
from simdes.exchange.claims.deciding import Decision
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.index.vaults import Identifier, find
from simdes.ledger.contracts import ClaimState
from simdes.proofs.openings import number
from support.claiming import CPT, PLAN
from support.consortium import Clock, Consortium
from support.fhir_api import Api, Json

SYSTEM = "urn:oid:2.16.840.1.113883.4.1"
TARIFF = f"currency EUR\n{CPT}|99213 ; ; ; 80.00 ; Visit\n{CPT}|80050 ; ; ; 240.00 ; Panel\n"


FEED_SYSTEM = "urn:id:NAIC"
"""The system under which feeds number insurers, by their names here (IN1-3)."""
CLERKS = {"east": "clerk.poe", "vale": "clerk.fox"}
BILLERS = {"north": "dr.north", "south": "dr.lee"}


def arrive(network: Consortium) -> None:
    """Have every insurer ask which claims it may look at."""
    for name in CLERKS.keys() & network.members.keys():
        arriving.collect(network[name].node)


def declare(folder: Path, insurers: Sequence[str] = ("east",)) -> None:
    """Give hospitals their tariff and what insurers declared, and each insurer its plan."""
    hospitals = [folder / name / "claims" for name in BILLERS if (folder / name).exists()]
    for one in hospitals:
        (one / "payers").mkdir(parents=True)
        (one / "tariff.txt").write_text(TARIFF)
    for name in insurers:
        its = config.load(folder / name).organisation
        for one in hospitals:
            (one / "payers" / f"{its}.toml").write_text(PLAN)
            with (one / "payers.txt").open("a") as named:
                named.write(f"{FEED_SYSTEM}|{name} ; {its}\n")
        plans = folder / name / "claims" / "plans"
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
    subject: Json
    encounter: Json
    condition: Json
    hospital: str = "north"

    @classmethod
    def of(
        cls,
        network: Consortium,
        clock: Clock,
        doctor: Api,
        number: str,
        *,
        insurers: Sequence[str] = ("east",),
        codes: Sequence[str] = ("99213", "80050"),
        hospital: str = "north",
    ) -> Visit:
        """Register a patient with Coverages, a visit with a diagnosis and charges, at a hospital
        (the doctor's)."""
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
        for place, name in enumerate(insurers, 1):
            insurer = network[name].node.organisation.hex()
            payor = {"system": "urn:simdes:organisation", "value": f"0x{insurer}"}
            doctor.create(
                {
                    "resourceType": "Coverage",
                    "status": "active",
                    "order": place,
                    "beneficiary": subject,
                    "payor": [{"identifier": payor}],
                    "period": {"start": "2020-01-01"},
                }
            )
        visit = encountered(doctor, number, today(clock), subject, condition, codes)
        with network[hospital].node.database.read() as tx:
            vault = find(tx, Identifier(SYSTEM, number))
        assert vault is not None
        network.settle()
        return cls(network, clock, doctor, number, vault, subject, visit, condition, hospital)

    def once_more(self, codes: Sequence[str]) -> None:
        """The patient comes once more on the same day."""
        number, day = f"{self.number}-again", self.encounter["period"]["start"]
        encountered(self.doctor, number, day, self.subject, self.condition, codes)
        self.network.settle()

    def enrol(self) -> None:
        """Give the patient an account."""
        self.network.enrol(self.vault, self._user, member=self.hospital)
        self.network.settle()

    @property
    def _user(self) -> str:
        return f"p.{self.number}"

    def work(self) -> opening.Worked:
        """Let a period of the timetable pass; the workers of hospital and insurers do a round."""
        node = self.node(self.hospital)
        self.clock.ahead_seconds += node.rules.batch_seconds
        done = opening.work(node)
        self.network.settle()
        arrive(self.network)
        return done

    @property
    def patient(self) -> Asking:
        """The patient."""
        session = self.network.session(self.hospital, self._user)
        return rights.ask(self.node(self.hospital), session)

    def node(self, name: str) -> Node:
        """An organisation of the network."""
        return self.network[name].node

    def clerk(self, insurer: str = "east") -> Asking:
        """An insurer's clerk."""
        node = self.node(insurer)
        node.following.catch_up()
        return rights.ask(node, self.network.session(insurer, CLERKS[insurer]))

    @property
    def biller(self) -> Asking:
        """Who bills at the hospital."""
        node = self.node(self.hospital)
        node.following.catch_up()
        return rights.ask(node, self.network.session(self.hospital, BILLERS[self.hospital]))

    def requests(self) -> list[disclosing.Request]:
        """What insurers ask to see, newest first."""
        return disclosing.requests(self.node(self.hospital), self.patient)

    def request(self) -> disclosing.Request:
        """The newest of them."""
        return self.requests()[0]

    def disclose(self, **others: Any) -> bytes:
        """The patient discloses what the newest claim asks for; the claim's id."""
        claim = self.request().claim
        disclosing.disclose(self.node(self.hospital), self.patient, claim, **others)
        self.network.settle()
        return claim

    def disclosed(self) -> bytes:
        """Go on until the insurer may look; the claim's id."""
        while not any(one.state is ClaimState.OPENED for one in self.requests()):
            self.work()
        claim = self.disclose()
        assert self.work().disclosed == 1
        return claim

    def inbox(self, insurer: str = "east") -> list[cases.Row]:
        """What an insurer's clerk has before them of this patient."""
        node, clerk = self.node(insurer), self.clerk(insurer)
        found = cases.look(node, clerk, cases.inbox(node, clerk))
        return [one for one in found if one.vault == self.vault]

    def shown(self, claim: bytes, insurer: str = "east") -> Shown:
        """A claim as an insurer's clerk sees it."""
        return cases.case(self.node(insurer), self.clerk(insurer), claim)

    def decide(self, claim: bytes, insurer: str = "east", **others: Any) -> Decision:
        """The clerk decides."""
        node, clerk = self.node(insurer), self.clerk(insurer)
        found = deciding.decide(node, clerk, self.shown(claim, insurer), **others)
        self.network.settle()
        return found

    def settle(self, claim: bytes, insurer: str = "east") -> str:
        """The clerk pays; how much."""
        paid = paying.settle(self.node(insurer), self.clerk(insurer), claim)
        self.network.settle()
        return str(paid.amount)

    def state(self, claim: bytes) -> ClaimState:
        """How a claim stands on the ledger."""
        return self.network["north"].node.contracts.claims.claim(number(claim)).state

    def mine(self) -> list[billing_desk.Own]:
        """The hospital's claims for this patient."""
        node = self.node(self.hospital)
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


def encountered(
    doctor: Api, number: str, day: str, subject: Json, condition: Json, codes: Sequence[str]
) -> Json:
    """A finished visit of a day with its charges."""
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
            "period": {"start": day, "end": day},
            "diagnosis": [{"condition": {"reference": f"Condition/{condition['id']}"}}],
        }
    )
    for code in codes:
        doctor.create(charge(code, subject, visit))
    return visit
