"""What the authorization server supports, for the faces to publish; and its public keys."""

from __future__ import annotations

from typing import Any, Final

from simdes.access import assertions, dpop, identity, scopes, tokens
from simdes.access.authentication import MULTIPLE_FACTORS, SINGLE_FACTOR
from simdes.exchange.anomalies import FRESH_SECONDS
from simdes.exchange.node import Node
from simdes.exchange.token_requests import GRANT_TYPES

__all__ = ["FRESH_SECONDS", "GRANT_TYPES", "MULTIPLE_FACTORS"]

ASSERTION_ALGORITHMS: Final = assertions.ALGORITHMS
DPOP_ALGORITHMS: Final = dpop.ALGORITHMS
TOKEN_ALGORITHM: Final = tokens.ALGORITHM
ACR_VALUES: Final = (SINGLE_FACTOR, MULTIPLE_FACTORS)
CLIENT_SCOPES: Final = (
    *(*scopes.IDENTITY, *scopes.LAUNCH, *scopes.LASTING),
    *("patient/*.cruds", "user/*.cruds", "system/*.cruds"),
    *("patient/*.rs", "user/*.rs", "system/*.rs", "patient/*.read", "user/*.read", "user/*.*"),
)
"""Examples of each kind; every R4 resource type may stand in place of the asterisk."""


def public_keys(node: Node) -> dict[str, Any]:
    """The JSON Web Key Set by which apps check ID tokens."""
    return identity.public_keys(node.issuer)
