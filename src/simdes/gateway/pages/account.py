"""The account page: who I am, what I sign in with, where I am signed in."""

from __future__ import annotations

import segno

from simdes.errors import Conflict, Invalid, SimdesError, Unauthenticated
from simdes.exchange import apps, recovering, second_factors
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked, id_of
from simdes.gateway.pages.sign_in import HOME
from simdes.gateway.problems import STATUS


def show(asked: Asked) -> Shown:
    """The account page."""
    visit = asked.visit
    return Shown(
        "account.html",
        {
            "held": second_factors.held(asked.node, visit),
            "apps": apps.allowed(asked.node, visit.session),
            "role": visit.person.role.name.lower(),
            "moving": recovering.waiting_wallet(asked.node, visit.person.account),
        },
    )


def end_session(asked: Asked) -> Moved:
    """Sign out in another browser, or in all others."""
    if asked.field("session") == "others":
        second_factors.end_other_sessions(asked.node, asked.visit)
        return _done("sessions")
    second_factors.end_session(asked.node, asked.visit, id_of(asked.field("session", most=64)))
    return _done("session")


# Passkeys -------------------------------------------------------------------------------------


def show_new_passkey(asked: Asked) -> Shown:
    """The page that makes a passkey."""
    return _new_passkey(asked, None)


def new_passkey(asked: Asked) -> Shown | Moved:
    """Keep the passkey that the browser made."""
    try:
        unlocks = second_factors.add_passkey(
            asked.node,
            asked.visit,
            asked.field("answer", most=16_384),
            asked.field("prf", most=64),
            binding=asked.binding,
            label=asked.field("label", most=256),
        )
    except (Unauthenticated, Conflict, Invalid) as error:
        return _new_passkey(asked, error)
    return _done("passkey" if unlocks else "passkey-alone")


def rename_passkey(asked: Asked) -> Moved:
    """Give a passkey another name."""
    second_factors.rename_passkey(
        asked.node,
        asked.visit,
        id_of(asked.field("passkey", most=64)),
        asked.field("label", most=256),
    )
    return _done("passkey-renamed")


def remove_passkey(asked: Asked) -> Moved:
    """Forget a passkey."""
    second_factors.remove_passkey(asked.node, asked.visit, id_of(asked.field("passkey", most=64)))
    return _done("passkey-removed")


def _new_passkey(asked: Asked, problem: SimdesError | None) -> Shown:
    options = second_factors.passkey_creation(asked.node, asked.visit, binding=asked.binding)
    return Shown(
        "passkey_new.html",
        {
            "problem": problem,
            "options": options,
            "label": asked.form.get("label", [""])[0][:64],
        },
        status=STATUS[type(problem)] if problem else 200,
        script=True,
    )


# One-time codes -------------------------------------------------------------------------------


def begin_codes(asked: Asked) -> Moved:
    """Make a secret and go on to the page that shows it."""
    second_factors.begin_codes(asked.node, asked.visit)
    return Moved("/account/codes")


def show_codes(asked: Asked) -> Shown | Moved:
    """The secret as a picture and in text, until its first code came back."""
    return _codes(asked, None)


def confirm_codes(asked: Asked) -> Shown | Moved:
    """Turn codes on with the first one; the answer shows the recovery codes, once."""
    try:
        codes = second_factors.confirm_codes(asked.node, asked.visit, asked.field("code", most=16))
    except Unauthenticated as error:
        return _codes(asked, error)
    return Shown("recovery.html", {"codes": codes})


def end_codes(asked: Asked) -> Moved:
    """Turn codes off."""
    second_factors.end_codes(asked.node, asked.visit)
    return _done("codes-off")


def renew_recovery(asked: Asked) -> Shown:
    """Make new recovery codes and show them, once."""
    codes = second_factors.renew_recovery(asked.node, asked.visit)
    return Shown("recovery.html", {"codes": codes})


def _codes(asked: Asked, problem: SimdesError | None) -> Shown | Moved:
    enrolment = second_factors.waiting_codes(asked.node, asked.visit)
    if enrolment is None:
        return Moved(HOME)
    picture = segno.make(enrolment.uri, error="m").svg_data_uri(scale=4, border=2)
    return Shown(
        "codes.html",
        {"problem": problem, "enrolment": enrolment, "picture": picture},
        status=STATUS[type(problem)] if problem else 200,
    )


# Passphrase -----------------------------------------------------------------------------------


def show_passphrase(asked: Asked) -> Shown:
    """The form for another passphrase."""
    return Shown("passphrase.html", {"problem": None})


def change_passphrase(asked: Asked) -> Shown | Moved:
    """Lock the account under another passphrase."""
    try:
        if asked.field("passphrase") != asked.field("again"):
            raise Invalid("The two are not the same.", advice="Type the new passphrase twice.")
        second_factors.change_passphrase(asked.node, asked.visit, asked.field("passphrase"))
    except Invalid as error:
        return Shown("passphrase.html", {"problem": error}, status=400)
    return _done("passphrase")


def _done(what: str) -> Moved:
    return Moved(f"{HOME}?done={what}")
