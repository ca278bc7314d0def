"""What became of a card (https://cds-hooks.hl7.org/2.0/#feedback): counted in the log.

A comment in a clinician's words may name a patient: it is read by nobody and kept nowhere. Of a
reason only a code of our own list is noted.
"""

from __future__ import annotations

import re
from typing import Any, Final

import structlog

from simdes.errors import Invalid
from simdes.fhir.json import loads
from simdes.gateway.cds.cards import REASONS, REASONS_SYSTEM
from simdes.gateway.cds.services import Service

MOST_FEEDBACK: Final = 100
_log = structlog.get_logger("simdes.cds")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OUTCOMES: Final = ("accepted", "overridden")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})")


def take(service: Service, body: bytes) -> None:
    """Read feedback and note it. Raises `Invalid` for what the standard does not know."""
    given = loads(body)
    entries = given.get("feedback") if isinstance(given, dict) else None
    if not isinstance(entries, list) or not 0 < len(entries) <= MOST_FEEDBACK:
        raise Invalid(f"feedback is a list of 1 to {MOST_FEEDBACK} objects.")
    for noted in [_read(one) for one in entries]:
        _log.info("feedback", service=service.id, **noted)


def _read(entry: Any) -> dict[str, str]:
    if not isinstance(entry, dict):
        raise Invalid("An entry of feedback is an object.")
    card, outcome, when = (entry.get(name) for name in ("card", "outcome", "outcomeTimestamp"))
    if not isinstance(card, str) or not _UUID.fullmatch(card.lower()):
        raise Invalid("card is the uuid of a card.")
    if outcome not in _OUTCOMES:
        raise Invalid("outcome is accepted or overridden.")
    if not isinstance(when, str) or not _MOMENT.fullmatch(when):
        raise Invalid("outcomeTimestamp is an ISO 8601 time.")
    accepted = entry.get("acceptedSuggestions")
    if outcome == "accepted" and not (isinstance(accepted, list) and accepted):
        raise Invalid("acceptedSuggestions are needed where the outcome is accepted.")
    return {"card": card.lower(), "outcome": str(outcome), "reason": _reason(entry)}


def _reason(entry: dict[str, Any]) -> str:
    given = entry.get("overrideReason")
    if given is None:
        return ""
    reason = given.get("reason") if isinstance(given, dict) else None
    if not isinstance(given, dict) or not isinstance(reason, dict | None):
        raise Invalid("overrideReason is an object with a reason, a Coding, or a userComment.")
    if reason is None:
        return "comment"
    code = reason.get("code")
    known = reason.get("system") == REASONS_SYSTEM and isinstance(code, str) and code in REASONS
    return str(code) if known else "other"
