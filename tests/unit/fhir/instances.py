"""Random instances of any R4 type, made from the definitions alone: material for other tests.

Well formed in shape (names, arrays, primitives), mostly within the bindings, but with no regard for
invariants, so that these come out true and false.
"""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

from simdes.fhir.definitions import Element, definition, resource_types, value_set_codings

_VALUES: dict[str, list[Any]] = {
    "base64Binary": ["QQ=="],
    "boolean": [True, False],
    "canonical": ["http://example.org/a", "#c1"],
    "code": ["final", "other-map", "root", "uuid", "10", "1", "*"],
    "date": ["2020", "2020-02", "2020-02-29", "2021-01-01"],
    "dateTime": [
        "2020",
        "2020-02",
        "2020-02-29",
        "2020-02-29T10:00:00Z",
        "2021-01-01T00:00:00+01:00",
    ],
    "decimal": [Decimal("0"), Decimal("1.50"), Decimal("-2.5"), 7, Decimal("101.0")],
    "id": ["a", "c1"],
    "instant": ["2020-02-29T10:00:00Z", "2020-02-29T11:30:00.5+01:00"],
    "integer": [0, 1, -3],
    "markdown": ["text"],
    "oid": ["urn:oid:1.2.3"],
    "positiveInt": [1, 2],
    "string": ["Name", "name with space", "Patient.name", "Patient", "*", "3", "a[x]"],
    "time": ["10:00:00"],
    "unsignedInt": [0, 5],
    "uri": [
        "http://unitsofmeasure.org",
        "urn:iso:std:iso:4217",
        "http://hl7.org/fhir/StructureDefinition/x",
    ],
    "url": ["http://example.org/x"],
    "uuid": ["urn:uuid:c757873d-ec9a-4326-a141-556f43239520"],
    "xhtml": ['<div xmlns="http://www.w3.org/1999/xhtml">text</div>'],
}
_REFERENCES = ["Patient/1", "Practitioner/p", "#c1", "http://example.org/fhir/Organization/o"]
_SMALL_RESOURCES = ["Basic", "Practitioner", "Organization", "Parameters"]


def instance(name: str, random: Random, *, depth: int = 3, extended: bool = True) -> dict[str, Any]:
    """Return a random instance of the resource, data type or backbone ``name``.

    ``extended``: some primitives have extensions, with or without a value.
    """
    made: dict[str, Any] = {"resourceType": name} if name in resource_types() else {}
    for element in definition(name).elements.values():
        is_needed = element.minimum > 0 and random.random() < 0.9
        if element.maximum == 0 or not (
            is_needed or random.random() < (0.35 if depth > 1 else 0.1)
        ):
            continue
        key, type_name = random.choice(list(element.json_names.items()))
        value = _value(element, type_name, random, depth=depth, extended=extended)
        if value is None:
            continue
        made[key] = value
        if element.is_list:
            more = [
                _value(element, type_name, random, depth=depth, extended=extended)
                for _ in range(random.randint(0, 2))
            ]
            made[key] = [value, *(m for m in more if m is not None)]
        elif extended and type_name in _VALUES and type_name != "xhtml" and random.random() < 0.1:
            made["_" + key] = {"extension": [{"url": "http://example.org/x", "valueCode": "x"}]}
            if random.random() < 0.5:
                del made[key]
    return made


def _value(element: Element, type_name: str, random: Random, *, depth: int, extended: bool) -> Any:
    codings = value_set_codings(element.binding.value_set) if element.binding else None
    if type_name in _VALUES:
        codes = sorted(set().union(*codings.values())) if codings else []
        return random.choice(codes if codes and random.random() < 0.9 else _VALUES[type_name])
    if depth == 0:
        return None
    if type_name == "Resource":
        type_name = random.choice(_SMALL_RESOURCES)
    if codings and type_name in ("Coding", "CodeableConcept"):
        system = random.choice(sorted(codings))
        coding = {"system": system, "code": random.choice(sorted(codings[system]))}
        return coding if type_name == "Coding" else {"coding": [coding]}
    made = instance(type_name, random, depth=depth - 1, extended=extended)
    if type_name == "Reference":
        made["reference"] = random.choice(_REFERENCES)
    if type_name == "Extension":
        made["url"] = "http://example.org/x"
    return made or None
