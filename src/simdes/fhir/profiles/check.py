"""Whether a resource meets a profile: every rule of the profile's tree, at every place.

The base type's own rules are :func:`simdes.fhir.validate.validate`'s business; a resource that
breaks them may be reported here once more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

from simdes.errors import Invalid, TooLarge
from simdes.fhir.fhirpath import Scope, Surroundings, compile_path
from simdes.fhir.fhirpath.equality import bare_compare, truth
from simdes.fhir.fhirpath.scope import STEPS
from simdes.fhir.problem import Problem
from simdes.fhir.profiles import slicing
from simdes.fhir.profiles.tree import Node, Profile, base_type
from simdes.fhir.profiles.values import Item, children, equals, fits, root
from simdes.fhir.reference import parse_reference
from simdes.fhir.run import Run

Verdict = bool | None


class Knowledge(Protocol):
    """What is loaded."""

    def profile(self, url: str) -> Profile | None:
        """Return the profile ``url``, None if it is not loaded."""

    def in_value_set(self, url: str, system: str | None, code: str) -> Verdict:
        """Return whether the code is in the value set; None: what is loaded does not tell."""


class Checker:
    """One check of one resource. ``problems`` holds what was found."""

    def __init__(self, known: Knowledge, run: Run) -> None:
        self._known = known
        self._run = run
        self.problems: list[Problem] = []
        self._checked: set[tuple[int, str]] = set()
        self._verdicts: dict[tuple[int, str], Verdict] = {}
        """What was asked; while it is being worked out, it is taken to conform."""
        self._depth = 0

    # --- what slicing asks -------------------------------------------------------------------

    def profile(self, url: str) -> Profile | None:
        """Return the profile ``url``, None if it is not loaded."""
        return self._known.profile(url)

    def conforms(self, item: Item, url: str) -> Verdict:
        """Return whether ``item`` conforms to the profile ``url``, None if it is not loaded."""
        profile = self._known.profile(url)
        if profile is None or self._depth >= _DEEPEST:
            return None
        if not slicing.is_a(item.type, profile.type):
            return False
        key = (item.identity, profile.url)
        if key in self._verdicts:
            return self._verdicts[key]
        self._verdicts[key] = True
        before, self.problems = self.problems, []
        self._depth += 1
        self._value(profile.root, item, "")
        self._depth -= 1
        found, self.problems = self.problems, before
        self._verdicts[key] = not any(p.is_error for p in found)
        return self._verdicts[key]

    def in_value_set(self, item: Item, url: str) -> Verdict:
        """Return whether a code of ``item`` is in the value set, None if not decidable or none."""
        codings = _codings(item)
        verdicts = [self._known.in_value_set(url, system, code) for system, code in codings]
        if True in verdicts:
            return True
        return None if None in verdicts or not verdicts else False

    def follow(self, item: Item) -> Item | None:
        """Return the resource that the Reference ``item`` leads to, None if not at hand."""
        text = item.members.get("reference")
        literal = parse_reference(text) if isinstance(text, str) else None
        found = self._run.follow(literal) if literal else None
        if literal is None or found is None:
            return None
        step = _CONTAINED if literal.kind == "fragment" else ""
        return Item(found, None, str(found.get("resourceType")), step)

    def type_behind(self, item: Item) -> str:
        """Return the type of resource that the Reference ``item`` leads to, "" if unknown."""
        found = self.follow(item)
        if found is not None:
            return found.type
        text, named = item.members.get("reference"), item.members.get("type")
        literal = parse_reference(text).type if isinstance(text, str) else ""
        return literal or (named if isinstance(named, str) else "")

    # --- the walk ----------------------------------------------------------------------------

    def check(self, profile: Profile, item: Item, path: str) -> None:
        """Check ``item`` at ``path`` against ``profile``."""
        key = (item.identity, profile.url)
        if key in self._checked:
            return
        if not slicing.is_a(item.type, profile.type):
            message = f"the profile {profile.url} is for {profile.type}"
            self._add("invalid", "profile-type", path, message)
            return
        self._checked.add(key)
        self._verdicts.setdefault(key, True)
        self._value(profile.root, item, path)

    def resources(self, item: Item, path: str) -> Iterator[tuple[Item, str]]:
        """Yield ``item``, a resource, and each resource inside it; be there while it is used."""
        if "resourceType" in item.members:
            yield item, path
        outer = self._enter(item)
        for name in _HOLDERS.get(item.type, ("contained",)):
            for child in children(item, name):
                yield from self.resources(child, path + child.step)
        self._leave(outer)

    def _group(self, node: Node, items: Sequence[Item], path: str, *, sure: bool = True) -> None:
        """Check all values of one element, or of one slice, of the object at ``path``."""
        name = node.name.removesuffix("[x]")
        label = f"{name}:{node.slice_name}" if node.slice_name else name
        if sure and node.minimum and len(items) < node.minimum:
            message = f"{label}: at least {node.minimum} needed"
            self._add("required", "minimum", f"{path}.{name}", message)
        if node.maximum is not None and len(items) > node.maximum:
            message = f"{label}: at most {node.maximum} allowed"
            self._add("structure", "maximum", f"{path}.{name}", message)
        for item in items:
            self._value(node, item, path + item.step)
        if node.slices:
            self._slices(node, items, path)

    def _slices(self, node: Node, items: Sequence[Item], path: str) -> None:
        verdicts = {
            name: [slicing.belongs(item, slice_, node, self) for item in items]
            for name, slice_ in node.slices.items()
        }
        places: list[int] = []
        order = list(node.slices)
        for index, item in enumerate(items):
            own = [n for n in order if verdicts[n][index]]
            places.append(order.index(own[0]) if own else len(order))
            may_be = any(verdicts[n][index] is None for n in order)
            if not own and not may_be and (node.slicing or {}).get("rules") == "closed":
                message = "belongs to none of the slices, and others are not allowed"
                self._add("structure", "slice-closed", path + item.step, message)
        self._order(node, places, path)
        for name, slice_ in node.slices.items():
            belonging = [i for i, v in zip(items, verdicts[name], strict=True) if v]
            self._group(slice_, belonging, path, sure=None not in verdicts[name])

    def _order(self, node: Node, places: list[int], path: str) -> None:
        rules = node.slicing or {}
        known = [p for p in places if p < len(node.slices)]
        if rules.get("ordered") and known != sorted(known):
            self._add("structure", "slice-order", f"{path}.{node.name}", "slices out of order")
        if rules.get("rules") == "openAtEnd" and places[: len(known)] != known:
            message = "what belongs to no slice must be at the end"
            self._add("structure", "slice-order", f"{path}.{node.name}", message)

    def _value(self, node: Node, item: Item, path: str) -> None:
        """Check one value."""
        if node.types:
            self._types(node, item, path)
        if item.value is not None:
            self._content(node, item, path)
        if node.binding is not None:
            self._binding(node.binding, item, path)
        if node.constraints:
            self._constraints(node.constraints, item, path)
        if not node.children:
            return
        outer = self._enter(item)
        for child in node.children.values():
            self._group(child, children(item, child.name), path)
        self._leave(outer)

    def _enter(self, item: Item) -> Any:
        """Go into ``item``, so that references are followed from there."""
        run = self._run
        outer = (run.resource, run.root, run.bundle, run.full_url)
        if item.type == "Bundle.entry":
            run.enter_entry(item.value)
        elif "resourceType" in item.members and item.value is not run.resource:
            run.enter(item.value)
            if not item.step.startswith(_CONTAINED):
                run.root = item.value
        return outer

    def _leave(self, outer: Any) -> None:
        run = self._run
        run.resource, run.root, run.bundle, run.full_url = outer

    # --- the rules ---------------------------------------------------------------------------

    def _types(self, node: Node, item: Item, path: str) -> None:
        rows = [t for t in node.types if not t.get("code", "").startswith(_SYSTEM)]
        if not rows:
            return
        own = [t for t in rows if slicing.is_a(item.type, t["code"])]
        if not own:
            names = " or ".join(dict.fromkeys(t["code"] for t in rows))
            self._add("structure", "type", path, f"must be of type {names}")
            return
        self._profiles([u for t in own for u in t.get("profile", ())], item, path)
        if item.type == "Reference":
            self._target([u for t in own for u in t.get("targetProfile", ())], item, path)

    def _profiles(self, urls: list[str], item: Item, path: str) -> None:
        """Check the profiles of a data type or inner resource: one of them must be met."""
        known = [p for p in map(self._known.profile, urls) if p is not None]
        if len(known) < len(urls) or not known:
            return
        if len(known) == 1:
            self.check(known[0], item, path)
        elif not any(self.conforms(item, p.url) for p in known):
            names = " or ".join(p.url for p in known)
            self._add("invalid", "profile", path, f"must meet one of the profiles {names}")

    def _target(self, urls: list[str], item: Item, path: str) -> None:
        """Check what a Reference may lead to: its type and, where it is at hand, its profile."""
        if not urls:
            return
        types = {u: base_type(u) or getattr(self._known.profile(u), "type", "") for u in urls}
        actual = self.type_behind(item)
        if not actual or "" in types.values():
            return
        fitting = [u for u, t in types.items() if slicing.is_a(actual, t)]
        found = self.follow(item)
        if not fitting:
            message = f"must refer to {' or '.join(dict.fromkeys(types.values()))}"
            self._add("invalid", "reference-target", f"{path}.reference", message)
        elif found is not None and not any(self._target_conforms(found, u) for u in fitting):
            message = f"what it refers to does not meet {' or '.join(fitting)}"
            self._add("invalid", "reference-profile", f"{path}.reference", message)

    def _target_conforms(self, found: Item, url: str) -> bool:
        """Check in the place of the resource referred to: its references are its own."""
        outer = self._enter(found)
        answer = bool(base_type(url)) or self.conforms(found, url) is not False
        self._leave(outer)
        return answer

    def _content(self, node: Node, item: Item, path: str) -> None:
        value = item.value
        if node.fixed is not None and not equals(value, node.fixed):
            self._add("value", "fixed", path, "must be exactly the value that the profile fixes")
        if node.pattern is not None and not fits(value, node.pattern):
            self._add("value", "pattern", path, "must have what the profile's pattern has")
        if node.longest is not None and isinstance(value, str) and len(value) > node.longest:
            self._add("value", "max-length", path, f"at most {node.longest} characters")
        for limit, wrong, rule in ((node.least, -1, "least"), (node.most, 1, "most")):
            if limit is not None and _order(value, limit) == wrong:
                self._add("value", f"value-{rule}", path, "outside the range of the profile")

    def _binding(self, binding: dict[str, Any], item: Item, path: str) -> None:
        strength, url = binding.get("strength"), binding["valueSet"].partition("|")[0]
        if strength not in _SEVERITIES:
            return
        codings = _codings(item)
        if not codings:
            if strength == "required" and item.type in ("CodeableConcept", "Coding"):
                self._add("code-invalid", "binding", path, f"a code from {url} is required")
            return
        verdict = self.in_value_set(item, binding["valueSet"])
        if verdict is False:
            message = f"no code from the value set {url}"
            self._add("code-invalid", "binding", path, message, severity=_SEVERITIES[strength])
        elif verdict is None and strength == "required":
            message = f"whether a code is from {url} can't be told from what is loaded"
            self._add("not-found", "binding-unknown", path, message, severity="warning")

    def _constraints(
        self, constraints: Mapping[str, dict[str, Any]], item: Item, path: str
    ) -> None:
        for key, constraint in constraints.items():
            expression = constraint.get("expression")
            verdict = self._holds(expression, item) if expression else True
            if verdict is None:
                message = f"{key}: its FHIRPath has no value here"
                self._add("processing", key, path, message, severity="warning")
            elif not verdict:
                severity = constraint.get("severity", "error")
                message = f"{key}: {constraint.get('human', '')}"
                self._add("invariant", key, path, message, severity=severity)

    def _holds(self, expression: str, item: Item) -> Verdict:
        """Whether the expression is true; None if it can't be read or has no value.

        Published profiles have such expressions (``telecom or endpoint`` on two endpoints, US Core
        6.1.0); that is a fault of theirs and not of the resource.
        """
        run, node = self._run, item.node
        around = Surroundings(member_of=self._member_of, conforms_to=self._conforms_to)
        scope = Scope(run.resource, run.root, node, run.resolve, around, STEPS)
        try:
            return truth(_compiled(expression, item.type)([node], scope)) is True
        except (Invalid, TooLarge, ValueError, ArithmeticError):
            return None

    def _member_of(self, value: Any, url: str) -> Verdict:
        is_concept = isinstance(value, dict) and "coding" in value
        return self.in_value_set(
            Item(value, None, "CodeableConcept" if is_concept else "", ""), url
        )

    def _conforms_to(self, value: Any, url: str) -> Verdict:
        return self.conforms(root(value), url) if isinstance(value, dict) else None

    def _add(
        self, code: str, rule: str, path: str, message: str, *, severity: str = "error"
    ) -> None:
        self.problems.append(Problem(severity, code, path, message, rule))


_DEEPEST = 20
"""How far references are followed to see whether what they lead to conforms."""
_CONTAINED = ".contained"
_HOLDERS = {
    "Bundle": ("entry",),
    "Bundle.entry": ("resource", "response"),
    "Bundle.entry.response": ("outcome",),
    "Parameters": ("parameter",),
    "Parameters.parameter": ("resource", "part"),
}
"""The elements in which resources stand, by type; else only ``contained``."""
_SYSTEM = "http://hl7.org/fhirpath/"
_SEVERITIES = {"required": "error", "extensible": "warning"}


def _codings(item: Item) -> list[tuple[str | None, str]]:
    """Return system and code of each code in ``item``; system None: any."""
    value = item.value
    if isinstance(value, str):
        return [(None, value)]
    if not isinstance(value, dict):
        return []
    rows = value.get("coding", []) if item.type == "CodeableConcept" else [value]
    rows = rows if isinstance(rows, list) else []
    return [
        (c["system"] if isinstance(c.get("system"), str) else "", c["code"])
        for c in rows
        if isinstance(c, dict) and isinstance(c.get("code"), str)
    ]


@lru_cache(maxsize=4096)
def _compiled(expression: str, type_: str) -> Any:
    return compile_path(expression, focus_type=type_, is_typed=True, is_counted=True)


def _order(value: Any, limit: Any) -> int | None:
    try:
        return bare_compare(value, limit)
    except Invalid:
        return None
