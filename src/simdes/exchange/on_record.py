"""Whether the trail has the attempt that ended in an error, and what an attempt is made of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from simdes.access.audit_event import Attempt, Verb
from simdes.access.tokens import Actor
from simdes.errors import SimdesError

_ON_RECORD: Final = "The attempt is in the audit trail."
_NAMED: Final = re.compile(r"\(([A-Z][A-Z_]{2,63})\)\.?$", re.ASCII)
_REASON: Final = re.compile(r"[A-Z][A-Z_]{0,63}", re.ASCII)


def put_on_record(error: BaseException) -> None:
    """Note on an error that the trail has its attempt."""
    error.add_note(_ON_RECORD)


def is_on_record(error: BaseException) -> bool:
    """Whether the trail has the attempt that ended in this error."""
    return _ON_RECORD in getattr(error, "__notes__", ())


def reason_of(error: BaseException) -> str:
    """The name of an error's reason; nothing that a caller wrote can become one."""
    if not isinstance(error, SimdesError):
        return SimdesError.default_reason
    return error.reason if _REASON.fullmatch(error.reason) else error.default_reason


def reason_told(error: SimdesError) -> str:
    """The name of the reason that another organisation refused with: over HTTP its text has it."""
    reason = reason_of(error)
    named = _NAMED.search(error.message) if reason == error.default_reason else None
    return named[1] if named else reason


def attempt_of(
    actor: Actor,
    verb: Verb,
    vault: bytes | None,
    *,
    purpose: int | None,
    records: Iterable[bytes] = (),
    reason: str = "",
    asked: str = "",
) -> Attempt:
    """What an account tried with one vault, or with none."""
    return Attempt(
        verb=verb,
        account=actor.account,
        address=actor.address,
        role=actor.role,
        organisation=actor.organisation,
        purpose=purpose,
        vault=vault,
        records=tuple(records),
        reason=reason,
        asked=asked,
    )
