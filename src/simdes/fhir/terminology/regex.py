"""Regular expressions of value sets, matched in time linear in the text.

A filter ``regex`` (https://hl7.org/fhir/R4/valueset-filter-operator.html) is written by whoever
sends a ValueSet; a backtracking engine would let them stop the server. So the common part of the
syntax is turned into a set of states that are followed side by side (Thompson 1968). What is not
regular, or not here (look-around, back-references, ``\\b``), is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from simdes.errors import Invalid, TooLarge, Unsupported

LONGEST_PATTERN = 500
MOST_STATES = 5_000
_DEEPEST = 50

Test = Callable[[str], bool]

_DIGITS = frozenset("0123456789")
_CLASSES: dict[str, Test] = {
    "d": lambda c: c in _DIGITS,
    "D": lambda c: c not in _DIGITS,
    "s": str.isspace,
    "S": lambda c: not c.isspace(),
    "w": lambda c: c.isalnum() or c == "_",
    "W": lambda c: not (c.isalnum() or c == "_"),
}
_ESCAPED = {"t": "\t", "n": "\n", "r": "\r"}


@dataclass(slots=True)
class _State:
    """Waits for a character that passes ``test``, or (None) goes on to all of ``next`` at once."""

    test: Test | None = None
    next: list[int] = field(default_factory=list)


class Pattern:
    """A compiled expression."""

    def __init__(self, states: list[_State], start: int, end: int) -> None:
        self._states, self._start, self._end = states, start, end

    def matches(self, text: str) -> bool:
        """Whether the whole of ``text`` matches."""
        now = self._closure([self._start])
        for character in text:
            reached = []
            for index in now:
                test = self._states[index].test
                if test is not None and test(character):
                    reached += self._states[index].next
            if not reached:
                return False
            now = self._closure(reached)
        return self._end in now

    def _closure(self, waiting: list[int]) -> set[int]:
        found: set[int] = set()
        while waiting:
            index = waiting.pop()
            if index not in found:
                found.add(index)
                if self._states[index].test is None:
                    waiting += self._states[index].next
        return found


@lru_cache(maxsize=256)
def compile_pattern(text: str) -> Pattern:
    """Return ``text`` compiled; raises ``Invalid``, ``Unsupported`` or ``TooLarge``."""
    if len(text) > LONGEST_PATTERN:
        raise TooLarge(f"a regular expression has at most {LONGEST_PATTERN} characters")
    parser = _Parser(text.removeprefix("^"))
    start, end = parser.alternatives(0)
    if parser.at != len(parser.text):
        raise Invalid("a regular expression has a closing bracket too many")
    return Pattern(parser.states, start, end)


Part = tuple[int, int]


class _Parser:
    """Recursive descent; every rule returns the states in which its part begins and ends."""

    def __init__(self, text: str) -> None:
        self.text = text[:-1] if text.endswith("$") and not text.endswith("\\$") else text
        self.at = 0
        self.states: list[_State] = []

    def _new(self, test: Test | None = None) -> int:
        if len(self.states) >= MOST_STATES:
            raise TooLarge("a regular expression is too large")
        self.states.append(_State(test))
        return len(self.states) - 1

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _take(self) -> str:
        character = self._peek()
        if not character:
            raise Invalid("a regular expression ends too early")
        self.at += 1
        return character

    def alternatives(self, depth: int) -> Part:
        """``a|b``"""
        if depth > _DEEPEST:
            raise TooLarge("a regular expression is nested too deeply")
        start, end = self._new(), self._new()
        while True:
            first, last = self._sequence(depth)
            self.states[start].next.append(first)
            self.states[last].next.append(end)
            if self._peek() != "|":
                return start, end
            self.at += 1

    def _sequence(self, depth: int) -> Part:
        start = end = self._new()
        while self._peek() not in ("", "|", ")"):
            first, last = self._repeated(depth)
            self.states[end].next.append(first)
            end = last
        return start, end

    def _repeated(self, depth: int) -> Part:
        begin = self.at
        part = self._atom(depth)
        least, most = self._count()
        if (least, most) == (1, 1):
            return part
        after = self.at
        copies = [part]
        while len(copies) < max(most if most is not None else least, 1):
            self.at = begin
            copies.append(self._atom(depth))
        self.at = after
        return self._chain(copies, least, most)

    def _chain(self, copies: list[Part], least: int, most: int | None) -> Part:
        start, end = self._new(), self._new()
        here = start
        for index, (first, last) in enumerate(copies):
            if index >= least:
                self.states[here].next.append(end)
            if index < (most if most is not None else len(copies)):
                self.states[here].next.append(first)
                here = last
        self.states[here].next.append(end)
        if most is None:
            self.states[here].next.append(copies[-1][0])
        return start, end

    def _count(self) -> tuple[int, int | None]:
        simple: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        sign = self._peek()
        if sign in simple:
            self.at += 1
            count = simple[sign]
        elif sign == "{":
            count = self._braces()
        else:
            return 1, 1
        if self._peek() and self._peek() in "*+?{":
            raise Unsupported("lazy, possessive or doubled counts in a regular expression")
        return count

    def _braces(self) -> tuple[int, int | None]:
        inside, closed, _ = self.text[self.at + 1 :].partition("}")
        low, comma, high = inside.partition(",")
        numbers = [n for n in (low, high) if n]
        if not closed or not low or not all(n.isascii() and n.isdecimal() for n in numbers):
            raise Invalid("a regular expression has a count that can't be read")
        self.at += len(inside) + 2
        least = int(low[:5])
        most = least if not comma else int(high[:5]) if high else None
        if most is not None and most < least:
            raise Invalid("a regular expression has a count that can't be met")
        return least, most

    def _atom(self, depth: int) -> Part:
        character = self._take()
        if character == "(":
            return self._group(depth)
        if character in "*+?{":
            raise Invalid("a regular expression has a count with nothing to count")
        if character in "^$":
            raise Unsupported("an anchor inside a regular expression")
        if character == "[":
            return self._one(self._class())
        if character == "\\":
            return self._one(self._escape())
        if character == ".":
            return self._one(lambda c: c not in "\r\n")
        return self._one(lambda c: c == character)

    def _group(self, depth: int) -> Part:
        if self.text.startswith("?:", self.at):
            self.at += 2
        elif self._peek() == "?":
            raise Unsupported("look-around or a flag in a regular expression")
        part = self.alternatives(depth + 1)
        if self._take() != ")":
            raise Invalid("a regular expression lacks a closing bracket")
        return part

    def _one(self, test: Test) -> Part:
        start, end = self._new(test), self._new()
        self.states[start].next.append(end)
        return start, end

    def _escape(self) -> Test:
        character = self._take()
        if character in _CLASSES:
            return _CLASSES[character]
        literal = _ESCAPED.get(character, character)
        if literal == character and character.isalnum():
            raise Unsupported("an escape in a regular expression that is not supported")
        return lambda c: c == literal

    def _class(self) -> Test:
        is_negated = self._peek() == "^"
        self.at += is_negated
        tests: list[Test] = []
        while self._peek() != "]" or not tests:
            tests.append(self._class_member())
        self.at += 1
        if is_negated:
            return lambda c: not any(test(c) for test in tests)
        return lambda c: any(test(c) for test in tests)

    def _class_member(self) -> Test:
        low = self._take()
        if low == "\\":
            if self._peek() in _CLASSES:
                return _CLASSES[self._take()]
            low = self._literal_escape()
        if low == "[":
            raise Unsupported("a class in a class in a regular expression")
        if self._peek() != "-" or self.text[self.at + 1 : self.at + 2] == "]":
            return lambda c: c == low
        self.at += 1
        high = self._take()
        if high == "\\":
            high = self._literal_escape()
        if high < low:
            raise Invalid("a regular expression has a range that runs backwards")
        return lambda c: low <= c <= high

    def _literal_escape(self) -> str:
        character = self._take()
        if character.isalnum() and character not in _ESCAPED:
            raise Unsupported("an escape in a regular expression that is not supported")
        return _ESCAPED.get(character, character)
