"""The compiled terminology is what its source says."""

from __future__ import annotations

import gzip

from tools import compile_terminology as compiler

from simdes.fhir import codes
from simdes.fhir.terminology import Library
from simdes.fhir.terminology.library import published_urls


def test_the_shipped_file_is_what_its_source_compiles_to() -> None:
    fresh = compiler.compile_terminology(compiler.SOURCE)
    assert gzip.decompress(compiler.TARGET.read_bytes()) == fresh


def test_the_codes_are_those_that_the_validator_knows() -> None:
    known, wrong = Library(), []
    for url in published_urls("CodeSystem"):
        system = known.system(url)
        if system is None or not system.is_complete or not system.concepts:
            continue
        exact = {code for code in system.concepts if codes.exists(url, code) is False}
        wrong += [(url, len(exact))] if exact else []
    assert wrong == []
    assert len(published_urls("CodeSystem")) > 1000
