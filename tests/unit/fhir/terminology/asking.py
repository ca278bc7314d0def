"""Resources and Parameters for the terminology tests."""

from __future__ import annotations

from typing import Any

from simdes.fhir.terminology import Library

NOW = "2026-03-01T10:00:00Z"
COLOURS = "http://example.org/colours"


def ask(**values: Any) -> dict[str, Any]:
    """A Parameters resource as a GET makes it: strings, but for objects and resources."""
    rows: list[dict[str, Any]] = []
    for name, given in values.items():
        for value in given if isinstance(given, list) else [given]:
            row: dict[str, Any] = {"name": name.rstrip("_").replace("_", "-")}
            if isinstance(value, dict) and "resourceType" in value:
                row["resource"] = value
            elif isinstance(value, dict):
                is_concept = "coding" in value or "text" in value
                row["valueCodeableConcept" if is_concept else "valueCoding"] = value
            else:
                row["valueString"] = str(value).lower() if isinstance(value, bool) else str(value)
            rows.append(row)
    return {"resourceType": "Parameters", "parameter": rows}


def got(parameters: dict[str, Any], name: str) -> list[Any]:
    rows = [p for p in parameters["parameter"] if p["name"] == name]
    return [next(v for k, v in row.items() if k != "name") for row in rows]


def library(*resources: dict[str, Any]) -> Library:
    def provide(kind: str, url: str | None) -> list[dict[str, Any]]:
        fits = (r for r in resources if r["resourceType"] == kind)
        return [r for r in fits if url is None or r["url"] == url]

    return Library(provide)


def colours(**more: Any) -> dict[str, Any]:
    """A code system with all that a concept can have; warm > red > dark red, pink."""
    return {
        "resourceType": "CodeSystem",
        "url": COLOURS,
        "version": "1.2.0",
        "name": "Colours",
        "status": "active",
        "content": "complete",
        "caseSensitive": True,
        "hierarchyMeaning": "is-a",
        "property": [
            {"code": "wavelength", "type": "integer"},
            {"code": "status", "type": "code"},
        ],
        "concept": [
            {
                "code": "warm",
                "display": "Warm colour",
                "property": [{"code": "notSelectable", "valueBoolean": True}],
                "concept": [
                    {
                        "code": "red",
                        "display": "Red",
                        "definition": "Like blood.",
                        "designation": [
                            {"language": "fr", "value": "Rouge"},
                            {"language": "de-CH", "value": "Rot"},
                        ],
                        "property": [{"code": "wavelength", "valueInteger": 700}],
                        "concept": [
                            {"code": "dark-red", "display": "Dark red"},
                            {"code": "pink", "display": "Pâle rosé"},
                        ],
                    },
                    {
                        "code": "ochre",
                        "display": "Ochre",
                        "property": [{"code": "status", "valueCode": "retired"}],
                    },
                ],
            },
            {
                "code": "blue",
                "display": "Blue",
                "property": [{"code": "wavelength", "valueInteger": 450}],
            },
            {
                "code": "violet",
                "display": "Violet",
                "property": [
                    {"code": "parent", "valueCode": "red"},
                    {"code": "parent", "valueCode": "blue"},
                ],
            },
        ],
        **more,
    }


def value_set(*include: dict[str, Any], **more: Any) -> dict[str, Any]:
    compose: dict[str, Any] = {"include": list(include)}
    for name in ("exclude", "inactive"):
        if name in more:
            compose[name] = more.pop(name)
    return {"resourceType": "ValueSet", "status": "active", "compose": compose, **more}


def where(property_: str, op: str, value: str) -> dict[str, Any]:
    return {"system": COLOURS, "filter": [{"property": property_, "op": op, "value": value}]}
