"""What a patient's wallet signs for a page of theirs: shown, relayed, and back to where it began.

The page that decides prepares a request (`exchange.wallets`) in the place of a signature by a key
that is kept here. The form that brings the signature back says what it was for: whom it answers,
which consent it replaces, and what the page says when it is done. None of it decides anything: the
ledger takes what the wallet signed, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from simdes.errors import NotFound, SimdesError
from simdes.exchange import access_requests, wallets
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked, id_of
from simdes.gateway.pages.patient.own import Own, own
from simdes.gateway.pages.wallet import show_request, signature_of

BACK: Final = "/sharing"
PATH: Final = "/sharing/sign"
_DONE: Final = frozenset(("granted", "narrowed", "ended", "all-ended"))


def ask(
    asked: Asked,
    mine: Own,
    request: wallets.Request,
    kept: Mapping[str, str],
    problem: SimdesError | None = None,
) -> Shown:
    """Show what the wallet has to sign. ``kept``: ``done``, and of a grant ``replaces`` (a consent)
    and ``answers`` (a request for access), in hex."""
    kept = mine.kept | {name: value for name, value in kept.items() if value}
    back = address_of(mine)
    return show_request(asked, request, problem, back=back, action=PATH, kept=kept)


def send(asked: Asked) -> Shown | Moved:
    """Relay what the wallet signed; then what follows from it. What answers somebody who does not
    ask any more is not relayed."""
    mine = own(asked)
    kept = {name: asked.field(name, most=64) for name in ("done", "replaces", "answers")}
    request = wallets.read(asked.node, asked.field("request", most=wallets.MOST_BYTES))
    if request.vault != mine.vault or kept["done"] not in _DONE:
        raise NotFound("There is nothing like that.")
    session = asked.visit.session
    answers = id_of(kept["answers"]) if kept["answers"] and request.verb == wallets.GRANT else None
    if answers is not None:
        access_requests.get(asked.node, session, mine.vault, answers)
    try:
        wallets.send(asked.node, request, signature_of(asked))
    except SimdesError as error:
        return ask(asked, mine, request, kept, error)
    if answers is not None:
        handle = request.message["handle"]
        access_requests.accept(asked.node, session, mine.vault, answers, handle=handle)
    if kept["replaces"] and request.verb == wallets.GRANT:
        before = id_of(kept["replaces"]).hex()
        return Moved(address_of(mine, path=f"{BACK}/end", consent=before, narrowed="yes"))
    return Moved(address_of(mine, done=kept["done"]))


def address_of(mine: Own, *, path: str = BACK, **more: str) -> str:
    """An address of these pages, for the record that they are about."""
    said = mine.kept | more
    return f"{path}?{urlencode(said)}" if said else path
