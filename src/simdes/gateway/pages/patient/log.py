"""Who looked at my record, who was refused, why and when; each with a proof to keep."""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import urlencode

from simdes.exchange import logbook, members
from simdes.exchange.logbook import Logged
from simdes.gateway.pages.answering import Sent, Shown
from simdes.gateway.pages.asking import Asked, id_of
from simdes.gateway.pages.listing import narrowed
from simdes.gateway.pages.patient.own import own

PATH: Final = "/log"
PROOF: Final = "/log/proof"
ENTRIES: Final = 40
FILTERS: Final = ("", "refused", "all")
"""By others, what was refused, everything."""


def show(asked: Asked) -> Shown:
    """The trails of all organisations about this record, newest first."""
    mine, node = own(asked), asked.node
    log = logbook.read_log(node, asked.visit.session, vault=mine.vault)
    account = asked.visit.session.actor.account
    shown, told = narrowed(
        asked,
        PATH,
        log.entries[::-1],
        filters=FILTERS,
        is_wanted=lambda one, only: _is_wanted(one, only, account),
        rows=ENTRIES,
        kept=mine.kept,
    )
    named = {one.organisation for one in shown} | {one.observer for one in shown}
    named |= set(log.silent) | {one for doubt in log.doubts for one in doubt.organisations}

    return Shown(
        "log.html",
        {
            "entries": shown,
            "account": account,
            "names": {one: members.name_of(node, one) for one in named},
            "silent": sorted(log.silent),
            "doubts": log.doubts,
            "proof": lambda one: _proof_address(one, mine.kept),
            **told,
        },
    )


def proof(asked: Asked) -> Sent:
    """The proof of one entry as a file, which anybody checks with `simdes verify`."""
    mine = own(asked)
    found = logbook.read_entry(
        asked.node,
        asked.visit.session,
        vault=mine.vault,
        member=id_of(asked.asked("of", most=64)),
        entry=id_of(asked.asked("entry", most=64)),
    )
    content = json.dumps(found.proof, indent=2, ensure_ascii=False).encode()
    return Sent(content, "application/json", f"simdes-proof-{found.id.hex()[:16]}.json")


def _is_wanted(one: Logged, wanted: str, account: bytes) -> bool:
    if wanted == "refused":
        return not one.granted
    return wanted == "all" or one.account != account


def _proof_address(one: Logged, kept: dict[str, str]) -> str:
    said = {**kept, "of": one.observer.hex(), "entry": one.id.hex()}
    return f"{PROOF}?{urlencode(said)}"
