"""Resources that others published are valid, but for the rules named here."""

from __future__ import annotations

from simdes.fhir.validate import validate
from unit.fhir.published import published

# What is wrong with them is wrong by the standard; each was looked at by hand.
INVALID = {
    # A FHIRPath test input, cut down until only what the test needs was left.
    "explanationofbenefit-example.json": {"minimum"},
    # Another: refers to its contained Organization as "1" instead of "#1", so that nothing refers
    # to it (dom-3), and the Organization has neither name nor identifier.
    "patient-container-example.json": {"org-1", "reference-form", "dom-3"},
    # The fullUrl of an entry ends in another id than its resource has.
    "Bundle-66c8856b-ba11-4876-8aa8-467aad8c11a2.json": {"full-url-id"},
    "Bundle-docref-example-2.json": {"full-url-id"},
}


def test_every_published_example_is_valid_or_breaks_the_rule_named() -> None:
    broken = {}
    for name, resource in published().items():
        rules = {p.rule for p in validate(resource) if p.is_error}
        if rules:
            broken[name] = rules
    assert broken == INVALID


def test_there_are_enough_examples_to_mean_something() -> None:
    types = {r["resourceType"] for r in published().values()}
    entries = [e for r in published().values() for e in r.get("entry", [])]
    types |= {e["resource"]["resourceType"] for e in entries if "resource" in e}
    assert len(published()) >= 187
    assert len(entries) >= 250
    assert len(types) >= 35
