"""Feeds: HL7 v2 inputs that arrive one by one, and what is answered to each.

Chapter 2.9 of the HL7 v2 standard. In original mode (MSH-15 and MSH-16 empty) a message gets one
application acknowledgment; in enhanced mode MSH-15 says when an accept acknowledgment is wanted
and MSH-16 when an application acknowledgment is. An answer is written only after its message is
durable, among the records or in quarantine: what a positive answer names can't be lost any more.
An order is answered by the message that the standard pairs with it (RRE, RRD, ORR …), its accept
acknowledgment stays an ACK. A message kept in quarantine is answered AE or AR (CE or CR) with the
reason, since it is not in the patient's record; an operator corrects and replays it here, the
sender need not send it again.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from simdes.errors import SimdesError, Unavailable
from simdes.exchange.node import Node
from simdes.exchange.submit import Accepted, Refused, submit_all
from simdes.mapper import Mapping, map_bytes
from simdes.mapper.hl7v2 import batch, er7, ordering
from simdes.mapper.hl7v2.acknowledge import Fault, Header, ack, code_of, fault_of, header_of

_BLANK = b" \t\r\n\x00"
_CONDITIONS = {"AL": (True, True), "NE": (False, False), "ER": (False, True), "SU": (True, False)}
"""HL7 table 0155: is an acknowledgment wanted on success, and on an error or rejection?"""

_LARGEST_HEADER_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Input:
    """What came in one piece; ``origin`` names where from, without patient data."""

    origin: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What is sent back for one input, in order; each of ``answers`` is a message or a batch.

    ``reasons`` are the codes for which messages of it went to quarantine, or were not kept.
    """

    answers: tuple[bytes, ...] = ()
    accepted: int = 0
    resources: int = 0
    quarantined: int = 0
    not_kept: int = 0
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which acknowledgments a message wants: accept and application, (on success, on failure)."""

    accept: tuple[bool, bool]
    application: tuple[bool, bool]


def receive(node: Node, inputs: Sequence[Input]) -> list[Answered]:
    """Map and submit inputs, and write their acknowledgments; all is durable when it returns.

    Raises Unavailable where the database does not answer: then nothing may be acknowledged.
    Inputs may be given again; what is here already is acknowledged again and changes nothing.
    """
    mappings = {
        number: map_bytes(one.origin, one.content, kind="hl7v2", site=node.site)
        for number, one in enumerate(inputs)
        if _asks_for_an_answer(one.content)
    }
    submitted = _submit(node, mappings)
    return [
        _answered(node, inputs[number].content, mappings[number], submitted[number])
        if number in mappings
        else Answered()
        for number in range(len(inputs))
    ]


def reject(node: Node, head: bytes, *, limit_bytes: int) -> Answered:
    """Answer an input that is longer than ``limit_bytes`` and was not kept, by its beginning."""
    fault = fault_of(
        "too-large",
        f"The input is longer than {limit_bytes} bytes and was not kept.",
        "Send it in parts, or raise the limit.",
    )
    header = header_of(head[:_LARGEST_HEADER_BYTES])
    accept, application = _acknowledgments(node, header, [fault])
    return Answered(answers=(*accept, *application), not_kept=1, reasons=("too-large",))


def _asks_for_an_answer(content: bytes) -> bool:
    """Say whether there is anything in it but acknowledgments: those are never answered."""
    if not _is_acknowledgment(content):
        return bool(content.strip(_BLANK))
    return not all(_is_acknowledgment(part.data) for part in er7.split(content))


def _is_acknowledgment(message: bytes) -> bool:
    kind = header_of(message).segment.field(9)[:3]
    return kind == "ACK" or kind in ordering.TYPES


def _submit(
    node: Node, mappings: MappingABC[int, Mapping]
) -> dict[int, tuple[Accepted | Refused, ...] | Exception]:
    """Submit all in shared commits; where that fails for one input's sake, each on its own."""
    try:
        return dict(zip(mappings, submit_all(node, list(mappings.values())), strict=True))
    except Unavailable:
        raise
    except Exception:  # whatever it is, it must not cost the other inputs their place
        return {number: _submit_alone(node, one) for number, one in mappings.items()}


def _submit_alone(node: Node, mapping: Mapping) -> tuple[Accepted | Refused, ...] | Exception:
    try:
        return submit_all(node, [mapping])[0]
    except Unavailable:
        raise
    except Exception as error:  # answered as such: never kept, never acknowledged as if it were
        return error


def _answered(
    node: Node,
    content: bytes,
    mapping: Mapping,
    submitted: tuple[Accepted | Refused, ...] | Exception,
) -> Answered:
    if isinstance(submitted, Exception):
        return _not_kept(node, content, submitted)
    sources = {one.index: one.source for one in mapping.messages}
    sources |= {one.index: one.source for one in mapping.quarantined}
    outside = {one.index for one in mapping.quarantined if one.reason_code == "outside-message"}
    answering = [one for one in submitted if one.index not in outside] or list(submitted)
    acknowledged = []
    for one in answering:
        faults = [fault_of(one.code, one.reason, one.advice)] if isinstance(one, Refused) else []
        acknowledged.append(
            _acknowledgments(node, header_of(sources[one.index]), faults, source=sources[one.index])
        )
    accepted = [one for one in submitted if isinstance(one, Accepted)]
    refused = [one for one in submitted if isinstance(one, Refused)]
    return Answered(
        answers=_in_envelope(node, content, acknowledged),
        accepted=len(accepted),
        resources=sum(one.resources for one in accepted),
        quarantined=len(refused),
        reasons=tuple(one.code for one in refused),
    )


def _not_kept(node: Node, content: bytes, error: Exception) -> Answered:
    """Answer an input whose storing failed for a reason of its own."""
    kind = type(error).__name__
    said = error.message if isinstance(error, SimdesError) else f"It failed here ({kind})."
    fault = fault_of("not-kept", said, "Send it again later; report it if it fails again.")
    accept, application = _acknowledgments(node, header_of(content), [fault], rejected=True)
    return Answered(answers=(*accept, *application), not_kept=1, reasons=(f"not-kept {kind}",))


def _in_envelope(
    node: Node, content: bytes, acknowledged: Sequence[tuple[list[bytes], list[bytes]]]
) -> tuple[bytes, ...]:
    """Answer a batch with batches, accept acknowledgments first; anything else one by one."""
    envelope = batch.envelope_of(content)
    if envelope is None:
        return tuple(one for found in acknowledged for level in found for one in level)
    accepts = [accept for accept, _ in acknowledged]
    applications = [application for _, application in acknowledged]
    levels = [level for level in (accepts, applications) if any(level)] or [accepts]
    return tuple(
        batch.answer(envelope, level, control=_control(node), time=_time(node)) for level in levels
    )


def _acknowledgments(
    node: Node,
    header: Header,
    faults: Sequence[Fault],
    *,
    rejected: bool = False,
    source: bytes = b"",
) -> tuple[list[bytes], list[bytes]]:
    """Write the accept and the application acknowledgments that a message wants.

    ``source`` is the message itself, where an order in it is to be answered as such.
    """
    wanted = _wanted(header)
    reason = faults[0].reason if faults else ""
    failed = bool(faults)

    def write(*, commit: bool) -> list[bytes]:
        code = code_of(reason, commit=commit)
        code = code[0] + "R" if rejected else code
        response = None if commit else ordering.order_response(source, accepted=not failed)
        return [
            ack(
                header,
                code,
                control=_control(node),
                time=_time(node),
                faults=faults,
                response=response,
            )
        ]

    accept = write(commit=True) if wanted.accept[failed] else []
    # What was refused before any application saw it is answered once.
    application = wanted.application[failed] and not (failed and accept)
    return accept, write(commit=False) if application else []


def _wanted(header: Header) -> _Wanted:
    """Read MSH-15 and MSH-16: both empty is original mode, one empty means never."""
    conditions = [header.segment.field(number).strip().upper() for number in (15, 16)]
    if not any(conditions):
        return _Wanted((False, False), (True, True))
    # A condition that is none can't be obeyed; to answer is the safe side.
    accept, application = (
        _CONDITIONS.get(condition or "NE", (True, True)) for condition in conditions
    )
    return _Wanted(accept, application)


def _control(node: Node) -> str:
    """Give a control id of our own: 20 signs, what MSH-10 of every version takes."""
    return node.random(10).hex()


def _time(node: Node) -> str:
    return datetime.fromtimestamp(node.desk.clock(), UTC).strftime("%Y%m%d%H%M%S+0000")
