"""Answers of the authorization server: JSON for apps, challenges for requests without a good token.

RFC 6749 §5, RFC 6750 §3, RFC 9449 §7.1 and the step-up challenge of RFC 9470 §3.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from simdes import errors
from simdes.exchange.authorization import OAuthRefusal
from simdes.exchange.presenting import NoToken
from simdes.exchange.smart import DPOP_ALGORITHMS, FRESH_SECONDS, MULTIPLE_FACTORS

_NOT_KEPT: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_FOREVER_ENOUGH: Final = {"Cache-Control": "public, max-age=300"}
_STATUS: Final = {
    "invalid_client": 401,
    "temporarily_unavailable": 503,
    "slow_down": 429,
    "server_error": 500,
}
_OF_ERROR: Final[tuple[tuple[type[errors.SimdesError], str], ...]] = (
    (errors.Unavailable, "temporarily_unavailable"),
    (errors.TooLarge, "slow_down"),
    (errors.Unauthenticated, "invalid_client"),
    (errors.Forbidden, "invalid_grant"),
    (errors.Invalid, "invalid_request"),
)
REALM: Final = "simdes"


def document(value: Mapping[str, Any], *, public: bool = False) -> Response:
    """A JSON object; ``public`` may be kept for five minutes by anybody and read by any page."""
    headers = (_FOREVER_ENOUGH | {"Access-Control-Allow-Origin": "*"}) if public else _NOT_KEPT
    return Response(json.dumps(value), 200, dict(headers), "application/json")


def refusal(error: errors.SimdesError, *, basic: bool = False) -> Response:
    """The error object of RFC 6749 §5.2; ``basic``: the app tried HTTP Basic."""
    code = oauth_code(error)
    headers = dict(_NOT_KEPT)
    status = _STATUS.get(code, 400)
    if status == 401 and basic:
        headers["WWW-Authenticate"] = f'Basic realm="{REALM}", charset="UTF-8"'
    if status in (429, 503):
        headers["Retry-After"] = "60" if status == 429 else "5"
    body = {"error": code, "error_description": _ascii(error.message)}
    return Response(json.dumps(body), status, headers, "application/json")


def oauth_code(error: errors.SimdesError) -> str:
    """What OAuth calls one of our errors."""
    if isinstance(error, OAuthRefusal):
        return error.error
    return next((code for kind, code in _OF_ERROR if isinstance(error, kind)), "server_error")


def challenge(error: errors.Unauthenticated) -> str:
    """``WWW-Authenticate`` of a request without a good token.

    No ``error`` where it had none at all: that is no fault yet (RFC 6750 §3.1).
    """
    told = f', error="invalid_token", error_description="{_ascii(error.message)}"'
    reason = "" if isinstance(error, NoToken) else told
    algorithms = " ".join(DPOP_ALGORITHMS)
    return f'Bearer realm="{REALM}"{reason}, DPoP realm="{REALM}"{reason}, algs="{algorithms}"'


def step_up() -> str:
    """``WWW-Authenticate`` that asks for a second factor (RFC 9470)."""
    return (
        f'Bearer realm="{REALM}", error="insufficient_user_authentication", '
        'error_description="A second factor is needed for this.", '
        f'acr_values="{MULTIPLE_FACTORS}", max_age="{FRESH_SECONDS}"'
    )


def _ascii(text: str) -> str:
    """RFC 6749 §5.2: printable ASCII without quote and backslash."""
    return "".join(one if " " <= one <= "~" and one not in '"\\' else "?" for one in text)
