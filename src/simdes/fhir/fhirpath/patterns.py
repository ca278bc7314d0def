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
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from simdes.errors import Invalid, TooLarge

Spend = Callable[[int], None]

LONGEST_PATTERN = 2_000
MOST_STATES = 4_000
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


# --- program ---------------------------------------------------------------------------------

_Test = Callable[[str], bool]


@dataclass(slots=True)
class _Step:
    """One state: consume a character, fork, note a position, test the place, or accept."""

    kind: str
    test: _Test | None = None
    targets: tuple[int, ...] = ()
    slot: int = 0


@dataclass(slots=True)
class _Program:
    """A compiled pattern: its states from 0 on, its groups."""

    steps: list[_Step] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    groups: int = 1

    def add(self, step: _Step) -> int:
        if len(self.steps) >= MOST_STATES:
            raise TooLarge("the regular expression is too large")
        self.steps.append(step)
        return len(self.steps) - 1

    def matches(self, text: str, spend: Spend) -> Iterator[list[int]]:
        """Yield the slots (start and end of every group, -1 if unused) of each match in turn."""
        at, empty_at = 0, -1
        while at <= len(text):
            slots = self._match(text, at, spend)
            if slots is None:
                return
            if slots[1] == slots[0] == empty_at:
                at = slots[1] + 1
                empty_at = -1
                continue
            yield slots
            at = empty_at = slots[1]
            if slots[1] == slots[0]:
                at, empty_at = at + 1, -1

    def _match(self, text: str, start: int, spend: Spend) -> list[int] | None:
        """Return the slots of the first match that begins at ``start`` or later."""
        found: list[int] | None = None
        threads: list[tuple[int, list[int]]] = []
        for at in range(start, len(text) + 1):
            seen: set[int] = set()
            ready: list[tuple[int, list[int]]] = []
            for state, slots in threads:
                self._follow(state, slots, text, at, seen, ready)
            if found is None:
                self._follow(0, [-1] * (2 * self.groups), text, at, seen, ready)
            spend(1 + len(seen))
            threads = []
            letter = text[at] if at < len(text) else None
            for state, slots in ready:
                step = self.steps[state]
                if step.kind == "accept":
                    found = slots
                    break  # threads behind this one have a lower priority
                if letter is not None and step.test is not None and step.test(letter):
                    threads.append((step.targets[0], slots))
            if not threads and found is not None:
                break
        return found

    def _follow(
        self,
        state: int,
        slots: list[int],
        text: str,
        at: int,
        seen: set[int],
        ready: list[tuple[int, list[int]]],
    ) -> None:
        """Add the states reached from ``state`` without a character, in order of priority."""
        waiting = [(state, slots)]
        while waiting:
            state, slots = waiting.pop()
            if state in seen:
                continue
            seen.add(state)
            step = self.steps[state]
            if step.kind == "fork":
                waiting += [(t, slots) for t in reversed(step.targets)]
            elif step.kind == "note":
                slots = slots.copy()
                slots[step.slot] = at
                waiting.append((step.targets[0], slots))
            elif step.kind in _PLACES:
                if _PLACES[step.kind](text, at):
                    waiting.append((step.targets[0], slots))
            else:
                ready.append((state, slots))


def _is_word(text: str, at: int) -> bool:
    return 0 <= at < len(text) and (text[at].isalnum() or text[at] == "_")


def _is_boundary(text: str, at: int) -> bool:
    return _is_word(text, at - 1) is not _is_word(text, at)


_PLACES: dict[str, Callable[[str, int], bool]] = {
    "^": lambda text, at: at == 0,
    "$": lambda text, at: at == len(text),
    "\\b": _is_boundary,
    "\\B": lambda text, at: not _is_boundary(text, at),
}


# --- reading ---------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _program(pattern: str) -> _Program:
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
        self._program = _Program()

    def read(self) -> _Program:
        # State 0 is where a match begins; what it leads to is known last.
        program = self._program
        begin = program.add(_Step("note", slot=0))
        body = self._alternatives()
        if self._at < len(self._pattern):
            raise _refusal()
        accept = program.add(_Step("accept"))
        end = program.add(_Step("note", targets=(accept,), slot=1))
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
        return self._program.add(_Step("fork", targets=targets))

    def _sequence(self) -> _Build:
        items: list[_Build] = []
        while self._peek() not in ("", "|", ")"):
            items.append(self._repeated(self._item()))

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
        return lambda after: self._program.add(_Step(kind, targets=(after,)))

    def _letter(self, test: _Test) -> _Build:
        return lambda after: self._program.add(_Step("letter", test, (after,)))

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
            end = self._program.add(_Step("note", targets=(after,), slot=2 * slot + 1))
            return self._program.add(_Step("note", targets=(inner(end),), slot=2 * slot))

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
def _test(text: str) -> _Test:
    """Return whether a character is one that ``text`` stands for."""
    try:
        match = re.compile(text, re.DOTALL).fullmatch
    except re.error:
        raise _refusal() from None
    return lru_cache(maxsize=512)(lambda letter: match(letter) is not None)
