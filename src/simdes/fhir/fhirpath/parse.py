"""FHIRPath text to syntax tree (http://hl7.org/fhirpath/N1/#grammar)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from simdes.errors import Unsupported

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>[0-9]+(?:\.[0-9]+)?)
    | (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<quoted>`(?:[^`\\]|\\.)*`)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<variable>[%$][A-Za-z]+)
    | (?P<symbol><=|>=|!=|!~|[.,()\[\]{}|&+\-*/<>=~])
    )""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}

# Binary operators from loosest to tightest.
_LEVELS: tuple[frozenset[str], ...] = (
    frozenset({"implies"}),
    frozenset({"or", "xor"}),
    frozenset({"and"}),
    frozenset({"in", "contains"}),
    frozenset({"=", "!="}),
    frozenset({"<=", "<", ">", ">="}),
    frozenset({"|"}),
    frozenset({"is", "as"}),
    frozenset({"+", "-", "&"}),
)


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant collection."""

    values: tuple[str | bool | int | Decimal, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """``%resource``, ``%ucum``, ``$this``, ..."""

    name: str


@dataclass(frozen=True, slots=True)
class Step:
    """The children called ``name`` of ``target`` (None: of the focus)."""

    target: Node | None
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function on ``target`` (None: on the focus)."""

    target: Node | None
    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Binary:
    """An operator; the right side of ``is`` and ``as`` is a :class:`Step` naming a type."""

    operator: str
    left: Node
    right: Node


Node = Literal | Variable | Step | Call | Binary


def parse(text: str) -> Node:
    """Return the tree of the expression ``text``; ``Unsupported`` if it can't be read."""
    parser = _Parser(text)
    tree = parser.binary(0)
    if parser.kind:
        raise parser.refusal()
    return tree


class _Parser:
    """Recursive descent over the tokens; ``kind`` and ``text`` are the token in hand."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._position = 0
        self.kind = ""
        self.text = ""
        self._advance()

    def _advance(self) -> str:
        """Take the token in hand and return its text."""
        taken = self.text
        match = _TOKEN.match(self._source, self._position)
        if match is None:
            if self._source[self._position :].strip():
                raise self.refusal()
            self.kind, self.text = "", ""
        else:
            self._position = match.end()
            self.kind = match.lastgroup or ""
            self.text = match[self.kind]
        return taken

    def refusal(self) -> Unsupported:
        return Unsupported(f"FHIRPath not understood at character {self._position}")

    def _expect(self, symbol: str) -> None:
        if self.kind != "symbol" or self.text != symbol:
            raise self.refusal()
        self._advance()

    def binary(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._path()
        left = self.binary(level + 1)
        while self.kind in ("name", "symbol") and self.text in _LEVELS[level]:
            operator = self._advance()
            left = Binary(operator, left, self.binary(level + 1))
        return left

    def _path(self) -> Node:
        node = self._term()
        while self.kind == "symbol" and self.text == ".":
            self._advance()
            node = self._invocation(node)
        return node

    def _invocation(self, target: Node | None) -> Node:
        if self.kind not in ("name", "quoted"):
            raise self.refusal()
        is_quoted = self.kind == "quoted"
        name = self._advance()
        if is_quoted:
            return Step(target, name[1:-1])
        if self.kind == "symbol" and self.text == "(":
            return Call(target, name, self._arguments())
        return Step(target, name)

    def _arguments(self) -> tuple[Node, ...]:
        self._expect("(")
        found: list[Node] = []
        while not (self.kind == "symbol" and self.text == ")"):
            if found:
                self._expect(",")
            found.append(self.binary(0))
        self._expect(")")
        return tuple(found)

    def _term(self) -> Node:
        kind = self.kind
        if kind == "number":
            text = self._advance()
            return Literal((Decimal(text) if "." in text else int(text),))
        if kind == "string":
            return Literal((_unescape(self._advance()[1:-1]),))
        if kind == "variable":
            return Variable(self._advance())
        if kind == "symbol":
            return self._symbol_term()
        if kind == "name" and self.text in ("true", "false"):
            return Literal((self._advance() == "true",))
        return self._invocation(None)

    def _symbol_term(self) -> Node:
        if self.text == "{":
            self._advance()
            self._expect("}")
            return Literal(())
        self._expect("(")
        inner = self.binary(0)
        self._expect(")")
        return inner


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), text)
