"""What conversions of elements to values take and give."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from simdes.fhir.search.conditions import Value


@dataclass(frozen=True, slots=True)
class Around:
    """What a value may depend on besides its element.

    ``subject`` is the very Reference in ``resource`` to the patient that it is about; references
    that begin with ``base``, this server's own address, are relative ones. ``parts`` counts the
    parts of composites, ``converted`` keeps what their elements gave (by ``id``: they outlive it).
    """

    resource: dict[str, Any]
    subject: dict[str, Any] | None
    base: str
    parts: Iterator[int]
    converted: dict[tuple[int, Convert], Sequence[Value]]


Convert = Callable[[Any, Around], Sequence[Value]]
