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
    wanted = asked.asked("only", most=16)
    wanted = wanted if wanted in FILTERS else ""
    chosen = [one for one in found if _is_wanted(one, wanted)]
    pages = max(1, -(-len(chosen) // ROWS))
    page = min(asked.page, pages) or 1
    shown = cases.look(asked.node, asking, chosen[(page - 1) * ROWS : page * ROWS])
    providers = {one.provider for one in shown}

    def address(only: str = wanted, page: int = 1) -> str:
        said = {"only": only, "page": str(page) if page > 1 else ""}
        kept = {name: one for name, one in said.items() if one}
        return f"{PATH}?{urlencode(kept)}" if kept else PATH

    return Shown(
        "insurer/inbox.html",
        {
            "rows": shown,
            "names": {one: members.name_of(asked.node, one) for one in providers},
            "state": state_of,
            "filters": FILTERS,
            "only": wanted,
            "page": page,
            "pages": pages,
            "address": address,
            "claim": claim_address,
            "now": asked.node.now_seconds(),
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
