"""Read the "Computable ANTLR" column of HL7's maps into a small tree.

The column is meant to be computable, yet was typed by many people: ``IF PID-25 NOT VALUED``,
``IF OBX-2 = "ED"``, ``IF PID-33 AND PID-34 VALUED``. This reader takes the spellings that occur and
refuses all others, so that nothing is guessed; the overlay then has to say what is meant.

Trees: ``["valued", ref]``, ``["eq", ref, text]``, ``["in", ref, [text]]``,
``["count"|"length", ref, op, n]``, ``["not", t]``, ``["and"|"or", t, t]``,
``["named", name, [ref]]``. A ref is ``PID-25``, ``PID-11.9`` or, in data types, ``XTN.3``.
"""

from __future__ import annotations

import re
from typing import Any

Tree = list[Any]

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"[^"]*"|'[^']*')|(?P<named>@[a-z_]+)|(?P<ref>[A-Z][A-Z0-9]{1,2}[-.]\d+(?:\.\d+)*)"""
    r"""|(?P<word>[A-Za-z_]+\.?[A-Za-z]*|\d+)|(?P<sign><=|>=|[=<>(),]))"""
)
_NOISE = {"IF"}


class Unreadable(ValueError):
    """The condition is prose or misspelt; the overlay has to replace it."""


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at = 0
    text = text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Unreadable(text)
        kind = match.lastgroup or ""
        value = match.group(kind)
        if kind == "word":
            value = value.upper()
        if not (kind == "word" and value in _NOISE):
            found.append((kind, value.strip("\"'") if kind == "text" else value))
        at = match.end()
    return found


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.at = 0

    def peek(self, offset: int = 0) -> tuple[str, str]:
        index = self.at + offset
        return self.tokens[index] if index < len(self.tokens) else ("end", "")

    def take(self) -> tuple[str, str]:
        token = self.peek()
        self.at += 1
        return token

    def skip(self, *words: str) -> bool:
        if self.peek()[1] in words and self.peek()[0] in ("word", "sign"):
            self.at += 1
            return True
        return False

    def fail(self) -> Unreadable:
        return Unreadable(self.text)

    def either(self) -> Tree:
        tree = self.both()
        while self.skip("OR"):
            tree = ["or", tree, self.both()]
        return tree

    def both(self) -> Tree:
        tree = self.term()
        while self.skip("AND"):
            tree = ["and", tree, self.term()]
        return tree

    def term(self) -> Tree:
        kind, value = self.take()
        if value == "NOT" and kind == "word":
            return ["not", self.term()]
        if value == "(" and kind == "sign":
            tree = self.either()
            if not self.skip(")"):
                raise self.fail()
            return tree
        if kind == "named":
            return ["named", value[1:], self._arguments()]
        if kind != "ref":
            raise self.fail()
        refs, joint = [value], ""
        while self.peek()[1] in ("AND", "OR") and self.peek(1)[0] == "ref":
            if not self._shares(self.at + 1):
                break
            joint = self.take()[1].lower()
            refs.append(self.take()[1])
        test = self._comparison()
        trees = [_apply(test, ref) for ref in refs]
        tree = trees[0]
        for other in trees[1:]:
            tree = [joint, tree, other]
        return tree

    def _shares(self, at: int) -> bool:
        """Say whether the ref before has no comparison of its own: ``PID-33 AND PID-34 VALUED``."""
        return self.tokens[at - 2][0] == "ref"

    def _arguments(self) -> list[str]:
        refs: list[str] = []
        if self.skip("("):
            while not self.skip(")"):
                kind, value = self.take()
                if kind != "ref":
                    raise self.fail()
                refs.append(value)
                self.skip(",")
        return refs

    def _comparison(self) -> Tree:
        if self.skip("LST.COUNT", "COUNT"):
            return ["count", None, *self._number()]
        if self.skip("LENGTH"):
            return ["length", None, *self._number()]
        negated = False
        while self.skip("IS", "ARE", "DOES"):
            pass
        if self.skip("NOT"):
            negated = True
        test = self._plain_test()
        return ["not", test] if negated else test

    def _plain_test(self) -> Tree:
        if self.skip("VALUED", "VALUE"):
            return ["valued", None]
        if self.skip("EMPTY"):
            return ["not", ["valued", None]]
        if self.skip("IN"):
            return ["in", None, self._texts()]
        self.skip("EQUALS", "EQUAL", "=")
        self.skip("TO")
        kind, value = self.take()
        if kind != "text":
            raise self.fail()
        return ["eq", None, value]

    def _texts(self) -> list[str]:
        if not self.skip("("):
            raise self.fail()
        texts = []
        while not self.skip(")"):
            kind, value = self.take()
            if kind != "text":
                raise self.fail()
            texts.append(value)
            self.skip(",")
        return texts

    def _number(self) -> list[Any]:
        if self.skip("GREATER"):
            self.skip("THAN")
            sign = ">"
        elif self.skip("LESS"):
            self.skip("THAN")
            sign = "<"
            if self.skip("OR"):
                self.skip("EQUALS", "EQUAL")
                sign = "<="
        elif self.skip("EQUALS", "="):
            sign = "="
        elif self.peek()[1] in (">", "<"):
            sign = self.take()[1]
        else:
            raise self.fail()
        kind, value = self.take()
        if not (kind == "word" and value.isdigit()):
            raise self.fail()
        return [sign, int(value)]


def _apply(test: Tree, ref: str) -> Tree:
    if test[0] == "not":
        return ["not", _apply(test[1], ref)]
    return [test[0], ref, *test[2:]]


def read(text: str) -> Tree | None:
    """Read one condition; None for an empty one. Raises `Unreadable`."""
    if not text.strip():
        return None
    reader = _Reader(text)
    if not reader.tokens:
        return None
    tree = reader.either()
    if reader.peek()[0] != "end":
        raise reader.fail()
    return tree
