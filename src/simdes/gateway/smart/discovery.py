"""What this authorization server can do, in the three documents that apps look for.

SMART (http://hl7.org/fhir/smart-app-launch/conformance.html), OpenID Connect Discovery 1.0 and
RFC 8414. They are made from what is implemented and are the same for everybody.
"""

from __future__ import annotations

from typing import Any, Final

from simdes.exchange.smart import (
    ACR_VALUES,
    ASSERTION_ALGORITHMS,
    CLIENT_SCOPES,
    DPOP_ALGORITHMS,
    GRANT_TYPES,
    TOKEN_ALGORITHM,
)
from simdes.gateway.smart import addresses

CAPABILITIES: Final = (
    "launch-ehr",
    "launch-standalone",
    "authorize-post",
    "client-public",
    "client-confidential-symmetric",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-banner",
    "context-ehr-patient",
    "context-ehr-encounter",
    "context-standalone-patient",
    "permission-offline",
    "permission-online",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
)


def smart_configuration(issuer: str) -> dict[str, Any]:
    """``/.well-known/smart-configuration``."""
    return server_metadata(issuer) | {"capabilities": list(CAPABILITIES)}


def openid_configuration(issuer: str) -> dict[str, Any]:
    """``/.well-known/openid-configuration``."""
    return server_metadata(issuer) | {
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [TOKEN_ALGORITHM],
        "claims_supported": [
            *("iss", "sub", "aud", "exp", "iat", "nonce", "auth_time", "amr", "acr", "at_hash"),
            *("fhirUser", "profile"),
        ],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }


def server_metadata(issuer: str) -> dict[str, Any]:
    """What all three have in common: RFC 8414, RFC 9207 and RFC 9449."""
    proofs = ["client_secret_basic", "private_key_jwt"]
    return {
        "issuer": issuer,
        "authorization_endpoint": issuer + addresses.AUTHORIZE_PATH,
        "token_endpoint": issuer + addresses.TOKEN_PATH,
        "revocation_endpoint": issuer + addresses.REVOKE_PATH,
        "introspection_endpoint": issuer + addresses.INTROSPECT_PATH,
        "jwks_uri": issuer + addresses.JWKS_PATH,
        "grant_types_supported": list(GRANT_TYPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "scopes_supported": list(CLIENT_SCOPES),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": [*proofs, "none"],
        "token_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "revocation_endpoint_auth_methods_supported": [*proofs, "none"],
        "revocation_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "introspection_endpoint_auth_methods_supported": proofs,
        "introspection_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "dpop_signing_alg_values_supported": list(DPOP_ALGORITHMS),
        "acr_values_supported": list(ACR_VALUES),
        "authorization_response_iss_parameter_supported": True,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
    }
