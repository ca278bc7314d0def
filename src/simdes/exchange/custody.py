"""The custody API as the gateway sees it: signed bytes in, signed bytes out, and whether it can."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simdes import tracing
from simdes.access.custody import VERBS, Custodian, Heard, Verbs
from simdes.access.desk import Asker, Desk, Outcome
from simdes.access.messages import CountBody, ReleasedBody
from simdes.access.requests import MAX_REQUEST_BYTES
from simdes.errors import SimdesError
from simdes.exchange.following import Following


def _count(desk: Desk, asker: Asker, body: CountBody) -> Outcome:
    # Loaded where it is used: no command but this needs what a count needs.
    from simdes.exchange.research.answering import count  # noqa: PLC0415

    return count(desk, asker, body)


def _released(desk: Desk, asker: Asker, body: ReleasedBody) -> Outcome:
    from simdes.exchange.research.entered import released  # noqa: PLC0415

    return released(desk, asker, body)


_VERBS: Final[Verbs] = {
    **VERBS,
    "count": (CountBody, _count),
    "released": (ReleasedBody, _released),
}
"""Those of `access`, and research's: `count` reads records, `released` knows what tags are."""

METHODS: Final = tuple(_VERBS)
"""The verbs of ``/custody/v1``."""

_ASKS_NOBODY: Final = frozenset(("blocks", "keep", "drop"))
"""Verbs that answer from what is here. Following the chain may ask others for blocks, who must be
able to answer while somebody waits for us: else two organisations would wait for each other."""

__all__ = ["MAX_REQUEST_BYTES", "METHODS", "CustodyDesk"]


class CustodyDesk:
    """One organisation's custodian, for any face or adapter to ask. Safe for several threads."""

    def __init__(self, desk: Desk, following: Following | None = None) -> None:
        """``following`` is brought up to the head before each answer."""
        self._desk = desk
        self._following = following
        self._custodian = Custodian(desk, _VERBS)

    @property
    def desk(self) -> Desk:
        """What the custodian decides with; for the exchange alone."""
        return self._desk

    def answer(self, method: str, token: bytes, *, heard: Heard | None = None) -> bytes:
        """The signed answer to a signed question; raises one of `simdes.errors`.

        ``heard`` is told who asks (account, organisation), once that is established.
        """
        known = method if method in METHODS else "other"
        with tracing.span("custody answer", rpc_method=known):
            if self._following is not None and method not in _ASKS_NOBODY:
                self._following.catch_up()
            return self._custodian.answer(method, token, heard=heard)

    def counters(self) -> dict[str, int]:
        """How often what kind of request was turned away before it named an account."""
        return dict(self._custodian.counters)

    def decisions(self) -> dict[tuple[str, str], int]:
        """How often what was granted ((verb, "")) or refused ((verb, reason)) since the start."""
        return dict(self._custodian.decisions)

    def ready(self) -> dict[str, str]:
        """What the custodian needs and whether it is there: name to "ok" or what is wrong."""
        desk = self._desk
        return {
            "ledger": _probe(desk.contracts.ledger.head),
            "database": _probe(lambda: _touch(desk)),
            "contracts": _probe(
                lambda: desk.pins.check(desk.contracts, desk.contracts.ledger.head().hash)
            ),
        }


def _touch(desk: Desk) -> None:
    with desk.database.read() as tx:
        tx.one("SELECT 1 FROM checkpoint WHERE name = :n", n="ready")


def _probe(check: Callable[[], object]) -> str:
    try:
        check()
    except SimdesError as error:
        return error.issue
    return "ok"
