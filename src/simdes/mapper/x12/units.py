"""Give each patient of a transaction a transaction of their own, with what is shared.

A claim batch, a remittance or an enrolment tells of many people; a record is one person's. The
parts are cut at HL loops (837, 270, 271, 276, 277), claims (835) or members (834). Whatever belongs
to nobody goes with the only patient, or else by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from simdes.errors import TooLarge
from simdes.mapper.x12.reader import Segment, Transaction, enveloped

_PATIENTS = frozenset(("22", "23", "PT"))
_OWN = {
    "837": frozenset(("CLM",)),
    "270": frozenset(("EQ",)),
    "271": frozenset(("AAA", "EB")),
    "276": frozenset(("TRN",)),
    "277": frozenset(("STC", "TRN")),
}
"""Segments that make a subscriber with dependents one of the patients, too."""

_SHARED_AT_MOST = 50
"""How many times the size of a transaction its parts may have together."""

Unit = list[Segment]


def units(transaction: Transaction) -> list[Unit]:
    """Cut a transaction, without its trailer, by patients. Raises TooLarge."""
    segments = transaction.segments[:-1]
    cut = _CUTS.get(transaction.name, _by_levels)
    found = cut(segments)
    size = sum(map(len, found))
    if size > _SHARED_AT_MOST * len(segments) + 1000:
        raise TooLarge(
            f"what {len(found)} patients share of {len(segments)} segments is too much",
            advice="Have the sender make a transaction for each provider.",
        )
    return found or [segments]


def source_of(transaction: Transaction, unit: Unit, *, whole: bool) -> bytes:
    """Write what a unit was made of so that it can be read alone; ``whole``: as it came."""
    if whole:
        return enveloped(transaction.group, transaction.raw)
    interchange = transaction.group.interchange
    part = interchange.delimiters.element
    end = interchange.delimiters.segment.encode("latin-1") + interchange.line_end
    trailer = part.join(("SE", str(len(unit) + 1), transaction.segments[0].element(2)))
    content = b"".join(one.raw + end for one in unit) + trailer.encode() + end
    return enveloped(transaction.group, content.removesuffix(interchange.line_end))


def _by_levels(segments: Unit) -> list[Unit]:
    """Cut at HL loops: each patient with the levels above."""
    starts = [at for at, one in enumerate(segments) if one.name == "HL"]
    if not starts:
        return [segments]
    shared = segments[: starts[0]]
    own = _OWN.get(segments[0].element(1), frozenset())
    blocks = [segments[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]
    by_id = {block[0].element(1): number for number, block in enumerate(blocks)}
    above = [by_id.get(block[0].element(2), -1) for block in blocks]
    parents = {
        above[number] for number, block in enumerate(blocks) if block[0].element(3) in _PATIENTS
    }
    found, used = [], set()
    for number, block in enumerate(blocks):
        if block[0].element(3) not in _PATIENTS:
            continue
        if number in parents and not any(one.name in own for one in block):
            continue
        chain = _chain(number, above)
        used.update(chain)
        found.append([*shared, *(one for at in chain for one in blocks[at])])
    left = [number for number in range(len(blocks)) if number not in used]
    if left:
        wanted = {at for number in left for at in _chain(number, above)}
        found.append([*shared, *(one for at in sorted(wanted) for one in blocks[at])])
    return found


def _chain(number: int, above: list[int]) -> list[int]:
    """List a level and those above it, outermost first; a loop of levels ends it."""
    chain: list[int] = []
    while number >= 0 and number not in chain and len(chain) < _DEEPEST:
        chain.append(number)
        number = above[number]
    return chain[::-1]


_DEEPEST = 10


def _by_claims(segments: Unit) -> list[Unit]:
    """Cut a remittance: each patient's claims, under the headers of their providers."""
    shared = _before(segments, ("LX", "CLP", "PLB"))
    whose: dict[tuple[str, ...], Unit] = {}
    provider: Unit = []
    claim: Unit | None = None
    summary: Unit = []
    claims: list[tuple[Unit, Unit]] = []
    for one in segments[len(shared) :]:
        if one.name == "PLB":
            summary.append(one)
            claim = None
        elif one.name == "LX":
            provider, claim = [one], None
        elif one.name == "CLP":
            claim = [one]
            claims.append((provider, claim))
        elif claim is not None:
            claim.append(one)
        else:
            (summary or provider).append(one)
    said: dict[tuple[str, ...], list[Segment]] = {}
    for header, body in claims:
        key = _patient(body)
        unit = whose.setdefault(key, [*shared])
        if said.get(key) is not header:
            unit += header
            said[key] = header
        unit += body
    found = list(whose.values())
    heard = {id(header) for header, _ in claims}
    silent = provider if provider and id(provider) not in heard else []
    if len(found) == 1:
        found[0] += [*silent, *summary]
    elif summary or silent:
        found.append([*shared, *silent, *summary])
    return found


def _patient(claim: Unit) -> tuple[str, ...]:
    """Tell whose claim it is: by the patient's number, else by name, else its own."""
    named = [one for one in claim if one.name == "NM1" and one.element(1) == "QC"]
    if not named:
        return ("", *claim[0].elements)
    one = named[0]
    return (one.element(9),) if one.element(9) else (one.element(3), one.element(4), one.element(5))


def _by_members(segments: Unit) -> list[Unit]:
    """Cut an enrolment at its members."""
    shared = _before(segments, ("INS",))
    found: list[Unit] = []
    for one in segments[len(shared) :]:
        if one.name == "INS":
            found.append([*shared])
        found[-1].append(one)
    return found


def _before(segments: Unit, names: Iterable[str]) -> Unit:
    first = next((at for at, one in enumerate(segments) if one.name in names), len(segments))
    return segments[:first]


_CUTS: dict[str, Callable[[Unit], list[Unit]]] = {"835": _by_claims, "834": _by_members}
