"""Several nodes must say the same before it is believed.

For organisations that list nodes of more than one owner: a node that gives other blocks is found
by its blocks (`sightings`), one that has the same blocks but lies about what contracts answer only
by asking another. All are asked about one block, the head of the node that answered first.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from simdes.errors import SimdesError, Unavailable
from simdes.ledger.ledger import Reverted
from simdes.ledger.node_values import read_number
from simdes.ledger.nodes import Node, NodeFailed, Nodes
from simdes.ledger.quantities import to_quantity
from simdes.ledger.talk import Talk

_WAIT_SECONDS = 2.0
"""How long another node may take to have the block."""
_PAUSE_SECONDS = 0.1
_log = structlog.get_logger("simdes.ledger")

Answers = list[bytes | SimdesError]


def agreed(
    nodes: Nodes,
    needed: int,
    *,
    talk: Callable[[Node, float], Talk],
    ask: Callable[[Talk, str], Answers],
) -> Answers:
    """Return what `needed` nodes say of the first one's head.

    Raises `Unavailable` where too few answer, or where they contradict each other.
    """

    def first(node: Node, deadline: float) -> tuple[Node, str, Answers]:
        here = talk(node, deadline)
        at = to_quantity(read_number(here.ask("eth_blockNumber")))
        return node, at, ask(here, at)

    asked, at, answers = nodes.run(first)
    said = [_comparable(answer) for answer in answers]
    agreeing = 1
    for other in nodes.others(asked):
        if agreeing == needed:
            break
        again = _at_block(nodes, talk, ask, other, at)
        if again is None:
            continue
        if [_comparable(answer) for answer in again] != said:
            _log.error("ledger nodes disagree", nodes=[asked.place, other.place], block=at)
            raise Unavailable(
                f"the ledger nodes {asked.place} and {other.place} contradict each other",
                advice="One of them lies or is broken; find out which and take it out of the list.",
            )
        agreeing += 1
    if agreeing < needed:
        raise Unavailable(
            f"{agreeing} of the {needed} ledger nodes that must agree answer",
            advice="Check the nodes that ledger_url lists.",
        )
    return answers


def _at_block(
    nodes: Nodes,
    talk: Callable[[Node, float], Talk],
    ask: Callable[[Talk, str], Answers],
    other: Node,
    at: str,
) -> Answers | None:
    """What another node says of that block, None where it does not answer or hasn't it in time."""
    deadline = nodes.monotonic() + _WAIT_SECONDS
    while True:
        try:
            here = talk(other, deadline)
            if read_number(here.ask("eth_blockNumber")) >= int(at, 16):
                answers = ask(here, at)
                break
        except NodeFailed as failure:
            if not failure.behind or nodes.monotonic() >= deadline:
                nodes.rest(other, failure)
                return None
        except Unavailable:
            return None
        time.sleep(_PAUSE_SECONDS)
    return None if any(isinstance(one, Unavailable) for one in answers) else answers


def _comparable(answer: bytes | SimdesError) -> object:
    if isinstance(answer, Reverted):
        return answer.data
    return answer if isinstance(answer, bytes) else type(answer)
