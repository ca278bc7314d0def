"""Regular expressions of FHIRPath, in time linear in the text (http://hl7.org/fhirpath/N1/#matchesregex-string-boolean).

Pattern and text can both come from outside, and a backtracking engine needs exponential time on
``(a+)+b``. Patterns from outside are therefore read here and run as sets of states, each step
counted; those of the standard's own invariants are Python's, which is faster. A pattern that needs
backtracking (look-around, references to groups) is refused.

The parts common to all dialects are understood: literals, ``.`` (newlines too), classes, groups
(plain, named, not capturing), ``|``, ``* + ? {m,n}`` greedy and lazy, ``^ $ \\b \\B``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from simdes.errors import Invalid, TooLarge
from simdes.fhir.fhirpath.automaton import Program, Spend, Step, Test

LONGEST_PATTERN = 2_000
_DEEPEST_GROUP = 30
_NAMED_GROUP = re.compile(r"\(\?<(?![=!])")
_REFERENCE = re.compile(r"\\(.)|\$\{([A-Za-z]\w*)\}|\$(\d)", re.DOTALL)


def find(text: str, pattern: str, *, spend: Spend | None) -> bool:
    """Return whether ``pattern`` occurs in ``text``. Raises ``Invalid`` for what is no pattern.

    ``spend`` counts the steps of patterns from outside; None for the standard's own.
    """
    if spend is None:
        return _own(pattern).search(text) is not None
    return next(_program(pattern).matches(text, spend), None) is not None


def matches_whole(text: str, pattern: str, *, spend: Spend | None) -> bool:
    """Return whether ``pattern`` is all of ``text``."""
    if spend is None:
        return _own(pattern).fullmatch(text) is not None
    return next(_program(f"^(?:{pattern})$").matches(text, spend), None) is not None


def substitute(text: str, pattern: str, new: str, *, spend: Spend | None) -> str:
    """Return ``text`` with each occurrence replaced; ``$1`` and ``${name}`` are its groups."""
    if not pattern:
        return text
    if spend is None:
        own = _own(pattern)
        return own.sub(lambda m: _fill(new, [m[0], *m.groups()], dict(own.groupindex)), text)
    program = _program(pattern)
    pieces, at = [], 0
    for slots in program.matches(text, spend):
        groups = [
            text[slots[i] : slots[i + 1]] if slots[i + 1] >= 0 else None
            for i in range(0, len(slots), 2)
        ]
        pieces += [text[at : slots[0]], _fill(new, groups, program.names)]
        spend(len(pieces[-1]))
        at = slots[1]
    return "".join([*pieces, text[at:]])


def _fill(new: str, groups: list[str | None], names: dict[str, int]) -> str:
    def group(match: re.Match[str]) -> str:
        if match[1]:
            return match[1]
        at = names.get(match[2], -1) if match[2] else int(match[3])
        if not 0 <= at < len(groups):
            raise Invalid("the replacement refers to a group that the pattern doesn't have")
        return groups[at] or ""

    return _REFERENCE.sub(group, new)


@lru_cache(maxsize=256)
def _own(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(_NAMED_GROUP.sub("(?P<", pattern), re.DOTALL)
    except (re.error, OverflowError, RecursionError):
        raise _refusal() from None


def _refusal() -> Invalid:
    return Invalid("a regular expression that can't be read, or needs look-around")


# --- reading ---------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _program(pattern: str) -> Program:
    if len(pattern) > LONGEST_PATTERN:
        raise TooLarge(f"a regular expression may have {LONGEST_PATTERN} characters")
    return _Reader(pattern).read()


_Build = Callable[[int], int]
"""Adds the states of a part that goes on to the given state; returns the part's first state."""


class _Reader:
    """Recursive descent; each part is built from its end, so that it knows where it goes on."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._depth = 0
        self._program = Program()

    def read(self) -> Program:
        # State 0 is where a match begins; what it leads to is known last.
        program = self._program
        begin = program.add(Step("note", slot=0))
        body = self._alternatives()
        if self._at < len(self._pattern):
            raise _refusal()
        accept = program.add(Step("accept"))
        end = program.add(Step("note", targets=(accept,), slot=1))
        program.steps[begin].targets = (body(end),)
        return program

    def _peek(self, length: int = 1) -> str:
        return self._pattern[self._at : self._at + length]

    def _take(self, length: int = 1) -> str:
        taken = self._peek(length)
        if len(taken) < length:
            raise _refusal()
        self._at += length
        return taken

    def _alternatives(self) -> _Build:
        self._depth += 1
        if self._depth > _DEEPEST_GROUP:
            raise TooLarge("the regular expression nests too deeply")
        branches = [self._sequence()]
        while self._peek() == "|":
            self._take()
            branches.append(self._sequence())
        self._depth -= 1
        if len(branches) == 1:
            return branches[0]
        return lambda after: self._fork(*[b(after) for b in branches])

    def _fork(self, *targets: int) -> int:
        return self._program.add(Step("fork", targets=targets))

    def _sequence(self) -> _Build:
        items: list[_Build] = []
        while self._peek() not in ("", "|", ")"):
            is_place = self._peek() in ("^", "$") or self._peek(2) in ("\\b", "\\B")
            item = self._item()
            items.append(item if is_place else self._repeated(item))

        def build(after: int) -> int:
            for item in reversed(items):
                after = item(after)
            return after

        return build

    def _item(self) -> _Build:
        letter = self._take()
        if letter == "(":
            return self._group()
        if letter in "^$":
            return self._place(letter)
        if letter == "\\" and self._peek() in ("b", "B"):
            return self._place("\\" + self._take())
        if letter in "*+?{":
            raise _refusal()
        return self._letter(_test(self._class_text(letter)))

    def _place(self, kind: str) -> _Build:
        return lambda after: self._program.add(Step(kind, targets=(after,)))

    def _letter(self, test: Test) -> _Build:
        return lambda after: self._program.add(Step("letter", test, (after,)))

    def _class_text(self, letter: str) -> str:
        """Return the part that stands for one character, as Python writes it."""
        if letter == ".":
            return "."
        if letter == "\\":
            return _escape_text(self._take())
        if letter != "[":
            return re.escape(letter)
        text = "["
        while self._peek() != "]" or text in ("[", "[^"):
            letter = self._take()
            # "[[" and "&&" mean something else in other dialects; here a bracket is itself.
            text += "\\" + self._take() if letter == "\\" else "\\[" if letter == "[" else letter
        self._take()
        return text + "]"

    def _group(self) -> _Build:
        slot = 0
        if self._peek(2) == "?:":
            self._take(2)
        elif self._peek() == "?":
            self._take()
            self._program.names[self._group_name()] = slot = self._new_group()
        else:
            slot = self._new_group()
        inner = self._alternatives()
        if self._take() != ")":
            raise _refusal()
        if not slot:
            return inner

        def build(after: int) -> int:
            end = self._program.add(Step("note", targets=(after,), slot=2 * slot + 1))
            return self._program.add(Step("note", targets=(inner(end),), slot=2 * slot))

        return build

    def _new_group(self) -> int:
        self._program.groups += 1
        return self._program.groups - 1

    def _group_name(self) -> str:
        found = re.compile(r"P?<([A-Za-z]\w*)>").match(self._pattern, self._at)
        if found is None:
            raise _refusal()
        self._at = found.end()
        return found[1]

    def _repeated(self, item: _Build) -> _Build:
        found = _REPEAT.match(self._pattern, self._at)
        if found is None:
            return item
        self._at = found.end()
        least, most = _bounds(found)
        if most is not None and most < least:
            raise _refusal()
        is_lazy = found["lazy"] == "?"
        return lambda after: self._repeat(item, after, least, most, is_lazy=is_lazy)

    def _repeat(
        self, item: _Build, after: int, least: int, most: int | None, *, is_lazy: bool
    ) -> int:
        if most is None:
            loop = self._fork()
            body = item(loop)
            self._program.steps[loop].targets = (after, body) if is_lazy else (body, after)
            first = loop
        else:
            first = after
            for _ in range(most - least):
                body = item(first)
                first = self._fork(after, body) if is_lazy else self._fork(body, after)
        for _ in range(least):
            first = item(first)
        return first


_REPEAT = re.compile(
    r"(?:(?P<sign>[*+?])|\{(?P<least>\d{1,4})(?P<to>,(?P<most>\d{0,4}))?\})(?P<lazy>\??)",
    re.ASCII,
)
_SIGNS: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}


def _bounds(found: re.Match[str]) -> tuple[int, int | None]:
    if found["sign"]:
        return _SIGNS[found["sign"]]
    least = int(found["least"])
    if found["to"] is None:
        return least, least
    return least, int(found["most"]) if found["most"] else None


def _escape_text(letter: str) -> str:
    if letter in "dDsSwWnrtf":
        return "\\" + letter
    if letter.isalnum():
        raise _refusal()  # a reference to a group, a class by name, ...
    return re.escape(letter)


@lru_cache(maxsize=1024)
def _test(text: str) -> Test:
    """Return whether a character is one that ``text`` stands for."""
    try:
        match = re.compile(text, re.DOTALL).fullmatch
    except re.error:
        raise _refusal() from None
    return lru_cache(maxsize=512)(lambda letter: match(letter) is not None)
