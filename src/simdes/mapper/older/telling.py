"""Tell FHIR DSTU2, STU3 and R4 apart.

Nothing in a resource has to name its version. So it is read against the definitions of all three:
an element the version does not have, one written the wrong way (an object for a code), a required
one that is missing, and each sign of ``signs.psv`` that speaks against it counts as a misfit; the
version with the fewest has it (what is missing counts least). What fits R4 as well as any other is
R4, unless the site says which version it sends. A Bundle is of one version. Cost: one walk where
R4 fits, else three.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from simdes.fhir.elements import Part
from simdes.mapper.model import Json
from simdes.mapper.older.shapes import (
    R4,
    VERSIONS,
    Shape,
    is_primitive,
    resource_names,
    shape,
)
from simdes.mapper.sheets import rows

_MISSING = 1
_MISFIT = 100  # many broken R4 resources lack what is required: it must not make them older
_UNKNOWN_TYPE = 10_000
_SAID = 1_000_000
_IGNORED = frozenset(("resourceType", "fhir_comments"))


class Sign(NamedTuple):
    """A text at an element (or anywhere: ``system``) that only some versions write so."""

    begins: str
    versions: frozenset[str]
    weight: int


def version_of(values: dict[str, Json], prefer: str = "") -> str:
    """Name the version of a resource: ``r4``, ``stu3`` or ``dstu2``.

    ``values`` has the resource as each version reads it (all the same for JSON).
    """
    first = prefer or R4
    order = [first, *(one for one in VERSIONS if one != first)]
    misfits: dict[str, int] = {}
    for version in order:
        misfits[version] = _in_resource(values[version], version)
        if not misfits[version]:
            return version
    return min(order, key=lambda one: misfits[one])


def _in_resource(body: Json, version: str) -> int:
    kind = body.get("resourceType")
    if not isinstance(kind, str) or kind not in resource_names(version):
        return _UNKNOWN_TYPE
    found = shape(version, kind)
    return 0 if found is None else _in_body(body, found, version, kind)


def _in_body(body: Json, found: Shape, version: str, path: str) -> int:
    count = sum(
        _MISSING
        for names in found.required
        if not any(name in body or f"_{name}" in body for name in names)
    )
    for name, value in body.items():
        part = found.parts.get(name.removeprefix("_"))
        if part is None:
            count += 0 if name in _IGNORED else _MISFIT
        else:
            signs = _signs().get(f"{path}.{name}", ()) or _signs().get(name, ())
            count += _in_value(value, part, version, extra=name[0] == "_")
            if signs:
                count += _against(value, signs, version)
    return count


def _in_value(value: Any, part: Part, version: str, *, extra: bool) -> int:
    count = 0 if isinstance(value, list) is part.is_list else _MISFIT
    for one in value if isinstance(value, list) else (value,):
        if one is None:
            continue
        if isinstance(one, dict) is not (extra or not is_primitive(part.type)):
            count += _MISFIT
        elif part.type == "Resource":
            count += _in_resource(one, version)
        elif not extra and not is_primitive(part.type) and (inner := shape(version, part.type)):
            count += _in_body(one, inner, version, part.type)
    return count


def _against(value: Any, signs: Iterable[Sign], version: str) -> int:
    texts = [one for one in (value if isinstance(value, list) else (value,)) if type(one) is str]
    return sum(
        sign.weight
        for sign in signs
        for text in texts
        if text.startswith(sign.begins) and version not in sign.versions
    )


@cache
def _signs() -> dict[str, tuple[Sign, ...]]:
    text = (files(__package__) / "signs.psv").read_text(encoding="utf-8")
    found: dict[str, tuple[Sign, ...]] = {}
    for line in rows("signs.psv", text):
        weight = _SAID if line.cell("says") == "version" else _MISFIT
        sign = Sign(line.cell("begins"), frozenset(line.cell("versions").split()), weight)
        for element in line.cell("element").split():
            found[element] = (*found.get(element, ()), sign)
    return found
