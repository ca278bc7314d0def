"""The claims of an access token (RFC 9068), and what is remembered of tokens that held."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, UnsetType

from simdes.access.accounts import require_active
from simdes.ledger.accounts import Standing
from simdes.ledger.contracts import Contracts


class Bound(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ``cnf`` claim: the thumbprint (RFC 7638) of the key that must sign each request."""

    jkt: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_-]{43}$")]


class Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The claims of an access token; those without a default are required."""

    iss: str
    aud: str
    sub: str
    client_id: str
    iat: int
    exp: int
    jti: str
    scope: str
    org: str
    role: int
    auth_time: int | UnsetType = UNSET
    amr: tuple[str, ...] | UnsetType = UNSET
    acr: str | UnsetType = UNSET
    patient: str | UnsetType = UNSET
    encounter: str | UnsetType = UNSET
    fhirUser: str | UnsetType = UNSET
    cnf: Bound | UnsetType = UNSET


class Remembered:
    """What was found out about tokens and accounts a moment ago. Safe for several threads.

    A signature that held once holds for good, so verified claims are kept by the token's bytes; an
    account's standing is kept until the ledger has another head. Neither says that a token is valid
    now: its times and its session are looked at every time.
    """

    _MOST: Final = 10_000

    def __init__(self, head: Callable[[], bytes] | None = None) -> None:
        """``head`` gives the hash of the ledger's head; without it the ledger is asked."""
        self._asked = head
        self._lock = threading.Lock()
        self._claims: dict[str, Claims] = {}
        self._standings: dict[bytes, Standing] = {}
        self._head = b""

    def claims(self, token: str) -> Claims | None:
        """The claims of a token whose signature held before."""
        return self._claims.get(token)

    def keep(self, token: str, claims: Claims) -> None:
        """Remember the claims of a token whose signature holds."""
        with self._lock:
            if len(self._claims) >= self._MOST:
                self._claims.clear()
            self._claims[token] = claims

    def active(self, contracts: Contracts, address: bytes) -> Standing:
        """As `require_active`, at the ledger's present head."""
        head = contracts.ledger.head().hash if self._asked is None else self._asked()
        with self._lock:
            if head != self._head:
                self._standings, self._head = {}, head
            known = self._standings.get(address)
        if known is None:
            known = require_active(contracts, address)
            with self._lock:
                if self._head == head:
                    self._standings[address] = known
        return known
