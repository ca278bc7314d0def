"""An app asks, a person answers (SMART App Launch, RFC 6749 section 4.1): the page between.

It says which app asks, where the answer goes, and in plain words what it wants; everything can be
left out, and saying no is as easy as saying yes.
"""

from __future__ import annotations

from urllib.parse import urlencode

from simdes.errors import Forbidden, Invalid, NotFound, SimdesError
from simdes.exchange import apps, authorization
from simdes.exchange.apps import Candidate
from simdes.exchange.authorization import Description
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked
from simdes.gateway.pages.sign_in import CONFIRM
from simdes.gateway.problems import STATUS

PATH = "/authorize"
_MAX_REQUEST = 128


def show(asked: Asked) -> Shown | Moved:
    """The question. Who has to sign in anew for this app is asked to first."""
    request = asked.asked("request")[:_MAX_REQUEST]
    visit = asked.visit
    description = authorization.describe(asked.node, request, visit.session)
    if not description.sign_in_again:
        return _page(asked, request, description, None)
    if description.two_factors and "passphrase" in visit.wanted:
        raise Forbidden(
            "This app asks for a second factor, and your account has none.",
            advice="Add a passkey or one-time codes on your account page, and start the app again.",
        )
    return Moved(f"{CONFIRM}?{urlencode({'next': _address(request)})}")


def answer(asked: Asked) -> Shown | Moved:
    """The answer: the browser goes back to the app with it."""
    request = asked.field("request", most=_MAX_REQUEST)
    if asked.field("answer") != "allow":
        return Moved(authorization.refuse(asked.node, request))
    session = asked.visit.session
    description = authorization.describe(asked.node, request, session)
    granted = apps.narrowed(
        description.scopes, asked.chosen("wish"), lasting=bool(asked.field("lasting"))
    )
    try:
        patient = _patient(asked, description)
        vault = patient.vault if patient else None
        return Moved(authorization.approve(asked.node, request, session, granted, vault))
    except (Invalid, NotFound, Forbidden) as error:
        return _page(asked, request, description, error)


def revoke(asked: Asked) -> Moved:
    """Take back what an app was allowed."""
    try:
        grant = bytes.fromhex(asked.field("app", most=64))
    except ValueError:
        raise NotFound("There is nothing like that.") from None
    authorization.end_grant(asked.node, asked.visit.session, grant)
    return Moved("/account?done=app")


def _address(request: str) -> str:
    return f"{PATH}?{urlencode({'request': request})}"


def _patient(asked: Asked, description: Description) -> Candidate | None:
    if not description.choose_patient:
        return None
    session, named = asked.visit.session, asked.field("patient", most=256)
    own = apps.candidates(asked.node, session)
    found = next((one for one in own if one.vault.hex() == named), None)
    if found is None and named and not own:
        return apps.find_patient(asked.node, session, named)
    return found


def _page(
    asked: Asked, request: str, description: Description, problem: SimdesError | None
) -> Shown:
    wanted = apps.wishes(description.scopes)
    answered = asked.method == "POST"
    return Shown(
        "authorize.html",
        {
            "problem": problem,
            "request": request,
            "description": description,
            "groups": [
                (kind, [one for one in wanted if one.kind == kind])
                for kind in (apps.SEE, apps.CHANGE)
            ],
            "kept": set(asked.chosen("wish")) if answered else {one.key for one in wanted},
            "lasting": bool(asked.field("lasting")) if answered else True,
            "candidates": apps.candidates(asked.node, asked.visit.session),
            "patient": asked.field("patient", most=256),
        },
        here=_address(request),
        status=STATUS[type(problem)] if problem else 200,
        leads_to=(description.origin,),
    )
