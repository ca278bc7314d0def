"""FHIRPath text to syntax tree (http://hl7.org/fhirpath/N1/#grammar).

By precedence climbing, so that the depth of the parser's own recursion is that of the parentheses.
Texts come from clients: their length and the depth of their tree are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from simdes.errors import Invalid, TooLarge
from simdes.fhir.fhirpath.quantity import CALENDAR, Quantity
from simdes.fhir.fhirpath.temporal import parse_temporal

LONGEST_EXPRESSION = 16_384
DEEPEST_TREE = 100

_TOKEN = re.compile(
    r"""(?:\s+|//[^\n\r]*|/\*(?:[^*]|\*(?!/))*+\*/)*+(?:
      (?P<temporal>@(?:T\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?
        |\d{4}(?:-\d\d(?:-\d\d)?)?
         (?:T(?:\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z|[+\-]\d\d:\d\d)?)?)?))
    | (?P<number>[0-9]+(?:\.[0-9]+)?)
    | (?P<string>'(?:[^'\\]|\\.)*+')
    | (?P<quoted>`(?:[^`\\]|\\.)*+`)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<variable>\$[a-z]+|%(?:(?:vs|ext)-[A-Za-z0-9\-]+|[A-Za-z_][A-Za-z0-9_]*
        |`(?:[^`\\]|\\.)*+`|'(?:[^'\\]|\\.)*+'))
    | (?P<symbol><=|>=|!=|!~|[.,()\[\]{}|&+\-*/<>=~])
    )""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_BLANK = re.compile(r"(?:\s+|//[^\n\r]*|/\*(?:[^*]|\*(?!/))*+\*/)*+\Z", re.ASCII)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}

# Binary operators from loosest to tightest.
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("implies",),
    ("or", "xor"),
    ("and",),
    ("in", "contains"),
    ("=", "!=", "~", "!~"),
    ("<=", "<", ">", ">="),
    ("|",),
    ("is", "as"),
    ("+", "-", "&"),
    ("*", "/", "div", "mod"),
)
_LEVEL = {operator: level for level, operators in enumerate(_LEVELS) for operator in operators}


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant collection."""

    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """``%resource``, ``%ucum``, ``$this``, ... without quotes."""

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
class Index:
    """The item of ``target`` at the position ``index``."""

    target: Node
    index: Node


@dataclass(frozen=True, slots=True)
class Sign:
    """``-`` or ``+`` before ``operand``."""

    sign: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary:
    """An operator; the right side of ``is`` and ``as`` is a :class:`Step` naming a type."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Union:
    """``a | b | c``, of which a search parameter has up to fifty: one node, not one per bar."""

    parts: tuple[Node, ...]


Node = Literal | Variable | Step | Call | Index | Sign | Binary | Union


def parse(text: str) -> Node:
    """Return the tree of the expression ``text``.

    Raises ``Invalid`` if it can't be read, ``TooLarge`` if it passes the limits.
    """
    if len(text) > LONGEST_EXPRESSION:
        raise TooLarge(f"a FHIRPath expression may have {LONGEST_EXPRESSION} characters")
    parser = _Parser(text)
    tree = parser.expression()
    if parser.kind:
        raise parser.refusal()
    if depth(tree) > DEEPEST_TREE:
        raise too_deep()
    return tree


def too_deep() -> TooLarge:
    """Return the refusal of an expression that nests too deeply."""
    return TooLarge(f"a FHIRPath expression may nest {DEEPEST_TREE} steps, calls and operators")


def parts(node: Node) -> tuple[Node, ...]:
    """Return the nodes directly below ``node``."""
    if isinstance(node, Step):
        return () if node.target is None else (node.target,)
    if isinstance(node, Call):
        return node.arguments if node.target is None else (node.target, *node.arguments)
    if isinstance(node, Binary):
        return (node.left, node.right)
    if isinstance(node, Index):
        return (node.target, node.index)
    if isinstance(node, Sign):
        return (node.operand,)
    return node.parts if isinstance(node, Union) else ()


def walk(node: Node) -> Iterator[Node]:
    """Yield ``node`` and every node below it."""
    waiting = [node]
    while waiting:
        at = waiting.pop()
        yield at
        waiting += parts(at)


def depth(node: Node) -> int:
    """Return the number of levels of the tree ``node``."""
    deepest, waiting = 0, [(node, 1)]
    while waiting:
        at, level = waiting.pop()
        deepest = max(deepest, level)
        waiting += [(p, level + 1) for p in parts(at)]
    return deepest


class _Parser:
    """``kind`` and ``text`` are the token in hand."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._position = 0
        self._depth = 0
        self.kind = ""
        self.text = ""
        self._advance()

    def _advance(self) -> str:
        """Take the token in hand and return its text."""
        taken = self.text
        match = _TOKEN.match(self._source, self._position)
        if match is not None:
            self._position = match.end()
            self.kind = match.lastgroup or ""
            self.text = match[self.kind]
        elif _BLANK.match(self._source, self._position):
            self.kind, self.text = "", ""
        else:
            raise self.refusal()
        return taken

    def refusal(self) -> Invalid:
        return Invalid(f"FHIRPath not understood at character {self._position}")

    def _is(self, *symbols: str) -> bool:
        return self.kind == "symbol" and self.text in symbols

    def _expect(self, symbol: str) -> None:
        if not self._is(symbol):
            raise self.refusal()
        self._advance()

    def expression(self, floor: int = 0) -> Node:
        """Read operators of the level ``floor`` and tighter ones."""
        self._depth += 1
        if self._depth > DEEPEST_TREE:
            raise too_deep()
        left = self._signed()
        while self.kind in ("name", "symbol") and _LEVEL.get(self.text, -1) >= floor:
            operator = self._advance()
            right = self.expression(_LEVEL[operator] + 1)
            if operator == "|":
                before = left.parts if isinstance(left, Union) else (left,)
                left = Union((*before, right))
            else:
                left = Binary(operator, left, right)
        self._depth -= 1
        return left

    def _signed(self) -> Node:
        signs = []
        while self._is("+", "-"):
            signs.append(self._advance())
            if len(signs) > DEEPEST_TREE:
                raise too_deep()
        node = self._path()
        for sign in reversed(signs):
            node = Sign(sign, node)
        return node

    def _path(self) -> Node:
        node = self._term()
        while self._is(".", "["):
            if self._advance() == ".":
                node = self._invocation(node)
            else:
                node = Index(node, self.expression())
                self._expect("]")
        return node

    def _invocation(self, target: Node | None) -> Node:
        if self.kind == "variable" and self.text[0] == "$" and target is None:
            return Variable(self._advance())
        if self.kind not in ("name", "quoted"):
            raise self.refusal()
        is_quoted = self.kind == "quoted"
        name = self._advance()
        if is_quoted:
            name = _unescape(name[1:-1])
        if self._is("("):
            return Call(target, name, self._arguments())
        if not name:
            raise self.refusal()
        return Step(target, name)

    def _arguments(self) -> tuple[Node, ...]:
        self._expect("(")
        found: list[Node] = []
        while not self._is(")"):
            if found:
                self._expect(",")
            found.append(self.expression())
        self._expect(")")
        return tuple(found)

    def _term(self) -> Node:
        kind = self.kind
        if kind == "variable":
            return Variable(_variable(self._advance()))
        if kind == "symbol":
            return self._symbol_term()
        if kind in ("number", "string", "temporal") or self.text in ("true", "false"):
            return Literal((self._constant(),))
        return self._invocation(None)

    def _constant(self) -> Any:
        kind = self.kind
        if kind == "number":
            return self._number()
        if kind == "temporal":
            return self._temporal()
        text = self._advance()
        return _unescape(text[1:-1]) if kind == "string" else text == "true"

    def _number(self) -> Any:
        text = self._advance()
        if self.kind == "string":
            return Quantity(Decimal(text), _unescape(self._advance()[1:-1]))
        if self.kind == "name" and self.text in CALENDAR:
            return Quantity(Decimal(text), CALENDAR[self._advance()], is_calendar=True)
        return Decimal(text) if "." in text else int(text)

    def _temporal(self) -> Any:
        found = parse_temporal(self.text[1:])
        if found is None:
            raise self.refusal()
        self._advance()
        return found

    def _symbol_term(self) -> Node:
        if self._is("{"):
            self._advance()
            self._expect("}")
            return Literal(())
        self._expect("(")
        inner = self.expression()
        self._expect(")")
        return inner


def _variable(text: str) -> str:
    name = text[1:]
    return "%" + _unescape(name[1:-1]) if name[0] in "`'" else text


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    plain = _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else _ESCAPES.get(m[2], m[2]), text)
    # Two escapes can be the halves of one character; a half alone is none.
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
