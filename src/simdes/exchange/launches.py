"""Starting an app with a patient open: the EHR launch of SMART App Launch.

http://hl7.org/fhir/smart-app-launch/app-launch.html#launch-app-ehr-launch. A signed-in person gets
a handle that stands for the patient and encounter in front of them. It is good once, for five
minutes, for the one app, and for an approval by the same person.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from simdes.access import handles
from simdes.access.categories import Role
from simdes.access.clients import Kind
from simdes.access.oauth import LAUNCH_SECONDS
from simdes.errors import Conflict, Forbidden, Invalid, NotFound
from simdes.exchange import clients
from simdes.exchange.attempting import recording
from simdes.exchange.authorization import refused
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.index import authorization, vaults
from simdes.index.transaction import Transaction

_FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


@dataclass(frozen=True, slots=True)
class Launch:
    """A handle, and the app's address with it ("" where the app has no launch URL)."""

    handle: str = field(repr=False)
    url: str = field(repr=False)


def launch(
    node: Node, session: Session, client_id: str, *, patient: str = "", encounter: str = ""
) -> Launch:
    """Make a launch context; ``patient`` and ``encounter`` are FHIR ids, "" for none open.

    Raises `Forbidden` for an app's or a backend's session and for a patient that isn't the
    patient's own, `NotFound` for an app, patient or encounter that is not here, `Conflict` where
    the id is that of several patients. What is refused is on record.
    """
    with recording(node, lambda reason: refused(session.actor, reason)):
        return _launch(node, session, client_id, patient, encounter)


def _launch(node: Node, session: Session, client_id: str, patient: str, encounter: str) -> Launch:
    if not session.actor.context.unrestricted or session.actor.role == Role.AGENT:
        raise Forbidden("Only a person in their own session starts an app.")
    client = clients.find(node, client_id)
    if client is None or client.kind is Kind.BACKEND:
        raise NotFound("No such app here.")
    if not all(_FHIR_ID.fullmatch(one) for one in (patient, encounter) if one):
        raise NotFound("No such patient or encounter here.")
    if encounter and not patient:
        raise Invalid("An encounter is a patient's: name the patient, too.")
    handle = handles.draw(node.random)
    with node.database.read() as tx:
        vault = _vault(tx, session, patient) if patient else None
        if encounter and (vault is None or not authorization.has_encounter(tx, vault, encounter)):
            raise NotFound("No such encounter of this patient here.")
    row = authorization.Launch(
        id=handles.digest("launch", handle),
        client_id=client.id,
        account=session.actor.account,
        vault=vault,
        patient=patient,
        encounter=encounter,
        expires_ms=node.now_ms() + LAUNCH_SECONDS * 1000,
    )
    node.database.write(lambda tx: authorization.add_launch(tx, row))
    return Launch(handle, _address(node, client.launch_url, handle))


def _vault(tx: Transaction, session: Session, patient: str) -> bytes:
    found = authorization.vaults_of_patient(tx, patient)
    if session.actor.role == Role.PATIENT:
        own = {one.tag for one in vaults.controlled_by(tx, session.actor.account)}
        found = [tag for tag in found if tag in own]
    if not found:
        raise NotFound("No such patient here.")
    if len(found) > 1:
        raise Conflict("Several patients here have this id.")
    return found[0]


def _address(node: Node, launch_url: str, handle: str) -> str:
    if not launch_url:
        return ""
    joint = "&" if urlsplit(launch_url).query else "?"
    return launch_url + joint + urlencode({"iss": node.issuer.audience, "launch": handle})
