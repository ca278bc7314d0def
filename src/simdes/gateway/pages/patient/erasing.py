"""Have my record erased everywhere: what that does, asking for it, and the receipts.

The patient's own key signs, or the wallet that keeps it; every organisation of the network destroys
its keys of the record and says so over its signature (`exchange.erasure`). Nobody here can undo it,
so the person proves who they are and types a word.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from simdes.errors import Forbidden, Invalid, NotFound, SimdesError
from simdes.exchange import consents, erasure, members
from simdes.exchange.erasure import Erasure
from simdes.gateway.pages.answering import Moved, Sent, Shown
from simdes.gateway.pages.asking import Asked, id_of
from simdes.gateway.pages.languages import mark as _
from simdes.gateway.pages.wallet import signature_of
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
    """Ask everybody who has not signed yet; first what a wallet has to sign for it."""
    tag = _own(asked, asked.field("vault", most=64))
    typed = asked.field("word", most=40).strip().casefold()
    if typed != asked.reader.text(WORD).casefold():
        return _page(asked, Invalid("Type the word as it stands there."))
    session = asked.visit.session
    if session.wallet is None:
        erasure.erase(asked.node, tag, control=session.key)
    elif erasure.ordered_by(asked.node, tag, session.wallet):
        erasure.erase(asked.node, tag)
    else:
        return _by_wallet(asked, tag, session.wallet)
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


def _by_wallet(asked: Asked, tag: bytes, wallet: bytes) -> Shown | Moved:
    if not asked.field("signature", most=140):
        return _sign(asked, tag, None)
    issued = asked.field("issued", most=15)
    try:
        order = erasure.wallet_order(
            asked.node,
            tag,
            wallet=wallet,
            issued_seconds=int(issued) if issued.isdecimal() and issued.isascii() else 0,
            signature=signature_of(asked),
        )
        erasure.erase(asked.node, tag, order=order)
    except (Forbidden, Invalid) as error:
        return _sign(asked, tag, error)
    return Moved(f"{PATH}?done=erasing")


def _sign(asked: Asked, tag: bytes, problem: SimdesError | None) -> Shown:
    """What the wallet signs, in words; its time is that of this page."""
    document = erasure.to_sign(asked.node, tag).document()
    return Shown(
        "erasure_sign.html",
        {
            "problem": problem,
            "vault": tag.hex(),
            "word": asked.reader.text(WORD),
            "document": json.dumps(document),
            "said": document["message"],
            "shown": json.dumps(document["message"], indent=1),
            "domain": document["domain"],
        },
        here=PATH,
        status=STATUS[type(problem)] if problem else 200,
        script="wallet.js",
    )


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
