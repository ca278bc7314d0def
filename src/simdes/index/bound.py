"""Values of a statement while its text is written: each becomes a parameter, none becomes text."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from simdes.index.statements import Value

Among = Collection[int] | Collection[str] | Collection[bytes]


class Bound:
    """Collects values and gives them names; equal shapes of a statement get equal names."""

    __slots__ = ("_aliases", "values")

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}
        self._aliases = 0

    def __call__(self, value: int | float | str | bytes) -> str:
        """Return the placeholder of a value."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f":{name}"

    def among(self, column: str, values: Among) -> str:
        """Return the condition that a column has one of the values."""
        listed: list[Any] = sorted(values)
        if len(listed) == 1:
            return f"{column} = {self(listed[0])}"
        name = f"p{len(self.values)}"
        self.values[name] = listed
        return f"{column} IN :{name}"

    def alias(self) -> str:
        """Return a table alias that nobody has."""
        self._aliases += 1
        return f"t{self._aliases}"
