"""Whether a code exists: the code systems whose every code is known here.

Known are the code systems that HL7 publishes whole with R4 (HL7 v2 tables, v3 and FHIR code
systems: https://hl7.org/fhir/R4/terminologies-systems.html), compiled by
``tools/compile_definitions.py`` into ``definitions/codes.json``, and UCUM by its grammar. Of any
other system (LOINC, SNOMED CT, a hospital's own) nothing is said.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import msgspec

from simdes.fhir.ucum import is_unit

UCUM = "http://unitsofmeasure.org"


def exists(system: str, code: str) -> bool | None:
    """Say whether ``system`` has ``code``; None where the system's codes are not known here."""
    known = _known().get(system)
    if known is not None:
        return code in known or (_is_v2_table(system) and code.lower() in _folded(system))
    return is_unit(code) if system == UCUM else None


def _is_v2_table(system: str) -> bool:
    """HL7 v2 tables do not say that case matters, unlike all others."""
    return system.startswith("http://terminology.hl7.org/CodeSystem/v2-")


@cache
def _known() -> dict[str, frozenset[str]]:
    data = resources.files("simdes.fhir.definitions").joinpath("codes.json").read_bytes()
    lists: dict[str, str] = msgspec.json.decode(data)
    return {system: frozenset(codes.split("\t")) for system, codes in lists.items()}


@cache
def _folded(system: str) -> frozenset[str]:
    return frozenset(code.lower() for code in _known()[system])
