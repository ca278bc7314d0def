"""Put a value where a compiled path (tools/v2_to_fhir/paths.py) says.

What several fields of one segment put under the same slot goes into one element; each repetition of
a field makes its own where the path says ``+``; a path that leaves by a reference makes the resource
it leads to.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from simdes.mapper.state import Json, Node, State


class Slots:
    """The elements one target of one segment has made so far, by path and repetition."""

    __slots__ = ("body", "made")

    def __init__(self, body: Json) -> None:
        self.body = body
        self.made: dict[tuple[str, int], Any] = {}


class _Step:
    __slots__ = ("choices", "hop", "key", "name", "pivoted", "repeats")

    def __init__(self, token: str, before: str, *, pivoted: bool) -> None:
        self.hop = token.startswith(">")
        text, _, choices = token.lstrip(">").partition("|")
        self.name = text.replace("+", "*").partition("*")[0]
        self.repeats = text != self.name
        self.choices = tuple(choices.split(",")) if choices else ()
        self.key = f"{before}.{token}"
        self.pivoted = pivoted


class Place:
    """A compiled path, ready to put values at."""

    __slots__ = ("_inner", "_last", "coding", "direct", "is_hop")

    def __init__(self, tokens: tuple[str, ...]) -> None:
        steps: list[_Step] = []
        key, pivoted = "", False
        for token in tokens:
            pivoted = pivoted or "+" in token
            step = _Step(token, key, pivoted=pivoted)
            key = step.key
            steps.append(step)
        self.is_hop = bool(steps) and steps[-1].hop
        self.coding = len(steps) > 1 and steps[-2].name in ("coding", "tag", "security")
        self.direct = not steps
        self._inner = tuple(steps[:-1])
        self._last = steps[-1] if steps else None

    def put(self, state: State, slots: Slots, repetition: int, value: Any) -> bool:
        """Put ``value``; False where something else already stands."""
        if self._last is None:
            return merge(slots.body, value)
        step = self._last
        if step.hop:
            return self._put_resource(state, slots, repetition, value)
        body = self.container(state, slots, repetition) if self._inner else slots.body
        if body is None:
            return False
        if step.repeats:
            return _add(step, body, slots, repetition, value)
        if repetition and not step.pivoted:
            return False
        current = body.get(step.name)
        if current is None:
            for choice in step.choices:
                if choice in body:
                    return False
            body[step.name] = value
            return True
        return isinstance(current, dict) and isinstance(value, dict) and merge(current, value)

    def _put_resource(self, state: State, slots: Slots, repetition: int, value: Json) -> bool:
        step = self._last
        assert step is not None  # noqa: S101 - only called for a path that ends in a resource
        key = (step.key, repetition if step.pivoted else 0)
        node = slots.made.get(key)
        if node is not None:
            return merge(node, value)
        if repetition and not step.pivoted:
            return False
        body = self.container(state, slots, repetition)
        if body is None or "reference" in body:
            return False
        made = state.node(step.name)
        made.body.update(value)
        slots.made[key] = made.body
        body["reference"] = made
        return True

    def container(self, state: State, slots: Slots, repetition: int) -> Json | None:
        """Give the element that holds the path's last, made if missing; None if a choice forbids."""
        body = slots.body
        made = slots.made
        for step in self._inner:
            key = (step.key, repetition if step.pivoted else 0)
            found = made.get(key)
            if found is None:
                found = _open(state, step, body)
                if found is None:
                    return None
                made[key] = found
            body = found
        return body


def _open(state: State, step: _Step, body: Json) -> Json | None:
    if step.hop:
        current = body.get("reference")
        if isinstance(current, Node):
            return current.body
        node = state.node(step.name)
        body["reference"] = node
        return node.body
    made: Json = {}
    if step.repeats:
        body.setdefault(step.name, []).append(made)
        return made
    current = body.get(step.name)
    if isinstance(current, dict):
        return current
    for choice in step.choices:
        if choice in body:
            return None
    body[step.name] = made
    return made


def _add(step: _Step, body: Json, slots: Slots, repetition: int, value: Any) -> bool:
    if not isinstance(value, dict):
        values = body.setdefault(step.name, [])
        if value not in values or step.name in ("given", "line"):
            values.append(value)
        return True
    key = (step.key, repetition if step.pivoted else 0)
    current = slots.made.get(key)
    if current is not None:
        return merge(current, value)
    if repetition and not step.pivoted:
        return False
    values = body.setdefault(step.name, [])
    if value in values:
        return True
    values.append(value)
    slots.made[key] = value
    return True


def merge(current: Json, value: Json) -> bool:
    """Add to ``current`` what ``value`` has more; what stands stays."""
    for name, part in value.items():
        standing = current.get(name)
        if standing is None:
            current[name] = part
        elif isinstance(standing, dict) and isinstance(part, dict):
            merge(standing, part)
        elif isinstance(standing, list) and isinstance(part, list):
            standing += [item for item in part if item not in standing]
    return True


@lru_cache(maxsize=4096)
def place(tokens: tuple[str, ...]) -> Place:
    """Build the place for ``tokens``; built once."""
    return Place(tokens)
