"""Every page's address, method and who may ask for it, as one table of routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

import anyio
from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ExceptionHandler

from simdes.budget import briefly
from simdes.errors import Forbidden, NotFound, SimdesError, TooLarge
from simdes.exchange import credentials
from simdes.exchange.anomalies import SecondFactorNeeded
from simdes.exchange.credentials import Half, Visit
from simdes.exchange.node import Node
from simdes.exchange.signin import needs_wallet
from simdes.gateway.pages import (
    account,
    applications,
    first,
    lost,
    mail,
    sign_in,
    start,
    static_files,
    trouble,
    wallet,
    wallet_sign_in,
    wards,
)
from simdes.gateway.pages.answering import Moved, Shown, respond
from simdes.gateway.pages.asking import (
    SESSION,
    START,
    Asked,
    address_of,
    cookie_name,
    read_form,
    read_request,
    require_own_form,
)
from simdes.gateway.pages.insurer.places import INSURER_PLACES
from simdes.gateway.pages.office.places import OFFICE_PLACES
from simdes.gateway.pages.patient import owning, whose
from simdes.gateway.pages.patient.own import WhoseNeeded
from simdes.gateway.pages.patient.places import PATIENT_PLACES
from simdes.gateway.pages.place import Needs, Place
from simdes.gateway.pages.staff.places import STAFF_PLACES
from simdes.gateway.pages.study.places import STUDY_PLACES
from simdes.gateway.smart.rates import RateLimit

_FOR_PROGRAMS: Final = ("/fhir", "/custody", "/auth", "/shl", "/static", "/.well-known", "/facade")

_TOO_OFTEN: Final = TooLarge("There were too many requests.", advice="Wait a minute and try again.")
_NOWHERE: Final = NotFound("There is nothing at this address.", advice="Check the address.")

AT_ONCE: Final = 8
"""Pages answered at the same time; a sign-in takes 64 MiB while it judges a passphrase."""


PLACES: Final = (
    Place("/", "GET", lambda _: Moved(START), Needs.NOBODY),
    Place(START, "GET", start.show, Needs.SIGNED_IN),
    Place("/sign-in", "GET", sign_in.show, Needs.NOBODY),
    Place("/sign-in", "POST", sign_in.sign_in, Needs.NOBODY),
    Place("/sign-in/passkey", "POST", sign_in.passkey, Needs.NOBODY),
    Place("/sign-in/second", "GET", sign_in.show_second, Needs.NOBODY),
    Place("/sign-in/second", "POST", sign_in.second, Needs.NOBODY),
    Place("/sign-in/confirm", "GET", sign_in.show_confirm, Needs.SIGNED_IN),
    Place("/sign-in/confirm", "POST", sign_in.confirm, Needs.SIGNED_IN),
    Place(wallet_sign_in.PATH, "GET", wallet_sign_in.show, Needs.NOBODY),
    Place(
        wallet_sign_in.PATH,
        "POST",
        wallet_sign_in.act,
        Needs.NOBODY,
        per_minute=wallet_sign_in.PER_MINUTE,
    ),
    Place(lost.PATH, "GET", lost.show, Needs.NOBODY),
    Place(lost.PATH, "POST", lost.begin, Needs.NOBODY),
    # Who has the wallet signs; whoever relays can change nothing.
    Place(wallet.PATH, "GET", wallet.show, Needs.NOBODY),
    Place(wallet.PATH, "POST", wallet.act, Needs.NOBODY, per_minute=wallet.PER_MINUTE),
    Place(owning.STOP, "POST", owning.stop, Needs.NOBODY, per_minute=wallet.PER_MINUTE),
    Place(first.PATH, "GET", first.show, Needs.NOBODY),
    Place(first.PATH, "POST", first.accept, Needs.NOBODY),
    Place("/sign-out", "POST", sign_in.sign_out, Needs.NOBODY),
    Place("/language", "POST", sign_in.language, Needs.NOBODY),
    Place("/account", "GET", account.show, Needs.SIGNED_IN),
    Place("/account/sessions/end", "POST", account.end_session, Needs.SIGNED_IN),
    Place("/account/passkeys/new", "GET", account.show_new_passkey, Needs.RECENT, signs=True),
    Place("/account/passkeys/new", "POST", account.new_passkey, Needs.RECENT, signs=True),
    Place("/account/passkeys/rename", "POST", account.rename_passkey, Needs.SIGNED_IN, signs=True),
    Place("/account/passkeys/remove", "POST", account.remove_passkey, Needs.RECENT, signs=True),
    Place("/account/codes", "GET", account.show_codes, Needs.RECENT, signs=True),
    Place("/account/codes", "POST", account.confirm_codes, Needs.RECENT, signs=True),
    Place("/account/codes/begin", "POST", account.begin_codes, Needs.RECENT, signs=True),
    Place("/account/codes/end", "POST", account.end_codes, Needs.RECENT, signs=True),
    Place("/account/recovery", "POST", account.renew_recovery, Needs.RECENT, signs=True),
    Place("/account/passphrase", "GET", account.show_passphrase, Needs.RECENT, signs=True),
    Place("/account/passphrase", "POST", account.change_passphrase, Needs.RECENT, signs=True),
    Place(mail.PATH, "GET", mail.show, Needs.SIGNED_IN),
    Place(mail.NEW, "GET", mail.show_new, Needs.RECENT),
    Place(mail.NEW, "POST", mail.give, Needs.RECENT),
    Place(mail.CODE, "GET", mail.show_code, Needs.RECENT),
    Place(mail.CODE, "POST", mail.confirm, Needs.RECENT),
    Place("/account/mail/choose", "POST", mail.choose, Needs.SIGNED_IN),
    Place("/account/mail/remove", "POST", mail.remove, Needs.RECENT),
    Place(mail.STOP, "GET", mail.show_stop, Needs.NOBODY),
    Place(mail.STOP, "POST", mail.stop, Needs.NOBODY, signed=True),
    Place("/account/apps/revoke", "POST", applications.revoke, Needs.SIGNED_IN),
    Place(applications.PATH, "GET", applications.show, Needs.SIGNED_IN, signs=True),
    Place(applications.PATH, "POST", applications.answer, Needs.SIGNED_IN, signs=True),
    Place(wards.PATH, "GET", wards.show, Needs.SIGNED_IN),
    Place(wards.VOUCH, "GET", wards.show_vouch, Needs.RECENT, signs=True),
    Place(wards.VOUCH, "POST", wards.vouch, Needs.RECENT, signs=True),
    Place(wards.FREEZE, "GET", wards.show_freeze, Needs.RECENT, signs=True),
    Place(wards.FREEZE, "POST", wards.freeze, Needs.RECENT, signs=True),
    *PATIENT_PLACES,
    *STAFF_PLACES,
    *OFFICE_PLACES,
    *INSURER_PLACES,
    *STUDY_PLACES,
)

_SHOWN: Final = frozenset(one.path for one in PLACES if one.method == "GET")


def page_routes(node: Node) -> list[Route]:
    """One route for each page, and the static files."""
    limiter = anyio.CapacityLimiter(AT_ONCE)
    return [
        *(Route(one.path, _endpoint(node, one, limiter), methods=[one.method]) for one in PLACES),
        Route(f"{static_files.PREFIX}/{{name}}", static_files.serve, methods=["GET"]),
    ]


def trouble_page(node: Node) -> Callable[[Request, SimdesError], Response]:
    """Shows a person an error of a route that is no page of ours."""

    def show(request: Request, error: SimdesError) -> Response:
        try:
            asked = read_request(node, request, {})
        except SimdesError:
            asked = read_request(node, _anonymous(node, request), {})
        return respond(asked, trouble.page(asked, error))

    return show


def missing_page(node: Node, otherwise: ExceptionHandler) -> ExceptionHandler:
    """The answer to a wrong address: a page for people who look for one, else what it was."""
    page = trouble_page(node)

    def show(request: Request, error: Exception) -> Response | Awaitable[Response]:
        missing = isinstance(error, HTTPException) and error.status_code == 404
        person = "text/html" in request.headers.get("accept", "")
        if not (missing and person) or request.url.path.startswith(_FOR_PROGRAMS):
            return otherwise(request, error)  # type: ignore[arg-type, return-value]
        return page(request, _NOWHERE)

    return show


def _endpoint(
    node: Node, place: Place, limiter: anyio.CapacityLimiter
) -> Callable[[Request], Awaitable[Response]]:
    rate = RateLimit(place.per_minute)

    async def endpoint(request: Request) -> Response:
        problem: SimdesError | None = None
        form: dict[str, list[str]] = {}
        if place.per_minute and not rate.passes(address_of(request)):
            problem = _TOO_OFTEN
        elif place.method == "POST" and not place.signed:
            try:
                form = dict(await read_form(request))
            except SimdesError as error:
                problem = error
        return await to_thread.run_sync(
            briefly, _answer, node, place, request, form, problem, limiter=limiter
        )

    return endpoint


def _answer(
    node: Node,
    place: Place,
    request: Request,
    form: dict[str, list[str]],
    problem: SimdesError | None,
) -> Response:
    try:
        asked = read_request(node, request, form)
    except SimdesError as error:
        # The session's account may not act any more, or the query is no text: as if nobody asked.
        asked = read_request(node, _anonymous(node, request), {})
        return respond(asked, replace(trouble.page(asked, error), cookies={SESSION: ""}))
    try:
        if problem is not None:
            raise problem
        if place.method == "POST" and not place.signed:
            require_own_form(asked, request)
        return respond(asked, _elsewhere(asked, place) or place.page(asked))
    except SecondFactorNeeded as error:
        return respond(asked, _second_factor(asked, place, error))
    except SimdesError as error:
        if isinstance(error, WhoseNeeded) and place.method == "GET":
            return respond(asked, Moved(whose.PATH + _and_back(asked, place)))
        return respond(asked, trouble.page(asked, error))
    except Exception as error:
        return respond(asked, trouble.page(asked, trouble.unexpected(place.path, error)))


def _elsewhere(asked: Asked, place: Place) -> Moved | None:
    """Where a person goes first who has something to prove; back to where they were after it."""
    if place.needs is Needs.NOBODY:
        return None
    then = _and_back(asked, place)
    if isinstance(asked.state, Half):
        return Moved(sign_in.SECOND + then)
    if not isinstance(asked.state, Visit):
        return Moved("/sign-in" + then)
    if place.roles and asked.role not in place.roles:
        raise Forbidden(
            "This page is for people in another role.", advice="Go on from your own start page."
        )
    if place.signs and asked.visit.session.wallet:
        raise needs_wallet()
    if place.needs is Needs.RECENT and not credentials.is_recent(asked.node, asked.state):
        return Moved(sign_in.CONFIRM + then)
    return None


def _and_back(asked: Asked, place: Place) -> str:
    """What leads a form for a proof back to where the person was."""
    back = asked.path if asked.method == "GET" or place.path in _SHOWN else START
    if asked.method == "GET" and asked.query:
        back += "?" + urlencode(dict(asked.query), doseq=True)
    return "?" + urlencode({"next": back})


def _second_factor(asked: Asked, place: Place, error: SecondFactorNeeded) -> Moved | Shown:
    """Show the second factor and read on; who has none is told how to get one."""
    if asked.visit.wanted != {"passphrase"}:
        return Moved(sign_in.CONFIRM + _and_back(asked, place))
    return trouble.page(
        asked,
        Forbidden(
            error.message,
            advice="Add a passkey or one-time codes on your account page, and look again.",
            reason=error.reason,
        ),
        back="/account",
    )


def _anonymous(node: Node, request: Request) -> Request:
    """The same request without its query and its session."""
    scope, session = dict(request.scope), cookie_name(node, SESSION).encode() + b"="
    scope["query_string"] = b""
    scope["headers"] = [
        (name, _without(value, session) if name == b"cookie" else value)
        for name, value in scope["headers"]
    ]
    return Request(scope)


def _without(cookies: bytes, start: bytes) -> bytes:
    return b";".join(one for one in cookies.split(b";") if not one.strip().startswith(start))
