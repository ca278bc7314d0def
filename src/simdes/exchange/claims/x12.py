"""X12 questions answered as an insurer's clearing desk does: 270 by 271, 276 by 277.

One interchange answers those of one sender; the caller's clock gives its numbers.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from simdes.claims.reading import first_code
from simdes.errors import NotFound
from simdes.exchange.claims import covering, telling
from simdes.exchange.claims.inquiring import REQUEST
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.mapper.x12.compose import Envelope
from simdes.mapper.x12.write_eligibility import eligibilities
from simdes.mapper.x12.write_status import statuses

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
    """Answer every question in mapped X12 transactions, by who sent them and of which kind.

    ``sender`` is what this organisation is called in its interchanges, without one its name. Raises
    Forbidden, and NotFound where nothing is asked.
    """
    covering.require_answering(node, asking)
    found: defaultdict[_Key, list[Json]] = defaultdict(list)
    for bundle in bundles:
        receiver, is_test = _sender(bundle)
        resources = [one["resource"] for one in bundle.get("entry") or ()]
        if any(one["resourceType"] == REQUEST for one in resources):
            answered = covering.answer_resource(node, asking, bundle)
            found["271", receiver, is_test] += [one.bundle for one in answered]
        tasks = [one for one in resources if _is_inquiry(one)]
        if tasks:
            found["277", receiver, is_test].append(_told(node, asking, bundle, tasks))
    if not found:
        raise NotFound("Nothing is asked in these files.", advice="Give X12 270 or 276 files.")
    return [
        Interchange(
            kind=kind,
            receiver=receiver,
            count=len(its),
            content=_WRITERS[kind](its, envelope(node, sender, receiver, at=at, is_test=is_test)),
        )
        for at, ((kind, receiver, is_test), its) in enumerate(sorted(found.items(), key=_key))
    ]


_Key = tuple[str, str, bool]
_WRITERS: Final = {"271": eligibilities, "277": statuses}


def _is_inquiry(resource: Json) -> bool:
    return (
        resource["resourceType"] == "Task"
        and first_code(resource.get("code"))[1] == "status"
        and "output" not in resource
        and "for" in resource
    )


def _told(node: Node, asking: Asking, bundle: Mapping[str, Any], tasks: Sequence[Json]) -> Json:
    """The Bundle of inquiries, each answered, with the answers."""
    entries = []
    for entry in bundle["entry"]:
        if any(entry["resource"] is one for one in tasks):
            task, response = telling.answer_task(node, asking, entry["resource"])
            entries.append({**entry, "resource": task})
            name = f"ClaimResponse/{response['id']}"
            entries.append({"fullUrl": name, "resource": response})
        else:
            entries.append(entry)
    return {**bundle, "entry": entries}


def _key(found: tuple[_Key, list[Json]]) -> _Key:
    return found[0]


def envelope(node: Node, sender: str, receiver: str, *, at: int, is_test: bool) -> Envelope:
    """The envelope of an interchange that goes out now, the ``at``-th of this second."""
    now = datetime.fromtimestamp(node.now_seconds(), UTC)
    number = (node.now_seconds() + at) % _NUMBERS + 1
    return Envelope.at(
        now,
        sender=party(sender or node.name),
        receiver=party(receiver),
        usage="T" if is_test else "P",
        number=number,
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
