"""Feasibility: about how many patients would a study find? Asked of every organisation.

Each organisation counts its own patients and adds its own noise; none learns what others count, and
nobody here sees a record. A patient who is at two organisations is counted at both. What is told,
and what it costs: docs/research.md, "Feasibility counts".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Final

from simdes.access.asking import Caller, ask
from simdes.access.categories import Role
from simdes.access.messages import CountBody, CriterionBody
from simdes.errors import Forbidden, NotFound, SimdesError, Tampered
from simdes.exchange.node import Node
from simdes.exchange.on_record import reason_told
from simdes.exchange.research.studies import Asked
from simdes.exchange.signin import Session
from simdes.index import chain
from simdes.research import counting

_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What one organisation said.

    ``count`` is noisy, within ``margin`` 19 times of 20; None: fewer than ``fewer_than``, or there
    is no answer, for the ``reason`` named (a name of `access.reasons`; "" where it answered).
    ``left``: how many new questions this researcher may still ask there, -1 where that isn't known.
    """

    organisation: bytes
    name: str
    count: int | None = None
    fewer_than: int = 0
    margin: int = 0
    left: int = -1
    reason: str = ""

    @property
    def answered(self) -> bool:
        """Whether it said a count, or that it is small."""
        return not self.reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Feasibility:
    """What all that were asked said, in the order of their registration."""

    counted: tuple[Counted, ...]

    @property
    def total(self) -> int:
        """The noisy counts that were told, together; small ones are in no sum."""
        return sum(one.count for one in self.counted if one.count is not None)

    @property
    def margin(self) -> int:
        """By how much the total is off at most, 19 times of 20."""
        told = [one.margin for one in self.counted if one.count is not None]
        return ceil(sqrt(sum(one * one for one in told)))

    @property
    def small(self) -> int:
        """How many organisations have fewer patients than they tell."""
        return sum(one.answered and one.count is None for one in self.counted)

    @property
    def silent(self) -> int:
        """How many organisations refused, or did not answer."""
        return sum(not one.answered for one in self.counted)


def feasibility(
    node: Node,
    session: Session,
    criteria: Sequence[Asked],
    *,
    organisations: Collection[bytes] | None = None,
) -> Feasibility:
    """Ask organisations (ids; all members by default) how many patients meet all of the criteria.

    Raises Forbidden where the session is no researcher, NotFound for an organisation that is no
    verified member, Invalid for criteria that nobody can meet. Who does not answer, or refuses, is
    in the answer with the reason; asking again costs nothing where it was answered.
    """
    if session.actor.role != Role.RESEARCHER:
        raise Forbidden("Only researchers ask how many patients a study would find.")
    for one in criteria:
        one.criterion  # noqa: B018 (criteria that nobody can meet are refused here)
    node.following.catch_up()
    with node.database.read() as tx:
        members = {one.id: one for one in chain.organisations(tx) if one.state == chain.VERIFIED}
    if organisations is not None:
        if unknown := set(organisations) - members.keys():
            raise NotFound(f"0x{min(unknown).hex()} is no verified organisation of the network.")
        members = {id_: one for id_, one in members.items() if id_ in organisations}
    body = CountBody(criteria=tuple(map(_body, criteria)))
    caller = node.caller(session.key)
    with ThreadPoolExecutor(max_workers=max(1, min(_AT_ONCE, len(members)))) as threads:
        asked = [
            threads.submit(copy_context().run, _ask, caller, one, _name(node, one), body)
            for one in members
        ]
        return Feasibility(counted=tuple(one.result() for one in asked))


def _body(asked: Asked) -> CriterionBody:
    return CriterionBody(
        codes=asked.codes, least=asked.least, most=asked.most, within_days=asked.within_days
    )


def _name(node: Node, organisation: bytes) -> str:
    try:
        return node.desk.directory.organisation(organisation).name
    except SimdesError:
        return f"0x{organisation.hex()}"


def _ask(caller: Caller, organisation: bytes, name: str, body: CountBody) -> Counted:
    try:
        said = ask(caller, organisation, "count", body).body
        return _counted(organisation, name, said)
    except SimdesError as error:
        return Counted(organisation=organisation, name=name, reason=reason_told(error))


def _counted(organisation: bytes, name: str, said: Mapping[str, object]) -> Counted:
    match said:
        case {
            "count": list() as shown,
            "fewer_than": int() as fewer,
            "epsilon": int() as epsilon,
            "left": int() as left,
        } if epsilon > 0 and len(shown) <= 1 and all(isinstance(one, int) for one in shown):
            return Counted(
                organisation=organisation,
                name=name,
                count=shown[0] if shown else None,
                fewer_than=fewer,
                margin=counting.margin(epsilon),
                left=left,
            )
    raise Tampered("An organisation's count is not of its form.")
