"""JSON Patch (RFC 6902) with JSON Pointers (RFC 6901) on resources.

https://hl7.org/fhir/R4/http.html#patch. All operations succeed or none does; decimals that no
operation touches keep their text. One thing is of FHIR: an array whose last item an operation takes
away goes with it, since FHIR's JSON has no empty arrays.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from simdes.errors import Conflict, Invalid, TooLarge
from simdes.fhir.json import MAX_DEPTH
from simdes.fhir.patch.copying import Copier, copied

Json = dict[str, Any]

MAX_OPERATIONS = 1000

_INDEX = re.compile("0|[1-9][0-9]{0,8}")
_BAD_ESCAPE = re.compile("~(?![01])")
_NOWHERE = "the path leads nowhere"


def apply(document: Any, operations: Any) -> Any:
    """Return ``document`` after ``operations`` (a JSON array); both stay as they are.

    Raises Invalid for what is no patch or leads nowhere, Conflict where a ``test`` fails, TooLarge
    beyond 1,000 operations or 16 MiB of copies.
    """
    if type(operations) is not list:
        raise Invalid("a JSON Patch is an array of operations")
    if len(operations) > MAX_OPERATIONS:
        raise TooLarge(f"more than {MAX_OPERATIONS} operations in a patch")
    patch = _Patch(document)
    for number, operation in enumerate(operations):
        try:
            patch.operate(operation)
        except (Invalid, Conflict, TooLarge) as error:
            raise type(error)(f"operation {number}: {error.message}") from None
    return patch.finished()


class _Patch:
    """A document on its way through the operations."""

    def __init__(self, document: Any) -> None:
        self._copier = Copier()
        self._top = [copied(document)]  # so that the whole document has a place, too
        self._emptied: list[list[Any]] = []

    def operate(self, operation: Any) -> None:
        name = operation.get("op") if type(operation) is dict else None
        if type(name) is not str or name not in _OPERATIONS:
            raise Invalid("op is one of add, remove, replace, move, copy and test")
        _OPERATIONS[name](self, operation)

    def add(self, operation: Json) -> None:
        self._put(_path(operation, "path"), self._copier.copied(_value(operation)))

    def remove(self, operation: Json) -> None:
        self._take(_path(operation, "path"))

    def replace(self, operation: Json) -> None:
        owner, key = self._existing(_path(operation, "path"))
        owner[key] = self._copier.copied(_value(operation))

    def move(self, operation: Json) -> None:
        source, target = _path(operation, "from"), _path(operation, "path")
        if len(source) < len(target) and target[: len(source)] == source:
            raise Invalid("nothing can be moved into itself")
        self._existing(source)
        if source != target:
            self._put(target, self._take(source))

    def copy(self, operation: Json) -> None:
        owner, key = self._existing(_path(operation, "from"))
        self._put(_path(operation, "path"), self._copier.copied(owner[key]))

    def test(self, operation: Json) -> None:
        owner, key = self._existing(_path(operation, "path"))
        if not _is_equal(owner[key], _value(operation)):
            raise Conflict("the test fails")

    def finished(self) -> Any:
        """Return the document without the arrays that lost their last item."""
        emptied = {id(one) for one in self._emptied if not one}
        waiting: list[Any] = [self._top] if emptied else []
        while waiting:
            node: Any = waiting.pop()
            if type(node) is dict:
                for key in [k for k, v in node.items() if id(v) in emptied]:
                    del node[key]
            inner: list[Any] = list(node.values()) if type(node) is dict else node
            waiting += [value for value in inner if type(value) is dict or type(value) is list]
        return self._top[0]

    def _owner(self, path: list[str]) -> tuple[Any, str]:
        """Return what holds the last step of ``path``, and that step."""
        node: Any = self._top
        steps = ["0", *path]
        for step in steps[:-1]:
            node = node[_key(node, step)]
        return node, steps[-1]

    def _existing(self, path: list[str]) -> tuple[Any, Any]:
        owner, step = self._owner(path)
        return owner, _key(owner, step)

    def _put(self, path: list[str], value: Any) -> None:
        owner, step = self._owner(path)
        if not path:
            owner[0] = value
        elif type(owner) is dict:
            owner[step] = value
        elif type(owner) is list:
            owner.insert(len(owner) if step == "-" else _index(step, len(owner)), value)
        else:
            raise Invalid(_NOWHERE)

    def _take(self, path: list[str]) -> Any:
        if not path:
            raise Invalid("the whole resource can't be taken away")
        owner, key = self._existing(path)
        taken = owner.pop(key)
        if type(owner) is list and not owner:
            self._emptied.append(owner)
        return taken


_OPERATIONS: dict[str, Callable[[_Patch, Json], None]] = {
    "add": _Patch.add,
    "remove": _Patch.remove,
    "replace": _Patch.replace,
    "move": _Patch.move,
    "copy": _Patch.copy,
    "test": _Patch.test,
}


def _path(operation: Json, name: str) -> list[str]:
    """Return the steps of a pointer (RFC 6901, sections 3 and 4)."""
    text = operation.get(name)
    if type(text) is not str or (text and text[0] != "/") or _BAD_ESCAPE.search(text):
        raise Invalid(f"{name} is missing or no JSON Pointer")
    steps = text.split("/")[1:]
    if len(steps) > MAX_DEPTH:
        raise TooLarge(f"{name} has more than {MAX_DEPTH} steps")
    return [step.replace("~1", "/").replace("~0", "~") for step in steps]


def _value(operation: Json) -> Any:
    if "value" not in operation:
        raise Invalid("value is missing")
    return operation["value"]


def _key(owner: Any, step: str) -> Any:
    """Return the key or index of ``step``, which has to be there."""
    if type(owner) is dict and step in owner:
        return step
    if type(owner) is not list:
        raise Invalid(_NOWHERE)
    return _index(step, len(owner) - 1)


def _index(step: str, most: int) -> int:
    if not _INDEX.fullmatch(step) or int(step) > most:
        raise Invalid(_NOWHERE)
    return int(step)


def _is_equal(left: Any, right: Any) -> bool:
    """Compare as RFC 6902, section 4.6: numbers by value, objects in any order."""
    if type(left) is dict and type(right) is dict:
        return left.keys() == right.keys() and all(_is_equal(left[k], right[k]) for k in left)
    if type(left) is list and type(right) is list:
        pairs = zip(left, right, strict=False)
        return len(left) == len(right) and all(_is_equal(*pair) for pair in pairs)
    if _is_number(left) and _is_number(right):
        return Decimal(left) == Decimal(right)
    return type(left) is type(right) and bool(left == right)


def _is_number(value: Any) -> bool:
    return type(value) is int or isinstance(value, Decimal)
