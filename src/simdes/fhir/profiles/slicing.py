"""Which slice a value belongs to (https://hl7.org/fhir/R4/profiling.html#discriminator).

A discriminator names a place and a question: is the value there the one that the slice fixes
(``value``, ``pattern``), is there one at all (``exists``), of which type is it (``type``), does it
conform (``profile``). None: what is loaded does not tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from simdes.errors import Unsupported
from simdes.fhir.definitions import definition
from simdes.fhir.profiles.tree import Node, Profile, base_type
from simdes.fhir.profiles.values import Item, children, equals, fits

Verdict = bool | None

_STEP = re.compile(r"(\$this|resolve\(\)|extension\('[^']*'\)|ofType\(\w+\)|[A-Za-z]\w*)(?:\.|$)")
_RESOLVE = "resolve()"
_DEFAULTS: dict[str, list[dict[str, str]]] = {
    "extension": [{"type": "value", "path": "url"}],
    "modifierExtension": [{"type": "value", "path": "url"}],
}
_BY_TYPE = [{"type": "type", "path": "$this"}]


class Judge(Protocol):
    """What slicing asks of the checker."""

    def profile(self, url: str) -> Profile | None:
        """Return the profile ``url``, None if it is not loaded."""

    def conforms(self, item: Item, url: str) -> Verdict:
        """Return whether ``item`` conforms to the profile ``url``."""

    def in_value_set(self, item: Item, url: str) -> Verdict:
        """Return whether the code or codes of ``item`` are in the value set ``url``."""

    def follow(self, item: Item) -> Item | None:
        """Return the resource that the Reference ``item`` leads to, None if not at hand."""

    def type_behind(self, item: Item) -> str:
        """Return the type of resource that the Reference ``item`` leads to, "" if unknown."""


def belongs(item: Item, slice_: Node, node: Node, judge: Judge) -> Verdict:
    """Return whether ``item``, a value of ``node``, belongs to its slice ``slice_``."""
    rows = discriminators(node)
    if not rows:
        return None
    return _all(_decide(row, item, slice_, judge) for row in rows)


def discriminators(node: Node) -> list[dict[str, str]]:
    """Return what tells the slices of ``node`` apart: as said, or as the standard says."""
    said = (node.slicing or {}).get("discriminator")
    if said:
        return list(said)
    return _BY_TYPE if node.name.endswith("[x]") else _DEFAULTS.get(node.name, [])


def _decide(row: dict[str, str], item: Item, slice_: Node, judge: Judge) -> Verdict:
    steps = _steps(row.get("path", ""))
    question = _QUESTIONS.get(row.get("type", ""))
    if question is None:
        raise Unsupported("a kind of discriminator that R4 does not have")
    return question(steps, item, slice_, judge)


def _steps(path: str) -> list[str]:
    steps, at = [], 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            raise Unsupported("a discriminator's path that R4 does not have")
        steps.append(match[1])
        at = match.end()
    return [step for step in steps if step != "$this"]


# --- questions -------------------------------------------------------------------------------


def _value(steps: list[str], item: Item, slice_: Node, judge: Judge) -> Verdict:
    nodes = _nodes(slice_, steps, judge)
    if not nodes:
        return _fixed_by_profile(steps, item, slice_)
    found = _items(item, steps, judge)
    return _all(_any(agrees(node, one, judge) for one in found) for node in nodes)


def _fixed_by_profile(steps: list[str], item: Item, slice_: Node) -> Verdict:
    """An extension's url is that of its definition, also where that is not loaded."""
    urls = [url for type_ in slice_.types for url in type_.get("profile", ())]
    if steps != ["url"] or not urls:
        return None
    return item.members.get("url") in {url.partition("|")[0] for url in urls}


def _exists(steps: list[str], item: Item, slice_: Node, judge: Judge) -> Verdict:
    is_there = bool(_items(item, steps, judge))
    for node in _nodes(slice_, steps, judge):
        if node.maximum == 0:
            return not is_there
        if node.minimum:
            return is_there
    return None


def _type(steps: list[str], item: Item, slice_: Node, judge: Judge) -> Verdict:
    if steps and steps[-1] == _RESOLVE:
        return _type_behind(steps[:-1], item, slice_, judge)
    nodes = _nodes(slice_, steps, judge) if steps else [slice_]
    wanted = {t["code"] for node in nodes for t in node.types}
    if not wanted and not steps:
        wanted = _named_type(slice_)
    if not wanted:
        return None
    return any(is_a(one.type, name) for one in _items(item, steps, judge) for name in wanted)


def _named_type(slice_: Node) -> set[str]:
    """A slice of a choice may be named after its form alone: ``valueQuantity``."""
    plain = slice_.name.removesuffix("[x]")
    name = slice_.slice_name.removeprefix(plain)
    return {name, name[:1].lower() + name[1:]} if name != slice_.slice_name else set()


def _type_behind(steps: list[str], item: Item, slice_: Node, judge: Judge) -> Verdict:
    nodes = _nodes(slice_, steps, judge) if steps else [slice_]
    urls = [u for n in nodes for t in n.types for u in t.get("targetProfile", ())]
    wanted = {_type_of(url, judge) for url in urls}
    actual = {judge.type_behind(one) for one in _items(item, steps, judge)}
    if not wanted or "" in wanted or "" in actual:
        return None
    return not actual.isdisjoint(wanted)


def _type_of(url: str, judge: Judge) -> str:
    profile = judge.profile(url)
    return base_type(url) or (profile.type if profile else "")


def _profile(steps: list[str], item: Item, slice_: Node, judge: Judge) -> Verdict:
    key = "targetProfile" if steps and steps[-1] == _RESOLVE else "profile"
    plain = steps[:-1] if key == "targetProfile" else steps
    nodes = _nodes(slice_, plain, judge) if plain else [slice_]
    urls = [u for n in nodes for t in n.types for u in t.get(key, ())]
    found = _items(item, steps, judge)
    if not urls or not found:
        return None
    return _any(judge.conforms(one, url) for one in found for url in urls)


_QUESTIONS = {
    "value": _value,
    "pattern": _value,
    "exists": _exists,
    "type": _type,
    "profile": _profile,
}


def agrees(node: Node, item: Item, judge: Judge) -> Verdict:
    """Return whether ``item`` has the values that ``node`` and what is below it fix."""
    verdicts: list[Verdict] = []
    if node.fixed is not None:
        verdicts.append(equals(item.value, node.fixed))
    if node.pattern is not None:
        verdicts.append(fits(item.value, node.pattern))
    if not verdicts and node.binding and node.binding.get("strength") == "required":
        verdicts.append(judge.in_value_set(item, node.binding["valueSet"]))
    for child in node.children.values():
        if any(n.fixed is not None or n.pattern is not None for n in child.walk()):
            below = children(item, child.name)
            verdicts.append(_any(agrees(child, one, judge) for one in below))
    return _all(verdicts) if verdicts else None


def is_a(name: str, wanted: str) -> bool:
    """Whether the type ``name`` is the type ``wanted`` or one built on it."""
    while name:
        if name == wanted:
            return True
        name = definition(name).base
    return False


# --- places ----------------------------------------------------------------------------------


def _nodes(slice_: Node, steps: Sequence[str], judge: Judge) -> list[Node]:
    """Return the nodes at the place below ``slice_``, also those of the profiles on the way."""
    nodes = [slice_]
    for step in steps:
        if step == _RESOLVE:
            continue
        nodes = [*_below(nodes, step), *_below(list(_of_profiles(nodes, judge)), step)]
    return nodes


def _below(nodes: list[Node], step: str) -> list[Node]:
    if step.startswith("ofType("):
        return nodes
    if step.startswith("extension("):
        found = [n.children["extension"] for n in nodes if "extension" in n.children]
        return [s for n in found for s in n.slices.values() if _url(step) in _urls(s)]
    names = (step, f"{step}[x]")
    return [n.children[name] for n in nodes for name in names if name in n.children]


def _of_profiles(nodes: list[Node], judge: Judge) -> Iterator[Node]:
    for node in nodes:
        for url in _urls(node):
            profile = judge.profile(url)
            if profile is not None:
                yield profile.root


def _urls(node: Node) -> list[str]:
    return [url for type_ in node.types for url in type_.get("profile", ())]


def _url(step: str) -> str:
    return step[len("extension('") : -len("')")]


def _items(item: Item, steps: Sequence[str], judge: Judge) -> list[Item]:
    """Return the values at the place below ``item``."""
    items = [item]
    for step in steps:
        if step == _RESOLVE:
            items = [found for one in items if (found := judge.follow(one)) is not None]
        elif step.startswith("ofType("):
            items = [one for one in items if is_a(one.type, step[len("ofType(") : -1])]
        elif step.startswith("extension("):
            below = [c for one in items for c in children(one, "extension")]
            items = [c for c in below if c.members.get("url") == _url(step)]
        else:
            items = [c for one in items for c in children(one, step)]
    return items


def _all(verdicts: Any) -> Verdict:
    """False if one is false, else None if one is None."""
    answer: Verdict = True
    for verdict in verdicts:
        if verdict is False:
            return False
        answer = None if verdict is None else answer
    return answer


def _any(verdicts: Any) -> Verdict:
    """True if one is true, else None if one is None."""
    answer: Verdict = False
    for verdict in verdicts:
        if verdict:
            return True
        answer = None if verdict is None else answer
    return answer
