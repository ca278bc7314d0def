"""One audit entry as bytes: a FHIR R4 `AuditEvent` after the BALP patterns.

https://hl7.org/fhir/R4/auditevent.html, https://profiles.ihe.net/ITI/BALP. Who, for which
organisation, in which role, for which purpose, on which records of which vault, granted or refused
and why, when, by which custodian. Ids only, no name and no clinical content. The bytes are
deterministic and are what the salted leaf commits to (docs/formats/audit-entry.md).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec

from simdes.access.categories import Purpose, Role
from simdes.errors import Invalid

_DICOM = "http://dicom.nema.org/resources/ontology/DCM"
_REST = "http://hl7.org/fhir/restful-interaction"
_TYPE = {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"}
_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_ENTITY = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_OBJECT_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
_SOURCE = "http://terminology.hl7.org/CodeSystem/security-source-type"
_OWN = "urn:simdes:custody"
_URI = "urn:ietf:rfc:3986"
EXTENSION = "urn:simdes:audit"


class Verb(StrEnum):
    """What was tried."""

    RELEASE = "release"
    MANIFESTS = "manifests"
    CAPSULES = "capsules"
    LOCATE = "locate"
    LOG = "log"
    VAULTS = "vaults"
    ATTEST = "attest"
    ACK = "ack"
    KEEP = "keep"
    DROP = "drop"
    BLOCKS = "blocks"
    RENEW = "renew"
    DEAL = "deal"
    ACCEPT = "accept"
    RECONCILE = "reconcile"
    READ = "read"
    WRITE = "write"
    QUARANTINE_READ = "quarantine-read"
    QUARANTINE_DECIDE = "quarantine-decide"
    SIGN_IN = "sign-in"
    CREDENTIALS = "credentials"
    APPS = "apps"
    RESTORE = "restore"
    ERASE = "erase"
    CONTRIBUTE = "contribute"
    CONCLUDE = "conclude"
    EVALUATE = "evaluate"
    FINGERPRINTS = "fingerprints"
    CLAIMS = "claims"
    PRESCRIPTIONS = "prescriptions"
    REQUEST = "request"
    CORRECT = "correct"
    EXPLAIN = "explain"
    EMERGENCY = "emergency"
    COUNT = "count"
    APPOINT = "appoint"
    VOUCH = "vouch"
    RECOVER = "recover"
    LINK = "link"
    RELEASED = "released"
    MERGE = "merge"


# FHIR restful-interaction and AuditEvent.action of each verb.
_INTERACTION: Mapping[Verb, tuple[str, str]] = {
    Verb.RELEASE: ("read", "R"),
    Verb.MANIFESTS: ("search", "R"),
    Verb.CAPSULES: ("read", "R"),
    Verb.LOCATE: ("search", "E"),
    Verb.LOG: ("search", "R"),
    Verb.VAULTS: ("create", "C"),
    Verb.ATTEST: ("create", "C"),
    Verb.ACK: ("operation", "E"),
    Verb.KEEP: ("create", "C"),
    Verb.DROP: ("delete", "D"),
    Verb.BLOCKS: ("read", "R"),
    Verb.RENEW: ("create", "C"),
    Verb.DEAL: ("operation", "E"),
    Verb.ACCEPT: ("update", "U"),
    Verb.RECONCILE: ("search", "E"),
    Verb.READ: ("read", "R"),
    Verb.WRITE: ("create", "C"),
    Verb.QUARANTINE_READ: ("read", "R"),
    Verb.QUARANTINE_DECIDE: ("update", "U"),
    Verb.SIGN_IN: ("operation", "E"),
    Verb.CREDENTIALS: ("update", "U"),
    Verb.APPS: ("update", "U"),
    Verb.RESTORE: ("operation", "E"),
    Verb.ERASE: ("delete", "D"),
    Verb.CONTRIBUTE: ("operation", "E"),
    Verb.CONCLUDE: ("create", "C"),
    Verb.EVALUATE: ("operation", "E"),
    Verb.FINGERPRINTS: ("search", "R"),
    Verb.CLAIMS: ("search", "R"),
    Verb.PRESCRIPTIONS: ("search", "R"),
    Verb.REQUEST: ("create", "C"),
    Verb.CORRECT: ("create", "C"),
    Verb.EXPLAIN: ("create", "C"),
    Verb.EMERGENCY: ("operation", "E"),
    Verb.COUNT: ("operation", "E"),
    Verb.APPOINT: ("create", "C"),
    Verb.VOUCH: ("operation", "E"),
    Verb.RECOVER: ("update", "U"),
    Verb.LINK: ("read", "R"),
    Verb.RELEASED: ("operation", "E"),
    Verb.MERGE: ("update", "U"),
}

# The same for what a request asked in FHIR's own words; operations and jobs are the default.
_ASKED: Mapping[str, tuple[str, str]] = {
    **{name: (name, "R") for name in ("read", "vread")},
    **{f"history-{of}": (f"history-{of}", "R") for of in ("instance", "type", "system")},
    **{f"search-{of}": (f"search-{of}", "E") for of in ("type", "system")},
    "create": ("create", "C"),
    "update": ("update", "U"),
    "patch": ("patch", "U"),
    "delete": ("delete", "D"),
    "batch": ("batch", "E"),
    "transaction": ("transaction", "E"),
}
_OPERATION = ("operation", "E")
_WORDS_ASKED = re.compile(r"\$?[a-z]+(-[a-z]+)*( [A-Z][A-Za-z]{1,63})?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt, granted or refused. `reason` is "" when granted.

    `count` above 1 says that equal refusals were folded; `purpose` None: the verb has none.
    `asked` is FHIR's word for the interaction or operation and the type, as in "delete
    Observation" (never an id or a parameter); "" where the verb says it all.
    """

    verb: Verb
    account: bytes
    address: bytes
    role: int
    organisation: bytes
    purpose: int | None
    vault: bytes | None
    records: tuple[bytes, ...] = ()
    reason: str = ""
    count: int = 1
    handle: bytes | None = None
    asked: str = ""

    @property
    def granted(self) -> bool:
        """Whether it was allowed."""
        return not self.reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry read back: the attempt, who wrote it down, when, and what it follows."""

    attempt: Attempt
    observer: bytes
    recorded_ms: int
    previous: bytes


def encode(attempt: Attempt, *, observer: bytes, recorded_ms: int, previous: bytes) -> bytes:
    """The entry's bytes. `observer` is the organisation that writes it; `previous` the digest
    (SHA-256) of the entry before it in the observer's chain, zeros for the first."""
    interaction, action = _done(attempt)
    event: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "extension": [
            {"url": f"{EXTENSION}:previous", "valueString": _hex(previous)},
            {"url": f"{EXTENSION}:count", "valueInteger": attempt.count},
        ],
        "type": _TYPE,
        "subtype": [
            {"system": _REST, "code": interaction},
            {"system": _OWN, "code": attempt.verb.value},
        ],
        "action": action,
        "recorded": _instant(recorded_ms),
        "outcome": "0" if attempt.granted else "4",
        "outcomeDesc": attempt.reason or "Allowed",
        "agent": [_person(attempt), _behind(attempt)],
        "source": {
            "observer": _identified("organisation", observer),
            "type": [{"system": _SOURCE, "code": "4"}],
        },
        "entity": _entities(attempt),
    }
    if attempt.purpose is not None:
        event["purposeOfEvent"] = [
            {"coding": [{"system": _REASON, "code": Purpose(attempt.purpose).name}]}
        ]
    if not event["entity"]:
        del event["entity"]
    made = msgspec.json.encode(event, order="sorted")
    if made.isascii() and b"\x7f" not in made:
        return made  # the same bytes, in a tenth of the time
    return json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def decode(entry: bytes) -> Entry:
    """Read an entry back; `Invalid` unless it is byte for byte what `encode` writes."""
    try:
        event = json.loads(entry)
        attempt = _attempt(event)
        recorded = datetime.fromisoformat(event["recorded"].replace("Z", "+00:00"))
        read = Entry(
            attempt=attempt,
            observer=_id(event["source"]["observer"]),
            recorded_ms=round(recorded.timestamp() * 1000),
            previous=_unhex(event["extension"][0]["valueString"]),
        )
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise Invalid("This is not an audit entry.") from error
    again = encode(
        attempt, observer=read.observer, recorded_ms=read.recorded_ms, previous=read.previous
    )
    if again != entry:
        raise Invalid("This is not an audit entry in its one spelling.")
    return read


def _done(attempt: Attempt) -> tuple[str, str]:
    if not attempt.asked:
        return _INTERACTION[attempt.verb]
    if not _WORDS_ASKED.fullmatch(attempt.asked):
        raise Invalid("What was asked is said by a word and a type.")
    return _ASKED.get(attempt.asked.partition(" ")[0], _OPERATION)


def _person(attempt: Attempt) -> dict[str, Any]:
    return {
        "type": {"coding": [{"system": _DICOM, "code": "110152"}]},  # Destination Role ID
        "role": [
            {"coding": [{"system": "urn:simdes:role", "code": Role(attempt.role).name.lower()}]}
        ],
        "who": _identified("account", attempt.account),
        "altId": _hex(attempt.address),
        "requestor": True,
    }


def _behind(attempt: Attempt) -> dict[str, Any]:
    return {
        "type": {"coding": [{"system": _DICOM, "code": "110150"}]},  # Application
        "who": _identified("organisation", attempt.organisation),
        "requestor": False,
    }


def _entities(attempt: Attempt) -> list[dict[str, Any]]:
    entities: list[dict[str, Any]] = []
    if attempt.vault is not None:
        vault: dict[str, Any] = {
            "what": _identified("vault", attempt.vault),
            "type": {"system": _ENTITY, "code": "1"},
            "role": {"system": _OBJECT_ROLE, "code": "1"},
        }
        if attempt.handle is not None:
            vault["detail"] = [{"type": "consent", "valueString": _hex(attempt.handle)}]
        entities.append(vault)
    if attempt.records:
        details = [{"type": "record", "valueString": _hex(record)} for record in attempt.records]
        entities.append(
            {
                "type": {"system": _ENTITY, "code": "2"},
                "role": {"system": _OBJECT_ROLE, "code": "4"},
                "detail": details,
            }
        )
    if attempt.asked:
        entities.append(
            {
                "type": {"system": _ENTITY, "code": "2"},
                "role": {"system": _OBJECT_ROLE, "code": "24"},
                "detail": [{"type": "asked", "valueString": attempt.asked}],
            }
        )
    return entities


def _attempt(event: Mapping[str, Any]) -> Attempt:
    agent, behind = event["agent"]
    entities = {entity["role"]["code"]: entity for entity in event.get("entity", [])}
    vault, asked = entities.get("1"), entities.get("24")
    purposes = event.get("purposeOfEvent")
    handle = vault.get("detail") if vault else None
    return Attempt(
        verb=Verb(event["subtype"][1]["code"]),
        account=_id(agent["who"]),
        address=_unhex(agent["altId"]),
        role=int(Role[agent["role"][0]["coding"][0]["code"].upper()]),
        organisation=_id(behind["who"]),
        purpose=int(Purpose[purposes[0]["coding"][0]["code"]]) if purposes else None,
        vault=_id(vault["what"]) if vault else None,
        records=tuple(
            _unhex(detail["valueString"]) for detail in entities.get("4", {}).get("detail", [])
        ),
        reason="" if event["outcome"] == "0" else event["outcomeDesc"],
        count=event["extension"][1]["valueInteger"],
        handle=_unhex(handle[0]["valueString"]) if handle else None,
        asked=asked["detail"][0]["valueString"] if asked else "",
    )


def _identified(what: str, id_: bytes) -> dict[str, Any]:
    return {"identifier": {"system": _URI, "value": f"urn:simdes:{what}:{_hex(id_)}"}}


def _id(reference: Mapping[str, Any]) -> bytes:
    return _unhex(reference["identifier"]["value"].rsplit(":", 1)[1])


def _instant(ms: int) -> str:
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1000:03d}Z"


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _unhex(text: str) -> bytes:
    if not text.startswith("0x"):
        raise ValueError("not hexadecimal")
    return bytes.fromhex(text[2:])
