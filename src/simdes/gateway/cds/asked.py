"""Read a call of a service: which orders, with which record.

Whatever is not as CDS Hooks says is `Invalid`; what was not sent though it is needed, `Mismatch`
(412). A record of another patient than the context's is refused: a mistaken prefetch must not
pass for this patient's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from simdes.errors import Invalid, Mismatch
from simdes.fhir.checks import reading
from simdes.fhir.json import loads
from simdes.gateway.cds.services import NEEDED, PREFETCH, Service

MOST_ORDERS: Final = 50
MOST_RESOURCES: Final = 5_000
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_ABOUT: Final = ("subject", "patient")
Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AskedFor:
    """What to check: ``orders`` each, with all ``drafts`` of the session and the ``record``.

    ``missing`` are the keys of prefetch that were not sent.
    """

    orders: tuple[Resource, ...] = field(repr=False)
    drafts: tuple[Resource, ...] = field(repr=False)
    record: tuple[Resource, ...] = field(repr=False)
    missing: tuple[str, ...]


def read_call(service: Service, body: bytes) -> AskedFor:
    """The call in a request's body."""
    call = _object(loads(body), "The body")
    if call.get("hook") != service.hook:
        raise Invalid(f"This service answers the hook {service.hook}.")
    instance = call.get("hookInstance")
    if not isinstance(instance, str) or not _UUID.fullmatch(instance.removeprefix("urn:uuid:")):
        raise Invalid("hookInstance is a UUID.")
    context = _object(call.get("context"), "context")
    patient = context.get("patientId")
    if not isinstance(patient, str) or not _ID.fullmatch(patient.removeprefix("Patient/")):
        raise Invalid("context.patientId is a FHIR id.")
    if not isinstance(context.get("userId"), str):
        raise Invalid("context.userId is missing.")
    patient = patient.removeprefix("Patient/")
    drafts = tuple(
        one
        for one in _bundled(context.get(service.orders), f"context.{service.orders}")
        if one.get("resourceType") == "MedicationRequest"
    )
    orders = _selected(drafts, context) if service.selects else drafts
    if len(drafts) > MOST_ORDERS:
        raise Invalid(f"At most {MOST_ORDERS} medication orders at a time.")
    if not orders:
        return AskedFor((), drafts, (), ())
    record, missing = _record(call.get("prefetch"), patient)
    _require_about(patient, (*drafts, *record))
    return AskedFor(orders, drafts, record, missing)


def _object(value: Any, name: str) -> Resource:
    if not isinstance(value, dict):
        raise Invalid(f"{name} is no JSON object.")
    return value


def _bundled(value: Any, name: str) -> list[Resource]:
    bundle = _object(value, name)
    if bundle.get("resourceType") != "Bundle":
        raise Invalid(f"{name} is no Bundle.")
    if any(one.get("relation") == "next" for one in reading.objects(bundle.get("link"))):
        raise Mismatch(f"{name} has further pages: send all at once.")
    held = [one.get("resource") for one in reading.objects(bundle.get("entry"))]
    return [one for one in held if isinstance(one, dict)]


def _selected(drafts: tuple[Resource, ...], context: Resource) -> tuple[Resource, ...]:
    selections = context.get("selections")
    if not isinstance(selections, list) or not all(isinstance(one, str) for one in selections):
        raise Invalid("context.selections is a list of references.")
    names = {one.rpartition("/")[2] for one in selections}
    return tuple(one for one in drafts if one.get("id") in names)


def _record(prefetch: Any, patient: str) -> tuple[tuple[Resource, ...], tuple[str, ...]]:
    given = _object({} if prefetch is None else prefetch, "prefetch")
    lacking = [key for key in NEEDED if key not in given]
    if lacking:
        raise Mismatch(
            f"The prefetch lacks {', '.join(lacking)}.",
            advice="Send what the discovery document asks for; this service fetches nothing.",
        )
    found: list[Resource] = []
    for key in PREFETCH:
        value = given.get(key)
        if isinstance(value, dict) and value.get("resourceType") == "OperationOutcome":
            raise Mismatch(f"The prefetch {key} could not be read where it was asked for.")
        if value is not None:
            found += [value] if key == "patient" else _bundled(value, f"prefetch.{key}")
    if len(found) > MOST_RESOURCES:
        raise Invalid(f"At most {MOST_RESOURCES} resources of a record.")
    own = given["patient"]
    if not isinstance(own, dict) or reading.reference(own) != f"Patient/{patient}":
        raise Mismatch("prefetch.patient is not the patient of the context.")
    return tuple(found), tuple(key for key in PREFETCH if key not in given)


def _require_about(patient: str, resources: tuple[Resource, ...]) -> None:
    """Every resource that names a patient names this one."""
    for other in _named(resources):
        if other != patient:
            raise Invalid("Something that was sent is about another patient than the context's.")


def _named(resources: tuple[Resource, ...]) -> Iterator[str]:
    for one in resources:
        if one.get("resourceType") == "Patient":
            yield reading.text(one.get("id"))
        for name in _ABOUT:
            target = reading.points_to(one.get(name))
            if target.startswith("Patient/"):
                yield target.removeprefix("Patient/")
