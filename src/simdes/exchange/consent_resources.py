"""FHIR `Consent` and the consents of the chain: the same thing in two forms.

https://hl7.org/fhir/R4/consent.html. What stands on chain decides; the resource is how it is read
and asked for. A provision permits one grantee (``actor``) categories of records (``class``) for
purposes until an end; sensitive records need their labels named (``securityLabel``). What the chain
can't express (denials, nested provisions, a beginning in the future) is refused, never dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from simdes.access.categories import (
    ACT_CODE,
    CATEGORY_OF_TYPE,
    CONFIDENTIALITY,
    Category,
    Label,
    Purpose,
    role_of,
)
from simdes.access.consent import FOREVER_SECONDS, Grantee
from simdes.access.requests import hexed
from simdes.errors import Invalid, Unsupported
from simdes.exchange.consents import Given
from simdes.fhir.search.spans import span_ms
from simdes.index.vaults import ORGANISATION

CATEGORY_SYSTEM: Final = "urn:simdes:category"
ROLE_SYSTEM: Final = "urn:simdes:role"
ACCOUNT_SYSTEM: Final = "urn:simdes:account"
VAULT_SYSTEM: Final = "urn:simdes:vault"
REASON_SYSTEM: Final = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
TYPES_SYSTEM: Final = "http://hl7.org/fhir/resource-types"
_SCOPE: Final = "http://terminology.hl7.org/CodeSystem/consentscope"
_LOINC: Final = "http://loinc.org"
_POLICY: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_PARTICIPATION: Final = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_STATUS: Final = {"active": "active", "expired": "active", "withdrawn": "inactive"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a Consent resource asks for, in the terms of `exchange.consents.grant`."""

    grantee: Grantee
    categories: tuple[str, ...]
    labels: tuple[str, ...]
    purposes: tuple[str, ...]
    until_seconds: int


def consent_resource(given: Given, vault: bytes, patient: str, names: Mapping[bytes, str]) -> Any:
    """A consent as a resource. ``patient`` refers to the Patient, "" where none may be seen;
    ``names`` are organisations' names for people."""
    actor: dict[str, Any] = {
        "role": _concept(_PARTICIPATION, "IRCP"),
        "reference": _grantee(given, names),
    }
    if given.role:
        actor["role"] = {
            "coding": [
                {"system": _PARTICIPATION, "code": "IRCP"},
                {"system": ROLE_SYSTEM, "code": given.role},
            ]
        }
    provision: dict[str, Any] = {
        "type": "permit",
        "period": {"start": _time(given.not_before_seconds)},
        "actor": [actor],
    }
    if given.labels:
        provision["securityLabel"] = [_label(name) for name in given.labels]
    provision["purpose"] = [{"system": REASON_SYSTEM, "code": one} for one in given.purposes]
    provision["class"] = [{"system": CATEGORY_SYSTEM, "code": one} for one in given.categories]
    if given.expiry_seconds < FOREVER_SECONDS:
        provision["period"]["end"] = _time(given.expiry_seconds)
    who = (
        {"reference": patient}
        if patient
        else {"identifier": {"system": VAULT_SYSTEM, "value": hexed(vault)}, "type": "Patient"}
    )
    return {
        "resourceType": "Consent",
        "id": given.handle.hex(),
        "status": _STATUS[given.state],
        "scope": _concept(_SCOPE, "patient-privacy"),
        "category": [_concept(_LOINC, "59284-0")],
        "patient": who,
        "dateTime": _time(given.not_before_seconds),
        "policyRule": _concept(_POLICY, "OPTIN"),
        "provision": provision,
    }


def wanted(resource: Mapping[str, Any], *, now_seconds: int) -> Wanted:
    """What a Consent asks the chain for.

    Raises Unsupported for what a consent here can't express, Invalid for what is missing.
    """
    if resource.get("status") != "active":
        raise Invalid("A new Consent is active.")
    provision = resource.get("provision")
    if not isinstance(provision, Mapping) or provision.get("type") != "permit":
        raise Unsupported("A Consent here has one provision, of type permit.")
    others = provision.keys() - _UNDERSTOOD
    if others:
        raise Unsupported(f"A Consent here has no provision.{sorted(others)[0]}.")
    return Wanted(
        grantee=_wanted_grantee(provision),
        categories=tuple(_categories(provision)),
        labels=tuple(dict.fromkeys(_codes(provision, "securityLabel", _labels))),
        purposes=tuple(dict.fromkeys(_codes(provision, "purpose", _purposes))),
        until_seconds=_until(provision, now_seconds),
    )


_UNDERSTOOD: Final = frozenset(
    ("id", "type", "period", "actor", "securityLabel", "purpose", "class")
)


def _wanted_grantee(provision: Mapping[str, Any]) -> Grantee:
    actors = provision.get("actor")
    if not isinstance(actors, list) or len(actors) != 1:
        raise Unsupported("A Consent here names one actor.", advice="Send one for each.")
    reference = actors[0].get("reference", {})
    identifier = reference.get("identifier") if isinstance(reference, Mapping) else None
    system = identifier.get("system") if isinstance(identifier, Mapping) else None
    who = _unhex(str(identifier.get("value", ""))) if isinstance(identifier, Mapping) else b""
    role = next(
        (
            str(one.get("code", ""))
            for one in actors[0].get("role", {}).get("coding", ())
            if one.get("system") == ROLE_SYSTEM
        ),
        "",
    )
    if len(who) != 32 or system not in (ORGANISATION, ACCOUNT_SYSTEM):
        raise Invalid(
            "The actor is named by an identifier of the network.",
            advice=f"Give its id (0x…) under {ORGANISATION} or {ACCOUNT_SYSTEM}.",
        )
    if system == ACCOUNT_SYSTEM:
        return Grantee.account(who)
    return Grantee.role_in(who, role_of(role).name.lower()) if role else Grantee.organisation(who)


def _categories(provision: Mapping[str, Any]) -> Iterator[str]:
    listed = provision.get("class")
    if not isinstance(listed, list) or not listed:
        raise Invalid("A Consent here names what it opens (provision.class).")
    known = {one.label for one in Category}
    for one in listed:
        code = str(one.get("code", ""))
        if one.get("system") == CATEGORY_SYSTEM and code in known:
            yield code
        elif one.get("system") == TYPES_SYSTEM and code in CATEGORY_OF_TYPE:
            yield CATEGORY_OF_TYPE[code].label
        else:
            raise Invalid(
                "A class of records is not known.",
                advice=f"Use {CATEGORY_SYSTEM}: {', '.join(sorted(known))}.",
            )


_labels: Final = frozenset(
    (system, one.name) for system in (ACT_CODE, CONFIDENTIALITY) for one in Label
)
_purposes: Final = frozenset((REASON_SYSTEM, one.name) for one in Purpose)


def _codes(
    provision: Mapping[str, Any], element: str, known: frozenset[tuple[str, str]]
) -> Iterator[str]:
    for one in provision.get(element, ()):
        if (one.get("system"), one.get("code")) not in known:
            raise Unsupported(f"A code of provision.{element} is not known here.")
        yield str(one["code"])


def _until(provision: Mapping[str, Any], now_seconds: int) -> int:
    period = provision.get("period")
    start = period.get("start") if isinstance(period, Mapping) else None
    end = period.get("end") if isinstance(period, Mapping) else None
    if isinstance(start, str) and span_ms(start)[0] // 1000 > now_seconds:
        raise Unsupported("A Consent here begins at once.", advice="Leave out period.start.")
    if not isinstance(end, str):
        raise Invalid("A Consent here ends some time.", advice="Give provision.period.end.")
    until = span_ms(end)[1] // 1000
    if until <= now_seconds:
        raise Invalid("The Consent would have ended already.")
    return until


def _grantee(given: Given, names: Mapping[bytes, str]) -> dict[str, Any]:
    if given.account is not None:
        return {
            "type": "Practitioner",
            "identifier": {"system": ACCOUNT_SYSTEM, "value": hexed(given.account)},
            "display": names.get(given.organisation, ""),
        }
    return {
        "type": "Organization",
        "identifier": {"system": ORGANISATION, "value": hexed(given.organisation)},
        "display": names.get(given.organisation, ""),
    }


def _label(name: str) -> dict[str, str]:
    system = CONFIDENTIALITY if name in (Label.R.name, Label.V.name) else ACT_CODE
    return {"system": system, "code": name}


def _concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def _time(at_seconds: int) -> str:
    return datetime.fromtimestamp(at_seconds, UTC).isoformat(timespec="seconds")


def _unhex(text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        return b""
