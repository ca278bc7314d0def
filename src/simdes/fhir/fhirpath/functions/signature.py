"""How many arguments a function takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from simdes.fhir.fhirpath.nodes import Collection

Plain = Callable[..., Collection]
Scoped = Callable[..., Collection]
_Call = TypeVar("_Call", bound=Callable[..., Collection])


@dataclass(frozen=True, slots=True)
class Function(Generic[_Call]):
    """A function that takes from ``least`` to ``most`` arguments."""

    call: _Call
    least: int = 0
    most: int = 0
