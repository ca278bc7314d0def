"""Submit legacy: any format that the mapper reads in, the FHIR made of it out (``$submit-legacy``).

A face gives a session and bytes; staff of this organisation may submit, like its feeds. The answer
is the mapped Bundle and an OperationOutcome of what was dropped, older than what is here, or put in
quarantine (https://hl7.org/fhir/R4/operationoutcome.html): paths and reasons, never values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from simdes.access.accounts import why_inactive
from simdes.access.audit_event import Attempt, Verb
from simdes.access.categories import STAFF, Role
from simdes.access.desk import refusal
from simdes.access.write_roles import REGISTRARS, writes
from simdes.errors import Forbidden, SimdesError
from simdes.exchange.attempting import record
from simdes.exchange.node import Node
from simdes.exchange.on_record import attempt_of
from simdes.exchange.signin import Session
from simdes.exchange.submit import Accepted, Refused, check, submit
from simdes.fhir.outcome import Issue, outcome_resource
from simdes.index.seeing import SHARED
from simdes.ledger.consents import Reason
from simdes.mapper import Limits, map_bytes
from simdes.mapper import Mapping as Mapped

MAY_SUBMIT = STAFF | {Role.ADMINISTRATOR, Role.AGENT}
"""Whose sessions may submit: those who write records in the organisation's name."""

_ALONG = frozenset(("MessageHeader", "Patient"))
"""What comes with every message: who sent it, and whom it is about."""

CALL_LIMITS = Limits(file_bytes=16 * 1024 * 1024, messages=1_000)
"""What one call may hold; more is for files and feeds, which nobody waits for."""


@dataclass(frozen=True, slots=True)
class Legacy:
    """What a call gave: the Bundle (of Bundles, for several messages), the outcome, the answers."""

    bundle: Mapping[str, Any]
    outcome: Mapping[str, Any]
    answers: tuple[Accepted | Refused, ...]


def submit_legacy(
    node: Node,
    session: Session,
    data: bytes,
    *,
    kind: str = "auto",
    name: str = "submitted",
    dry_run: bool = False,
    registers: bool | None = None,
) -> Legacy:
    """Map ``data`` and make it durable; ``dry_run`` maps and validates alone.

    ``kind`` is ``auto`` or a kind of input of the mapper; ``registers`` whether the caller may
    merge patients and give known ones further identifiers, None for what their role may. Bad input
    is answered, not raised: it is in quarantine, and the outcome says why. Raises Forbidden unless
    the session is of this organisation's staff, administrators or services, Unavailable as `submit`
    does.
    """
    _may_submit(node, session)
    mapping = map_bytes(name, data, kind=kind, site=node.site, limits=CALL_LIMITS)
    _may_write(node, session, mapping)
    if registers is None:
        registers = session.actor.role in REGISTRARS
    told = check if dry_run else partial(submit, node)
    answers = told(mapping, registers=registers)
    if not dry_run:
        _audit(node, session, [vault for one in answers for vault in _vaults(one)] or [None])
    accepted = {one.index for one in answers if isinstance(one, Accepted)}
    bundles = [one.bundle for one in mapping.messages if one.index in accepted]
    return Legacy(_bundle(bundles), _outcome(mapping, answers), answers)


def _bundle(bundles: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    if len(bundles) == 1:
        return bundles[0]
    whole: dict[str, Any] = {"resourceType": "Bundle", "type": "collection"}
    if bundles:
        whole["entry"] = [
            {"fullUrl": f"urn:uuid:{one['id']}", "resource": one}
            if "id" in one
            else {"resource": one}
            for one in bundles
        ]
    return whole


def _outcome(mapping: Mapped, answers: Sequence[Accepted | Refused]) -> Mapping[str, Any]:
    issues = [*_of_answers(answers), *_of_dropped(mapping)]
    fine = _issue("information", "informational", "accepted", "Everything was taken over.")
    return outcome_resource(issues or [fine], most=None)


def _of_answers(answers: Sequence[Accepted | Refused]) -> Iterator[Issue]:
    for one in answers:
        where = f"Message {one.index + 1}: "
        if isinstance(one, Refused):
            yield _issue("error", "processing", one.code, f"{where}{one.reason} {one.advice}")
        elif one.older:
            said = f"{one.older} resources are older than what is here, and replaced nothing."
            yield _issue("warning", "conflict", "older", where + said)


def _of_dropped(mapping: Mapped) -> Iterator[Issue]:
    for message in mapping.messages:
        for one in message.dropped:
            said = f"Message {message.index + 1}: {one.path} was dropped: {one.reason}"
            yield _issue("information", "informational", "dropped", said)


def _issue(severity: str, code: str, what: str, said: str) -> Issue:
    return Issue(severity=severity, code=code, text=what, diagnostics=said)


def _vaults(answer: Accepted | Refused) -> tuple[bytes, ...]:
    return answer.vaults if isinstance(answer, Accepted) else ()


def _may_submit(node: Node, session: Session) -> None:
    """Ask the chain whether this is active staff of ours; a refusal is audited."""
    standing = node.contracts.accounts.standing(session.actor.address)
    reason = why_inactive(standing)
    if not reason and standing is not None:
        ours = standing.organisation == node.organisation
        reason = "" if ours and standing.role in MAY_SUBMIT else Reason.WRONG_ROLE.name
    if not reason:
        return
    error = refusal(reason)
    if standing is not None:  # strangers leave no entry, as in the custody API
        _refused(node, session, error)
    raise error


def _may_write(node: Node, session: Session, mapping: Mapped) -> None:
    """Hold what was mapped against what the role may write; a refusal is audited.

    Whatever the format: a nurse who may not prescribe over the API may not by a message either.
    Evidence is mapped from messages, but never taken from somebody who wrote it as FHIR.
    """
    role = Role(session.actor.role)
    # Administrators load what clinicians wrote elsewhere, as they load feeds.
    allowed = writes(Role.AGENT if role is Role.ADMINISTRATOR else role) | SHARED | _ALONG
    if not mapping.kind.startswith("fhir"):
        allowed |= {"Provenance"}
    found = {
        str(entry["resource"]["resourceType"])
        for message in mapping.messages
        for entry in message.bundle.get("entry", ())
        if "resource" in entry
    }
    if refused := sorted(found - allowed):
        error = Forbidden(
            f"The role {role.name.lower()} may not create {refused[0]}.",
            advice="Use an account with the role that this needs.",
            reason=Reason.WRONG_ROLE.name,
        )
        _refused(node, session, error)
        raise error


def _audit(node: Node, session: Session, vaults: Sequence[bytes | None]) -> None:
    """One entry for each vault that was written into, or one for a call that wrote nowhere."""
    attempts = [_attempt(session, vault) for vault in dict.fromkeys(vaults)]
    node.database.write(lambda tx: node.desk.trail.append(tx, attempts))


def _refused(node: Node, session: Session, error: SimdesError) -> None:
    record(node, error, lambda reason: _attempt(session, None, reason))


def _attempt(session: Session, vault: bytes | None, reason: str = "") -> Attempt:
    asked = "$submit-legacy" if reason else ""
    return attempt_of(session.actor, Verb.WRITE, vault, purpose=None, reason=reason, asked=asked)
