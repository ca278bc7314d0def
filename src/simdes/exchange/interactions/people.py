"""The person who asks, as FHIR resources: what ``fhirUser`` of SMART App Launch refers to.

http://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#scopes-for-requesting-identity-
data. Somebody who treats is a Practitioner with a PractitionerRole, other staff a Person; a patient
is the Patient of their record and needs nothing here. Everybody sees themselves alone: who else
works at an organisation is nothing that an account tells. What they look up is what the
organisation knows already, their display name, role and organisation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from simdes.access.categories import Role
from simdes.exchange.consent_resources import ACCOUNT_SYSTEM, ROLE_SYSTEM
from simdes.exchange.fhir_users import fhir_user
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.index.vaults import ORGANISATION

_ROLES: Final = "http://terminology.hl7.org/CodeSystem/practitioner-role"
_CODES: Final = {Role.DOCTOR: "doctor", Role.NURSE: "nurse", Role.PHARMACIST: "pharmacist"}
"""The roles that R4's example value set of PractitionerRole.code knows."""


def person_resources(node: Node, asking: Asking, type_: str) -> Iterator[dict[str, Any]]:
    """The caller as Practitioner, PractitionerRole or Person; nothing for another type."""
    actor = asking.session.actor
    role = Role(actor.role)
    own = fhir_user(node, actor.account, role).partition("/")[0]
    identifier = [{"system": ACCOUNT_SYSTEM, "value": f"0x{actor.account.hex()}"}]
    common = {"resourceType": type_, "id": actor.account.hex(), "identifier": identifier}
    person = node.desk.keystore.person_of(actor.account)
    name = {"name": [{"text": person.display or person.user}]} if person is not None else {}
    if type_ == own == "Practitioner":
        yield {**common, "active": True, **name}
    elif type_ == own == "Person":
        yield {**common, **name, "managingOrganization": _organisation(node), "active": True}
    elif type_ == "PractitionerRole" and own == "Practitioner":
        yield {
            **common,
            "active": True,
            "practitioner": {"reference": f"Practitioner/{actor.account.hex()}", **_shown(name)},
            "organization": _organisation(node),
            "code": [{"coding": _codings(role)}],
        }


def _shown(name: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    return {"display": name["name"][0]["text"]} if name else {}


def _organisation(node: Node) -> dict[str, Any]:
    identifier = {"system": ORGANISATION, "value": f"0x{node.organisation.hex()}"}
    return {"type": "Organization", "identifier": identifier, "display": node.name}


def _codings(role: Role) -> list[dict[str, str]]:
    known = [{"system": _ROLES, "code": _CODES[role]}] if role in _CODES else []
    return [*known, {"system": ROLE_SYSTEM, "code": role.name.lower()}]
