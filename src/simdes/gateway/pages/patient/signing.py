"""What a patient's wallet signs for a page of theirs: shown, relayed, and back to where it began.

The page that decides prepares a request (`exchange.wallets`) in the place of a signature by a key
that is kept here. The form that brings the signature back says what it was for: whom it answers,
which consent it replaces, and what the page says when it is done. None of it decides anything: the
ledger takes what the wallet signed, and nothing else.

A page of another kind has a place of its own for signatures: there `read` tells the request and
`relay` sends it, and what follows is made of the request that was signed and of what stands on the
ledger by then, so that whoever stops between two signatures goes on later. Where several follow one
another, a `Way` asks for one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from simdes.errors import NotFound, SimdesError
from simdes.exchange import access_requests, consents, wallets
from simdes.exchange.consents import Given
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked, id_of
from simdes.gateway.pages.patient import meanings
from simdes.gateway.pages.patient.own import Own, own
from simdes.gateway.pages.wallet import show_request, signature_of

BACK: Final = "/sharing"
PATH: Final = "/sharing/sign"
_DONE: Final = frozenset(("granted", "narrowed", "ended", "all-ended"))


@dataclass(frozen=True, slots=True)
class At:
    """Where a wallet's signatures for some pages come in, and where those pages begin."""

    path: str
    back: str


_SHARING: Final = At(PATH, BACK)


def ask(
    asked: Asked,
    mine: Own,
    request: wallets.Request,
    kept: Mapping[str, str],
    problem: SimdesError | None = None,
    *,
    at: At = _SHARING,
) -> Shown:
    """Show what the wallet has to sign. ``kept``: ``done``, and of a grant ``replaces`` (a consent)
    and ``answers`` (a request for access), in hex; on other pages what they read themselves."""
    kept = mine.kept | {name: value for name, value in kept.items() if value}
    return show_request(
        asked,
        request,
        problem,
        back=mine.address(at.back),
        action=at.path,
        kept=kept,
        about=meanings.in_words(asked, request.meaning),
        ends=_ended(asked, request),
    )


def read(asked: Asked, mine: Own) -> wallets.Request:
    """The request that a form brings back, checked anew. NotFound where it is not of this record,
    Invalid where words can't tell all of it."""
    text = asked.field("request", most=wallets.MOST_BYTES)
    request = wallets.read(asked.node, text, asking=mine.asking)
    if request.vault != mine.vault:
        raise NotFound("There is nothing like that.")
    return request


def relay(
    asked: Asked,
    mine: Own,
    request: wallets.Request,
    kept: Mapping[str, str],
    *,
    at: At = _SHARING,
) -> Shown | None:
    """Relay what the wallet signed; the page again where that failed, None once it is on the
    ledger."""
    try:
        wallets.send(asked.node, request, signature_of(asked))
    except SimdesError as error:
        return ask(asked, mine, request, kept, error, at=at)
    return None


def send(asked: Asked) -> Shown | Moved:
    """Relay what the wallet signed; then what follows from it. What answers somebody who does not
    ask any more is not relayed."""
    mine = own(asked)
    kept = {name: asked.field(name, most=64) for name in ("done", "replaces", "answers")}
    request = read(asked, mine)
    if kept["done"] not in _DONE:
        raise NotFound("There is nothing like that.")
    session = asked.visit.session
    answers = id_of(kept["answers"]) if kept["answers"] and request.verb == wallets.GRANT else None
    if answers is not None:
        access_requests.get(asked.node, session, mine.vault, answers)
    if failed := relay(asked, mine, request, kept):
        return failed
    if answers is not None:
        handle = request.message["handle"]
        access_requests.accept(asked.node, session, mine.vault, answers, handle=handle)
    if kept["replaces"] and request.verb == wallets.GRANT:
        before = id_of(kept["replaces"]).hex()
        return Moved(mine.address(f"{BACK}/end", consent=before, narrowed="yes"))
    return Moved(mine.address(BACK, done=kept["done"]))


@dataclass(frozen=True, slots=True)
class Goal:
    """What is left to be signed on the way there, one by one, None at its end, and the address of
    the page that says so. Both take what the way is about."""

    left: Callable[[Asked, Own, str], wallets.Request | None]
    end: Callable[[Own, str], str]


@dataclass(frozen=True, slots=True)
class Way:
    """Pages of which a wallet signs several steps: ``about`` is the field that says of what, among
    ``goals`` by name."""

    at: At
    about: str
    goals: Mapping[str, Goal]

    def sign(self, asked: Asked) -> Shown | Moved:
        """Relay what the wallet signed, and go on to what is left to be signed."""
        mine = own(asked)
        goal, named = asked.field("goal", most=16), asked.field(self.about, most=64)
        if goal not in self.goals:
            raise NotFound("There is nothing like that.")
        request, kept = read(asked, mine), {"goal": goal, self.about: named}
        return relay(asked, mine, request, kept, at=self.at) or self.go_on(asked, mine, goal, named)

    def go_on(self, asked: Asked, mine: Own, goal: str, named: str = "") -> Shown | Moved:
        """Ask for the next signature, or say that it is done. What is left is read anew."""
        request = self.goals[goal].left(asked, mine, named)
        if request is None:
            return Moved(self.goals[goal].end(mine, named))
        return self.ask(asked, mine, request, goal, named)

    def ask(
        self,
        asked: Asked,
        mine: Own,
        request: wallets.Request,
        goal: str,
        named: str = "",
        *,
        first: bool = False,
    ) -> Shown:
        """Ask for a signature on the way. ``first``: it is known that another one follows."""
        kept = {"goal": goal, self.about: named, "first": "yes" if first else ""}
        return ask(asked, mine, request, kept, at=self.at)


def ending(asked: Asked, mine: Own, handles: Sequence[bytes]) -> wallets.Request | None:
    """The end of the first of these consents; None where there is none."""
    if not handles:
        return None
    return wallets.revoke(asked.node, vault=mine.vault, handle=handles[0])


def _ended(asked: Asked, request: wallets.Request) -> Given | None:
    """The consent that a request withdraws, where its terms are known here."""
    if request.verb != wallets.REVOKE:
        return None
    handle = request.message["handle"]
    known = consents.listed(asked.node, request.vault)
    return next((one for one in known if one.handle == handle), None)
