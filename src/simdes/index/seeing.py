"""What may be seen, as a condition on one entry; `predicates` puts it on every alias."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import groupby

from simdes.fhir.search.conditions import ALWAYS, Condition
from simdes.index.bound import Bound
from simdes.index.sql import NEVER, both, either
from simdes.index.visible import EVERY_LABEL, OWN, Ground, Scope, Visible

_CATEGORIES = 63
_PAIRS = 8
"""From how many pairs of vault and handle on they are compared as a list."""

SHARED = frozenset(
    (
        "Device",
        "Endpoint",
        "HealthcareService",
        "Location",
        "Medication",
        "Organization",
        "OrganizationAffiliation",
        "Practitioner",
        "PractitionerRole",
        "Substance",
    )
)
"""Types that are nobody's: the same one lies in the vault of every patient it has to do with."""


def grounded(visible: Visible, alias: str, types: Collection[str], bound: Bound) -> str:
    """The condition that one of the grounds holds for an entry that is of one of the types."""
    return either(_grounds(visible.grounds, alias, frozenset(types), bound))


def scoped(
    visible: Visible,
    alias: str,
    types: Collection[str],
    bound: Bound,
    meets: Callable[[Condition, str], str],
) -> str:
    """The condition that an entry is of one of the types, and one of that type's scopes holds.

    ``meets`` writes the condition of a scope down for an alias.
    """
    alike: defaultdict[tuple[Scope, ...], list[str]] = defaultdict(list)
    for type_ in sorted(set(types) & visible.scopes.keys()):
        its = visible.scopes[type_]
        free = any(one.vaults is None and one.where == ALWAYS for one in its)
        alike[() if free else tuple(its)].append(type_)
    return either(
        both(
            (
                bound.among(f"{alias}.type", names),
                *([either(_scope(one, alias, bound, meets) for one in scopes)] if scopes else ()),
            )
        )
        for scopes, names in alike.items()
        if scopes or visible.scopes[names[0]]
    )


def _scope(scope: Scope, alias: str, bound: Bound, meets: Callable[[Condition, str], str]) -> str:
    found = []
    if scope.vaults is not None:
        found.append(bound.among(f"{alias}.vault", scope.vaults) if scope.vaults else NEVER)
    if scope.where != ALWAYS:
        found.append(meets(scope.where, alias))
    return both(found)


def _grounds(
    grounds: Sequence[Ground], alias: str, types: frozenset[str], bound: Bound
) -> Iterator[str]:
    def shape(one: Ground) -> tuple[int, int, bool, tuple[str, ...]]:
        narrowed = () if one.types is None or one.types >= types else tuple(sorted(one.types))
        return (one.categories, one.labels, one.vaults is None, narrowed)

    of_use = [one for one in grounds if one.types is None or one.types & types]
    for (categories, labels, everybody, narrowed), alike in groupby(
        sorted(of_use, key=shape), key=shape
    ):
        its = list(alike)
        where = (
            bound.among(f"{alias}.handle", {one.handle for one in its})
            if everybody
            else either(_places(its, alias, bound))
        )
        yield both(
            (
                where,
                *_categories(categories, alias, bound),
                *_labels(labels, alias, bound),
                *([bound.among(f"{alias}.type", set(narrowed) & types)] if narrowed else ()),
            )
        )


def _categories(mask: int, alias: str, bound: Bound) -> Iterator[str]:
    numbers = [number for number in range(_CATEGORIES) if mask >> number & 1]
    if not numbers:
        yield NEVER
    elif len(numbers) < _CATEGORIES:
        # A list, whose size PostgreSQL can tell; of a shifted mask it expects one in 200.
        yield bound.among(f"{alias}.category", numbers)


def _labels(labels: int, alias: str, bound: Bound) -> Iterator[str]:
    if closed := EVERY_LABEL & ~labels:
        # Most have none, which PostgreSQL knows; the cast gives a short number its width.
        closed_ = f"({alias}.labels & CAST({bound(closed)} AS BIGINT)) = 0"
        yield f"{alias}.labels = 0 OR {closed_}"


def _places(grounds: Sequence[Ground], alias: str, bound: Bound) -> Iterator[str]:
    """Handles with their vaults: they belong together, so they are compared together."""
    by_handle: defaultdict[bytes, set[bytes]] = defaultdict(set)
    for one in grounds:
        by_handle[one.handle].update(one.vaults or ())
    pairs = []
    for handle, tags in sorted(by_handle.items()):
        if len(tags) == 1 and handle != OWN:
            pairs.append((tags.pop(), handle))
        elif tags:
            yield f"{alias}.handle = {bound(handle)} AND {bound.among(f'{alias}.vault', tags)}"
    if len(pairs) < _PAIRS:
        for tag, handle in pairs:
            yield f"{alias}.vault = {bound(tag)} AND {alias}.handle = {bound(handle)}"
        return
    rows = ", ".join(f"({bound(tag)}, {bound(handle)})" for tag, handle in pairs)
    yield f"({alias}.vault, {alias}.handle) IN (VALUES {rows})"


def vaults_of(visible: Visible, types: Collection[str]) -> frozenset[bytes] | None:
    """The only vaults in which entries of these types may be seen; None: every vault."""
    opened = _together(
        one.vaults for one in visible.grounds if one.types is None or one.types & set(types)
    )
    allowed = _together(scope.vaults for type_ in types for scope in visible.scopes.get(type_, ()))
    if opened is None or allowed is None:
        return allowed if opened is None else opened
    return opened & allowed


def _together(listed: Iterable[tuple[bytes, ...] | None]) -> frozenset[bytes] | None:
    found: set[bytes] = set()
    for tags in listed:
        if tags is None:
            return None
        found.update(tags)
    return frozenset(found)
