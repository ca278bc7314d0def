"""The validator finds each kind of fault, where it is, by the rule that it breaks."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from simdes.fhir.definitions import definition, type_names
from simdes.fhir.primitives import PRIMITIVES
from simdes.fhir.validate import (
    Problem,
    unchecked_bindings,
    unchecked_invariants,
    validate,
)

URN = "urn:uuid:c757873d-ec9a-4326-a141-556f4323952"
TEXT = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">a</div>'}
GONE = object()
V2_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"


def concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def extension(**value: Any) -> dict[str, Any]:
    return {"url": "http://example.org/x", **value}


PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "text": TEXT,
    "contained": [{"resourceType": "Organization", "id": "o1", "name": "Clinic"}],
    "extension": [
        extension(valueString="x"),
        extension(extension=[{"url": "inner", "valueBoolean": True}]),
    ],
    "identifier": [{"system": "http://example.org/mrn", "value": "1"}],
    "active": True,
    "name": [
        {
            "family": "A",
            "given": ["B", None],
            "_given": [None, {"extension": [extension(valueCode="c")]}],
        }
    ],
    "telecom": [{"system": "phone", "value": "1", "rank": 1}],
    "gender": "female",
    "birthDate": "1980-02-29",
    "_birthDate": {"id": "b", "extension": [extension(valueDateTime="1980-02-29T10:00:00Z")]},
    "deceasedBoolean": False,
    "contact": [{"name": {"text": "C"}, "period": {"start": "2020", "end": "2021"}}],
    "communication": [{"language": concept("urn:ietf:bcp:47", "en-GB")}],
    "managingOrganization": {"reference": "#o1"},
    "link": [{"other": {"reference": "Patient/p2"}, "type": "seealso"}],
}

OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "text": TEXT,
    "status": "final",
    "code": concept("http://loinc.org", "718-7"),
    "subject": {"reference": "Patient/p1", "type": "Patient"},
    "effectiveDateTime": "2020-01-01T10:00:00+01:00",
    "valueQuantity": {"value": 4, "unit": "g", "system": "http://unitsofmeasure.org", "code": "g"},
    "note": [{"text": "a"}],
    "referenceRange": [{"low": {"value": 1, "unit": "g"}, "high": {"value": 5, "unit": "g"}}],
    "component": [{"code": {"text": "c"}, "valueString": "x"}],
}

ATTACHED: dict[str, Any] = {
    "resourceType": "Media",
    "text": TEXT,
    "status": "completed",
    "content": {
        "contentType": "text/plain",
        "data": "QUJD",
        "size": 3,
        "hash": "PAG9uybzWLqyfyZ5JKosmgP8/bg=",
    },
}


def bundle(kind: str, *entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


COLLECTION = bundle(
    "collection",
    {"fullUrl": "http://h/fhir/Patient/p1", "resource": PATIENT},
    {
        "fullUrl": URN + "1",
        "resource": {**OBSERVATION, "subject": {"reference": "http://h/fhir/Patient/p1"}},
    },
)
TRANSACTION = bundle(
    "transaction",
    {"fullUrl": URN + "1", "resource": PATIENT, "request": {"method": "POST", "url": "Patient"}},
    {
        "fullUrl": URN + "2",
        "resource": {**OBSERVATION, "subject": {"reference": URN + "1"}},
        "request": {"method": "POST", "url": "Observation"},
    },
)
DOCUMENT: dict[str, Any] = {
    **bundle(
        "document",
        {
            "fullUrl": URN + "1",
            "resource": {
                "resourceType": "Composition",
                "text": TEXT,
                "status": "final",
                "type": {"text": "Summary"},
                "date": "2020",
                "title": "Summary",
                "author": [{"reference": URN + "2"}],
                "section": [{"text": TEXT}],
            },
        },
        {"fullUrl": URN + "2", "resource": {"resourceType": "Practitioner", "text": TEXT}},
    ),
    "identifier": {"system": "urn:ietf:rfc:3986", "value": URN + "9"},
    "timestamp": "2020-01-01T00:00:00Z",
}


def changed(resource: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a copy with ``value`` at ``path`` (``name.0.family``); ``GONE`` removes it."""
    result = copy.deepcopy(resource)
    node: Any = result
    *steps, last = [int(s) if s.isdigit() else s for s in path.split(".")]
    for step in steps:
        node = node[step]
    if value is GONE:
        del node[last]
    elif isinstance(node, list) and last == len(node):
        node.append(value)
    else:
        node[last] = value
    return result


def errors(resource: Any) -> set[tuple[str, str]]:
    return {(p.rule, p.expression) for p in validate(resource) if p.is_error}


@pytest.mark.parametrize(
    "resource", [PATIENT, OBSERVATION, ATTACHED, COLLECTION, TRANSACTION, DOCUMENT]
)
def test_what_the_table_changes_is_valid_to_begin_with(resource: dict[str, Any]) -> None:
    assert validate(resource) == []


P_, O_, M_, C_, T_, D_ = PATIENT, OBSERVATION, ATTACHED, COLLECTION, TRANSACTION, DOCUMENT
EX = extension(valueString="x")

STRUCTURE: list[tuple[dict[str, Any], str, Any, str, str]] = [
    # resource, path, new value, rule, expression behind the resource's type
    (P_, "nickname", "x", "unknown-element", ".nickname"),
    (P_, "two words", "x", "unknown-element", ""),
    (P_, "contact.0.nickname", "x", "unknown-element", ".contact[0].nickname"),
    (P_, "name.0.prefixes", ["x"], "unknown-element", ".name[0].prefixes"),
    (P_, "_name", {"id": "x"}, "unknown-element", "._name"),
    (P_, "valueString", "x", "unknown-element", ".valueString"),
    (O_, "valueMoney", {"value": 1}, "unknown-element", ".valueMoney"),
    (O_, "component.0.resourceType", "x", "unknown-element", ".component[0].resourceType"),
    (O_, "_resourceType", {"id": "x"}, "unknown-element", "._resourceType"),
    (O_, "fhir_comments", ["x"], "unknown-element", ".fhir_comments"),
    (P_, "name.0", "A", "object", ".name[0]"),
    (P_, "text", "x", "object", ".text"),
    (P_, "contained.0", "x", "object", ".contained[0]"),
    (P_, "_birthDate", "x", "object", ".birthDate"),
    (P_, "name", {"family": "A"}, "array", ".name"),
    (P_, "name.0.given", "B", "array", ".name[0].given"),
    (P_, "name.0._given", {"id": "x"}, "array", ".name[0].given"),
    (P_, "gender", ["female"], "maximum", ".gender"),
    (O_, "code", [{"text": "x"}], "maximum", ".code"),
    (P_, "text._div", {"extension": [EX]}, "maximum", ".text.div.extension"),
    (P_, "name", [], "empty", ".name"),
    (P_, "name.0._given", [None, None], "empty", ".name[0].given"),
    (P_, "name.0._given", [{"id": "x"}, None], "null", ".name[0].given[1]"),
    (P_, "name.0.given", [None], "string", ".name[0].given[0]"),
    (P_, "gender", None, "code", ".gender"),
    (P_, "name.0", {}, "ele-1", ".name[0]"),
    (P_, "name.0", {"id": "x"}, "ele-1", ".name[0]"),
    (P_, "_active", {}, "ele-1", ".active"),
    (P_, "_language", {"id": "x"}, "ele-1", ".language"),
    (O_, "status", GONE, "minimum", ".status"),
    (O_, "code", GONE, "minimum", ".code"),
    (O_, "note.0.text", GONE, "minimum", ".note[0].text"),
    (P_, "link.0.other", GONE, "minimum", ".link[0].other"),
    (P_, "extension.0.url", GONE, "minimum", ".extension[0].url"),
    (O_, "valueString", "x", "choice", ".value"),
    (O_, "_valueString", {"extension": [EX]}, "choice", ".value"),
    (P_, "extension.0.valueCode", "x", "choice", ".extension[0].value"),
    (P_, "contained.0.resourceType", GONE, "resource-type", ".contained[0].resourceType"),
    (P_, "contained.0.resourceType", "Clinic", "resource-type", ".contained[0].resourceType"),
    # primitives, each where it stands in a resource
    (P_, "active", "true", "boolean", ".active"),
    (P_, "birthDate", "1980-02-30", "date", ".birthDate"),
    (P_, "birthDate", "29.2.1980", "date", ".birthDate"),
    (P_, "id", "a_b", "id", ".id"),
    (P_, "name.0.family", "", "string", ".name[0].family"),
    (P_, "telecom.0.rank", 0, "positiveInt", ".telecom[0].rank"),
    (P_, "identifier.0.system", "http://a b", "uri", ".identifier[0].system"),
    (P_, "meta", {"profile": ["Patient"]}, "canonical", ".meta.profile[0]"),
    (P_, "meta", {"lastUpdated": "2020"}, "instant", ".meta.lastUpdated"),
    (P_, "photo", [{"url": ""}], "url", ".photo[0].url"),
    (P_, "photo", [{"data": "Q"}], "base64Binary", ".photo[0].data"),
    (P_, "photo", [{"size": -1}], "unsignedInt", ".photo[0].size"),
    (P_, "multipleBirthInteger", "2", "integer", ".multipleBirth.ofType(integer)"),
    (P_, "contact.0.period.start", "2020-01-01T10:00", "dateTime", ".contact[0].period.start"),
    (P_, "extension.0", extension(valueOid="1.2"), "oid", ".extension[0].value.ofType(oid)"),
    (P_, "extension.0", extension(valueUuid="1"), "uuid", ".extension[0].value.ofType(uuid)"),
    (O_, "valueQuantity.value", "4", "decimal", ".value.ofType(Quantity).value"),
    (O_, "valueQuantity.code", " g", "code", ".value.ofType(Quantity).code"),
    (O_, "note.0.text", "\x00", "markdown", ".note[0].text"),
    (P_, "text.div", "", "xhtml", ".text.div"),
    (P_, "extension.0", extension(valueTime="1"), "time", ".extension[0].value.ofType(time)"),
]  # fmt: skip

BINDINGS_AND_REFERENCES: list[tuple[dict[str, Any], str, Any, str, str]] = [
    (P_, "gender", "f", "binding", ".gender"),
    (P_, "gender", "Female", "binding", ".gender"),
    (O_, "status", "done", "binding", ".status"),
    (P_, "text.status", "x", "binding", ".text.status"),
    (P_, "language", "not a language", "binding", ".language"),
    (P_, "communication.0.language", concept("urn:x", "en"), "binding",
     ".communication[0].language"),
    (M_, "content.contentType", "text", "binding", ".content.contentType"),
    (P_, "extension.0", extension(valueMoney={"currency": "euro"}), "binding",
     ".extension[0].value.ofType(Money).currency"),
    (P_, "managingOrganization.reference", "Patient/1", "reference-target",
     ".managingOrganization.reference"),
    (P_, "link.0.other.reference", "http://h/Group/1", "reference-target",
     ".link[0].other.reference"),
    (P_, "link.0.other.reference", "#o1", "reference-target", ".link[0].other.reference"),
    (P_, "managingOrganization", {"type": "Patient"}, "reference-target",
     ".managingOrganization.reference"),
    (O_, "subject.type", "Group", "reference-type", ".subject"),
    (O_, "subject.reference", "p1", "reference-form", ".subject.reference"),
    (O_, "subject.reference", "Person x/1", "reference-form", ".subject.reference"),
    (O_, "subject.reference", "#p1", "ref-1", ".subject"),
    (O_, "subject.reference", "#", "ref-1", ".subject"),
    (P_, "managingOrganization", GONE, "dom-3", ""),
    (P_, "contained.0.contained", [{"resourceType": "Basic"}], "dom-2", ""),
    (P_, "contained.0.meta", {"versionId": "1"}, "dom-4", ""),
    (P_, "contained.0.meta", {"security": [{"code": "R"}]}, "dom-5", ""),
    (P_, "extension.0.url", "x", "extension-url", ".extension[0].url"),
    (P_, "_birthDate.extension.0.url", "x", "extension-url", ".birthDate.extension[0].url"),
    (P_, "extension.0.valueString", GONE, "ext-1", ".extension[0]"),
    (P_, "extension.1.valueString", "x", "ext-1", ".extension[1]"),
    (P_, "identifier.0.system", "mrn", "system", ".identifier[0].system"),
    (O_, "code.coding.0.system", "loinc", "system", ".code.coding[0].system"),
    (O_, "valueQuantity.system", "ucum", "system", ".value.ofType(Quantity).system"),
    (O_, "valueQuantity.code", "mcg", "unknown-code", ".value.ofType(Quantity).code"),
    (O_, "code", concept(V2_TYPES, "PGN"), "unknown-code", ".code.coding[0].code"),
    (P_, "identifier.0.system", "urn:ietf:rfc:3986", "identifier-uri", ".identifier[0].value"),
    (M_, "content.size", 4, "attachment-size", ".content.size"),
    (M_, "content.hash", "AAAA", "attachment-hash", ".content.hash"),
    (P_, "text.div", TEXT["div"].replace("a<", "<script/>a<"), "txt-1", ".text.div"),
    (P_, "text.div", TEXT["div"].replace(">a<", "> <"), "txt-2", ".text.div"),
]  # fmt: skip

BUNDLES: list[tuple[dict[str, Any], str, Any, str, str]] = [
    (C_, "entry.0.fullUrl", GONE, "full-url", ".entry[0].fullUrl"),
    (C_, "entry.0.fullUrl", "Patient/p1", "full-url", ".entry[0].fullUrl"),
    (C_, "entry.0.fullUrl", "http://h/fhir/Patient/p9", "full-url-id", ".entry[0].fullUrl"),
    (C_, "entry.0.fullUrl", "http://h/fhir/Group/p1", "full-url-id", ".entry[0].fullUrl"),
    (C_, "entry.0.resource.id", GONE, "full-url-id", ".entry[0].fullUrl"),
    (C_, "entry.1.resource.subject.reference", "http://h/fhir/Organization/p1", "reference-target",
     ".entry[1].resource.ofType(Observation).subject.reference"),
    (C_, "entry.1.fullUrl", "http://h/fhir/Patient/p1", "bdl-7", ""),
    (C_, "total", 2, "bdl-1", ""),
    (C_, "entry.0.search", {"mode": "match"}, "bdl-2", ""),
    (C_, "entry.0.request", {"method": "GET", "url": "x"}, "bdl-3", ""),
    (C_, "entry.0.response", {"status": "200"}, "bdl-4", ""),
    (C_, "entry.2", {"fullUrl": URN + "3"}, "bdl-5", ".entry[2]"),
    (C_, "entry.0.fullUrl", "http://h/Patient/p1/_history/1", "bdl-8", ".entry[0]"),
    (C_, "entry.0.resource.gender", "f", "binding", ".entry[0].resource.ofType(Patient).gender"),
    (C_, "entry.0.resource.contained.0.name", GONE, "org-1",
     ".entry[0].resource.ofType(Patient).contained[0].ofType(Organization)"),
    (C_, "type", "pile", "binding", ".type"),
    (C_, "entry.0.resource.resourceType", "Pat", "resource-type",
     ".entry[0].resource.resourceType"),
    (T_, "entry.1.resource.subject.reference", URN + "7", "bundle-reference",
     ".entry[1].resource.ofType(Observation).subject.reference"),
    (T_, "entry.1.resource.subject.reference", URN + "2", "reference-target",
     ".entry[1].resource.ofType(Observation).subject.reference"),
    (T_, "entry.0.request", GONE, "bdl-3", ""),
    (T_, "entry.0.request.method", "SEND", "binding", ".entry[0].request.method"),
    (D_, "entry", GONE, "first-entry", ""),
    (D_, "identifier", GONE, "bdl-9", ""),
    (D_, "timestamp", GONE, "bdl-10", ""),
    (D_, "entry.0.resource", PATIENT, "bdl-11", ""),
    (D_, "type", "message", "bdl-12", ""),
    (D_, "entry.0.resource.author.0.reference", "Practitioner/1", "document-reference",
     ".entry[0].resource"),
    (D_, "entry.0.resource.section.0.text", GONE, "cmp-1",
     ".entry[0].resource.ofType(Composition).section[0]"),
]  # fmt: skip

CASES = [*STRUCTURE, *BINDINGS_AND_REFERENCES, *BUNDLES]


@pytest.mark.parametrize("case", CASES, ids=[f"{c[3]} at {c[1]}" for c in CASES])
def test_one_change_is_found_by_the_rule_it_breaks(
    case: tuple[dict[str, Any], str, Any, str, str],
) -> None:
    resource, path, value, rule, expression = case
    where = resource["resourceType"] + expression
    assert (rule, where) in errors(changed(resource, path, value))


def test_the_table_has_every_primitive_and_every_structural_rule() -> None:
    structural = {
        "array", "attachment-hash", "attachment-size", "binding", "bundle-reference", "choice",
        "document-reference", "ele-1", "empty", "extension-url", "first-entry", "full-url",
        "full-url-id", "identifier-uri", "maximum", "minimum", "null", "object",
        "reference-form", "reference-target", "reference-type", "resource-type", "system",
        "unknown-code", "unknown-element",
    }  # fmt: skip
    assert structural | set(PRIMITIVES) <= {rule for *_, rule, _ in CASES}


@pytest.mark.parametrize(
    ("resource", "path", "value"),
    [
        (P_, "name.0", {"_family": {"extension": [EX]}}),
        (P_, "name.0._given", [{"id": "x"}, {"extension": [EX]}, {"extension": [EX]}]),
        (P_, "_active", {"id": "x"}),
        (P_, "modifierExtension", [EX]),
        (P_, "link.0.other", {"identifier": {"value": "x"}, "display": "x"}),
        (
            O_,
            "contained",
            [{"resourceType": "Basic", "code": {"text": "x"}, "subject": {"reference": "#"}}],
        ),
        (P_, "maritalStatus", concept("http://example.org/own", "x")),
        (P_, "communication.0.language", {"text": "a language"}),
        (O_, "subject.reference", "http://anything/at/all"),
        (O_, "subject.reference", "Patient/1/_history/2"),
        (O_, "subject", {"reference": "urn:oid:1.2.3", "type": "Patient"}),
        (O_, "valueQuantity.value", 0),
        (O_, "referenceRange.0.high", {"value": 1, "unit": "kg"}),
        (COLLECTION, "entry.1.resource.subject.reference", "Patient/elsewhere"),
        (TRANSACTION, "entry.1.resource.subject.reference", "Patient?identifier=http://x|1"),
        (TRANSACTION, "entry.0.fullUrl", GONE),
        (DOCUMENT, "entry.0.resource.author.0", {"display": "x"}),
    ],
)
def test_what_the_standard_allows_is_not_refused(
    resource: dict[str, Any], path: str, value: Any
) -> None:
    found = errors(changed(resource, path, value))
    # Taking the fullUrl away leaves a reference to it, which is another fault.
    assert {rule for rule, _ in found} <= ({"bundle-reference"} if value is GONE else set())


def test_a_required_element_may_be_there_by_its_extension_alone_but_not_a_required_code() -> None:
    absent = {
        "extension": [
            {
                "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
                "valueCode": "unknown",
            }
        ]
    }
    communication = {"resourceType": "Composition", "_title": absent, "_status": absent}
    found = errors(communication)
    assert ("minimum", "Composition.title") not in found
    assert ("minimum", "Composition.status") not in found
    assert ("binding", "Composition.status") in found


def test_a_urn_that_leads_nowhere_is_only_a_warning_where_it_may_lead_outside() -> None:
    lost = changed(COLLECTION, "entry.1.resource.subject.reference", URN + "7")
    assert errors(lost) == set()
    assert "bundle-reference" in {p.rule for p in validate(lost)}


def test_best_practice_is_a_warning() -> None:
    found = validate(changed(PATIENT, "text", GONE))
    assert found == [Problem("warning", "invariant", "Patient", found[0].message, "dom-6")]
    assert not found[0].is_error


def test_all_faults_are_reported_at_once_in_document_order() -> None:
    broken = changed(
        changed(changed(PATIENT, "gender", "f"), "birthDate", "x"), "name.0.family", ""
    )
    assert [p.expression for p in validate(broken)] == [
        "Patient.name[0].family",
        "Patient.gender",
        "Patient.birthDate",
    ]


@pytest.mark.parametrize(
    "value",
    [None, True, 5, "Patient", [], [PATIENT], {}]
    + [{"resourceType": t} for t in (None, "Resource", "DomainResource", ["Patient"], "HumanName")],
)
def test_what_is_no_resource_has_one_problem(value: Any) -> None:
    found = validate(value)
    assert len(found) == 1
    assert found[0].is_error
    assert found[0].expression in ("Resource", "Resource.resourceType")


def test_no_message_repeats_a_value() -> None:
    secret = "Zaphod1952"

    def spoil(node: Any) -> Any:
        if isinstance(node, dict):
            return {k: v if k == "resourceType" else spoil(v) for k, v in node.items()}
        return [spoil(v) for v in node] if isinstance(node, list) else secret

    for resource in (PATIENT, OBSERVATION, ATTACHED, COLLECTION, TRANSACTION, DOCUMENT):
        found = validate(spoil(resource))
        assert len(found) > 5
        assert not [p for p in found if secret in p.message or secret in p.expression]


def test_expressions_are_paths_without_member_names_that_are_no_elements() -> None:
    found = validate(changed(PATIENT, "Smith, born 1950", "x"))
    assert [(p.expression, p.rule) for p in found] == [("Patient", "unknown-element")]


def test_deep_nesting_is_refused_and_not_a_crash() -> None:
    deep: dict[str, Any] = {"url": "http://x", "valueString": "x"}
    for _ in range(3000):
        deep = {"url": "http://x", "extension": [deep]}
    assert [p.rule for p in validate({"resourceType": "Patient", "extension": [deep]})] == ["depth"]


def test_the_validator_says_what_it_does_not_check() -> None:
    assert {u.key for u in unchecked_invariants()} == {"rng-2", "ctm-1"}
    assert all(u.reason and definition(u.path) for u in unchecked_invariants())
    bindings = unchecked_bindings()
    assert {b.value_set.rpartition("/")[2] for b in bindings if b.reason != "syntax only"} == {
        "ucum-units",
        "LL379-9",
    }
    required = sum(
        e.binding is not None and e.binding.strength == "required" and e.path.startswith(n + ".")
        for n in type_names()
        for e in definition(n).elements.values()
    )
    assert required > 350
    assert len([b for b in bindings if b.reason != "syntax only"]) == 4
