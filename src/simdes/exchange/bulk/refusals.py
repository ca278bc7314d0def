"""Lines that an import refuses: for each an OperationOutcome that names the line, in a file that
whoever asked may fetch. None repeats a value from a resource.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from simdes.errors import SimdesError
from simdes.exchange import attempting, on_record
from simdes.exchange.attempting import Trying
from simdes.exchange.bulk.asked import place_of, sealed
from simdes.exchange.bulk.exporting import Lines
from simdes.exchange.bulk.stages import Position
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.fhir.json import dumps
from simdes.fhir.outcome import Issue, issues_of, outcome_resource
from simdes.index.bulk import Job, Part

MOST_LISTED: Final = 10_000
"""Refusals that are told of one input; the others are counted."""
_MOST_ISSUES: Final = 20
_IMPORT: Final = "$import"
_LINE: Final = "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A line, by its number from 1, that is refused; 0: the whole input is. ``type`` is its
    resource's, "" where it is none."""

    input: int
    number: int
    error: SimdesError
    type: str = ""


def error_file(input_: int) -> int:
    """The number of the file that tells of an input's refusals."""
    return input_ + 1


def parts_of(
    node: Node, job: Job, at: Position, refusals: Iterable[Refusal]
) -> tuple[Position, list[Part]]:
    """The pieces of files that tell of refusals, and the position that counts them."""
    bad = list(at.bad)
    told: dict[int, list[bytes]] = {}
    for one in refusals:
        bad[one.input] += 1
        if bad[one.input] <= MOST_LISTED:
            told.setdefault(one.input, []).append(dumps(_outcome(one)))
        elif bad[one.input] == MOST_LISTED + 1:
            told.setdefault(one.input, []).append(dumps(_AND_MORE))
    parts = [_part(node, job, error_file(one), lines) for one, lines in told.items()]
    return msgspec.structs.replace(at, bad=tuple(bad)), parts


def put_on_record(node: Node, asking: Asking, refusals: Iterable[Refusal]) -> None:
    """Leave an audit entry for each type and reason among refusals."""
    found = {(one.type, on_record.reason_of(one.error)): one.error for one in refusals}
    for (type_, _), error in sorted(found.items(), key=lambda item: item[0]):
        attempting.refused(node, asking, Trying(_IMPORT, type_), error)


def _part(node: Node, job: Job, file: int, outcomes: Sequence[bytes]) -> Part:
    # A slice writes one piece of a file, and has a number of its own.
    place = place_of(file, job.step)
    return Part(
        job=job.id,
        file=file,
        part=job.step,
        kind="error",
        type="OperationOutcome",
        count=len(outcomes),
        content_wrapped=sealed(node, job.id, Lines(outcomes=tuple(outcomes)), place=place),
    )


def _outcome(refusal: Refusal) -> dict[str, Any]:
    made = outcome_resource(issues_of(refusal.error), most=_MOST_ISSUES)
    if refusal.number:
        for issue in made["issue"]:
            issue["extension"] = [{"url": _LINE, "valueInteger": refusal.number}]
            issue["details"]["text"] = f"Line {refusal.number}: {issue['details']['text']}"
    return made


_AND_MORE: Final = outcome_resource(
    [Issue(code="too-costly", text=f"More than {MOST_LISTED} lines are refused; see the count.")]
)
