"""Claims that were disclosed to this insurer or decided here, by when they are due."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from simdes.exchange import members, rights
from simdes.exchange.claims import cases
from simdes.exchange.claims.cases import Row
from simdes.exchange.rights import Asking
from simdes.gateway.pages.answering import Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.listing import narrowed
from simdes.gateway.pages.record.naming import named

PATH: Final = "/inbox"
CLAIM: Final = "/inbox/claim"
ROWS: Final = 20
FILTERS: Final = ("", "decided", "all")
OPEN: Final = ("disclosed", "received", "appealed", "asked")
"""States in which the insurer, or who was asked for more, has the next word."""


def show(asked: Asked) -> Shown:
    """What waits for a decision first."""
    asking = asking_of(asked)
    found = cases.inbox(asked.node, asking)
    chosen, told = narrowed(asked, PATH, found, filters=FILTERS, is_wanted=_is_wanted, rows=ROWS)
    shown = cases.look(asked.node, asking, chosen)
    providers = {one.provider for one in shown}
    readable = [one.vault for one in shown if one.readable]
    asking = rights.ask(asked.node, asked.visit.session)  # with what was opened for the list
    return Shown(
        "insurer/inbox.html",
        {
            "rows": shown,
            "people": named(asked, asking, readable),
            "names": {one: members.name_of(asked.node, one) for one in providers},
            "state": state_of,
            "claim": claim_address,
            "now": asked.node.now_seconds(),
            **told,
        },
    )


def asking_of(asked: Asked) -> Asking:
    """The clerk, with what they may do now."""
    asked.node.following.catch_up()
    return rights.ask(asked.node, asked.visit.session)


def state_of(one: Row) -> str:
    """How a claim stands, as `wording` names it."""
    return one.state.name.lower()


def claim_address(claim: bytes, **more: str) -> str:
    """Where a claim is looked at."""
    return f"{CLAIM}?{urlencode({'claim': claim.hex()} | more)}"


def _is_wanted(one: Row, wanted: str) -> bool:
    waits = state_of(one) in OPEN
    return wanted == "all" or waits is (wanted == "")
