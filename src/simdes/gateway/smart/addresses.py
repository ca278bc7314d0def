"""Where the authorization server's routes are, below the organisation's base URL."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from simdes.exchange.client_proofs import INTROSPECT_PATH, REVOKE_PATH, TOKEN_PATH

__all__ = ["INTROSPECT_PATH", "REVOKE_PATH", "TOKEN_PATH"]

FHIR: Final = "/fhir"
AUTHORIZE_PATH: Final = "/auth/authorize"
JWKS_PATH: Final = "/auth/jwks"
LAUNCH_PATH: Final = "/auth/launch"
SMART_PATHS: Final = (
    f"{FHIR}/.well-known/smart-configuration",
    "/.well-known/smart-configuration",
)
OPENID_PATH: Final = "/.well-known/openid-configuration"
METADATA_PATH: Final = "/.well-known/oauth-authorization-server"
APPROVAL_PAGE: Final = "/authorize"
"""The page that asks the person; it takes the request's id as ``request``."""


def approval_page(request_id: str) -> str:
    """The address of the page that asks about one request."""
    return f"{APPROVAL_PAGE}?{urlencode({'request': request_id})}"
