"""What a search asks, as a small tree over slots; and the values that resources have under them.

A *slot* is where values of one kind stand: the search parameter ``code`` of Observation fills
``Observation.code`` with tokens, and what its modifiers ask for has slots of its own beside it:

========================================  ===================================================
slot                                      values
========================================  ===================================================
``Observation.code``                      tokens
``Observation.code:text``                 strings: display and text of the codings (``:text``)
``Patient.identifier:of-type``            tokens: system ``typesystem|typecode``, code a value
``Observation.subject:identifier``        tokens of a Reference's logical identifier
``Observation.value-quantity:canonical``  quantities in UCUM, once more in canonical units
``Observation.code-value-quantity#0``     component 0 of a composite; `Valued.part` joins them
``Location.near#0``                       latitude, and ``#1`` longitude, one part per position
``Resource._tag``                         tokens: what every type has, one slot for all types
========================================  ===================================================

So a modifier is another slot or another test, never a special case for whoever evaluates. The id
and the time of the last update of a resource are not values but belong to whoever keeps it:
`Ids` and `Updated`. Times are unix milliseconds, ranges are half open: ``low <= t < high``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import msgspec

FIRST_MS = -(1 << 62)
"""Before every time: where an open period begins."""
LAST_MS = 1 << 62
"""After every time: where an open period ends."""

Prefix = Literal["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"]


class Kind(StrEnum):
    """What the values of a slot are (https://hl7.org/fhir/R4/search.html#ptypes)."""

    DATE = "date"
    NUMBER = "number"
    QUANTITY = "quantity"
    REFERENCE = "reference"
    STRING = "string"
    TOKEN = "token"  # noqa: S105 (a kind of search parameter)
    URI = "uri"


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for values of one kind; ``name`` as in the table above."""

    name: str
    kind: Kind


# What resources have ----------------------------------------------------------------------------


class Token(msgspec.Struct, frozen=True, gc=False):
    """A code; ``system`` is "" where there is none. An Identifier has its value as ``code``.

    Compared as it stands. Where case doesn't matter (strings, contact points) both the value and
    what is asked for are folded beforehand.
    """

    system: str
    code: str


class Text(msgspec.Struct, frozen=True, gc=False):
    """A string as written and ``folded``: no accents, no case, no punctuation, single spaces."""

    exact: str
    folded: str


class Span(msgspec.Struct, frozen=True, gc=False):
    """The times that a date, dateTime, instant, Period or Timing covers, in ms."""

    low_ms: int
    high_ms: int


class Number(msgspec.Struct, frozen=True, gc=False):
    """A number; ``low`` and ``high`` are ``value`` but for a Range or a comparator (``< 5``).

    The precision of what a resource says is not looked at, only that of what is asked for
    (https://hl7.org/fhir/R4/search.html#number). Open ends are the greatest finite floats.
    """

    value: float
    low: float
    high: float


class Quantity(msgspec.Struct, frozen=True, gc=False):
    """A quantity as written, or under a slot ``:canonical`` in canonical UCUM units.

    ``value``, ``low`` and ``high`` as in `Number`. An amount of money has its currency as ``code``.
    """

    value: float
    low: float
    high: float
    system: str
    code: str
    unit: str


class Reference(msgspec.Struct, frozen=True, gc=False):
    """Where a Reference leads: ``target`` is ``Type/id`` or an absolute or canonical URL.

    ``is_subject``: it names the patient that the whole resource is about, so that it leads to
    that patient under whichever id an organisation knows them.
    """

    target: str
    version: str = ""
    is_subject: bool = False


class Uri(msgspec.Struct, frozen=True, gc=False):
    """A URI, exactly as written."""

    text: str


Value = Token | Text | Span | Number | Quantity | Reference | Uri


class Valued(msgspec.Struct, frozen=True, gc=False):
    """A value under its slot; ``part`` tells which components of a composite belong together."""

    slot: Slot
    value: Value
    part: int = 0


# What searches ask ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TokenTest:
    """``system|code``. None: any system, any code; "" as system: explicitly none."""

    system: str | None
    code: str | None


@dataclass(frozen=True, slots=True)
class TextTest:
    """``starts`` and ``contains`` compare ``text`` (folded) with folded, ``exact`` with exact."""

    text: str
    how: Literal["starts", "contains", "exact"] = "starts"


@dataclass(frozen=True, slots=True)
class SpanTest:
    """A date with its prefix (https://hl7.org/fhir/R4/search.html#prefix)."""

    prefix: Prefix
    low_ms: int
    high_ms: int


@dataclass(frozen=True, slots=True)
class NumberTest:
    """A number with its prefix and the range that its precision stands for: 4.0 is 3.95 to 4.05.

    For ``ap`` the range is the one within which values are approximately the same.
    """

    prefix: Prefix
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class QuantityTest:
    """A number in a unit: ``system`` None: any; ``code`` None: any, else it is code or unit."""

    number: NumberTest
    system: str | None
    code: str | None


@dataclass(frozen=True, slots=True)
class ReferenceTest:
    """``type`` "" : any type. ``target`` is an id, or an absolute or canonical URL as a whole."""

    type: str
    target: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class UriTest:
    """``below``: this URI or what begins with it and a slash; ``above``: this or its parents."""

    text: str
    how: Literal["exact", "below", "above"] = "exact"


Test = TokenTest | TextTest | SpanTest | NumberTest | QuantityTest | ReferenceTest | UriTest


@dataclass(frozen=True, slots=True)
class Match:
    """Some value under the slot meets some of the tests, all of the slot's kind."""

    slot: Slot
    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class Exists:
    """There is a value under some of the slots (``:missing=false``)."""

    slots: tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class Together:
    """A composite: values of one and the same part meet every one of the matches."""

    matches: tuple[Match, ...]


@dataclass(frozen=True, slots=True)
class Ids:
    """The resource has one of these ids."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Updated:
    """The resource was last changed at a time that meets some of the tests."""

    tests: tuple[SpanTest, ...]


@dataclass(frozen=True, slots=True)
class Authors:
    """One of these organisations wrote the resource; ids as whoever keeps it knows them.

    What ``_source`` comes to where ``meta.source`` is said by the server.
    """

    organisations: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class States:
    """Whoever keeps the resource has brought its record to one of these states."""

    states: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """A Reference under the slot leads to a resource of one of the types that meets ``where``."""

    slot: Slot
    types: tuple[str, ...]
    where: Condition


@dataclass(frozen=True, slots=True)
class Has:
    """A resource of ``type`` that meets ``where`` refers to this one under the slot (``_has``)."""

    type: str
    slot: Slot
    where: Condition


@dataclass(frozen=True, slots=True)
class Listed:
    """The resource is an item of this List (``_list``)."""

    list_id: str


@dataclass(frozen=True, slots=True)
class All:
    """Every one of them; with none: always."""

    of: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Some of them; with none: never."""

    of: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Not this."""

    what: Condition


Kept = Ids | Updated | Authors | States
"""What belongs to whoever keeps a resource, not to the resource."""

Condition = Match | Exists | Together | Kept | Chain | Has | Listed | All | AnyOf | Not


ALWAYS = All(())
"""The condition that everything meets."""


# The rest of a search ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sort:
    """One key of ``_sort``. ``slot`` None: by id (``_id``) or by last update (``_lastUpdated``)."""

    slot: Slot | None
    by: Literal["value", "id", "updated"] = "value"
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Include:
    """``_include``, or ``_revinclude`` with ``reverse``: follow slots of resources of ``source``.

    ``slots`` are one, or all of the source's references for ``Type:*``; ``target`` "" : any type.
    For ``*`` ``source`` is "" (any type) and there are no ``slots`` (any reference).
    """

    source: str
    slots: tuple[Slot, ...]
    target: str = ""
    reverse: bool = False
    iterate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A search of one type, of several (``_type`` of a search of the whole system), or () : of all.

    ``total`` as in ``_total``, ``count`` None: the server's page size. ``unknown`` are parameters
    that were passed over (``Prefer: handling=lenient``), ``used`` what the self link repeats, in
    order, result parameters included.
    """

    types: tuple[str, ...]
    where: Condition = ALWAYS
    sorts: tuple[Sort, ...] = ()
    includes: tuple[Include, ...] = ()
    count: int | None = None
    total: Literal["none", "estimate", "accurate"] = "estimate"
    summary: Literal["", "true", "text", "data", "count", "false"] = ""
    elements: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    used: tuple[tuple[str, str], ...] = ()
