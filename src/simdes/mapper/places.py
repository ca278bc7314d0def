"""Put a value where a compiled path (`paths`) says.

What several fields of one segment put under the same slot goes into one element; each repetition
of a field makes its own where the path says ``+``; a path that leaves by a reference makes the
resource it leads to. A path that says ``join`` goes on with the last of the elements that other
segments made, where that has no such part yet; ``last`` does so in any case.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Any

from simdes.mapper.draft import Draft, Node
from simdes.mapper.model import Json

_Slot = str | tuple[str, int]
"""The path of an element; with the repetition of its field from the second on."""

_MAY_REPEAT = frozenset(("given", "line"))  # the same word twice is two words


class Slots:
    """The elements one target of one segment has made so far, by path and repetition."""

    __slots__ = ("body", "made")

    def __init__(self, body: Json) -> None:
        self.body = body
        self.made: dict[_Slot, Any] = {}


class _Step:
    __slots__ = ("choices", "hop", "join", "key", "last", "name", "pivoted", "repeats")

    def __init__(self, token: str, before: str, *, pivoted: bool) -> None:
        self.hop = token.startswith(">")
        text, _, choices = token.lstrip(">").partition("|")
        self.name = text.replace("+", "*").partition("*")[0]
        self.repeats = text != self.name
        self.last = token.endswith(("*last", "*join"))
        self.join = ""  # the part that the last must not have
        self.choices = tuple(choices.split(",")) if choices else ()
        self.key = f"{before}.{token.replace('+', '*')}"
        self.pivoted = pivoted

    def slot(self, repetition: int) -> _Slot:
        """Name the element a repetition of the source goes to."""
        return (self.key, repetition) if repetition and self.pivoted else self.key


class Place:
    """A compiled path, ready to put values at.

    ``name`` is the last element's; ``direct``: on the element itself; ``coding``: in a Coding;
    ``extends``: in an extension; ``ends``: it ends a Period.
    """

    __slots__ = ("_inner", "_last", "_simple", "coding", "direct", "ends", "extends", "name")

    def __init__(self, tokens: tuple[str, ...]) -> None:
        steps: list[_Step] = []
        key, pivoted = "", False
        for token in tokens:
            pivoted = pivoted or "+" in token
            step = _Step(token, key, pivoted=pivoted)
            key = step.key
            steps.append(step)
        for step, inner in pairwise(steps):
            step.join = inner.name if step.key.endswith("*join") else ""
        self.coding = len(steps) > 1 and steps[-2].name in ("coding", "tag", "security")
        self.direct = not steps
        self.ends = bool(steps) and steps[-1].name == "end"
        self.extends = len(steps) > 1 and steps[-2].name == "extension"
        self._inner = tuple(steps[:-1])
        self._last = steps[-1] if steps else _Step("", "", pivoted=False)
        last = self._last
        self.name = last.name
        alone = len(steps) == 1 and not (last.hop or last.repeats or last.choices)
        self._simple = alone

    def put(  # noqa: PLR0911 - the hot path: leave as soon as the answer is known
        self, draft: Draft, slots: Slots, repetition: int, value: Any
    ) -> bool:
        """Put ``value``; False where something else already stands."""
        step = self._last
        body = slots.body
        if self._simple and not repetition:
            if step.name not in body:
                body[step.name] = value
                return True
            return _set(step, body, value)
        if self.direct:
            return _fits(body, value) and merge(body, value)
        if step.hop:
            return self._put_resource(draft, slots, repetition, value)
        if self._inner:
            made = self.container(draft, slots, repetition)
            if made is None:
                return False
            body = made
        if step.repeats:
            return _add(step, body, slots, repetition, value)
        return not (repetition and not step.pivoted) and _set(step, body, value)

    def _put_resource(self, draft: Draft, slots: Slots, repetition: int, value: Json) -> bool:
        step = self._last
        key = step.slot(repetition)
        standing = slots.made.get(key)
        if repetition and not step.pivoted:
            return False
        if standing is not None:
            return _fits(standing, value) and merge(standing, value)
        body = self.container(draft, slots, repetition)
        if body is None:
            return False
        if "reference" in body:
            return _says(body["reference"], value)
        node = draft.node(step.name)
        node.body.update(value)
        slots.made[key] = node.body
        draft.refer(body, node)
        return True

    def standing(self, draft: Draft, slots: Slots, repetition: int) -> Any:
        """Give what stands at the place; None where nothing does."""
        step = self._last
        if step.repeats:
            return slots.made.get(step.slot(repetition))
        body = self.container(draft, slots, repetition)
        return None if body is None else body.get(step.name)

    def container(self, draft: Draft, slots: Slots, repetition: int) -> Json | None:
        """Give the element that holds the path's last, made if missing; None: a choice forbids."""
        body = slots.body
        made = slots.made
        for step in self._inner:
            key = (step.key, repetition) if repetition and step.pivoted else step.key
            found = made.get(key)
            if found is None:
                found = _open(draft, step, body)
                if found is None:
                    return None
                made[key] = found
            body = found
        return body


def _says(node: Any, value: Json) -> bool:
    """Say whether the resource referred to says all of ``value`` already."""
    return isinstance(node, Node) and all(node.body.get(k) == v for k, v in value.items())


def _set(step: _Step, body: Json, value: Any) -> bool:
    current = body.get(step.name)
    if current is not None:
        both = isinstance(current, dict) and isinstance(value, dict)
        return both and _fits(current, value) and merge(current, value)
    for choice in step.choices:
        if choice in body:
            return False
    body[step.name] = value
    return True


def _open(draft: Draft, step: _Step, body: Json) -> Json | None:
    if step.hop:
        current = body.get("reference")
        if isinstance(current, Node):  # another kind of resource has no such elements
            return current.body if current.type == step.name else None
        node = draft.node(step.name)
        draft.refer(body, node)
        return node.body
    made: Json = {}
    if step.repeats:
        standing = body.setdefault(step.name, [])
        if step.last and standing and step.join not in standing[-1]:
            last: Json = standing[-1]
            return last
        standing.append(made)
        return made
    current = body.get(step.name)
    if isinstance(current, dict):
        return current
    return made if _set(step, body, made) else None


def _add(step: _Step, body: Json, slots: Slots, repetition: int, value: Any) -> bool:
    if not isinstance(value, dict):
        values = body.setdefault(step.name, [])
        if step.name in _MAY_REPEAT or not _stands(value, values, slots, step.key):
            values.append(value)
        return True
    key = step.slot(repetition)
    current = slots.made.get(key)
    if repetition and not step.pivoted:
        return False
    if current is not None:
        return _fits(current, value) and merge(current, value)
    values = body.setdefault(step.name, [])
    if not _stands(value, values, slots, step.key):
        values.append(value)
        slots.made[key] = value
    return True


_FEW = 32
_SEEN = -1  # no repetition


def _stands(value: Any, values: list[Any], slots: Slots, key: str) -> bool:
    """Say whether a list has a value already; long lists are looked up, not gone through."""
    if len(values) < _FEW:
        return value in values
    seen = slots.made.get((key, _SEEN))
    if seen is None:
        seen = slots.made[key, _SEEN] = {repr(one) for one in values}
    text = repr(value)
    if text in seen:
        return True
    seen.add(text)
    return False


def _fits(current: Json, value: Json) -> bool:
    """Say whether all of ``value`` can stand in ``current``: nothing else stands in its place."""
    for name, part in value.items():
        standing = current.get(name)
        if standing is None or (isinstance(standing, list) and isinstance(part, list)):
            continue
        if isinstance(standing, dict) and isinstance(part, dict):
            if not _fits(standing, part):
                return False
        elif standing != part:
            return False
    return True


def unseen(items: list[Any], standing: list[Any]) -> list[Any]:
    """Give the items that a list does not have yet."""
    if len(items) < _FEW or len(standing) < _FEW:
        return [item for item in items if item not in standing]
    seen = {repr(one) for one in standing}
    return [item for item in items if repr(item) not in seen]


def merge(current: Json, value: Json) -> bool:
    """Add to ``current`` what ``value`` has more; what stands stays."""
    for name, part in value.items():
        standing = current.get(name)
        if standing is None:
            current[name] = part
        elif isinstance(standing, dict) and isinstance(part, dict):
            merge(standing, part)
        elif isinstance(standing, list) and isinstance(part, list):
            standing += unseen(part, standing)
    return True


@lru_cache(maxsize=4096)
def place(tokens: tuple[str, ...]) -> Place:
    """Build the place for ``tokens``; built once."""
    return Place(tokens)
