"""What an expression may refer to besides its focus, and what it may cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from simdes.errors import TooLarge
from simdes.fhir.fhirpath.nodes import Collection, Node

UNLIMITED = 1 << 60
"""The steps of expressions that the standard itself wrote."""

STEPS = 1_000_000
"""The steps that an expression from outside may take: about a second."""

LONGEST_TEXT = 4 * 1024 * 1024
"""The characters that a string may have which an expression from outside makes."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the world around an expression answers; what is None is refused where it is asked.

    ``member_of`` says whether the code, Coding or CodeableConcept (JSON) is in the value set of
    that URL; ``conforms_to`` whether a resource or element conforms to the profile of that URL;
    ``subsumes`` whether the first code or Coding is the second or above it: each None if that is
    not known. ``trace`` takes what ``trace()`` is given. ``now_ms`` is the time of the request in
    milliseconds since 1970.
    """

    variables: Mapping[str, Collection] = field(default_factory=dict)
    member_of: Callable[[Any, str], bool | None] | None = None
    conforms_to: Callable[[Any, str], bool | None] | None = None
    subsumes: Callable[[Any, Any], bool | None] | None = None
    trace: Callable[[str, Collection], None] | None = None
    now_ms: int | None = None


_NOTHING = Surroundings()


@dataclass(slots=True)
class Scope:
    """What an expression may refer to besides its focus.

    ``resource`` is the resource around the element, ``root`` the one that contains it (itself if
    not contained), ``context`` the element; ``resolve`` finds the resource of a literal reference,
    or None. ``steps_left`` bounds the work; ``index`` and ``total`` are set while items are taken.
    """

    resource: Any
    root: Any
    context: Any
    resolve: Callable[[str], dict[str, Any] | None]
    surroundings: Surroundings = _NOTHING
    steps_left: int = UNLIMITED
    index: int = 0
    total: Collection = field(default_factory=list)

    @property
    def is_limited(self) -> bool:
        """Whether the expression came from outside and its work is counted."""
        return self.steps_left < UNLIMITED // 2

    def spend(self, steps: int) -> None:
        """Count ``steps``; raises ``TooLarge`` when there are none left."""
        self.steps_left -= steps
        if self.steps_left < 0:
            raise TooLarge("the FHIRPath expression takes too many steps on this resource")

    def charge(self, *collections: Collection, compared: bool = False) -> None:
        """Count what reading ``collections`` costs; ``compared``: objects with all they hold."""
        steps = 1
        for items in collections:
            steps += len(items)
            for item in items:
                if compared:
                    steps += weight(item)
                value = item.value if type(item) is Node else item
                if type(value) is str:
                    steps += len(value) >> 6
                    if len(value) > LONGEST_TEXT:
                        raise TooLarge("the FHIRPath expression makes too long a text")
        self.spend(steps)


def weight(item: Any) -> int:
    """Return how much ``item`` holds: what comparing it takes."""
    count, waiting = 0, [item.value if type(item) is Node else item]
    while waiting:
        value = waiting.pop()
        count += 1
        if type(value) is dict:
            waiting += value.values()
        elif type(value) is list:
            waiting += value
        elif type(value) is str:
            count += len(value) >> 6
    return count


Compiled = Callable[[Collection, Scope], Collection]
"""A compiled expression: takes the focus and the scope."""
