"""Between frozen dataclass rows and table rows: a row class's fields are its table's columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from simdes.index.statements import Value
from simdes.index.transaction import Row

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")


def select(row: type[DataclassInstance], source: str, *, prefix: str = "") -> str:
    """Return ``SELECT <the row class's fields> FROM <source>``; a WHERE follows.

    ``source`` is a table, or a join whose columns ``prefix`` tells apart. Both come from this
    package's code, never from input.
    """
    return f"SELECT {', '.join(prefix + name for name in _names(row))} FROM {source}"  # noqa: S608


def read(kind: type[T], row: Row) -> T:
    """Build a row object from a result row of `select`."""
    return kind(**dict(zip(_names(kind), row, strict=True)))


def row_of(value: DataclassInstance) -> dict[str, Value]:
    """Return column → value of a row object, for an INSERT."""
    return {name: getattr(value, name) for name in _names(type(value))}


def _field_names(row: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(row))


_names: Callable[[Any], tuple[str, ...]] = cache(_field_names)
