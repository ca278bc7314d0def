"""The organisation's condition: ledger, storage, database, custodians, work, audit trails."""

from __future__ import annotations

from typing import Final

from simdes.exchange import condition
from simdes.gateway.pages.answering import Shown
from simdes.gateway.pages.asking import Asked

PATH: Final = "/health"


def show(asked: Asked) -> Shown:
    """Look at everything now."""
    return Shown(
        "office/condition.html",
        {"found": condition.look(asked.node, asked.visit.session), "now": asked.node.now_ms()},
    )
