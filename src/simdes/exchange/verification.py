"""Verify a proof: what the chain vouches for, without trusting any gateway.

A proof says something about a record (this resource was anchored by that organisation at this
time) or about an audit entry (this attempt was written down by that organisation at this time).
Format: docs/formats/proofs.md.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from simdes.access.categories import Purpose, Role
from simdes.access.evidence import VerifiedEntry, VerifiedRecord, verify_proof, verify_record_proof
from simdes.errors import Invalid
from simdes.ledger.contracts import Contracts


def verify(
    document: bytes, contracts: Contracts, *, content: bytes | None = None
) -> dict[str, Any]:
    """Check a proof against the chain and return what it proves, in words and hex.

    Raises Invalid for another form, NotFound where the chain does not hold it (yet), Tampered when
    any member, or ``content``, is not the true one.
    """
    found = verify_proof(document, contracts)
    if isinstance(found, VerifiedRecord):
        if content is not None:
            verify_record_proof(document, contracts, content=content)
        return _record(found, checked=content is not None)
    if content is not None:
        raise Invalid("The proof of an audit entry has no content beside it.")
    return _entry(found)


def _record(found: VerifiedRecord, *, checked: bool) -> dict[str, Any]:
    return {
        "proves": "record",
        "type": found.resource_type,
        "record": _hex(found.record_id),
        "organisation": _hex(found.organisation),
        "content sha256": _hex(found.content_digest),
        "content": "is the one anchored" if checked else "not given",
        "anchored": _instant(found.anchored_seconds),
    }


def _entry(found: VerifiedEntry) -> dict[str, Any]:
    attempt = found.entry.attempt
    return {
        "proves": "audit entry",
        "written by": _hex(found.organisation),
        "what": attempt.verb.value,
        "who": _hex(attempt.account),
        "role": Role(attempt.role).name.lower(),
        "of": _hex(attempt.organisation),
        "why": "" if attempt.purpose is None else Purpose(attempt.purpose).name,
        "outcome": "granted" if attempt.granted else f"refused: {attempt.reason}",
        "when": _instant(found.entry.recorded_ms / 1000),
        "anchored": _instant(found.anchored_seconds),
    }


def _hex(data: bytes) -> str:
    return f"0x{data.hex()}"


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
