"""Message structures: written in abstract syntax, and one made like another."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
if str(ROOT) not in sys.path:  # `tools` is no package of the wheel
    sys.path.append(str(ROOT))

from tools.v2_to_fhir import structures, syntax  # noqa: E402


def test_abstract_syntax_makes_the_lines_of_a_structure() -> None:
    rows = [
        {"structure": "AAA_B01", "syntax": "MSH [{NTE}] [ PATIENT: PID [ VISIT: PV1 [PV2] ] ]"},
        {"structure": "AAA_B01", "syntax": "{ ORDER: ORC [{ DETAIL: OBX }] }"},
    ]
    (lines,) = syntax.structures(rows).values()
    assert [(line.identifier, line.syntax) for line in lines] == [
        ("AAA_B01.MSH", "MSH"),
        ("AAA_B01.NTE", "[{NTE"),
        ("AAA_B01.PATIENT", "["),
        ("AAA_B01.PATIENT.PID", "PID"),
        ("AAA_B01.PATIENT.VISIT", "["),
        ("AAA_B01.PATIENT.VISIT.PV1", "PV1"),
        ("AAA_B01.PATIENT.VISIT.PV2", "[PV2"),
        ("/AAA_B01.PATIENT.VISIT", ""),
        ("/AAA_B01.PATIENT", ""),
        ("AAA_B01.ORDER", "{"),
        ("AAA_B01.ORDER.ORC", "ORC"),
        ("AAA_B01.ORDER.DETAIL", "[{"),
        ("AAA_B01.ORDER.DETAIL.OBX", "OBX"),
        ("/AAA_B01.ORDER.DETAIL", ""),
        ("/AAA_B01.ORDER", ""),
    ]


@pytest.mark.parametrize("text", ["MSH [PID", "MSH ]", "MSH (PID)", "MSH < A | B >"])
def test_abstract_syntax_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="AAA_B01"):
        syntax.structures([{"structure": "AAA_B01", "syntax": text}])


def test_segments_may_feed_what_those_of_another_structure_feed() -> None:
    ours = syntax.structures(
        [
            {"structure": "AAA_B01", "syntax": "MSH [ PATIENT: PID [ VISIT: PV1 ] ]"},
            {"structure": "CCC_D01", "syntax": "MSH [ PERSON: PID [ CARE: PV1 ] ]"},
        ]
    )
    blank = dict.fromkeys(("verb", "identifier", "alias", "map", "when", "references", "why"), "")
    changes = [
        {**blank, "verb": "add", "identifier": "AAA_B01.PATIENT.PID", "alias": "Patient[1]"}
        | {"map": "PID[Patient]"},
        {**blank, "verb": "add", "identifier": "AAA_B01.PATIENT.VISIT.PV1", "alias": "Encounter"}
        | {"map": "PV1[Encounter]"},
        {**blank, "verb": "as", "identifier": "CCC_D01.PERSON", "alias": "AAA_B01.PATIENT"},
    ]
    compiled = structures.Structures(ours, changes).compile("CCC_D01")
    group = compiled["items"][1]
    assert group["items"][0]["targets"] == [{"alias": "Patient[1]", "map": "PID[Patient]"}]
    visit = group["items"][1]["items"][0]
    assert visit["targets"] == [{"alias": "Encounter[1]", "map": "PV1[Encounter]"}]
