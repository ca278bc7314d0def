"""A resource on its way in: identity, references and meta made the server's, then validated.

What a client says about id, version and time does not count; absolute references to this server
become relative ones, ``urn:uuid:`` and conditional references of a Bundle become ``Type/id``
(https://hl7.org/fhir/R4/http.html#trules).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from simdes.access.categories import labels_of
from simdes.errors import Invalid
from simdes.exchange.indexing import STATE_SYSTEM
from simdes.exchange.provenance import security_of
from simdes.fhir.problem import BrokenRules, Problem
from simdes.fhir.reference import parse_reference
from simdes.fhir.summary import SUBSETTED
from simdes.fhir.validate import Profiles, validate

_SERVER_META = frozenset(("versionId", "lastUpdated", "source"))
_REFERRING = frozenset(("reference", "url", "valueUri", "valueUrl", "valueUuid", "valueOid"))
"""Elements in which what a Bundle calls an entry is replaced; elsewhere it is only text."""
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


def require_id(logical_id: str) -> None:
    """Raise Invalid unless this can be a resource's id (https://hl7.org/fhir/R4/datatypes.html#id)."""
    if not _ID.fullmatch(logical_id):
        raise Invalid("An id has 1 to 64 letters, digits, '-' and '.'.")


def require_type(resource: Any, type_: str) -> None:
    """Raise Invalid unless the body is a resource of the type that the address names."""
    if not isinstance(resource, Mapping) or resource.get("resourceType") != type_:
        raise Invalid(
            f"The body is not a {type_}, which the address names.",
            advice="Send the resource to the address of its own type.",
        )


def drafted(
    resource: Mapping[str, Any],
    logical_id: str,
    names: Mapping[str, str],
    *,
    base: str,
) -> dict[str, Any]:
    """The resource as it will be stored: its id, no server meta, references made local.

    ``names`` leads from what entries of the same Bundle are called to what they will be called;
    ``base`` is this server's own FHIR base URL.
    """
    made = {"resourceType": resource["resourceType"], "id": logical_id}
    for key, value in resource.items():
        if key in ("resourceType", "id"):
            continue
        if key == "meta" and isinstance(value, Mapping):
            if kept := _own_meta(value):
                made["meta"] = kept
            continue
        made[key] = _localised(value, names, base)
    return made


def _own_meta(meta: Mapping[str, Any]) -> dict[str, Any]:
    """The meta that is the author's: what a server adds comes back with what was read from it."""
    kept = {name: item for name, item in meta.items() if name not in _SERVER_META}
    tags = kept.get("tag")
    if isinstance(tags, list):
        own = [
            one
            for one in tags
            if not (isinstance(one, Mapping) and one.get("system") == STATE_SYSTEM)
        ]
        kept["tag"] = own
        if not own:
            del kept["tag"]
    return kept


def keep_labels(draft: dict[str, Any], labels: int) -> None:
    """Add the labels of the present version that a draft leaves out.

    A label decides what a consent opens, and is signed with each version; so no update takes one
    away, be it by leaving ``meta.security`` out (https://hl7.org/fhir/R4/resource.html#Meta).
    """
    lacking = labels & ~labels_of(draft)
    if lacking:
        meta = dict(draft.get("meta") or {})
        meta["security"] = [*meta.get("security", ()), *security_of(lacking)["meta"]["security"]]
        draft["meta"] = meta


@dataclass(frozen=True, slots=True)
class Sent:
    """A resource that is to be stored; ``place`` is its FHIRPath in a Bundle, "" alone."""

    resource: Mapping[str, Any]
    place: str = ""


def check_valid(
    sent: Sequence[Sent], profiles: Profiles | None = None, *, are_binding: bool = True
) -> list[tuple[Problem, ...]]:
    """Raise BrokenRules, with every error's place, unless all are valid R4 and whole.

    Returned are the warnings of each. ``profiles`` checks those that a resource claims
    (``meta.profile``), too: errors, or warnings unless they ``are_binding``.
    """
    found = [_placed(one, (*validate(one.resource), *_parts(one.resource))) for one in sent]
    if broken := _errors(found):
        raise BrokenRules(broken)
    if profiles is None:
        return found
    claimed = [_placed(one, profiles.check(dict(one.resource))) for one in sent]
    if are_binding and (broken := _errors(claimed)):
        raise BrokenRules(broken)
    return [
        (*its, *(replace(problem, severity="warning") for problem in claims))
        for its, claims in zip(found, claimed, strict=True)
    ]


def _errors(found: Iterable[Iterable[Problem]]) -> list[Problem]:
    return [problem for its in found for problem in its if problem.is_error]


def _placed(sent: Sent, found: Iterable[Problem]) -> tuple[Problem, ...]:
    if not sent.place:
        return tuple(found)
    type_ = str(sent.resource.get("resourceType", ""))
    return tuple(
        replace(one, expression=sent.place + one.expression.removeprefix(type_)) for one in found
    )


def _parts(resource: Mapping[str, Any]) -> Iterator[Problem]:
    """What `_summary` and `_elements` left is not to be stored over the whole."""
    meta = resource.get("meta")
    tags = meta.get("tag") if isinstance(meta, Mapping) else None
    for one in tags if isinstance(tags, list) else ():
        if isinstance(one, Mapping) and one.get("code") == SUBSETTED["code"]:
            place = f"{resource.get('resourceType')}.meta.tag"
            told = "this is a part of a resource; read the whole and send that"
            yield Problem("error", "business-rule", place, told, "subsetted")
            return


def literals(resource: Any) -> Iterator[str]:
    """Every literal reference in a resource, without those into itself."""
    if isinstance(resource, dict):
        for key, value in resource.items():
            if key == "reference" and isinstance(value, str):
                if not value.startswith("#"):
                    yield value
            elif isinstance(value, dict | list):
                yield from literals(value)
    elif isinstance(resource, list):
        for value in resource:
            yield from literals(value)


def local_names(resource: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """(type, id) of every resource of this server that a drafted one refers to."""
    found: dict[tuple[str, str], None] = {}
    for literal in literals(resource):
        parsed = parse_reference(literal)
        if parsed.kind == "relative":
            found[parsed.type, parsed.id] = None
    return tuple(found)


def _localised(value: Any, names: Mapping[str, str], base: str) -> Any:
    if isinstance(value, dict):
        return {
            key: _local(key, member, names, base)
            if key in _REFERRING and isinstance(member, str)
            else _localised(member, names, base)
            if isinstance(member, dict | list)
            else member
            for key, member in value.items()
        }
    if isinstance(value, list):
        return [
            _localised(member, names, base) if isinstance(member, dict | list) else member
            for member in value
        ]
    return value


def _local(element: str, reference: str, names: Mapping[str, str], base: str) -> str:
    if reference in names:
        return names[reference]
    own = base + "/"
    if element != "reference":
        return reference
    return reference[len(own) :] if reference.startswith(own) else reference
