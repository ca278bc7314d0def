"""What is in a value set (https://hl7.org/fhir/R4/valueset.html#compositions).

Two questions, answered over what is loaded: which codes (:meth:`Sets.codes`) and whether one code
(:meth:`Sets.contains`), the second also where the first can't be answered: whether a code is in a
list needs no code system. Where a code system that is not loaded would decide, the answer is None
or an error that names it, never a guess.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from simdes.errors import Invalid, TooLarge, Unsupported
from simdes.fhir.codes import UCUM
from simdes.fhir.terminology.filters import select
from simdes.fhir.terminology.library import Library, known_system
from simdes.fhir.terminology.system import Concept, System, is_abstract, is_inactive
from simdes.fhir.ucum import is_unit

ValueSet = dict[str, Any]
Include = dict[str, Any]
Key = tuple[str, str]
"""System and code."""

MOST_CODES = 200_000
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Code:
    """A code of an expansion."""

    system: str
    version: str
    code: str
    display: str
    designations: tuple[dict[str, Any], ...] = ()
    is_inactive: bool = False
    is_abstract: bool = False


@dataclass(frozen=True, slots=True)
class Versions:
    """Which version of a code system to take: ``default`` where none is named, ``force`` always.

    With ``check``, another version is an error. Each by the system's URL.
    """

    default: Mapping[str, str] = field(default_factory=dict)
    check: Mapping[str, str] = field(default_factory=dict)
    force: Mapping[str, str] = field(default_factory=dict)

    def choose(self, system: str, named: str) -> str:
        """Return the version to take where ``named`` ("" for none) is written."""
        version = self.force.get(system) or named or self.default.get(system, "")
        wanted = self.check.get(system)
        if wanted and version and version != wanted:
            raise Invalid(f"the value set asks for another version of {system}")
        return version or wanted or ""


class Sets:
    """The value sets of a library."""

    def __init__(
        self,
        library: Library,
        *,
        versions: Versions | None = None,
        left_out: frozenset[str] = frozenset(),
        active_only: bool = False,
        may_be_open: bool = False,
    ) -> None:
        """``left_out`` are code systems to pass over (``exclude-system``).

        With ``may_be_open``, of a code system that is loaded in part that part is taken, and
        ``is_open`` says so; without it that fails.
        """
        self._library = library
        self._versions = versions or Versions()
        self._left_out = left_out
        self._active_only = active_only
        self._may_be_open = may_be_open
        self.is_open = False
        """Whether there may be more codes than were listed."""
        self._expanded: dict[str, dict[Key, Code]] = {}
        self._decided: dict[tuple[str, Key], Code | bool | None] = {}
        self.used: dict[str, None] = {}
        """The canonicals of the code systems that answers were taken from."""

    def codes(self, value_set: ValueSet, trail: tuple[str, ...] = ()) -> dict[Key, Code]:
        """Return every code of ``value_set``, in order.

        Raises ``NotFound`` naming what is not loaded, ``TooLarge``, or ``Invalid`` for a value set
        that includes itself.
        """
        compose, trail = value_set.get("compose"), _deeper(value_set, trail)
        if not isinstance(compose, dict):
            return self._stored(value_set)
        found: dict[Key, Code] = {}
        for include in compose.get("include", ()):
            found |= {k: c for k, c in self._included(include, trail).items() if k not in found}
            if len(found) > MOST_CODES:
                raise TooLarge("a value set has more codes than are expanded here")
        for exclude in compose.get("exclude", ()):
            for key in self._included(exclude, trail):
                found.pop(key, None)
        if self._active_only or compose.get("inactive") is False:
            found = {k: c for k, c in found.items() if not c.is_inactive}
        return found

    def contains(
        self, value_set: ValueSet, key: Key, trail: tuple[str, ...] = ()
    ) -> Code | bool | None:
        """Return the code of ``value_set`` (False: not in it); None: what decides isn't loaded."""
        compose, trail = value_set.get("compose"), _deeper(value_set, trail)
        if not isinstance(compose, dict):
            return self._stored(value_set).get(key, False)
        answer: Code | bool | None = False
        for include in compose.get("include", ()):
            here = self._is_included(include, key, trail)
            if isinstance(here, Code):
                answer = here
                break
            answer = None if here is None else answer
        if answer is False:
            return False
        for exclude in compose.get("exclude", ()):
            here = self._is_included(exclude, key, trail)
            if isinstance(here, Code):
                return False
            answer = None if here is None else answer
        is_dropped = isinstance(answer, Code) and answer.is_inactive
        if is_dropped and (self._active_only or compose.get("inactive") is False):
            return False
        return answer

    # --- all codes of a part -----------------------------------------------------------------

    def _included(self, include: Include, trail: tuple[str, ...]) -> dict[Key, Code]:
        parts = [
            self._codes_of(self._library.get("ValueSet", url), url, trail)
            for url in include.get("valueSet", ())
        ]
        if "system" in include:
            parts.insert(0, self._of_system(include))
        if not parts:
            raise Invalid("an include of a value set needs a system or a value set")
        first, *others = parts
        return {k: c for k, c in first.items() if all(k in other for other in others)}

    def _codes_of(self, value_set: ValueSet, url: str, trail: tuple[str, ...]) -> dict[Key, Code]:
        """Return the codes of an included value set, worked out once however often it is."""
        if url not in self._expanded:
            self._expanded[url] = self.codes(value_set, trail)
        return self._expanded[url]

    def _of_system(self, include: Include) -> dict[Key, Code]:
        url = include["system"]
        if url in self._left_out:
            return {}
        if "concept" in include:
            return {(url, c.code): c for c in self._listed(include)}
        system = self._system(include)
        if not system.is_complete:
            if not self._may_be_open:
                raise Unsupported(f"of the code system {url} only a part is loaded")
            self.is_open = True
        chosen = _filtered(system, include)
        return {
            (url, code): _code(system, concept)
            for code, concept in system.concepts.items()
            if chosen is None or code in chosen
        }

    def _listed(self, include: Include) -> Iterator[Code]:
        url = include["system"]
        system = self._find(include)
        for row in include["concept"]:
            exact = system.code(row["code"]) if system else None
            base = _code(system, system.concepts[exact]) if system and exact else None
            yield Code(
                system=url,
                version=system.version if system else include.get("version", ""),
                code=row["code"],
                display=row.get("display", base.display if base else ""),
                designations=(*row.get("designation", ()), *(base.designations if base else ())),
                is_inactive=base.is_inactive if base else False,
                is_abstract=base.is_abstract if base else False,
            )

    def _stored(self, value_set: ValueSet) -> dict[Key, Code]:
        """Return the codes of a value set that comes with nothing but its expansion."""
        expansion = value_set.get("expansion")
        if not isinstance(expansion, dict):
            raise Unsupported("a value set that says neither how it is composed nor what is in it")
        contains = expansion.get("contains", [])
        if expansion.get("total", 0) > len(contains) and "offset" in expansion:
            raise Unsupported("a value set of which only a page is loaded")
        found: dict[Key, Code] = {}
        waiting = list(reversed(contains))
        while waiting:
            row = waiting.pop()
            waiting += reversed(row.get("contains", []))
            if "code" in row and "system" in row and row["system"] not in self._left_out:
                found.setdefault((row["system"], row["code"]), _of_row(row))
        return found

    # --- one code ----------------------------------------------------------------------------

    def _is_included(
        self, include: Include, key: Key, trail: tuple[str, ...]
    ) -> Code | bool | None:
        answers: list[Code | bool | None] = []
        if "system" in include:
            answers.append(self._is_of_system(include, key))
        for url in include.get("valueSet", ()):
            if False in answers:
                break
            answers.append(self._decide(url, key, trail))
        if not answers:
            raise Invalid("an include of a value set needs a system or a value set")
        if False in answers:
            return False
        return None if None in answers else answers[0]

    def _decide(self, url: str, key: Key, trail: tuple[str, ...]) -> Code | bool | None:
        if (url, key) not in self._decided:
            value_set = self._library.find("ValueSet", url)
            found = self.contains(value_set, key, trail) if value_set else None
            self._decided[url, key] = found
        return self._decided[url, key]

    def _is_of_system(self, include: Include, key: Key) -> Code | bool | None:
        url, code = key
        if include["system"] != url or url in self._left_out:
            return False
        if "concept" in include:
            system = self._find(include)
            written = {code, (system.code(code) if system else None) or code}
            rows = (c for c in self._listed(include) if c.code in written)
            return next(rows, False)
        if url == UCUM and not include.get("filter"):
            return Code(url, "", code, "") if is_unit(code) else False
        found = self._find(include)
        if found is None:
            return None
        own = found.code(code)
        if own is None:
            return found.has(code)
        chosen = _filtered(found, include)
        return _code(found, found.concepts[own]) if chosen is None or own in chosen else False

    # --- code systems ------------------------------------------------------------------------

    def _find(self, include: Include) -> System | None:
        url = include["system"]
        version = self._versions.choose(url, include.get("version", ""))
        system = self._library.system(url, version)
        if system is not None:
            self._note(system)
        return system

    def _system(self, include: Include) -> System:
        url = include["system"]
        version = self._versions.choose(url, include.get("version", ""))
        system = known_system(self._library, url, version)
        self._note(system)
        return system

    def _note(self, system: System) -> None:
        self.used[f"{system.url}|{system.version}" if system.version else system.url] = None


def _deeper(value_set: ValueSet, trail: tuple[str, ...]) -> tuple[str, ...]:
    url = value_set.get("url")
    if not isinstance(url, str):
        return trail
    if url in trail:
        raise Invalid("a value set includes itself")
    if len(trail) >= _DEEPEST:
        raise TooLarge("value sets are nested too deeply")
    return (*trail, url)


def _filtered(system: System, include: Include) -> frozenset[str] | None:
    """Return the codes that pass every filter, None if there is no filter."""
    filters = include.get("filter")
    if not filters:
        return None
    return frozenset.intersection(*(select(system, one) for one in filters))


def _code(system: System, concept: Concept) -> Code:
    return Code(
        system=system.url,
        version=system.version,
        code=concept["code"],
        display=concept.get("display", ""),
        designations=tuple(concept.get("designation", ())),
        is_inactive=is_inactive(concept),
        is_abstract=is_abstract(concept),
    )


def _of_row(row: dict[str, Any]) -> Code:
    return Code(
        system=row["system"],
        version=row.get("version", ""),
        code=row["code"],
        display=row.get("display", ""),
        designations=tuple(row.get("designation", ())),
        is_inactive=row.get("inactive", False),
        is_abstract=row.get("abstract", False),
    )
