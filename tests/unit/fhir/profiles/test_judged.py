"""HL7's own validator, with US Core loaded, says the same about examples and faults."""

from __future__ import annotations

import pytest

from simdes.fhir.validate import validate
from support import validator
from unit.fhir.profiles.us_core import MUTATED, PACKAGE, examples, us_core

pytestmark = pytest.mark.accept

# Terminology that neither of us has is an error for it and a warning for us; dangling links in
# narratives are not checked here.
NOT_COMPARED = ("Terminology_", "XHTML_Resolve")
# It looks at a Reference's target only where it has the resource.
NOT_FOUND_BY_IT = {"subject of another type"}


def test_the_same_resources_are_valid() -> None:
    resources = {**examples(), **{name: found[0] for name, found in MUTATED.items()}}
    theirs = validator.errors(resources.items(), packages=[PACKAGE])
    differing = {}
    for name, resource in resources.items():
        own = [p for p in validate(resource, us_core()) if p.is_error]
        other = [e for e in theirs[name] if not any(word in e for word in NOT_COMPARED)]
        if bool(own) is not bool(other):
            differing[name] = (own, other)
    assert set(differing) == NOT_FOUND_BY_IT
    assert sum(1 for found in theirs.values() if found) > len(MUTATED) / 2
