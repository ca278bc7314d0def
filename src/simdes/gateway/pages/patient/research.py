"""Research: what I take part in, what was released, joining a study, standing by, leaving."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from simdes.errors import Conflict, Invalid, NotFound, SimdesError
from simdes.exchange import members, previewing
from simdes.exchange.members import Member
from simdes.exchange.node import Node
from simdes.exchange.research import documents, studies, taking_part
from simdes.exchange.research.studies import Stands
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked, id_of
from simdes.gateway.pages.patient.own import own
from simdes.gateway.problems import STATUS

PATH: Final = "/research"
JOIN: Final = "/research/join"
PREFER: Final = "/research/prefer"
LEAVE: Final = "/research/leave"
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
    found = list(reversed(taking_part.listed(node, mine.vault)))
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
            taking_part.opt_in(asked.node, asked.visit.session, document, vault=mine.vault)
            documents.keep(asked.node, document)
            return Moved(f"{PATH}?done=takes-part")
    except (Invalid, NotFound, Conflict) as error:
        return _join(asked, text, error)
    return _described(asked, text, stands)


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
        taking_part.prefer(
            asked.node,
            asked.visit.session,
            vault=mine.vault,
            sponsor=sponsor.id,
            area=wanted.area,
            categories=wanted.categories,
        )
    except (Invalid, NotFound) as error:
        return _prefer(asked, wanted, error)
    return Moved(f"{PATH}?done=stands-by")


def leave(asked: Asked) -> Moved:
    """Leave a study or a preference, for ever."""
    mine = own(asked)
    named = id_of(asked.field("study", most=64))
    taking_part.withdraw(asked.node, asked.visit.session, vault=mine.vault, study=named)
    return Moved(f"{PATH}?done=left-study")


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
