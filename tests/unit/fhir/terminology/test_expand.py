"""ValueSet/$expand over R4's own value sets and over made ones with every kind of include."""

from __future__ import annotations

from typing import Any

import pytest

from simdes.errors import Invalid, NotFound, SimdesError, TooLarge, Unsupported
from simdes.fhir.definitions import _compiled, value_set_codings
from simdes.fhir.terminology import Library, expand, expand_codes
from simdes.fhir.terminology.library import published_urls
from simdes.fhir.validate import validate
from unit.fhir.terminology.asking import COLOURS, NOW, ask, colours, library, value_set, where

HL7 = "http://hl7.org/fhir/ValueSet/"
ALL = {"system": COLOURS}


def codes_of(*include: dict[str, Any], **more: Any) -> list[str]:
    asked = more.pop("asked", {})
    found = expand(ask(valueSet=value_set(*include, **more), **asked), library(colours()), now=NOW)
    return [row["code"] for row in found["expansion"].get("contains", [])]


def test_every_bound_value_set_expands_to_what_the_compiler_of_the_definitions_found() -> None:
    known, differing = Library(), {}
    for url in _compiled()["valueSets"]:
        listed = value_set_codings(url)
        if listed is None:
            continue
        expected = {(system, code) for system, codes in listed.items() for code in codes}
        if expand_codes(url, known) != expected:
            differing[url] = len(expected)
    # That compiler does not follow the property `child`, by which v3 concepts have more parents.
    assert set(differing) == {HL7 + "detectedissue-category"}


def test_of_all_published_value_sets_those_that_fail_name_what_is_not_loaded() -> None:
    known, failed = Library(), 0
    for url in published_urls("ValueSet"):
        try:
            expand_codes(url, known)
        except (NotFound, Unsupported) as error:
            failed += 1
            is_named = any(n in error.message for n in ("code system", "ValueSet", "property"))
            assert is_named, error.message
    assert failed < 110
    assert len(published_urls("ValueSet")) > 1300


def test_an_expansion_is_a_valid_value_set_with_a_total_and_the_versions_used() -> None:
    found = expand(ask(url=HL7 + "administrative-gender"), Library(), now=NOW)
    assert [row["code"] for row in found["expansion"]["contains"]] == [
        "male",
        "female",
        "other",
        "unknown",
    ]
    assert found["expansion"]["contains"][0]["display"] == "Male"
    assert found["expansion"]["total"] == 4
    assert found["expansion"]["timestamp"] == NOW
    used = {"name": "version", "valueUri": "http://hl7.org/fhir/administrative-gender|4.0.1"}
    assert used in found["expansion"]["parameter"]
    assert "compose" not in found
    assert [p for p in validate(found) if p.is_error] == []


FILTERS = {
    "is-a": (where("concept", "is-a", "red"), ["red", "dark-red", "pink", "violet"]),
    "descendent-of": (where("concept", "descendent-of", "red"), ["dark-red", "pink", "violet"]),
    "is-not-a": (where("concept", "is-not-a", "warm"), ["blue"]),
    "generalizes": (where("concept", "generalizes", "violet"), ["warm", "red", "blue", "violet"]),
    "equal": (where("wavelength", "=", "700"), ["red"]),
    "equal boolean": (where("notSelectable", "=", "true"), ["warm"]),
    "parent": (where("parent", "=", "blue"), ["violet"]),
    "child": (where("child", "=", "violet"), ["red", "blue"]),
    "in": (where("code", "in", "red,blue, pink"), ["red", "pink", "blue"]),
    "not-in": (where("code", "not-in", "red,blue,pink,warm,ochre"), ["dark-red", "violet"]),
    "regex": (where("code", "regex", ".*e(d|t)"), ["red", "dark-red", "violet"]),
    "regex on display": (where("display", "regex", "[A-C].*"), ["blue"]),
    "exists": (where("wavelength", "exists", "true"), ["red", "blue"]),
    "exists not": (
        where("wavelength", "exists", "false"),
        ["warm", "dark-red", "pink", "ochre", "violet"],
    ),
}


@pytest.mark.parametrize("name", FILTERS)
def test_each_filter_selects_what_its_operator_says(name: str) -> None:
    include, expected = FILTERS[name]
    assert codes_of(include) == expected


def test_two_filters_of_one_include_must_both_pass() -> None:
    both = where("concept", "is-a", "warm")
    both["filter"].append({"property": "wavelength", "op": "exists", "value": "true"})
    assert codes_of(both) == ["red"]


def test_exclude_takes_away_and_a_second_include_adds_in_order() -> None:
    assert codes_of(
        {"system": COLOURS, "concept": [{"code": "blue"}]},
        where("concept", "is-a", "red"),
        exclude=[{"system": COLOURS, "concept": [{"code": "pink"}]}],
    ) == ["blue", "red", "dark-red", "violet"]


def test_an_include_of_a_system_and_value_sets_is_their_intersection() -> None:
    warm = value_set(where("concept", "is-a", "warm"), url="http://example.org/vs/warm")
    blue = value_set(where("concept", "is-a", "blue"), url="http://example.org/vs/blue")
    urls = [warm["url"], blue["url"]]
    known = library(colours(), warm, blue)
    both = value_set({"valueSet": urls})
    assert expand_codes(both, known) == {(COLOURS, "violet")}
    narrowed = value_set({**where("code", "not-in", "violet"), "valueSet": [warm["url"]]})
    assert (COLOURS, "red") in expand_codes(narrowed, known)
    assert (COLOURS, "violet") not in expand_codes(narrowed, known)


def test_a_value_set_that_includes_itself_is_refused() -> None:
    one = value_set({"valueSet": ["http://example.org/vs/b"]}, url="http://example.org/vs/a")
    other = value_set({"valueSet": ["http://example.org/vs/a"]}, url="http://example.org/vs/b")
    with pytest.raises(Invalid, match="includes itself"):
        expand(ask(url=one["url"]), library(one, other), now=NOW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("dark", ["dark-red"]), ("ROUGE", ["red"]), ("rose", ["pink"]), ("red", ["red", "dark-red"])],
)
def test_the_text_filter_finds_words_by_their_beginning_in_any_designation(
    text: str, expected: list[str]
) -> None:
    assert codes_of(ALL, asked={"filter": text}) == expected


def test_pages_have_the_total_of_all_and_join_to_the_whole() -> None:
    whole = codes_of(ALL)
    pages = [codes_of(ALL, asked={"offset": n, "count": 3}) for n in range(0, len(whole), 3)]
    assert [code for page in pages for code in page] == whole
    found = expand(ask(valueSet=value_set(ALL), offset=2, count=0), library(colours()), now=NOW)
    assert found["expansion"]["total"] == len(whole)
    assert found["expansion"]["offset"] == 2
    assert "contains" not in found["expansion"]


def test_inactive_codes_are_marked_and_left_out_on_request() -> None:
    found = expand(ask(valueSet=value_set(ALL)), library(colours()), now=NOW)
    rows = {row["code"]: row for row in found["expansion"]["contains"]}
    assert rows["ochre"]["inactive"] is True
    assert rows["warm"]["abstract"] is True
    assert "ochre" not in codes_of(ALL, asked={"activeOnly": True})
    assert "ochre" not in codes_of(ALL, inactive=False)


def test_displays_come_in_the_language_asked_for() -> None:
    def display(language: str) -> str:
        asked = ask(valueSet=value_set(ALL), displayLanguage=language, includeDesignations=True)
        rows = expand(asked, library(colours()), now=NOW)["expansion"]["contains"]
        assert rows[1]["designation"][0] == {"language": "fr", "value": "Rouge"}
        return str(rows[1]["display"])

    assert display("fr") == "Rouge"
    assert display("fr-CA,en;q=0.5") == "Rouge"
    assert display("de") == "Rot"
    assert display("it;q=0.9,de;q=0.1") == "Rot"
    assert display("nl") == "Red"


def test_more_codes_than_one_answer_may_have_must_be_asked_for_in_pages() -> None:
    many = colours(concept=[{"code": f"c{n}"} for n in range(10_001)])
    asked = ask(valueSet=value_set(ALL))
    with pytest.raises(TooLarge):
        expand(asked, library(many), now=NOW)
    page = expand(ask(valueSet=value_set(ALL), count=5, offset=10_000), library(many), now=NOW)
    assert [row["code"] for row in page["expansion"]["contains"]] == ["c10000"]


def test_of_what_is_not_loaded_nothing_is_said() -> None:
    for system in ("http://snomed.info/sct", "http://loinc.org"):
        with pytest.raises(NotFound, match="is not loaded"):
            expand(ask(valueSet=value_set({"system": system})), Library(), now=NOW)
    with pytest.raises(NotFound, match=r"ValueSet .* is not loaded"):
        expand(ask(url="http://example.org/vs/none"), Library(), now=NOW)


def test_a_list_of_codes_needs_no_code_system() -> None:
    listed = {
        "system": "http://loinc.org",
        "concept": [{"code": "8867-4", "display": "Heart rate"}],
    }
    found = expand(ask(valueSet=value_set(listed)), Library(), now=NOW)
    assert found["expansion"]["contains"] == [
        {"system": "http://loinc.org", "code": "8867-4", "display": "Heart rate"}
    ]


def test_an_expansion_of_a_partly_loaded_system_says_that_it_is_open() -> None:
    known = library(colours(content="fragment"))
    found = expand(ask(valueSet=value_set(ALL)), known, now=NOW)
    assert found["expansion"]["extension"][0]["url"].endswith("/valueset-unclosed")
    with pytest.raises(Unsupported, match="only a part"):
        expand_codes(value_set(ALL), known)


def test_a_value_set_with_nothing_but_its_expansion_is_taken_at_its_word() -> None:
    row = {"system": COLOURS, "code": "red", "contains": [{"system": COLOURS, "code": "pink"}]}
    stored = {
        "resourceType": "ValueSet",
        "status": "active",
        "expansion": {"timestamp": NOW, "contains": [row]},
    }
    assert expand_codes(stored, Library()) == {(COLOURS, "red"), (COLOURS, "pink")}


def test_the_organisations_resource_comes_before_r4s_and_versions_are_told_apart() -> None:
    older, newer = colours(version="1.9.0"), colours(version="1.10.0", concept=[{"code": "new"}])
    known = library(older, newer)
    assert expand_codes(value_set(ALL), known) == {(COLOURS, "new")}
    pinned = value_set({"system": COLOURS, "version": "1.9.0"})
    assert (COLOURS, "red") in expand_codes(pinned, known)
    forced = ask(valueSet=pinned, force_system_version=f"{COLOURS}|1.10")
    assert expand(forced, known, now=NOW)["expansion"]["total"] == 1
    with pytest.raises(Invalid, match="another version"):
        expand(ask(valueSet=pinned, check_system_version=f"{COLOURS}|2"), known, now=NOW)
    with pytest.raises(NotFound):
        expand(ask(valueSet=value_set({**ALL, "version": "3"})), known, now=NOW)


def test_systems_can_be_passed_over() -> None:
    listed = {"system": "http://loinc.org", "concept": [{"code": "8867-4"}]}
    assert codes_of(ALL, listed, asked={"exclude_system": COLOURS}) == ["8867-4"]


HOSTILE: dict[str, Any] = {
    "no parameters": {"resourceType": "Parameters"},
    "not parameters": {"resourceType": "Patient"},
    "both": ask(url="http://a.example", valueSet=value_set(ALL)),
    "url twice": ask(url=["http://a.example", "http://b.example"]),
    "context": ask(context="http://hl7.org/fhir/StructureDefinition/Patient#Patient.gender"),
    "count": ask(valueSet=value_set(ALL), count="-1"),
    "count word": ask(valueSet=value_set(ALL), count="many"),
    "boolean": ask(valueSet=value_set(ALL), activeOnly="perhaps"),
    "empty include": ask(valueSet=value_set({})),
    "compose a list": ask(
        valueSet={"resourceType": "ValueSet", "status": "active", "compose": [1]}
    ),
    "system a number": ask(valueSet=value_set({"system": 5})),
    "no code": ask(valueSet=value_set({"system": COLOURS, "concept": [{"display": "x"}]})),
    "operator": ask(valueSet=value_set(where("concept", "is-like", "red"))),
    "property": ask(valueSet=value_set(where("smell", "=", "red"))),
    "unknown top": ask(valueSet=value_set(where("concept", "is-a", "green"))),
    "regex": ask(valueSet=value_set(where("code", "regex", "(a"))),
    "another resource": ask(valueSet={"resourceType": "Patient"}),
    "version": ask(valueSet=value_set(ALL), system_version=COLOURS),
    "name a number": {"resourceType": "Parameters", "parameter": [{"name": 7}]},
    "rows a text": {"resourceType": "Parameters", "parameter": "url"},
    "value absent": {"resourceType": "Parameters", "parameter": [{"name": "url"}]},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_makes_no_sense_is_refused_in_words(name: str) -> None:
    with pytest.raises(SimdesError) as failure:
        expand(HOSTILE[name], library(colours()), now=NOW)
    assert failure.value.issue in ("invalid", "not-supported", "not-found")
