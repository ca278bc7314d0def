"""Are these two records both mine? An organisation says so; nothing is joined before I accept.

What accepting opens, and to whom, is told before it is signed with the patient's own key, after a
fresh proof; where a wallet keeps that key, what it signs is shown instead. Declining closes the
question; taking an acceptance back takes no key and no fresh proof.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

from simdes.errors import Conflict, Forbidden, Invalid, SimdesError, TooLarge
from simdes.exchange import apps, members, merge_questions, merge_telling, rights
from simdes.exchange.apps import AllowedApp
from simdes.exchange.interactions.collecting import collected
from simdes.exchange.interactions.read import read
from simdes.exchange.merge_telling import Opened, Side, Told
from simdes.gateway.pages.answering import Moved, Shown
from simdes.gateway.pages.asking import Asked, id_of
from simdes.gateway.pages.record.kinds import PARTS
from simdes.gateway.pages.record.loading import sources
from simdes.gateway.pages.record.showing import Person, person
from simdes.gateway.pages.record.timeline import Line, lines, parts
from simdes.gateway.pages.wallet import signature_of
from simdes.gateway.problems import STATUS

PATH: Final = "/merges"
ANSWER: Final = "/merges/answer"
WITHDRAW: Final = "/merges/withdraw"
_EXAMPLES: Final = 5
_VERBS: Final = {"accept": merge_questions.accept, "decline": merge_questions.decline}
_DONE: Final = {"accept": "merge-accepted", "decline": "merge-declined"}


def show(asked: Asked) -> Shown:
    """What was asked, the newest first, and what came of it."""
    return Shown(
        "merges.html",
        {
            "listed": merge_telling.listed(asked.node, asked.visit.session),
            "name": members.name_of(asked.node, asked.node.organisation),
            "address": _address,
        },
    )


def show_answer(asked: Asked) -> Shown:
    """One question: both records, what would be opened and to whom."""
    return _page(asked, id_of(asked.asked("merge", most=64)), None)


def answer(asked: Asked) -> Shown | Moved:
    """Accept, signed by the patient's own key, or decline; first what a wallet has to sign."""
    id_ = id_of(asked.field("merge", most=64))
    step = asked.field("step", most=16)
    try:
        if step not in _VERBS:
            raise Invalid("Choose one of the two.")
        if step == "accept" and asked.field("understood", most=8) != "yes":
            raise Invalid("Read first what accepting opens.", advice="Then tick the box below it.")
        if asked.visit.session.wallet:
            return _by_wallet(asked, id_, step)
        _VERBS[step](asked.node, asked.visit.session, id_)
    except (Conflict, Invalid) as error:
        return _page(asked, id_, error)
    return Moved(f"{PATH}?done={_DONE[step]}")


def withdraw(asked: Asked) -> Moved:
    """Take an acceptance back while nothing was joined."""
    id_ = id_of(asked.field("merge", most=64))
    merge_questions.withdraw(asked.node, asked.visit.session, id_)
    return Moved(f"{PATH}?done=merge-withdrawn")


def _by_wallet(asked: Asked, id_: bytes, step: str) -> Shown | Moved:
    if not asked.field("signature", most=140):
        return _sign(asked, id_, step, None)
    try:
        signature = signature_of(asked)
        _VERBS[step](asked.node, asked.visit.session, id_, signature=signature)
    except (Forbidden, Invalid) as error:
        return _sign(asked, id_, step, error)
    return Moved(f"{PATH}?done={_DONE[step]}")


def _sign(asked: Asked, id_: bytes, step: str, problem: SimdesError | None) -> Shown:
    """What the wallet signs to answer, told in words member by member."""
    node, session = asked.node, asked.visit.session
    data = merge_questions.to_sign(node, session, id_, step == "accept")
    document = data.document()
    back = f"{ANSWER}?{urlencode({'merge': id_.hex()})}"
    return Shown(
        "merge_sign.html",
        {
            "problem": problem,
            "step": step,
            "merge": id_.hex(),
            "one": merge_telling.told(node, session, id_),
            "name": members.name_of(node, node.organisation),
            "document": json.dumps(document),
            "said": document["message"],
            "shown": json.dumps(document["message"], indent=1),
            "domain": document["domain"],
            "mine": f"0x{session.actor.account.hex()}",
            "nobody": f"0x{bytes(32).hex()}",
            "back": back,
        },
        here=back,
        status=STATUS[type(problem)] if problem else 200,
        script="wallet.js",
    )


def _page(asked: Asked, id_: bytes, problem: SimdesError | None) -> Shown:
    node = asked.node
    one = merge_telling.told(node, asked.visit.session, id_)
    readers = merge_telling.readers(node, one) if one.open else []
    return Shown(
        "merge.html",
        {
            "one": one,
            "problem": problem,
            "name": members.name_of(node, node.organisation),
            "persons": {each.vault: _person(asked, each) for each in (one.moved, one.kept)},
            "opened": _opened(asked, one) if one.open else [],
            "readers": readers,
            "reading": _apps(asked, one) if one.open else [],
            "names": _names(asked, readers),
            "list": PATH,
        },
        here=_address(one),
        status=STATUS[type(problem)] if problem else 200,
    )


def _apps(asked: Asked, one: Told) -> list[AllowedApp]:
    """The apps that the reader lets read in the record that goes on."""
    if not one.kept.mine:
        return []
    found = apps.allowed(asked.node, asked.visit.session)
    return [
        its
        for its in found
        if its.patient in ("", one.kept.patient) and any(w.kind == apps.SEE for w in its.wishes)
    ]


def _names(asked: Asked, readers: Sequence[Opened]) -> dict[bytes, str]:
    found = {one.given.organisation for one in readers}
    return {one: members.name_of(asked.node, one) for one in found}


def _person(asked: Asked, side: Side) -> Person | None:
    """Who a record of one's own is about; nothing of another one."""
    if not side.patient:
        return None
    found = read(asked.node, rights.ask(asked.node, asked.visit.session), "Patient", side.patient)
    [one] = sources(asked.node, [found])
    return person(one, asked.reader)


def _opened(asked: Asked, one: Told) -> list[tuple[str, int, list[Line]]]:
    """What would be brought over, by its parts, where it is the reader's own."""
    if not one.moved.patient:
        return []
    asking = rights.ask(asked.node, asked.visit.session)
    try:
        found, _ = collected(asked.node, asking, one.moved.patient)
    except TooLarge:
        return []  # how many there are stands above
    names = merge_telling.moving(asked.node, one)
    moving = [each for each in found if each.vault == one.moved.vault and each.name in names]
    by_part = parts(lines(sources(asked.node, moving), asked.reader))
    return [
        (asked.reader.text(PARTS[part]), len(its), its[:_EXAMPLES]) for part, its in by_part.items()
    ]


def _address(one: Told) -> str:
    return f"{ANSWER}?{urlencode({'merge': one.id.hex()})}"
