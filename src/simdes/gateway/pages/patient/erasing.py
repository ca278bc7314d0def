"""Have my record erased everywhere: what that does, asking for it, and the receipts.

The patient's own key signs; every organisation of the network destroys its keys of the record and
says so over its signature (`exchange.erasure`). Nobody here can undo it, so the person proves who
they are and types a word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simdes.errors import Invalid, NotFound, SimdesError
from simdes.exchange import consents, erasure, members
from simdes.exchange.erasure import Erasure
from simdes.gateway.pages.answering import Moved, Sent, Shown
from simdes.gateway.pages.asking import Asked, id_of
from simdes.gateway.pages.languages import mark as _
from simdes.gateway.problems import STATUS

PATH: Final = "/erasure"
RECEIPT: Final = "/erasure/receipt"
WORD: Final = _("ERASE")
"""What has to be typed, in the reader's language."""


@dataclass(frozen=True, slots=True)
class Vault:
    """A vault and how far its erasure is; ``named`` is how forms name it."""

    named: str
    state: Erasure


def show(asked: Asked) -> Shown:
    """Every vault of the patient, and what was erased of it."""
    return _page(asked, None)


def erase(asked: Asked) -> Shown | Moved:
    """Ask everybody who has not signed yet."""
    tag = _own(asked, asked.field("vault", most=64))
    typed = asked.field("word", most=40).strip().casefold()
    if typed != asked.reader.text(WORD).casefold():
        return _page(asked, Invalid("Type the word as it stands there."))
    erasure.erase(asked.node, tag, control=asked.visit.session.key)
    return Moved(f"{PATH}?done=erasing")


def receipt(asked: Asked) -> Sent:
    """What one organisation signed, as a file."""
    tag = _own(asked, asked.asked("vault", most=64))
    named = id_of(asked.asked("of", most=64))
    for one in erasure.look(asked.node, tag).receipts:
        if one.organisation == named:
            return Sent(one.token, "application/jose", f"erasure-{named.hex()[:16]}.jws")
    raise NotFound("There is nothing like that.")


def _own(asked: Asked, named: str) -> bytes:
    tag = id_of(named)
    if tag not in consents.vaults_of(asked.node, asked.visit.session):
        raise NotFound("There is nothing like that.")
    return tag


def _page(asked: Asked, problem: SimdesError | None) -> Shown:
    tags = consents.vaults_of(asked.node, asked.visit.session)
    vaults = [Vault(one.hex(), erasure.look(asked.node, one)) for one in tags]
    named = {one.organisation for each in vaults for one in each.state.receipts}
    named |= {one for each in vaults for one in each.state.waiting}
    return Shown(
        "erasure.html",
        {
            "vaults": vaults,
            "names": {one: members.name_of(asked.node, one) for one in named},
            "word": WORD,
            "problem": problem,
        },
        here=PATH,
        status=STATUS[type(problem)] if problem else 200,
    )
