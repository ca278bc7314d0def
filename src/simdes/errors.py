"""The closed set of failures.

Every failure a caller can meet is one of these. Each carries the FHIR issue type it becomes in an
``OperationOutcome`` (https://hl7.org/fhir/R4/valueset-issue-type.html) and one sentence of advice.
Adapters translate foreign errors into these; only faces (`cli`, `gateway`, `web`) turn them into
exit codes or HTTP status codes. Messages never hold patient data. ``reason`` is the name that the
audit trail keeps of a refusal (`simdes.access.reasons` has the words).
"""

from __future__ import annotations

from typing import ClassVar


class SimdesError(Exception):
    """A failure with a reason for people, a FHIR issue code and advice on what to do next."""

    issue: ClassVar[str] = "exception"
    default_reason: ClassVar[str] = "FAILED"
    default_advice: ClassVar[str] = "Run `simdes doctor` and look at the log."

    def __init__(
        self, message: str, *, advice: str | None = None, reason: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason if reason is not None else self.default_reason
        self.advice = advice if advice is not None else self.default_advice


class Invalid(SimdesError):
    """The input breaks a rule of its format; the same input will fail again."""

    issue = "invalid"
    default_reason = "INVALID"
    default_advice = "Correct the input and send it again."


class Unauthenticated(SimdesError):
    """Who is asking could not be established."""

    issue = "login"
    default_reason = "UNAUTHENTICATED"
    default_advice = "Sign in again."


class Forbidden(SimdesError):
    """Who is asking is known and may not do this."""

    issue = "forbidden"
    default_reason = "FORBIDDEN"
    default_advice = "Ask the patient for consent, or use an account with the role this needs."


class NotFound(SimdesError):
    """No such thing, or not for this caller."""

    issue = "not-found"
    default_reason = "NOT_FOUND"
    default_advice = "Check the identifier."


class Gone(NotFound):
    """It was there and was deleted."""

    issue = "deleted"
    default_reason = "DELETED"
    default_advice = "Read its history, if you need what it said."


class Conflict(SimdesError):
    """The state changed or is already settled; the request as sent can no longer apply."""

    issue = "conflict"
    default_reason = "CONFLICT"
    default_advice = "Read the present state and decide again."


class Mismatch(Conflict):
    """A condition that the caller set (If-Match, a conditional search) does not hold."""

    default_reason = "CONDITION"


class Tampered(SimdesError):
    """A signature, digest, commitment or proof does not hold: somebody changed bytes."""

    issue = "security"
    default_reason = "TAMPERED"
    default_advice = "Do not use this data; report the source named in the message."


class Unavailable(SimdesError):
    """A part this depends on does not answer now; the same request may succeed later."""

    issue = "transient"
    default_reason = "UNAVAILABLE"
    default_advice = "Try again later; `simdes doctor` names the part that does not answer."


class TooLarge(SimdesError):
    """A limit on size, depth, count or rate was passed."""

    issue = "too-costly"
    default_reason = "TOO_LARGE"
    default_advice = "Send less at once."


class Unsupported(SimdesError):
    """Well formed, but a version, suite, type or feature this release does not know."""

    issue = "not-supported"
    default_reason = "UNSUPPORTED"
    default_advice = "Upgrade SIMDES, or send a supported version."
