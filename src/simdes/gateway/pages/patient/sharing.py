"""Who may see my record: what was granted, granting with a preview, narrowing, ending.

Granting is signed by the patient's own key, which their session unlocks, after a fresh proof of who
they are; where a wallet keeps it, what it has to sign is shown instead (`signing`). A consent's
terms stand on chain and can't be changed, so a narrower one is granted and the old one ended.
Ending needs no fresh proof: it is the safe direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from simdes.errors import Invalid, NotFound, SimdesError
from simdes.exchange import (
    access_requests,
    consents,
    emergencies,
    members,
    previewing,
    wallets,
)
from simdes.exchange.access_requests import Asked as AskedFor
from simdes.exchange.consents import Given
from simdes.exchange.members import Member
from simdes.exchange.node import Node
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked, id_of
from simdes.gateway.pages.languages import mark as _
from simdes.gateway.pages.patient import signing
from simdes.gateway.pages.patient.own import Own, own
from simdes.gateway.pages.record.kinds import PARTS
from simdes.gateway.pages.record.loading import sources
from simdes.gateway.pages.record.timeline import lines, parts
from simdes.gateway.problems import STATUS

PATH: Final = signing.BACK
NEW: Final = "/sharing/new"
END: Final = "/sharing/end"
DECLINE: Final = "/sharing/decline"
CLOSE: Final = "/sharing/close"

DAYS: Final = {1: _("one day"), 7: _("one week"), 30: _("30 days"), 90: _("three months")} | {
    365: _("one year")
}
ROLES: Final = ("", "doctor", "nurse", "pharmacist", "insurer", "researcher")
PURPOSES: Final = ("TREAT", "HPAYMT", "HOPERAT", "HRESCH")
_USUAL: Final = (
    *("demographics", "encounters", "conditions", "observations", "medications"),
    *("allergies", "immunizations", "procedures", "documents", "imaging", "care-plans"),
)
"""What a form offers first; the rest is behind "more"."""
_EXAMPLES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a form says so far. ``replaces`` is the consent that it narrows, in hex,
    ``request`` the request that it answers."""

    organisation: str = ""
    role: str = ""
    categories: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    purpose: str = "TREAT"
    days: int = 30
    replaces: str = ""
    request: str = ""


def show(asked: Asked) -> Shown:
    """What was granted, what stands first."""
    mine = own(asked)
    given = list(reversed(consents.listed(asked.node, mine.vault)))
    session = asked.visit.session
    waiting = access_requests.waiting(asked.node, session, mine.vault)
    broken = emergencies.of_vault(asked.node, session, mine.vault)
    others = {one.organisation for one in waiting} | {one.organisation for one in broken}
    return Shown(
        "sharing.html",
        {
            "waiting": waiting,
            "emergencies": broken,
            "others": {one: members.name_of(asked.node, one) for one in others},
            "standing": [one for one in given if one.state == "active"],
            "can_narrow": _can_narrow,
            "ended": [one for one in given if one.state != "active"],
            "names": _names(asked.node, given),
            "kept": mine.kept,
            "address": lambda path=PATH, **more: mine.address(path, **more),
        },
    )


def show_new(asked: Asked) -> Shown:
    """The form; with ``from`` filled in with what a consent says, to be narrowed."""
    mine = own(asked)
    named, wanted = asked.asked("from", most=64), asked.asked("request", most=64)
    choice = Choice()
    if named:
        before = _given(asked, mine, named)
        if not _can_narrow(before):
            raise NotFound("There is nothing like that.")
        choice = _of(before)
    if wanted:
        session = asked.visit.session
        choice = _answering(access_requests.get(asked.node, session, mine.vault, id_of(wanted)))
    return _form(asked, mine, choice, None)


def new(asked: Asked) -> Shown | Moved:
    """From the form to the preview, back, or on to the grant."""
    mine, choice = own(asked), _choice(asked)
    try:
        if asked.field("step") == "share":
            return _grant(asked, mine, choice)
        if asked.field("step") == "preview":
            return _preview(asked, mine, choice)
    except (Invalid, NotFound) as error:
        return _form(asked, mine, choice, error)
    return _form(asked, mine, choice, None)


def decline(asked: Asked) -> Moved:
    """Say no to somebody who asks; they are not told."""
    mine = own(asked)
    named = id_of(asked.field("request", most=64))
    access_requests.decline(asked.node, asked.visit.session, mine.vault, named)
    return Moved(mine.address(PATH, done="declined"))


def close(asked: Asked) -> Shown | Moved:
    """End an emergency at once, for every record that was not opened yet."""
    mine, session = own(asked), asked.visit.session
    named = id_of(asked.field("emergency", most=64))
    broken = emergencies.of_vault(asked.node, session, mine.vault)
    if named not in {one.handle for one in broken}:
        raise NotFound("There is nothing like that.")
    return _revoke(asked, mine, named, done="ended")


def show_end(asked: Asked) -> Shown:
    """The question before a consent, or everything, is ended."""
    mine = own(asked)
    named = asked.asked("consent", most=64)
    given = None if named == "all" else _given(asked, mine, named)
    return Shown(
        "sharing_end.html",
        {
            "given": given,
            "names": _names(asked.node, [given] if given else ()),
            "kept": mine.kept,
            "narrowed": asked.asked("narrowed", most=3) == "yes",
            "address": lambda path=PATH, **more: mine.address(path, **more),
        },
    )


def end(asked: Asked) -> Shown | Moved:
    """End a consent, or everything that was granted so far."""
    mine, session = own(asked), asked.visit.session
    named = asked.field("consent", most=64)
    if named == "all":
        if session.wallet:
            request = wallets.revoke_all(asked.node, vault=mine.vault)
            return signing.ask(asked, mine, request, {"done": "all-ended"})
        consents.revoke_all(asked.node, session, vault=mine.vault)
        return Moved(mine.address(PATH, done="all-ended"))
    given = _given(asked, mine, named)
    narrowed = asked.field("narrowed", most=3) == "yes"
    return _revoke(asked, mine, given.handle, done="narrowed" if narrowed else "ended")


def _revoke(asked: Asked, mine: Own, handle: bytes, *, done: str) -> Shown | Moved:
    if asked.visit.session.wallet:
        request = wallets.revoke(asked.node, vault=mine.vault, handle=handle)
        return signing.ask(asked, mine, request, {"done": done})
    consents.revoke(asked.node, asked.visit.session, vault=mine.vault, handle=handle)
    return Moved(mine.address(PATH, done=done))


def _grant(asked: Asked, mine: Own, choice: Choice) -> Shown | Moved:
    before = _given(asked, mine, choice.replaces) if choice.replaces else None
    session = asked.visit.session
    answers = id_of(choice.request) if choice.request else None
    if answers is not None:
        access_requests.get(asked.node, session, mine.vault, answers)
    what: dict[str, Any] = {
        "vault": mine.vault,
        "grantee": consents.whom(_member(asked.node, choice).id, choice.role),
        "categories": choice.categories,
        "labels": choice.labels,
        "purposes": [choice.purpose],
        "valid_seconds": choice.days * 86_400,
    }
    if session.wallet:
        request = wallets.grant(asked.node, **what)
        kept = {"done": "granted", "replaces": choice.replaces, "answers": choice.request}
        return signing.ask(asked, mine, request, kept)
    granted = consents.grant(asked.node, session, **what)
    if answers is not None:
        access_requests.accept(asked.node, session, mine.vault, answers, handle=granted.handle)
    if before is None:
        return Moved(mine.address(PATH, done="granted"))
    consents.revoke(asked.node, asked.visit.session, vault=mine.vault, handle=before.handle)
    return Moved(mine.address(PATH, done="narrowed"))


def _preview(asked: Asked, mine: Own, choice: Choice) -> Shown:
    _require_some(choice)
    member = _member(asked.node, choice)
    found = previewing.preview(
        asked.node,
        mine.asking,
        mine.record.patient,
        categories=choice.categories,
        labels=choice.labels,
    )
    by_part = parts(lines(sources(asked.node, found.opened), asked.reader))
    return Shown(
        "sharing_preview.html",
        {
            "choice": choice,
            "member": member,
            "kept": mine.kept,
            "days": DAYS,
            "opened": [
                (asked.reader.text(PARTS[part]), len(its), its[:_EXAMPLES])
                for part, its in by_part.items()
            ],
            "preview": found,
        },
        here=mine.address(NEW),
    )


def _form(asked: Asked, mine: Own, choice: Choice, problem: SimdesError | None) -> Shown:
    known = [one for one in members.listed(asked.node) if one.state == "verified" and one.name]
    more = [one for one in previewing.CATEGORIES if one not in _USUAL]
    return Shown(
        "sharing_new.html",
        {
            "problem": problem,
            "choice": choice,
            "members": sorted(known, key=lambda one: one.name.casefold()),
            "usual": _USUAL,
            "more": more,
            "labels": previewing.LABELS,
            "roles": ROLES,
            "purposes": PURPOSES,
            "days": DAYS,
            "kept": mine.kept,
        },
        here=mine.address(NEW),
        status=STATUS[type(problem)] if problem else 200,
    )


def _choice(asked: Asked) -> Choice:
    """What the form says; what it can't say is as if nothing was chosen."""
    days = asked.field("days", most=4)
    role, purpose = asked.field("role", most=16), asked.field("purpose", most=16)
    return Choice(
        organisation=asked.field("organisation", most=66),
        role=role if role in ROLES else "",
        categories=tuple(one for one in previewing.CATEGORIES if one in asked.chosen("category")),
        labels=tuple(one for one in previewing.LABELS if one in asked.chosen("label")),
        purpose=purpose if purpose in PURPOSES else "TREAT",
        days=int(days) if days.isdecimal() and int(days) in DAYS else 30,
        replaces=asked.field("replaces", most=64),
        request=asked.field("request", most=64),
    )


def _can_narrow(given: Given) -> bool:
    """Whether the form says all that a consent says: a new one without what it hangs on, or for
    more than its single records, would be wider."""
    return not (given.while_open or given.records or "prescriptions" in given.categories)


def _of(given: Given) -> Choice:
    """A consent as the form says it, so that it can be narrowed."""
    purpose = next((one for one in given.purposes if one in PURPOSES), "TREAT")
    return Choice(
        organisation=f"0x{given.organisation.hex()}",
        role=given.role,
        categories=given.categories,
        labels=given.labels,
        purpose=purpose,
        replaces=given.handle.hex(),
    )


def _answering(wanted: AskedFor) -> Choice:
    """A request as the form says it, for no longer than was asked."""
    return Choice(
        organisation=f"0x{wanted.organisation.hex()}",
        role=wanted.role,
        categories=wanted.categories,
        purpose=wanted.purpose if wanted.purpose in PURPOSES else "TREAT",
        days=max((one for one in DAYS if one <= wanted.days), default=1),
        request=wanted.id.hex(),
    )


def _require_some(choice: Choice) -> None:
    if not choice.categories:
        raise Invalid("Nothing is chosen yet.", advice="Tick at least one kind of record.")


def _member(node: Node, choice: Choice) -> Member:
    """The verified organisation that the form names."""
    _require_some(choice)
    for one in members.listed(node):
        if choice.organisation == f"0x{one.id.hex()}" and one.state == "verified":
            return one
    raise Invalid("Choose an organisation.", advice="Pick one from the list.")


def _given(asked: Asked, mine: Own, named: str) -> Given:
    listed = consents.listed(asked.node, mine.vault)
    found = next((one for one in listed if one.handle.hex() == named), None)
    if found is None:
        raise NotFound("There is nothing like that.")
    return found


def _names(node: Node, given: Sequence[Given]) -> dict[bytes, str]:
    return {one: members.name_of(node, one) for one in {its.organisation for its in given}}
