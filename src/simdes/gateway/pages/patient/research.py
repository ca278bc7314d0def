"""Research: what I take part in, what was released, joining a study, standing by, leaving.

Where a wallet keeps the patient's key it signs the consent, or its end; the numbers that say on the
ledger who takes part are this organisation's to send, made of what was signed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from simdes.errors import Conflict, Invalid, NotFound, SimdesError
from simdes.exchange import members, previewing, wallets
from simdes.exchange.meanings import AREA, STUDY
from simdes.exchange.members import Member
from simdes.exchange.node import Node
from simdes.exchange.research import documents, studies, taking_part
from simdes.exchange.research.studies import Stands
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked, id_of
from simdes.gateway.pages.patient import signing
from simdes.gateway.pages.patient.own import Own, own
from simdes.gateway.problems import STATUS

PATH: Final = "/research"
JOIN: Final = "/research/join"
PREFER: Final = "/research/prefer"
LEAVE: Final = "/research/leave"
SIGN: Final = "/research/sign"
_AT: Final = signing.At(SIGN, PATH)
_UNENTERED: Final = bytes(32)
MOST_DOCUMENT: Final = 40_000
MOST_LISTED: Final = 40
"""Studies to take part in that are listed, the newest."""
_MOST_AREA: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """What a form says so far of standing by for studies."""

    sponsor: str = ""
    area: str = ""
    categories: tuple[str, ...] = ()


def show(asked: Asked) -> Shown:
    """What the patient takes part in, what they stand by for, what they left."""
    mine, node = own(asked), asked.node
    found = [
        one for one in reversed(taking_part.listed(node, mine.vault)) if one.group != _UNENTERED
    ]
    every = {one.id: one for one in studies.listed(node)}
    taken = {one.group for one in found if not one.withdrawn}
    now_seconds = node.now_seconds()
    to_join = [
        one
        for one in reversed(every.values())
        if one.id not in taken and one.study.ends > now_seconds
    ][:MOST_LISTED]
    return Shown(
        "research.html",
        {
            "going": [one for one in found if not one.withdrawn],
            "left": [one for one in found if one.withdrawn],
            "studies": every,
            "to_join": to_join,
            "documents": documents.known(
                node, {one.group for one in found} | {one.id for one in to_join}
            ),
            "names": {
                one: members.name_of(node, one)
                for one in {each.sponsor for each in found}
                | {each.study.sponsor for each in to_join}
            },
            "kept": mine.kept,
        },
    )


def show_join(asked: Asked) -> Shown:
    """What a study's description says that is known here, by its id; else where it is put in."""
    if not asked.asked("study"):
        return _join(asked, "", None)
    named = id_of(asked.asked("study"))
    found = documents.known(asked.node, [named]).get(named)
    if found is None:
        return _join(asked, "", NotFound("The study's document is not known here."))
    return _described(asked, msgspec.json.encode(found).decode(), studies.stands(asked.node, found))


def join(asked: Asked) -> Shown | Moved:
    """From the description to what it says, and from there to taking part."""
    mine, text = own(asked), asked.field("document", most=MOST_DOCUMENT)
    try:
        document = studies.read_document(text.encode())
        stands = studies.stands(asked.node, document)
        if asked.field("step") == "join":
            documents.keep(asked.node, document)
            if asked.visit.session.wallet:
                return _join_by_wallet(asked, mine, stands)
            taking_part.opt_in(asked.node, asked.visit.session, document, vault=mine.vault)
            return Moved(mine.address(PATH, done="takes-part"))
    except (Invalid, NotFound, Conflict) as error:
        return _join(asked, text, error)
    return _described(asked, text, stands)


def _join_by_wallet(asked: Asked, mine: Own, stands: Stands) -> Shown | Moved:
    """What the wallet signs to take part; nothing more where it signed that before."""
    node = asked.node
    what = taking_part.to_opt_in(node, asked.visit.session, stands.document, vault=mine.vault)
    wanted = stands.document.categories
    signed = taking_part.unentered(node, mine.vault, stands.id, wanted)
    if signed is not None:
        taking_part.enter(node, signed, stands.id)
        return Moved(mine.address(PATH, done="takes-part"))
    request = wallets.grant(node, mine.asking, (STUDY, stands.id.hex()), **what)
    return signing.ask(asked, mine, request, {}, at=_AT)


def _described(asked: Asked, text: str, stands: Stands) -> Shown:
    return Shown(
        "research_study.html",
        {
            "document": stands.document,
            "text": text,
            "running": stands.running,
            "sponsor": members.name_of(asked.node, stands.sponsor),
            "kept": own(asked).kept,
        },
        here=JOIN,
    )


def show_prefer(asked: Asked) -> Shown:
    """The form to stand by for studies of an area."""
    return _prefer(asked, Preference(), None)


def prefer(asked: Asked) -> Shown | Moved:
    """Stand by."""
    mine = own(asked)
    wanted = Preference(
        sponsor=asked.field("sponsor", most=66),
        area=asked.field("area", most=400).strip(),
        categories=tuple(one for one in previewing.CATEGORIES if one in asked.chosen("category")),
    )
    try:
        sponsor = _sponsor(asked.node, wanted)
        what: dict[str, Any] = {
            "vault": mine.vault,
            "sponsor": sponsor.id,
            "area": wanted.area,
            "categories": wanted.categories,
        }
        if asked.visit.session.wallet:
            return _prefer_by_wallet(asked, mine, sponsor.id, wanted, what)
        taking_part.prefer(asked.node, asked.visit.session, **what)
    except (Invalid, NotFound) as error:
        return _prefer(asked, wanted, error)
    return Moved(mine.address(PATH, done="stands-by"))


def _prefer_by_wallet(
    asked: Asked, mine: Own, sponsor: bytes, wanted: Preference, what: dict[str, Any]
) -> Shown | Moved:
    """What the wallet signs to stand by; nothing more where it signed that before."""
    node = asked.node
    granted = taking_part.to_prefer(node, asked.visit.session, **what)
    group = taking_part.group_of(node, sponsor, wanted.area)
    signed = taking_part.unentered(node, mine.vault, group, wanted.categories)
    if signed is not None:
        taking_part.stand_by(node, signed, sponsor, wanted.area)
        return Moved(mine.address(PATH, done="stands-by"))
    request = wallets.grant(node, mine.asking, (AREA, wanted.area), **granted)
    return signing.ask(asked, mine, request, {}, at=_AT)


def leave(asked: Asked) -> Shown | Moved:
    """Leave a study or a preference, for ever."""
    mine = own(asked)
    named, session = id_of(asked.field("study", most=64)), asked.visit.session
    if session.wallet:
        return _leave_by_wallet(asked, mine, named)
    taking_part.withdraw(asked.node, session, vault=mine.vault, study=named)
    return Moved(mine.address(PATH, done="left-study"))


def _leave_by_wallet(asked: Asked, mine: Own, study: bytes) -> Shown | Moved:
    """What the wallet has to end first; then what leaves without a key."""
    node, session = asked.node, asked.visit.session
    left = taking_part.to_revoke(node, session, vault=mine.vault, study=study)
    if left:
        request = wallets.revoke(node, vault=mine.vault, handle=left[0])
        return signing.ask(asked, mine, request, {"study": study.hex()}, at=_AT)
    if not taking_part.leave(node, session, vault=mine.vault, study=study):
        raise NotFound("You take no part in this study.")
    return Moved(mine.address(PATH, done="left-study"))


def sign(asked: Asked) -> Shown | Moved:
    """Relay what the wallet signed to take part, or stand by; or to leave what the form names."""
    mine, node, named = own(asked), asked.node, asked.field("study", most=64)
    request = signing.read(asked, mine)
    if named:
        return _leave_on(asked, mine, request, id_of(named))
    if request.meaning is None or request.meaning.kind not in (STUDY, AREA):
        raise NotFound("There is nothing like that.")
    if failed := signing.relay(asked, mine, request, {}, at=_AT):
        return failed
    return Moved(mine.address(PATH, done=_entered(node, request)))


def _leave_on(asked: Asked, mine: Own, request: wallets.Request, study: bytes) -> Shown | Moved:
    """Relay the end of a consent that stands in the way, and go on leaving. One that never came
    among those who take part is found by its study alone."""
    session, handle = asked.visit.session, request.message.get("handle")
    left = taking_part.to_revoke(asked.node, session, vault=mine.vault, study=study)
    if handle not in left:
        raise NotFound("There is nothing like that.")
    kept = {"study": study.hex()}
    return signing.relay(asked, mine, request, kept, at=_AT) or _leave_by_wallet(asked, mine, study)


def _entered(node: Node, request: wallets.Request) -> str:
    """Put the tag of what was signed among those who take part, or stand by; what it is called."""
    granted, meaning = request.drafted, request.meaning
    if granted is not None and meaning is not None and meaning.kind == STUDY:
        taking_part.enter(node, granted, id_of(meaning.named[1]))
        return "takes-part"
    if granted is not None and meaning is not None and meaning.kind == AREA:
        taking_part.stand_by(node, granted, granted.terms.grantee, meaning.named[1])
        return "stands-by"
    raise NotFound("There is nothing like that.")


def _sponsor(node: Node, wanted: Preference) -> Member:
    if not wanted.categories:
        raise Invalid("Nothing is chosen yet.", advice="Tick at least one kind of record.")
    if not 0 < len(wanted.area) <= _MOST_AREA:
        raise Invalid("Name the area of research.", advice="As the sponsor names it.")
    for one in _sponsors(node):
        if wanted.sponsor == f"0x{one.id.hex()}":
            return one
    raise Invalid("Choose an organisation.", advice="Pick one from the list.")


def _sponsors(node: Node) -> list[Member]:
    known = [one for one in members.listed(node) if one.state == "verified" and one.name]
    return sorted(known, key=lambda one: (one.kind != "research", one.name.casefold()))


def _join(asked: Asked, text: str, problem: SimdesError | None) -> Shown:
    return Shown(
        "research_join.html",
        {"problem": problem, "text": text, "kept": own(asked).kept},
        here=JOIN,
        status=STATUS[type(problem)] if problem else 200,
    )


def _prefer(asked: Asked, wanted: Preference, problem: SimdesError | None) -> Shown:
    return Shown(
        "research_prefer.html",
        {
            "problem": problem,
            "wanted": wanted,
            "sponsors": _sponsors(asked.node),
            "categories": previewing.CATEGORIES,
            "kept": own(asked).kept,
        },
        here=PREFER,
        status=STATUS[type(problem)] if problem else 200,
    )
