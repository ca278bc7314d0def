"""Which of two statements about one resource holds: the later one, whichever came in first.

Feeds deliver out of order: queues are replayed, senders run in parallel, results wait. What decides
is when the sender said it, never when it arrived (docs/decisions/0015-out-of-order.md): the time
the result was issued (OBR-22), the time of the event (EVN-2), the time of the message (MSH-7) or
``meta.lastUpdated``. A settled result does not become unsettled again: HL7's result statuses
(tables 0085 and 0123) let a final result be corrected or withdrawn, not be preliminary. And a visit
that is over is opened again only by an event that says so: most messages carry a visit along
without knowing how it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from simdes.fhir.json import loads

_STATUS_RANK: Mapping[str, int] = {
    "registered": 0,
    "partial": 1,
    "preliminary": 1,
    "final": 2,
    "amended": 3,
    "corrected": 3,
    "appended": 3,
    "cancelled": 3,
    "entered-in-error": 4,
}
_SETTLED = 2
RANKED = frozenset(("Observation", "DiagnosticReport"))
"""Types whose content takes part in the decision, by ``issued`` and ``status``."""
_VISIT: Final = "Encounter"
READ = RANKED | {_VISIT}
"""Types of which what stands has to be read to decide."""

_OVER: Final = frozenset(("finished", "cancelled", "entered-in-error"))
OPENING: Final = frozenset(
    f"ADT^A{number:02}"
    for number in (*(1, 2, 4, 5, 6, 7), *range(10, 18), 21, 22, 25, 26, *range(52, 56))
    if number != 11
)
"""Events of HL7 v2 that say that a visit goes on (or begins): those whose status in HL7's map of
table 0003 is not one of a visit that is over. A08 and all others leave it open how it stands."""
_ACCOUNTED: Final = frozenset(("ADT", "BAR", "DFT"))
_ADMINISTERED: Final = frozenset(("ADT",))
_SPEAKING: Final[Mapping[str, frozenset[str]]] = {
    "Account": _ACCOUNTED,
    "Coverage": _ACCOUNTED,
    "Encounter": _ADMINISTERED,
    "Patient": _ADMINISTERED,
    "RelatedPerson": _ADMINISTERED,
}
"""Which messages of HL7 v2 speak of a visit's resources (chapters 3 and 6); all others carry them
along."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When something was said, in unix milliseconds; None where the sender did not say.

    ``event_ms`` is when what is told was recorded, ``sent_ms`` when the message was made.
    """

    event_ms: int | None = None
    sent_ms: int | None = None

    def not_after(self, now_ms: int) -> Moment:
        """The same, but not in the future: a wrong clock must not win for years."""
        return Moment(
            *(None if at is None else min(at, now_ms) for at in (self.event_ms, self.sent_ms))
        )

    def later(self, other: Moment) -> Moment:
        """The later of each of the two times."""
        return Moment(
            _later(self.event_ms, other.event_ms),
            _later(self.sent_ms, other.sent_ms),
        )


@dataclass(frozen=True, slots=True)
class Statement:
    """What is compared: the moment, and of results the time they were issued and their status."""

    moment: Moment
    issued_ms: int | None = None
    rank: int | None = None


def statement(type_: str, content: bytes | None, moment: Moment) -> Statement:
    """Read what counts of a resource's JSON; only types in `RANKED` are looked into."""
    if type_ not in RANKED or content is None:
        return Statement(moment)
    found: Any = loads(content)
    status = found.get("status")
    return Statement(
        moment,
        milliseconds(found.get("issued")),
        _STATUS_RANK.get(status) if isinstance(status, str) else None,
    )


def holds(new: Statement, standing: Statement) -> bool:
    """Whether ``new`` takes the place of what stands; undecided, the one that came later does."""
    if (found := _order(new.issued_ms, standing.issued_ms)) is not None:
        return found
    ranks = None if new.rank is None or standing.rank is None else (new.rank, standing.rank)
    if ranks is not None and ranks[0] < _SETTLED <= ranks[1]:
        return False
    one, other = new.moment, standing.moment
    times = (
        (one.sent_ms, other.sent_ms)
        if one.event_ms is None or other.event_ms is None
        else (one.event_ms, other.event_ms)
    )
    if (found := _order(*times)) is not None:
        return found
    return ranks is None or ranks[0] >= ranks[1]


def moment_of(bundle: Mapping[str, Any]) -> Moment:
    """When a message was made (``Bundle.timestamp``), and its event recorded.

    The event's time is in a Provenance of the MessageHeader, from EVN-2; the message's own
    Provenance repeats MSH-7, so that the earliest is the event's.
    """
    sent_ms = milliseconds(bundle.get("timestamp"))
    resources = [entry["resource"] for entry in bundle.get("entry", ()) if "resource" in entry]
    events = [
        at
        for one in resources
        if one["resourceType"] == "Provenance" and _is_event(one)
        if (at := milliseconds(one.get("recorded"))) is not None
    ]
    return Moment(min(events, default=None), sent_ms)


def carries(event: str, type_: str) -> bool:
    """Whether an HL7 v2 message (``ORU^R01``) only carries a resource of this type along.

    A result's or a charge's PID and PV1 hold a name and a number; they are not what patient and
    visit are to be from now on.
    """
    speaking = _SPEAKING.get(type_)
    return speaking is not None and event.partition("^")[0] not in speaking


def reopens(event: str, type_: str, new: bytes, standing: bytes | None) -> bool:
    """Whether an HL7 v2 message would open a visit that is over, though its event doesn't say so.

    It then takes the status from the patient's class (PV1-2), which says nothing of the time.
    """
    if type_ != _VISIT or standing is None or event in OPENING:
        return False
    return loads(standing).get("status") in _OVER and loads(new).get("status") not in _OVER


def milliseconds(instant: Any) -> int | None:
    """Unix milliseconds of a FHIR instant or dateTime with a time; None of anything else."""
    if not isinstance(instant, str) or "T" not in instant:
        return None
    try:
        found = datetime.fromisoformat(instant)
    except ValueError:
        return None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def _is_event(provenance: Mapping[str, Any]) -> bool:
    activity = provenance.get("activity")
    coding = activity.get("coding") if isinstance(activity, Mapping) else None
    return isinstance(coding, list) and any(
        isinstance(one, Mapping)
        and one.get("system") == "http://terminology.hl7.org/CodeSystem/v2-0003"
        for one in coding
    )


def _order(new: int | None, standing: int | None) -> bool | None:
    """Whether ``new`` is later; None where they are the same or one is not known."""
    if new is None or standing is None or new == standing:
        return None
    return new > standing


def _later(one: int | None, other: int | None) -> int | None:
    return one if other is None or (one is not None and one > other) else other
