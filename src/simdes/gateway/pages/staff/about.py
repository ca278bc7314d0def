"""Whom a page of staff is about: a patient whose record may be seen, or only a vault's tag."""

from __future__ import annotations

from dataclasses import dataclass

from simdes.exchange import rights
from simdes.exchange.interactions.read import read
from simdes.exchange.rights import Asking
from simdes.gateway.pages.asking import Asked, id_of
from simdes.gateway.pages.record.loading import sources
from simdes.gateway.pages.record.showing import Person, person


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """``patient`` is the FHIR id, "" where only the vault is known; ``person`` who it is."""

    asking: Asking
    vault: bytes
    patient: str = ""
    person: Person | None = None

    @property
    def kept(self) -> dict[str, str]:
        """What forms and addresses about them carry."""
        return {"patient": self.patient} if self.patient else {"vault": self.vault.hex()}

    @property
    def back(self) -> str:
        """Where their record is, or where others are looked for."""
        return f"/patients/record?patient={self.patient}" if self.patient else "/patients"


def about(asked: Asked) -> About:
    """Whom the form or the address names. Raises NotFound for who may not be seen."""
    asking = rights.ask(asked.node, asked.visit.session)
    patient = asked.field("patient", most=64) or asked.asked("patient", most=64)
    if not patient:
        tag = asked.field("vault", most=64) or asked.asked("vault", most=64)
        return About(asking=asking, vault=id_of(tag))
    return _read(asked, asking, patient)


def somebody(asked: Asked) -> About:
    """The same, of a patient whose record may be seen. Raises NotFound for anybody else."""
    patient = asked.field("patient", most=64) or asked.asked("patient", most=64)
    return _read(asked, rights.ask(asked.node, asked.visit.session), patient)


def _read(asked: Asked, asking: Asking, patient: str) -> About:
    found = read(asked.node, asking, "Patient", patient)
    [one] = sources(asked.node, [found])
    return About(
        asking=asking, vault=found.vault, patient=patient, person=person(one, asked.reader)
    )
