"""Whose record a patient's page is about: their own, or the chosen one of several.

Who controls several (their own, a child's) says which in every address and form; where nothing says
it, no page takes one for the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from simdes.errors import Invalid, NotFound, SimdesError
from simdes.exchange import fhir_users, rights
from simdes.exchange.fhir_users import OwnRecord
from simdes.exchange.interactions.read import read_any
from simdes.exchange.rights import Asking
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.record.loading import sources
from simdes.gateway.pages.record.showing import person


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

    def address(self, path: str, **more: str) -> str:
        """An address of this record's pages."""
        said = self.kept | more
        return f"{path}?{urlencode(said)}" if said else path


class WhoseNeeded(Invalid):
    """Somebody controls several records, and nothing says which is meant."""


def name_of(asked: Asked) -> str:
    """Whose record a page says that it is about, by name; "" where nothing says it, or wrongly.

    The page itself puts on record what it shows of them.
    """
    session = asked.visit.session
    found = fhir_users.own_records(asked.node, session.actor.account) if asked.whose else []
    if asked.whose not in {one.patient for one in found}:
        return ""
    try:
        patient = read_any(asked.node, rights.ask(asked.node, session), "Patient", asked.whose)
    except SimdesError:
        return ""
    listed = sources(asked.node, [patient])
    who = person(listed[0], asked.reader) if listed else None
    return who.name if who is not None else ""


def own(asked: Asked) -> Own:
    """The record that a page is about. NotFound where the account controls none that is known,
    or not the one that is named; WhoseNeeded where it controls several and none is named."""
    session = asked.visit.session
    found = fhir_users.own_records(asked.node, session.actor.account)
    named = asked.asked("patient", most=64) or asked.field("patient", most=64)
    if len(found) > 1 and not named:
        raise WhoseNeeded("Choose whose record.", advice="You control several.")
    chosen = [one for one in found if named in ("", one.patient)]
    if not chosen:
        raise NotFound(
            "No record is linked to your account yet.",
            advice="Ask the organisation that registered you to link it.",
        )
    return Own(chosen[0], rights.ask(asked.node, session), len(found) > 1)
