"""One code system, ready to be asked (https://hl7.org/fhir/R4/codesystem.html).

The hierarchy is what nesting says together with the properties ``parent``, ``child`` and
``subsumedBy``; it counts as subsumption where ``hierarchyMeaning`` is ``is-a`` or not said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from simdes.errors import Invalid, TooLarge, Unsupported

Concept = dict[str, Any]

MOST_CONCEPTS = 1_000_000
_MOST_LEVELS = 200

_V2_TABLE = "http://terminology.hl7.org/CodeSystem/v2-"
_UP = frozenset({"parent", "subsumedBy"})
_INACTIVE = frozenset({"inactive", "retired"})
_ABSTRACT = frozenset({"notSelectable", "abstract"})


class System:
    """The concepts of a CodeSystem by code, their parents and children."""

    def __init__(self, resource: dict[str, Any]) -> None:
        self.resource = resource
        if "url" not in resource:
            raise Invalid("a code system needs a url, by which its codes are known")
        self.url: str = resource["url"]
        self.version: str = resource.get("version", "")
        self.is_complete = resource.get("content", "complete") == "complete"
        """Whether a code that is not here does not exist."""
        self.is_case_sensitive = resource.get("caseSensitive", not self.url.startswith(_V2_TABLE))
        self.subsumes = resource.get("hierarchyMeaning", "is-a") == "is-a"
        self.concepts: dict[str, Concept] = {}
        self._children: dict[str, dict[str, None]] = {}
        self._parents: dict[str, dict[str, None]] = {}
        for concept, parent in _walk(resource.get("concept", [])):
            self._add(concept, parent)
        self._folded = {} if self.is_case_sensitive else {c.casefold(): c for c in self.concepts}

    def _add(self, concept: Concept, parent: str) -> None:
        code = concept.get("code")
        if not isinstance(code, str):
            return
        self.concepts.setdefault(code, concept)
        if len(self.concepts) > MOST_CONCEPTS:
            raise TooLarge("a code system has more concepts than are taken in")
        if parent:
            self._join(parent, code)
        for row in concept.get("property", ()):
            other = row.get("valueCode")
            if not isinstance(other, str):
                continue
            if row.get("code") in _UP:
                self._join(other, code)
            elif row.get("code") == "child":
                self._join(code, other)

    def _join(self, parent: str, child: str) -> None:
        self._children.setdefault(parent, {})[child] = None
        self._parents.setdefault(child, {})[parent] = None

    def code(self, text: str) -> str | None:
        """Return ``text`` as the system writes it, None if it has no such code."""
        if text in self.concepts:
            return text
        return self._folded.get(text.casefold())

    def has(self, text: str) -> bool | None:
        """Whether the system has the code; None if only a part of its codes is loaded."""
        if self.code(text) is not None:
            return True
        return False if self.is_complete else None

    def children(self, code: str) -> tuple[str, ...]:
        """Return the codes directly below ``code``."""
        return tuple(self._children.get(code, ()))

    def parents(self, code: str) -> tuple[str, ...]:
        """Return the codes directly above ``code``."""
        return tuple(self._parents.get(code, ()))

    def below(self, code: str) -> tuple[str, ...]:
        """Return ``code`` and all that it subsumes; () if there is no such code."""
        return self._reach(code, self._children)

    def above(self, code: str) -> tuple[str, ...]:
        """Return ``code`` and all that subsume it; () if there is no such code."""
        return self._reach(code, self._parents)

    def _reach(self, start: str, steps: Mapping[str, dict[str, None]]) -> tuple[str, ...]:
        own = self.code(start)
        if own is None:
            return ()
        if not self.subsumes:
            meaning = self.resource.get("hierarchyMeaning")
            raise Unsupported(f"the hierarchy of {self.url} means {meaning}, not is-a")
        found, waiting = {own: None}, [own]
        for code in waiting:
            for other in steps.get(code, ()):
                if other not in found and other in self.concepts:
                    found[other] = None
                    waiting.append(other)
        return tuple(found)


def properties(concept: Concept, name: str) -> list[Any]:
    """Return the values of the property ``name``, a Coding's as its code."""
    found = []
    for row in concept.get("property", ()):
        if row.get("code") == name:
            value = next((v for k, v in row.items() if k.startswith("value")), None)
            found.append(value.get("code") if isinstance(value, dict) else value)
    return found


def is_inactive(concept: Concept) -> bool:
    """Whether the concept is not to be used any more; a deprecated one still may be.

    https://hl7.org/fhir/R4/codesystem-concept-properties.html
    """
    states = properties(concept, "status")
    return any(v is True for v in properties(concept, "inactive")) or any(
        state in _INACTIVE for state in states
    )


def is_abstract(concept: Concept) -> bool:
    """Whether the concept only groups others."""
    return any(v is True for name in _ABSTRACT for v in properties(concept, name))


def _walk(concepts: Any) -> Iterator[tuple[Concept, str]]:
    """Yield every concept with the code it is nested in, in the order of the definition."""
    waiting: list[tuple[Any, str, int]] = [(c, "", 0) for c in reversed(concepts)]
    while waiting:
        concept, parent, level = waiting.pop()
        if level > _MOST_LEVELS:
            raise TooLarge("a code system is nested too deeply")
        if not isinstance(concept, dict):
            continue
        yield concept, parent
        code = concept.get("code", "")
        waiting += [(c, code, level + 1) for c in reversed(concept.get("concept", []))]
