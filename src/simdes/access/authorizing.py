"""Reading an authorization request: what an app may ask for, and how it is refused.

SMART App Launch (http://hl7.org/fhir/smart-app-launch/app-launch.html#obtain-authorization-code),
OAuth 2.1 (PKCE with S256 always, https://www.rfc-editor.org/rfc/rfc7636), the ``iss`` of RFC 9207
in every answer, OpenID Connect's ``nonce prompt max_age acr_values``. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urlsplit

from simdes.access import scopes
from simdes.access.authentication import MULTIPLE_FACTORS, SINGLE_FACTOR, Authentication
from simdes.access.clients import Client, Kind, redirects_to
from simdes.access.oauth import OAuthRefusal
from simdes.access.scopes import Scopes
from simdes.errors import Invalid

Pairs = Sequence[tuple[str, str]]

MAX_PARAMETERS: Final = 64
MAX_VALUE: Final = 8_192
_MAX_SMALL: Final = 1_024
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_THUMBPRINT = _CHALLENGE
_PROMPTS: Final = frozenset({"none", "login", "consent", "select_account"})
_UNSUPPORTED: Final = {
    "request": "request_not_supported",
    "request_uri": "request_uri_not_supported",
    "registration": "registration_not_supported",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A validated request; ``scope`` is what the app may have of what it asked for.

    ``max_age_seconds`` -1: any sign-in will do. ``multiple``: two factors are asked for.
    """

    client_id: str
    redirect_uri: str
    scope: str
    state: str
    challenge: str
    nonce: str = ""
    launch: str = ""
    login: bool = False
    max_age_seconds: int = -1
    multiple: bool = False
    thumbprint: str = ""


def single(pairs: Pairs) -> dict[str, str]:
    """Parameters by name; `OAuthRefusal` where one comes twice (RFC 6749 §3.1) or is too long.

    A parameter without a value counts as left out.
    """
    if len(pairs) > MAX_PARAMETERS or any(len(value) > MAX_VALUE for _, value in pairs):
        raise OAuthRefusal("invalid_request", "The request is larger than this server takes.")
    if any("\0" in value or not _is_text(value) for _, value in pairs):
        raise OAuthRefusal("invalid_request", "A parameter has characters that no text has.")
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise OAuthRefusal("invalid_request", "A parameter comes twice.")
    return {name: value for name, value in pairs if value}


def _is_text(value: str) -> bool:
    """Whether this can be written down: half a surrogate pair can't."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def read(
    given: Mapping[str, str],
    *,
    client_of: Callable[[str], Client | None],
    issuer: str,
    audience: str,
) -> Asked:
    """Validate an authorization request.

    Raises `OAuthRefusal`, with an address to go back to once app and redirect URI are verified.
    """
    client = client_of(given.get("client_id", ""))
    if client is None or client.kind is Kind.BACKEND:
        raise OAuthRefusal("invalid_request", "No such app is registered here.")
    redirect_uri = given.get("redirect_uri", "")
    if not redirects_to(client, redirect_uri):
        raise OAuthRefusal("invalid_request", "The app is not registered with this redirect URI.")
    state = given.get("state", "")
    try:
        return _read(given, client, redirect_uri, audience)
    except OAuthRefusal as refusal:
        kept = state if len(state) <= _MAX_SMALL else ""
        raise OAuthRefusal(
            refusal.error,
            refusal.message,
            redirect=error_url(redirect_uri, refusal.error, refusal.message, kept, issuer),
        ) from None


def _read(given: Mapping[str, str], client: Client, redirect_uri: str, audience: str) -> Asked:
    for name, error in _UNSUPPORTED.items():
        if name in given:
            raise OAuthRefusal(error, f"The parameter {name} is not supported.")
    if given.get("response_type") != "code":
        raise OAuthRefusal("unsupported_response_type", "The response type is always code.")
    if given.get("response_mode", "query") != "query":
        raise OAuthRefusal("invalid_request", "The response mode is always query.")
    if not given.get("state") or any(
        len(given.get(name, "")) > _MAX_SMALL for name in ("state", "nonce", "launch")
    ):
        raise OAuthRefusal("invalid_request", "State is missing, or a value is too long.")
    if given.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(
        given.get("code_challenge", "")
    ):
        raise OAuthRefusal("invalid_request", "PKCE is required, with the method S256.")
    for name, error in (("aud", "invalid_request"), ("resource", "invalid_target")):
        if (name == "aud" or name in given) and given.get(name, "").rstrip("/") != audience:
            raise OAuthRefusal(error, f"The parameter {name} is not this FHIR server's base URL.")
    thumbprint = given.get("dpop_jkt", "")
    if thumbprint and not _THUMBPRINT.fullmatch(thumbprint):
        raise OAuthRefusal("invalid_request", "The parameter dpop_jkt is no key's thumbprint.")
    login, max_age, multiple = _sign_in(given)
    return Asked(
        client_id=client.id,
        redirect_uri=redirect_uri,
        scope=_scope(given, client).text,
        state=given["state"],
        challenge=given["code_challenge"],
        nonce=given.get("nonce", ""),
        launch=given.get("launch", ""),
        login=login,
        max_age_seconds=max_age,
        multiple=multiple,
        thumbprint=thumbprint,
    )


def _sign_in(given: Mapping[str, str]) -> tuple[bool, int, bool]:
    """What is asked of the sign-in: a new one, one this young, one with two factors."""
    prompts = set(given.get("prompt", "").split())
    if prompts - _PROMPTS or ("none" in prompts and len(prompts) > 1):
        raise OAuthRefusal("invalid_request", "The prompt is not one that is known.")
    if "none" in prompts:
        raise OAuthRefusal("interaction_required", "A person is always asked.")
    max_age = given.get("max_age", "")
    if max_age and not re.fullmatch("[0-9]{1,9}", max_age):
        raise OAuthRefusal("invalid_request", "The parameter max_age is no number of seconds.")
    wanted = given.get("acr_values", "").split()
    return (
        bool(prompts & {"login", "select_account"}),
        int(max_age) if max_age else -1,
        MULTIPLE_FACTORS in wanted and SINGLE_FACTOR not in wanted,
    )


def _scope(given: Mapping[str, str], client: Client) -> Scopes:
    try:
        asked = scopes.parse(given.get("scope", ""))
    except Invalid as error:
        raise OAuthRefusal("invalid_scope", error.message) from error
    granted = scopes.of_contexts(scopes.meet(asked, client.scope), "patient", "user")
    if not given.get("launch"):
        # Only what is open when somebody starts the app says which encounter is meant.
        granted = scopes.without(granted, ["launch", "launch/encounter"])
    if not granted:
        raise OAuthRefusal("invalid_scope", "The app may have none of these scopes.")
    return granted


def fresh_enough(
    asked: Asked, authentication: Authentication | None, *, now_seconds: int, asked_seconds: int
) -> bool:
    """Whether a sign-in is as new and as strong as the request wants it."""
    if authentication is None:
        return not (asked.login or asked.multiple or asked.max_age_seconds >= 0)
    if asked.login and authentication.time_seconds < asked_seconds:
        return False
    # A sign-in since the request is new whatever max_age says: zero asks for just that.
    recent = authentication.time_seconds >= asked_seconds
    age = now_seconds - authentication.time_seconds
    young = recent or asked.max_age_seconds < 0 or age <= asked.max_age_seconds
    return young and (authentication.multiple or not asked.multiple)


def answer_url(redirect_uri: str, parameters: Mapping[str, str]) -> str:
    """A verified redirect URI with parameters added to its query."""
    joint = "&" if urlsplit(redirect_uri).query else "?"
    return redirect_uri.rstrip("?") + joint + urlencode(parameters)


def origin_of(uri: str) -> str:
    """Where an address leads, for people: ``https://app.example``, or an app's own scheme."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"


def error_url(redirect_uri: str, error: str, message: str, state: str, issuer: str) -> str:
    """Where a browser is sent with an error (RFC 6749 §4.1.2.1, RFC 9207)."""
    parameters = {"error": error, "error_description": message, "iss": issuer}
    return answer_url(redirect_uri, parameters | ({"state": state} if state else {}))
