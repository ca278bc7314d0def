"""What the FHIR Data Mapper takes and gives: plain values, no behaviour.

The FHIR Data Mapper of the paper's Fig. 1 turns what hospitals already send into FHIR R4. It is
pure: bytes in, these values out. Nothing here knows a network, a database or a clock.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

Json = dict[str, Any]
"""A FHIR JSON object; decimals are ``decimal.Decimal`` so that 4.00 stays 4.00."""

UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
"""How text in UTF-16 begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one input may hold before it is refused; every one has a reason code."""

    file_bytes: int = 64 * 1024 * 1024
    message_bytes: int = 16 * 1024 * 1024
    messages: int = 100_000
    segments: int = 20_000
    repetitions: int = 2_000
    resources: int = 20_000


class Sheet(NamedTuple):
    """A sheet of a site's own: the ``kind`` of input it is for, its name, its text."""

    kind: str
    name: str
    text: str


_NONE: MappingABC[Any, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What the sending site means where its messages do not say (`site` reads it from files).

    ``time_zone`` is an IANA name or an offset (``+01:00``), for times that carry no zone.
    ``systems`` maps an assigning authority's namespace id (HD.1) to the URI of its identifiers.
    ``code_systems`` maps a local name of a coding system (CWE.3) to its URI.
    ``fhir_version`` (``r4``, ``stu3``, ``dstu2``) is of FHIR resources that could be of several.
    ``identity`` keeps resource ids of sites apart that share a store by accident.
    ``senders`` are sites in the site, by the facility that sends (MSH-4). ``translations`` give
    the Coding that means the same as a local (system, code). ``sheets`` change the maps.
    """

    name: str = "default"
    time_zone: str = "UTC"
    encoding: str = "utf-8"
    systems: MappingABC[str, str] = field(default_factory=lambda: _NONE)
    code_systems: MappingABC[str, str] = field(default_factory=lambda: _NONE)
    fhir_version: str = ""
    identity: str = "simdes"
    senders: MappingABC[str, Site] = field(default_factory=lambda: _NONE)
    translations: MappingABC[tuple[str, str], Json] = field(default_factory=lambda: _NONE)
    sheets: tuple[Sheet, ...] = ()

    def sent_by(self, facility: str) -> Site:
        """Give what holds for messages of ``facility``."""
        return self.senders.get(facility, self)

    def sheets_of(self, kind: str) -> tuple[Sheet, ...]:
        """Give the site's sheets for a kind of input."""
        return tuple(sheet for sheet in self.sheets if sheet.kind == kind)


@dataclass(frozen=True, slots=True)
class Dropped:
    """A field of the source that is not in the output: where it stood and why, never its value."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Explained:
    """Where an element of the output came from: ``rule`` names the row of the map that made it.

    ``resource`` is its ``Type/id`` (while it is being made, the draft's own object).
    """

    resource: Any
    element: str
    source: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """One source message as one FHIR R4 Bundle.

    ``index`` counts messages of the input from 0, quarantined ones included.
    ``bundle`` is a message Bundle (MessageHeader first) for HL7 v2, a collection otherwise.
    ``source`` is this message's bytes as received, ``event`` its type, e.g. ``ADT^A01``.
    ``patient_identifiers`` are the (system, value) pairs of the message's patient; of all its
    patients where it names several. ``facility`` stands there for the system of identifiers that
    name none.
    ``explained`` says what each element came from, where that was asked. ``is_nobodys``: it is
    about no patient and is the organisation's own; whoever reads a source says so, an input never
    can.
    """

    index: int
    bundle: Json
    source: bytes
    event: str
    dropped: tuple[Dropped, ...] = ()
    patient_identifiers: tuple[tuple[str, str], ...] = ()
    facility: str = ""
    explained: tuple[Explained, ...] = ()
    is_nobodys: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A message that could not be mapped, kept whole, with what a person can do about it."""

    index: int
    reason_code: str
    reason: str
    advice: str
    source: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """Everything one input gave. Each message is either in ``messages`` or in ``quarantined``."""

    name: str
    kind: str
    messages: tuple[Mapped, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()


LIMITS = Limits()
DEFAULT_SITE = Site()
