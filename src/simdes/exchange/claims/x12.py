"""X12 questions answered as an insurer's clearing desk does: 270 by 271 (docs/claims.md).

One interchange answers those of one sender; the caller's clock gives its numbers.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from simdes.errors import NotFound
from simdes.exchange.claims import covering
from simdes.exchange.claims.inquiring import REQUEST
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.mapper.x12.compose import Envelope
from simdes.mapper.x12.write_eligibility import eligibilities

Json = dict[str, Any]

_SENDER: Final = "urn:simdes:x12:sender:"
_LONGEST: Final = 15
_NUMBERS: Final = 10**9 - 1


@dataclass(frozen=True, slots=True)
class Interchange:
    """An interchange that answers a sender's questions: ``count`` of them, of a kind (``271``)."""

    kind: str
    receiver: str
    count: int
    content: bytes


def answer_x12(
    node: Node, asking: Asking, bundles: Sequence[Mapping[str, Any]], *, sender: str = ""
) -> list[Interchange]:
    """Answer every question in mapped X12 transactions, by who sent them.

    ``sender`` is what this organisation is called in its interchanges, without one its name. Raises
    Forbidden, and NotFound where nothing is asked.
    """
    covering.require_answering(node, asking)
    found: defaultdict[tuple[str, bool], list[Json]] = defaultdict(list)
    for bundle in bundles:
        kinds = {one["resource"]["resourceType"] for one in bundle.get("entry") or ()}
        if REQUEST in kinds:
            answered = covering.answer_resource(node, asking, bundle)
            found[_sender(bundle)] += [one.bundle for one in answered]
    if not found:
        raise NotFound("Nothing is asked in these files.", advice="Give X12 270 files.")
    return [
        Interchange(
            kind="271",
            receiver=receiver,
            count=len(its),
            content=eligibilities(
                its, envelope(node, sender, receiver, at=at, kind="271", is_test=is_test)
            ),
        )
        for at, ((receiver, is_test), its) in enumerate(
            sorted(found.items(), key=lambda one: one[0])
        )
    ]


def _by_sender(found: tuple[tuple[str, bool], list[Json]]) -> tuple[str, bool]:
    return found[0]


def envelope(
    node: Node, sender: str, receiver: str, *, at: int, kind: str, is_test: bool
) -> Envelope:
    """The envelope of an interchange that goes out now, the ``at``-th of this second."""
    now = datetime.fromtimestamp(node.now_seconds(), UTC)
    number = (node.now_seconds() + at) % _NUMBERS + 1
    return Envelope(
        sender=("ZZ", party(sender or node.name)),
        receiver=("ZZ", party(receiver)),
        day=f"{now:%Y%m%d}",
        time=f"{now:%H%M}",
        interchange=number,
        group=number,
        transaction=1,
        usage="T" if is_test else "P",
    )


def party(name: str) -> str:
    """A name as the id of a party to an interchange: capitals and digits, fifteen at most."""
    return re.sub(r"[^0-9A-Z]+", "", name.upper())[:_LONGEST] or "UNKNOWN"


def _sender(bundle: Mapping[str, Any]) -> tuple[str, bool]:
    """Who sent a transaction, and whether it was marked as a test."""
    system = str((bundle.get("identifier") or {}).get("system", ""))
    tags = (bundle.get("meta") or {}).get("tag") or ()
    is_test = any(one.get("code") == "HTEST" for one in tags)
    return system.removeprefix(_SENDER) if system.startswith(_SENDER) else "", is_test
