"""Ask those who wrote something in whose vault it is, since the last time (`index/whereabouts`).

So a list of claims, or a pharmacy's queue, names patients instead of looking through everybody who
let somebody look. Nobody's word opens anything: what is read is opened by the patient's consent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import structlog

from simdes.access.asking import ask
from simdes.access.custody_told import ToldBody
from simdes.access.requests import Answer
from simdes.crypto import cbor
from simdes.errors import SimdesError, Tampered
from simdes.exchange.elsewhere import Resting
from simdes.exchange.node import Node
from simdes.index import whereabouts
from simdes.index.whereabouts import Register, Told

_MOST: Final = (1 << 53) - 1
_PAGES: Final = 8
"""Of what one organisation tells in a round."""
_log = structlog.get_logger("simdes.hearing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is asked by a verb and written into a register; ``is_ours`` says whether what an
    organisation tells can be so. What can't be is not gone past, so that it can become so; where
    others may be to blame, for ``patience_seconds`` after it was told."""

    verb: str
    register: Register
    is_ours: Callable[[Node, bytes, Told], bool]
    patience_seconds: int | None = None


def collect(
    node: Node, subject: Subject, tellers: Iterable[bytes], resting: Resting | None = None
) -> int:
    """Ask each of them what is new; how much there is.

    Who does not answer, or tells what can't be so, is left alone while it is ``resting``.
    """
    count = 0
    for one in tellers:
        if resting is not None and one in resting:
            continue
        try:
            count += _collect(node, subject, one)
        except SimdesError as error:
            _log.warning(
                "not told", verb=subject.verb, issue=error.issue, kind=type(error).__name__
            )
            if resting is not None:
                resting.begin(one)
    return count


def _collect(node: Node, subject: Subject, teller: bytes) -> int:
    count = 0
    for _ in range(_PAGES):
        told, more = _page(node, subject, teller)
        count += told
        if not more:
            break
    return count


def _page(node: Node, subject: Subject, teller: bytes) -> tuple[int, bool]:
    """Hear what comes next from an organisation: how much, and whether there may be more."""
    register = subject.register
    with node.database.read() as tx:
        after = register.heard_up_to(tx, teller)
    answer = ask(node.agent_caller(), teller, subject.verb, ToldBody(after=after))
    told = _told(answer, subject.verb, after)
    past, ours = 0, []
    for one in told:
        if subject.is_ours(node, teller, one):
            ours.append(one)
        elif not _is_given_up(node, subject, one):
            break
        past += 1
    if past:
        up_to = told[past - 1].number
        node.database.write(lambda tx: register.learn(tx, teller, ours, up_to=up_to))
    if past < len(told):
        raise Tampered("An organisation told of what is not its own, or not for us.")
    return len(ours), answer.body.get("more") == 1


def _is_given_up(node: Node, subject: Subject, one: Told) -> bool:
    patience = subject.patience_seconds
    return patience is not None and one.number + patience * 1000 < node.now_ms()


def _told(answer: Answer, verb: str, after: int) -> list[Told]:
    found = []
    for one in cbor.as_array(answer.body.get(verb), verb, least=0, most=whereabouts.PAGE):
        at, item, vault = cbor.as_array(one, verb, least=3, most=3)
        told = Told(
            cbor.as_uint(at, _MOST, verb), cbor.as_bytes(item, verb), cbor.as_bytes(vault, verb)
        )
        if told.number <= after or {len(told.item), len(told.vault)} != {32}:
            raise Tampered("What an organisation tells is out of order or malformed.")
        after = told.number
        found.append(told)
    return found
