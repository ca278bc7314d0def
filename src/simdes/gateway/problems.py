"""Failures as FHIR OperationOutcome (https://hl7.org/fhir/R4/operationoutcome.html).

The status code of each of `simdes.errors` stands here and nowhere else.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from simdes import errors
from simdes.fhir.form import Form
from simdes.fhir.outcome import Issue, issues_of, outcome_resource
from simdes.fhir.problem import BrokenRules

_log = logging.getLogger(__name__)

STATUS: Final[Mapping[type[errors.SimdesError], int]] = {
    errors.Invalid: 400,
    BrokenRules: 422,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Gone: 410,
    errors.Conflict: 409,
    errors.Mismatch: 412,
    errors.Tampered: 422,
    errors.TooLarge: 429,
    errors.Unsupported: 501,
    errors.Unavailable: 503,
}
RETRY: Final = {429: "60", 503: "5"}
_TEXT: Final = {
    404: ("not-found", "There is nothing at this address."),
    405: ("not-supported", "This address does not know this HTTP method."),
    413: ("too-long", "The body is larger than this address takes."),
    415: ("not-supported", "This address takes another media type."),
    408: ("timeout", "The body did not arrive in time."),
    503: ("transient", "The answer took too long; the request may be repeated."),
}


def outcome(
    status: int, *, code: str, text: str, advice: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    """An OperationOutcome response with one error issue."""
    return answer(status, [Issue(code=code, text=text, diagnostics=advice)], headers=headers)


def answer(
    status: int,
    issues: Iterable[Issue],
    *,
    headers: Mapping[str, str] | None = None,
    form: Form = Form.JSON,
) -> Response:
    """An OperationOutcome response with any number of issues."""
    extra = dict(headers or {})
    if status in RETRY:
        extra["Retry-After"] = RETRY[status]
    return Response(form.write(outcome_resource(issues)), status, extra, form.value)


def plain(status: int) -> Response:
    """The OperationOutcome of a status that HTTP itself gives rise to."""
    code, text = _TEXT.get(status, ("exception", "The request cannot be answered."))
    return outcome(status, code=code, text=text)


def status_of(error: errors.SimdesError) -> int:
    """The status of one of our errors; unknown subclasses count as their nearest base."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def refused(error: errors.SimdesError, *, form: Form = Form.JSON) -> Response:
    """The response for one of our errors."""
    return answer(status_of(error), issues_of(error), form=form)


def _on_simdes_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, errors.SimdesError)  # noqa: S101 (registered for nothing else)
    return refused(error)


def _on_http(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    response = plain(status)
    if isinstance(error, HTTPException) and error.headers:
        response.headers.update(error.headers)
    return response


def _on_anything(_: Request, error: Exception) -> Response:
    # The class tells an operator where to look; message and address could hold anything.
    _log.error("unexpected %s", type(error).__name__)
    return outcome(500, code="exception", text="The request failed here; it is not your mistake.")


EXCEPTION_HANDLERS: Final[Mapping[int | type[Exception], ExceptionHandler]] = {
    errors.SimdesError: _on_simdes_error,
    HTTPException: _on_http,
    Exception: _on_anything,
}
