"""A source as a tree of named branches, and the paths that sheets select them by.

CDA elements and attributes, X12 loops and elements, DICOM attributes and the cells of a table all
become `Branch`es, so that one kind of sheet (`sheets`) maps them all and one ledger tells what was
taken.

A path is a list of steps between slashes: a name, ``*`` (any child), ``rest::*`` or ``rest::name``
(children nothing was taken of yet), ``**`` (any branch below), ``.``, ``..``, ``self::name`` (the
branch itself if it has that name) or ``^name`` (the nearest branch of that name around it). A step
may be followed by tests in brackets: ``[code]`` (is there), ``[!code]`` (is not there),
``[@code=A,B]`` and ``[@code!=A]``, joined by `` and ``. `` or `` between paths gives the first that
selects anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

_NO_BRANCHES: dict[str, list[Branch]] = {}
"""What is in a branch that nothing grew in: most are so, and never have a dict of their own."""


class Branch:
    """One named place of a source: its ``value`` (a text, or None) and the branches in it.

    ``taken`` says that the value went into a resource; ``node`` is the resource made of it;
    ``number`` counts branches of one name in one place, from 1. ``content`` is what a format's own
    functions need to know of a branch, beside its text.
    """

    __slots__ = ("content", "inner", "name", "node", "number", "outer", "taken", "value")

    def __init__(self, name: str, value: str | None = None, outer: Branch | None = None) -> None:
        self.name = name
        self.value = value
        self.outer = outer
        self.inner: dict[str, list[Branch]] = _NO_BRANCHES
        self.number = 1
        self.taken = False
        self.node: Any = None
        self.content: Any = None

    def add(self, name: str, value: str | None = None) -> Branch:
        """Grow a branch."""
        branch = Branch(name, value, self)
        inner = self.inner
        if inner is _NO_BRANCHES:
            self.inner = {name: [branch]}
            return branch
        alike = inner.get(name)
        if alike is None:
            inner[name] = [branch]
        else:
            alike.append(branch)
            branch.number = len(alike)
        return branch

    def branches(self) -> Iterator[Branch]:
        """Walk over the branches right in this one."""
        for alike in self.inner.values():
            yield from alike

    def below(self) -> Iterator[Branch]:
        """Walk over every branch below, outer ones first, without recursion."""
        waiting = [*self.branches()][::-1]
        while waiting:
            branch = waiting.pop()
            yield branch
            if branch.inner:
                waiting += [*branch.branches()][::-1]

    def path(self, top: Branch | None = None) -> str:
        """Tell where this stands, below ``top``: ``entry[2]/act/code``."""
        steps: list[str] = []
        branch: Branch | None = self
        while branch is not None and branch is not top:
            several = branch.outer is not None and len(branch.outer.inner[branch.name]) > 1
            steps.append(f"{branch.name}[{branch.number}]" if several else branch.name)
            branch = branch.outer
        return "/".join(reversed(steps))


_NOTHING: list[Branch] = []
_PLAIN_NAME = re.compile(r"@?[A-Za-z](?:[\w.-]|:(?!:))*")
_PLAIN_STEP = re.compile(r"@?[A-Za-z][\w:.-]*(?=[\[/]|$)(?<!\*)")

Select = Callable[[Branch], list[Branch]]
Test = Callable[[Branch], bool]


class BadPath(ValueError):
    """A path or test that is not in the language above."""


@cache
def select(path: str) -> Select:
    """Compile a path. Raises `BadPath`."""
    choices = [_sequence(part.strip()) for part in _split(path, " or ")]
    if len(choices) == 1:
        return choices[0]

    def first(branch: Branch) -> list[Branch]:
        for choice in choices:
            found = choice(branch)
            if found:
                return found
        return []

    return first


def first_name(path: str) -> str:
    """Give the name that a branch must hold for ``path`` to find anything; empty if it is open."""
    name = _PLAIN_STEP.match(path)
    return "" if name is None or "::" in name[0] or " or " in path else name[0]


@cache
def test(text: str) -> Test:
    """Compile tests joined by `` and ``. Raises `BadPath`."""
    tests = [_test(part.strip()) for part in _split(text, " and ")]
    if len(tests) == 1:
        return tests[0]
    return lambda branch: all(one(branch) for one in tests)


def _split(text: str, sign: str) -> list[str]:
    """Split at ``sign`` outside of brackets."""
    parts, depth, start = [], 0, 0
    for at, letter in enumerate(text):
        depth += (letter == "[") - (letter == "]")
        if depth == 0 and text.startswith(sign, at) and at >= start:
            parts.append(text[start:at])
            start = at + len(sign)
    if depth:
        raise BadPath(f"brackets do not match: {text}")
    return [*parts, text[start:]]


def _sequence(path: str) -> Select:
    if not path:
        raise BadPath("empty path")
    texts = _split(path, "/")
    steps = [_step(text) for text in texts]
    if len(steps) == 1:
        return steps[0]
    if all(_PLAIN_NAME.fullmatch(text) for text in texts):
        return _names(texts)

    def follow(branch: Branch) -> list[Branch]:
        found = [branch]
        for step in steps:
            found = [inner for one in found for inner in step(one)]
            if not found:
                break
        return found

    return follow


def _names(names: list[str]) -> Select:
    """Follow plain names, which most paths are made of: without a call for each."""
    first, *others = names

    def follow(branch: Branch) -> list[Branch]:
        found = branch.inner.get(first, _NOTHING)
        for name in others:
            if len(found) == 1:
                found = found[0].inner.get(name, _NOTHING)
            else:
                found = [inner for one in found for inner in one.inner.get(name, _NOTHING)]
            if not found:
                break
        return found

    return follow


def _step(text: str) -> Select:
    name, bracket, rest = text.partition("[")
    if not name or name != name.strip() or set(name) & set("]=!"):
        raise BadPath(f"no name of a step: {text!r}")
    go = _AXES.get(name) or _named(name)
    if not bracket:
        return go
    if not rest.endswith("]"):
        raise BadPath(f"nothing may follow a bracket: {text!r}")
    tests = [test(part) for part in _bracketed(bracket + rest)]
    if len(tests) == 1:
        check = tests[0]
        return lambda branch: [one for one in go(branch) if check(one)]
    return lambda branch: [one for one in go(branch) if all(check(one) for check in tests)]


def _bracketed(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for at, letter in enumerate(text):
        if letter == "[":
            start = at + 1 if depth == 0 else start
            depth += 1
        elif letter == "]":
            depth -= 1
            if depth == 0:
                parts.append(text[start:at])
        elif depth == 0:
            raise BadPath(f"nothing may stand between brackets: {text!r}")
    return parts


def _named(name: str) -> Select:
    if name[0] == "^":
        return _up(name[1:])
    if name.startswith("rest::"):
        left = name[6:]
        return lambda branch: [one for one in branch.inner.get(left, ()) if not _is_touched(one)]
    if name.startswith("self::"):
        own = name[6:]
        return lambda branch: [branch] if branch.name == own else []
    return lambda branch: branch.inner.get(name, _NOTHING)


def _up(name: str) -> Select:
    def climb(branch: Branch) -> list[Branch]:
        outer = branch.outer
        while outer is not None and outer.name != name:
            outer = outer.outer
        return [] if outer is None else [outer]

    return climb


def _is_touched(branch: Branch) -> bool:
    return branch.taken or any(one.taken for one in branch.below())


_AXES: dict[str, Select] = {
    ".": lambda branch: [branch],
    "..": lambda branch: [] if branch.outer is None else [branch.outer],
    "*": lambda branch: [one for one in branch.branches() if one.name[0] != "@"],
    "rest::*": lambda branch: [
        one for one in branch.branches() if one.name[0] != "@" and not _is_touched(one)
    ],
    "**": lambda branch: list(branch.below()),
}


def _test(text: str) -> Test:
    if text == "new":
        return lambda branch: not _is_touched(branch)
    if text.startswith("!") and not text.startswith("!="):
        none = select(text[1:].strip())
        return lambda branch: not none(branch)
    path, sign, values = _compared(text)
    found = select(path)
    if not sign:
        return lambda branch: bool(found(branch))
    wanted = frozenset(value.strip() for value in values.split(","))
    is_equal = sign == "="

    def compare(branch: Branch) -> bool:
        for one in found(branch):
            if (one.value or "") in wanted:
                return is_equal
        return not is_equal

    return compare


def _compared(text: str) -> tuple[str, str, str]:
    depth = 0
    for at, letter in enumerate(text):
        depth += (letter == "[") - (letter == "]")
        if depth == 0 and letter == "=":
            sign = "!=" if text[at - 1 : at] == "!" else "="
            return text[: at - (sign == "!=")].strip(), sign, text[at + 1 :]
    return text.strip(), "", ""
