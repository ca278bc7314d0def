"""My claims: what an insurer asks to see, disclosing it line by line, or always."""

from __future__ import annotations

from collections.abc import Container
from typing import Final
from urllib.parse import urlencode

from simdes.errors import Conflict, Invalid, NotFound, SimdesError
from simdes.exchange import members
from simdes.exchange.claims import disclosing
from simdes.exchange.claims.disclosing import Request
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked, id_of
from simdes.gateway.pages.patient.own import Own, own
from simdes.gateway.pages.record.loading import load
from simdes.gateway.pages.record.timeline import Line, line
from simdes.gateway.problems import STATUS

PATH: Final = "/claims"
DISCLOSE: Final = "/claims/disclose"
WITHDRAW: Final = "/claims/withdraw"
PREFER: Final = "/claims/insurer"
ENDED: Final = ("paid", "reversed")


def show(asked: Asked) -> Shown:
    """Every claim, those that wait for an answer first."""
    mine = own(asked)
    found = _requests(asked, mine)
    preferred = disclosing.preferred(asked.node, mine.asking, mine.vault)
    disclosed = disclosing.disclosed(asked.node, mine.asking, mine.vault)
    named = {one for each in found for one in (each.insurer, each.provider)}
    waiting = {one.claim for one in found if waits(one, disclosed, preferred)}
    return Shown(
        "claims.html",
        {
            "requests": sorted(found, key=lambda one: one.claim not in waiting),
            "waiting": waiting,
            "state": state_of,
            "ended": ENDED,
            "names": {one: members.name_of(asked.node, one) for one in named},
            "preferred": members.name_of(asked.node, preferred) if preferred else "",
            "kept": mine.kept,
            "address": lambda path=PATH, **more: address(mine, path, **more),
        },
    )


def show_disclose(asked: Asked) -> Shown:
    """What the insurer asks to see, each line with why; ticked is what it gets."""
    mine = own(asked)
    return _form(asked, mine, chosen(asked, mine, asked.asked("claim", most=64)), None)


def disclose(asked: Asked) -> Shown | Moved:
    """Let the insurer see the ticked lines until the claim ends."""
    mine = own(asked)
    found = chosen(asked, mine, asked.field("claim", most=64))
    ticked = asked.chosen("line")
    try:
        disclosing.disclose(
            asked.node,
            mine.asking,
            found.claim,
            but=[one.reference for one in found.lines if one.reference not in ticked],
            answers=asked.field("answers", most=4) == "yes",
        )
    except (Conflict, Invalid) as error:
        return _form(asked, mine, found, error)
    return Moved(address(mine, done="disclosed"))


def withdraw(asked: Asked) -> Moved:
    """Take back what was disclosed of a claim."""
    mine = own(asked)
    found = chosen(asked, mine, asked.field("claim", most=64))
    disclosing.withdraw(asked.node, mine.asking, found.claim)
    return Moved(address(mine, done="undisclosed"))


def show_prefer(asked: Asked) -> Shown:
    """The insurer that gets what a claim needs by itself, or none."""
    return _choice(asked, own(asked), None)


def prefer(asked: Asked) -> Shown | Moved:
    """Choose one, or none."""
    mine, named = own(asked), asked.field("insurer", most=66)
    try:
        if not named:
            raise Invalid("Choose an insurer.", advice="Pick one from the list.")
        insurer = None if named == "none" else id_of(named.removeprefix("0x"))
        disclosing.prefer(asked.node, mine.asking, mine.vault, insurer)
    except (Invalid, NotFound) as error:
        return _choice(asked, mine, error)
    done = "insurer-preferred" if insurer else "insurer-not-preferred"
    return Moved(address(mine, done=done))


def _form(asked: Asked, mine: Own, found: Request, problem: SimdesError | None) -> Shown:
    titles = _titles(asked, mine)
    ticked = asked.chosen("line") if asked.method == "POST" else None
    return Shown(
        "claim_disclose.html",
        {
            "one": found,
            "state": state_of(found),
            "insurer": members.name_of(asked.node, found.insurer),
            "insurer_id": f"0x{found.insurer.hex()}",
            "provider": members.name_of(asked.node, found.provider),
            "lines": [
                (each, titles.get(each.reference), ticked is None or each.reference in ticked)
                for each in found.lines
            ],
            "problem": problem,
            "kept": mine.kept,
            "back": address(mine),
        },
        here=address(mine, DISCLOSE, claim=found.claim.hex()),
        status=STATUS[type(problem)] if problem else 200,
    )


def _choice(asked: Asked, mine: Own, problem: SimdesError | None) -> Shown:
    preferred = disclosing.preferred(asked.node, mine.asking, mine.vault)
    listed = [one for one in members.listed(asked.node) if one.kind == "insurer"]
    return Shown(
        "claim_insurer.html",
        {
            "insurers": [one for one in listed if one.state == "verified" and one.name],
            "chosen": f"0x{preferred.hex()}" if preferred else "none",
            "problem": problem,
            "kept": mine.kept,
            "back": address(mine),
        },
        here=address(mine, PREFER),
        status=STATUS[type(problem)] if problem else 200,
    )


def _titles(asked: Asked, mine: Own) -> dict[str, Line]:
    """The lines of the patient's record by the reference of their resource."""
    found = load(asked.node, mine.asking, mine.record.patient)
    return {
        f"{one.resource['resourceType']}/{one.resource.get('id')}": line(one, asked.reader, {})
        for one in found.sources
    }


def _requests(asked: Asked, mine: Own) -> list[Request]:
    found = disclosing.requests(asked.node, mine.asking)
    return [one for one in found if one.vault == mine.vault]


def chosen(asked: Asked, mine: Own, named: str) -> Request:
    """The claim of this record that is named. NotFound for anything else."""
    found = disclosing.request(asked.node, mine.asking, id_of(named))
    if found is None or found.vault != mine.vault:
        raise NotFound("There is no such claim of yours, or its insurer asks for nothing yet.")
    return found


def waits(one: Request, disclosed: Container[bytes], preferred: bytes | None) -> bool:
    """Whether a claim waits for its patient's word: what is preferred is let by itself."""
    state = state_of(one)
    by_itself = one.insurer == preferred and state not in ("opened", "asked")
    return one.claim not in disclosed and state not in ENDED and not by_itself


def state_of(one: Request) -> str:
    """How a claim stands, as `wording` names it."""
    return one.state.name.lower()


def address(mine: Own, path: str = PATH, **more: str) -> str:
    """A page about this record."""
    said = mine.kept | more
    return f"{path}?{urlencode(said)}" if said else path
