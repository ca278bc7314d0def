"""Whose record a patient's page is about: their own, or the chosen one of several."""

from __future__ import annotations

from dataclasses import dataclass

from simdes.errors import NotFound
from simdes.exchange import fhir_users, rights
from simdes.exchange.fhir_users import OwnRecord
from simdes.exchange.rights import Asking
from simdes.gateway.pages.asking import Asked


@dataclass(frozen=True, slots=True)
class Own:
    """A patient's record: its vault, the id of its Patient, and what the patient may do."""

    record: OwnRecord
    asking: Asking
    several: bool

    @property
    def vault(self) -> bytes:
        """The vault's tag."""
        return self.record.vault

    @property
    def kept(self) -> dict[str, str]:
        """What addresses of this record's pages have to say: nothing where there is only one."""
        return {"patient": self.record.patient} if self.several else {}


def own(asked: Asked) -> Own:
    """The record that a page is about. NotFound where the account controls none that is known."""
    session = asked.visit.session
    found = fhir_users.own_records(asked.node, session.actor.account)
    named = asked.asked("patient", most=64) or asked.field("patient", most=64)
    chosen = [one for one in found if named in ("", one.patient)]
    if not chosen:
        raise NotFound(
            "No record is linked to your account yet.",
            advice="Ask the organisation that registered you to link it.",
        )
    return Own(chosen[0], rights.ask(asked.node, session), len(found) > 1)
