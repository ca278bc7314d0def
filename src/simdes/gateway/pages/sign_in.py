"""Sign in, prove a second factor, prove again (step-up), sign out.

https://pages.nist.gov/800-63-4/sp800-63b.html. Each form leads on to ``next``, a local address.
"""

from __future__ import annotations

from urllib.parse import urlencode

from simdes.errors import Forbidden, SimdesError, TooLarge, Unauthenticated
from simdes.exchange import authorization, credentials
from simdes.exchange.credentials import Admitted, Half, Visit
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import DEVICE, LANGUAGE, SESSION, START, VISITOR, Asked
from simdes.gateway.pages.languages import LANGUAGES
from simdes.gateway.problems import STATUS

HOME = "/account"
SECOND = "/sign-in/second"
CONFIRM = "/sign-in/confirm"
WALLET = "/sign-in/wallet"


def show(asked: Asked) -> Shown | Moved:
    """The sign-in page; whoever is signed in already goes on."""
    if isinstance(asked.state, Visit):
        return Moved(asked.next or START)
    return _page(asked, None)


def sign_in(asked: Asked) -> Shown | Moved:
    """User name and passphrase."""
    try:
        admitted = credentials.sign_in(
            asked.node,
            asked.field("user", most=64),
            asked.field("passphrase"),
            client=asked.client,
        )
    except (Unauthenticated, TooLarge, Forbidden) as error:
        return _page(asked, error)
    return go_on(asked, admitted)


def show_second(asked: Asked) -> Shown | Moved:
    """What is still missing of a half session."""
    if isinstance(asked.state, Visit):
        return Moved(asked.next or START)
    if asked.state is None:
        return Moved(with_next("/sign-in", asked))
    return _prove(asked, asked.state, None)


def second(asked: Asked) -> Shown | Moved:
    """The missing proof: code or passphrase."""
    if not isinstance(asked.state, Half):
        return Moved(asked.next or START if asked.state else "/sign-in")
    return _proven(asked, asked.state)


def show_confirm(asked: Asked) -> Shown | Moved:
    """Ask once more who it is, for what needs a fresh proof: of whoever has a wallet, there."""
    if asked.visit.session.wallet:
        return Moved(with_next(WALLET, asked))
    return _prove(asked, asked.visit, None)


def confirm(asked: Asked) -> Shown | Moved:
    """The fresh proof: code or passphrase."""
    if asked.visit.session.wallet:
        return Moved(with_next(WALLET, asked))
    return _proven(asked, asked.visit)


def passkey(asked: Asked) -> Shown | Moved:
    """A passkey's answer: to sign in, as the second factor, or as a fresh proof."""
    try:
        admitted = credentials.show_passkey(
            asked.node,
            asked.field("answer", most=16_384),
            asked.field("prf", most=64),
            binding=asked.binding,
            client=asked.client,
            cookie=asked.cookie,
        )
    except (Unauthenticated, Forbidden) as error:
        return _page(asked, error) if asked.state is None else _prove(asked, asked.state, error)
    return go_on(asked, admitted)


def sign_out(asked: Asked) -> Moved:
    """End the session here, and what apps were allowed for as long as it lasts."""
    if isinstance(asked.state, Visit):
        authorization.end_online(asked.node, asked.state.person.account)
    credentials.sign_out(asked.node, asked.cookie)
    return Moved("/sign-in?done=signed-out", {SESSION: "", VISITOR: ""})


def language(asked: Asked) -> Moved:
    """Keep the reader's language."""
    chosen = asked.field("language", most=8)
    return Moved(asked.next or START, {LANGUAGE: chosen} if chosen in LANGUAGES else {})


def _page(asked: Asked, problem: SimdesError | None) -> Shown:
    return Shown(
        "sign_in.html",
        {
            "problem": problem,
            "options": credentials.passkey_request(asked.node, binding=asked.visitor),
            "next": asked.next,
            "user": asked.form.get("user", [""])[0][:64],
        },
        here=with_next("/sign-in", asked),
        status=STATUS[type(problem)] if problem else 200,
        script=True,
    )


def _prove(asked: Asked, state: Visit | Half, problem: SimdesError | None) -> Shown:
    options = ""
    if "passkey" in state.wanted:
        options = credentials.passkey_request(
            asked.node, binding=asked.binding, cookie=asked.cookie
        )
    return Shown(
        "prove.html",
        {
            "problem": problem,
            "options": options,
            "next": asked.next,
            "person": state.person,
            "wanted": sorted(state.wanted),
            "again": isinstance(state, Visit),
        },
        here=with_next(CONFIRM if isinstance(state, Visit) else SECOND, asked),
        status=STATUS[type(problem)] if problem else 200,
        script=True,
    )


def _proven(asked: Asked, state: Visit | Half) -> Shown | Moved:
    node, cookie = asked.node, asked.cookie
    code, passphrase = asked.field("code", most=64), asked.field("passphrase")
    try:
        if code:
            return go_on(asked, credentials.add_code(node, cookie, code))
        return go_on(
            asked, credentials.add_passphrase(node, cookie, passphrase, client=asked.client)
        )
    except (Unauthenticated, TooLarge, Forbidden) as error:
        return _prove(asked, state, error)


def go_on(asked: Asked, admitted: Admitted) -> Moved:
    """Go on with the new session; the visitor's secret from before it is void."""
    if not admitted.whole:
        return Moved(with_next(SECOND, asked), {SESSION: admitted.cookie})
    given = {SESSION: admitted.cookie, VISITOR: "", DEVICE: admitted.device}
    return Moved(asked.next or START, given)


def with_next(path: str, asked: Asked) -> str:
    """The address of a form for a proof, which leads on to where the person was going."""
    return f"{path}?{urlencode({'next': asked.next})}" if asked.next else path
