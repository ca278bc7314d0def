"""What was claimed elsewhere or here before, beside the claim: a reason to look, no decision."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from simdes.budget import within
from simdes.claims.signals import By, Sign, Signal, included
from simdes.errors import SimdesError
from simdes.exchange import members
from simdes.exchange.claims.cases import Case
from simdes.exchange.claims.noticing import notice
from simdes.gateway.pages.asking import Asked

SECONDS: Final = 3.0
"""How long the page waits for custodians; the claim itself is shown without them, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """Signals of one kind at one line, over one or several days. ``own``: the other claim lies
    here, too; ``pairs``: which service includes which."""

    sign: str
    line: int
    insurer: str
    own: bool
    first: str
    last: str
    by_name: bool
    expected: bool
    pairs: tuple[tuple[str, str], ...]


def noticed(asked: Asked, its: Case | None) -> tuple[list[Noticed], SimdesError | None]:
    """The signals of a claim that is open here; or why they can't be told now."""
    if its is None:
        return [], None
    try:
        with within(SECONDS):
            found = notice(asked.node, its)
    except SimdesError as error:
        return [], error
    names = {one: members.name_of(asked.node, one) for one in {each.other for each in found}}
    return [_noticed(group, names[group[0].other]) for group in _grouped(found)], None


def _grouped(found: Iterable[Signal]) -> list[list[Signal]]:
    """Signals that differ in their day alone, together: a stay has one for each night."""
    groups: dict[object, list[Signal]] = defaultdict(list)
    for one in found:
        groups[one.line, one.sign, one.other, one.by, one.details].append(one)
    return list(groups.values())


def _noticed(group: list[Signal], insurer: str) -> Noticed:
    days = sorted(one.day for one in group)
    first = group[0]
    return Noticed(
        sign=first.sign.value,
        line=first.line,
        insurer=insurer,
        own=first.own,
        first=days[0],
        last=days[-1],
        by_name=first.by is By.NAME,
        expected=first.expected,
        pairs=tuple(map(included, first.details)) if first.sign is Sign.UNBUNDLING else (),
    )
