"""What searches ask, as https://hl7.org/fhir/R4/search.html says; and that they tell no values."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.errors import Invalid, SimdesError, TooLarge
from simdes.fhir.definitions import resource_types
from simdes.fhir.search.conditions import (
    ALWAYS,
    All,
    AnyOf,
    Chain,
    Condition,
    Exists,
    Has,
    Ids,
    Include,
    Kind,
    Listed,
    Match,
    Not,
    NumberTest,
    QuantityTest,
    Query,
    ReferenceTest,
    Slot,
    Sort,
    SpanTest,
    Test,
    TextTest,
    Together,
    TokenTest,
    Updated,
    UriTest,
)
from simdes.fhir.search.parameters import parameters_of
from simdes.fhir.search.parse import in_compartment, parse

SECRET = "Nightingale"


def ask(type_: str, *pairs: tuple[str, str], **options: object) -> Query:
    return parse(tuple(type_.split()), pairs, now_ms=0, **options)  # type: ignore[arg-type]


def where(type_: str, name: str, text: str) -> Condition:
    return ask(type_, (name, text)).where


def token(name: str, *tests: Test) -> Match:
    return Match(Slot(name, Kind.TOKEN), tests)


# Values -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://loinc.org|8302-2", TokenTest("http://loinc.org", "8302-2")),
        ("8302-2", TokenTest(None, "8302-2")),
        ("|8302-2", TokenTest("", "8302-2")),
        ("http://loinc.org|", TokenTest("http://loinc.org", None)),
        (r"a\,b\|c\$d\\e", TokenTest(None, r"a,b|c$d\e")),
        (r"s|a\|b", TokenTest("s", "a|b")),
        (r"a\b", TokenTest(None, r"a\b")),
        (
            "http://terminology.hl7.org/CodeSystem/v2-0203|MR",
            TokenTest("http://terminology.hl7.org/CodeSystem/v2-0203", "mr"),
        ),
    ],
)
def test_tokens(text: str, expected: TokenTest) -> None:
    assert where("Observation", "code", text) == token("Observation.code", expected)


def test_values_with_commas_are_alternatives_and_repeated_parameters_hold_together() -> None:
    found = ask("Observation", ("code", "a,b"), ("code", r"c\,d"), ("status", "final")).where
    assert found == All(
        (
            token("Observation.code", TokenTest(None, "a"), TokenTest(None, "b")),
            token("Observation.code", TokenTest(None, "c,d")),
            token("Observation.status", TokenTest(None, "final")),
        )
    )


@pytest.mark.parametrize(
    ("name", "text", "slot", "test"),
    [
        ("name", "Müller  Lüdenscheidt", "name", TextTest("muller ludenscheidt")),
        ("name:exact", "Müller", "name", TextTest("Müller", "exact")),
        ("name:contains", "LÜD", "name", TextTest("lud", "contains")),
        ("family", "O'Brien-Smith", "family", TextTest("obrien smith")),
        ("identifier:text", "Record", "identifier:text", TextTest("record", "contains")),
    ],
)
def test_strings(name: str, text: str, slot: str, test: TextTest) -> None:
    assert where("Patient", name, text) == Match(Slot(f"Patient.{slot}", Kind.STRING), (test,))


def test_the_type_of_an_identifier() -> None:
    found = where("Patient", "identifier:of-type", "http://t|MR|446053")
    assert found == token("Patient.identifier:of-type", TokenTest("http://t|MR", "446053"))


def test_telephone_numbers_are_asked_for_with_and_without_punctuation() -> None:
    found = where("Patient", "phone", "(555) 123-4567")
    both = TokenTest(None, "(555) 123-4567"), TokenTest(None, "5551234567")
    assert found == token("Patient.phone", *both)
    assert where("Patient", "email", "A@b.org") == token(
        "Patient.email", TokenTest(None, "a@b.org")
    )


@pytest.mark.parametrize(
    ("name", "text", "test"),
    [
        ("subject", "23", ReferenceTest("", "23")),
        ("subject", "Patient/23", ReferenceTest("Patient", "23")),
        ("subject:Patient", "23", ReferenceTest("Patient", "23")),
        ("subject:Patient", "Patient/23", ReferenceTest("Patient", "23")),
        ("subject", "Patient/23/_history/2", ReferenceTest("Patient", "23", "2")),
        (
            "subject",
            "http://a.org/fhir/Patient/23",
            ReferenceTest("", "http://a.org/fhir/Patient/23"),
        ),
        ("subject", "http://here/fhir/Patient/23", ReferenceTest("Patient", "23")),
        ("subject", "urn:oid:1.2.3", ReferenceTest("", "urn:oid:1.2.3")),
    ],
)
def test_references(name: str, text: str, test: ReferenceTest) -> None:
    found = ask("Observation", (name, text), base="http://here/fhir/").where
    assert found == Match(Slot("Observation.subject", Kind.REFERENCE), (test,))


def test_a_canonical_reference_may_name_its_version() -> None:
    found = where("QuestionnaireResponse", "questionnaire", "http://a.org/q|2.0")
    slot = Slot("QuestionnaireResponse.questionnaire", Kind.REFERENCE)
    assert found == Match(slot, (ReferenceTest("", "http://a.org/q", "2.0"),))


def test_a_reference_by_identifier() -> None:
    found = where("Observation", "subject:identifier", "http://mrn|7")
    assert found == token("Observation.subject:identifier", TokenTest("http://mrn", "7"))


def test_uris() -> None:
    slot = Slot("ValueSet.url", Kind.URI)
    assert where("ValueSet", "url", "http://a.org/f") == Match(slot, (UriTest("http://a.org/f"),))
    below = Match(slot, (UriTest("http://a.org/f/", "below"),))
    assert where("ValueSet", "url:below", "http://a.org/f/") == below
    above = Match(slot, (UriTest("http://a.org/f", "above"),))
    assert where("ValueSet", "url:above", "http://a.org/f") == above


def test_dates_have_prefixes_and_a_plus_that_was_decoded_as_a_space() -> None:
    found = where("Observation", "date", "ge1970-01-01,lt1970-01-01T02:00 02:00")
    tests = SpanTest("ge", 0, 86_400_000), SpanTest("lt", 0, 60_000)
    assert found == Match(Slot("Observation.date", Kind.DATE), tests)


def test_approximate_dates_are_within_a_tenth_of_their_distance_to_now() -> None:
    day = 86_400_000
    query = parse(("Patient",), [("birthdate", "ap1970-01-11")], now_ms=110 * day + day // 2)
    slot = Slot("Patient.birthdate", Kind.DATE)
    assert query.where == Match(slot, (SpanTest("ap", 0, 21 * day),))


def test_quantities() -> None:
    slot = Slot("Observation.value-quantity", Kind.QUANTITY)
    number = NumberTest("eq", 5.4, 5.35, 5.45)
    for text, test in (
        ("5.4", QuantityTest(number, None, None)),
        ("5.4||mg", QuantityTest(number, None, "mg")),
        ("5.4|http://a.org|mg", QuantityTest(number, "http://a.org", "mg")),
        ("5.4|http://a.org|", QuantityTest(number, "http://a.org", None)),
    ):
        assert where("Observation", "value-quantity", text) == Match(slot, (test,))


def test_alternatives_in_different_units_are_looked_up_apart() -> None:
    found = where("Observation", "value-quantity", "gt5,gt5|http://unitsofmeasure.org|mg")
    assert isinstance(found, AnyOf)
    assert [m.slot.name for m in found.of if isinstance(m, Match)] == [
        "Observation.value-quantity",
        "Observation.value-quantity:canonical",
    ]


def test_composites_hold_together() -> None:
    found = where("Observation", "code-value-quantity", r"s|a\$b$gt5,c$6")
    name = "Observation.code-value-quantity"
    assert found == AnyOf(
        (
            Together(
                (
                    token(name + "#0", TokenTest("s", "a$b")),
                    Match(
                        Slot(name + "#1", Kind.QUANTITY),
                        (QuantityTest(NumberTest("gt", 5, 4.5, 5.5), None, None),),
                    ),
                )
            ),
            Together(
                (
                    token(name + "#0", TokenTest(None, "c")),
                    Match(
                        Slot(name + "#1", Kind.QUANTITY),
                        (QuantityTest(NumberTest("eq", 6, 5.5, 6.5), None, None),),
                    ),
                )
            ),
        )
    )


def test_negation_is_of_all_alternatives_together() -> None:
    tests = TokenTest(None, "male"), TokenTest(None, "female")
    assert where("Patient", "gender:not", "male,female") == Not(token("Patient.gender", *tests))


def test_missing_looks_at_every_slot_of_a_parameter() -> None:
    slots = (
        Slot("Observation.subject", Kind.REFERENCE),
        Slot("Observation.subject:identifier", Kind.TOKEN),
    )
    assert where("Observation", "subject:missing", "false") == Exists(slots)
    assert where("Observation", "subject:missing", "true") == Not(Exists(slots))


def test_terminology_modifiers_ask_for_the_codes_that_are_meant() -> None:
    asked: list[tuple[str, str]] = []

    def expand(how: str, text: str) -> Iterable[tuple[str, str]]:
        asked.append((how, text))
        return [("s", "a"), ("s", "b")]

    tests = TokenTest("s", "a"), TokenTest("s", "b")
    match = token("Condition.code", *tests)
    assert ask("Condition", ("code:in", "http://vs"), expand=expand).where == match
    assert ask("Condition", ("code:below", r"s|a\,"), expand=expand).where == match
    assert ask("Condition", ("code:not-in", "http://vs"), expand=expand).where == Not(match)
    assert asked == [("in", "http://vs"), ("below", "s|a,"), ("not-in", "http://vs")]


def test_the_entry_has_id_time_and_lists() -> None:
    assert where("Patient", "_id", "a,b,a") == Ids(("a", "b"))
    assert where("Patient", "_id:not", "a") == Not(Ids(("a",)))
    assert where("Patient", "_list", "42") == Listed("42")
    span = SpanTest("gt", 0, 86_400_000)
    assert where("Patient", "_lastUpdated", "gt1970-01-01") == Updated((span,))


# Other resources ----------------------------------------------------------------------------------


def test_a_chain_leads_to_the_types_that_have_what_is_asked() -> None:
    found = where("Observation", "subject:Patient.name:exact", "Ana")
    name = Match(Slot("Patient.name", Kind.STRING), (TextTest("Ana", "exact"),))
    assert found == Chain(Slot("Observation.subject", Kind.REFERENCE), ("Patient",), name)
    found = where("Observation", "subject.birthdate:missing", "true")
    assert isinstance(found, Chain)
    assert found.types == ("Patient",)
    found = where("Observation", "subject.identifier:not", "a")
    assert isinstance(found, Chain)
    assert found.types == ("Device", "Group", "Location", "Patient")
    assert isinstance(found.where, Not)


def test_chains_may_have_many_steps() -> None:
    found = where("Observation", "patient.organization.partof._id", "x")
    assert found == Chain(
        Slot("Observation.patient", Kind.REFERENCE),
        ("Patient",),
        Chain(
            Slot("Patient.organization", Kind.REFERENCE),
            ("Organization",),
            Chain(Slot("Organization.partof", Kind.REFERENCE), ("Organization",), Ids(("x",))),
        ),
    )


def test_reverse_chains_nest_and_join_chains() -> None:
    code = token("Observation.code", TokenTest(None, "1234-5"))
    has = Has("Observation", Slot("Observation.patient", Kind.REFERENCE), code)
    assert where("Patient", "_has:Observation:patient:code", "1234-5") == has
    found = where("Patient", "_has:Observation:patient:_has:AuditEvent:entity:action", "R")
    assert found == Has(
        "Observation",
        Slot("Observation.patient", Kind.REFERENCE),
        Has(
            "AuditEvent",
            Slot("AuditEvent.entity", Kind.REFERENCE),
            token("AuditEvent.action", TokenTest(None, "R")),
        ),
    )
    found = where("Encounter", "patient._has:Observation:patient:code", "1234-5")
    assert found == Chain(Slot("Encounter.patient", Kind.REFERENCE), ("Patient",), has)


# Several types ------------------------------------------------------------------------------------


def test_a_search_of_several_types_asks_each_for_its_own_slot() -> None:
    query = ask("", ("_type", "Observation,Condition"), ("patient:missing", "true"))
    assert query.types == ("Observation", "Condition")
    assert isinstance(query.where, Not)
    assert isinstance(query.where.what, AnyOf)
    names = [e.slots[0].name for e in query.where.what.of if isinstance(e, Exists)]
    assert names == ["Observation.patient", "Condition.patient"]


def test_what_all_types_have_is_one_slot() -> None:
    match = token("Resource._tag", TokenTest(None, "a"))
    assert ask("", ("_tag", "a")) == Query(types=(), where=match, used=(("_tag", "a"),))
    assert where("Observation Patient", "_tag", "a") == match


def test_a_parameter_that_one_of_the_types_lacks_is_unknown() -> None:
    with pytest.raises(Invalid, match=r"^search parameter birthdate: "):
        ask("Patient Observation", ("birthdate", "2000"))
    with pytest.raises(Invalid):
        ask("", ("name", "a"))


def test_a_type_that_is_not_searched_can_not_be_asked_for() -> None:
    assert ask("Patient Observation", ("_type", "Observation")).types == ("Observation",)
    with pytest.raises(Invalid, match="_type"):
        ask("Patient", ("_type", "Observation"))


# Results ------------------------------------------------------------------------------------------


def test_result_parameters() -> None:
    query = ask(
        "Observation",
        *(("_sort", "-date,_id,_lastUpdated"), ("_count", "20"), ("_total", "none")),
        *(("_summary", "text"), ("_elements", "code,subject"), ("_contained", "false")),
    )
    assert query.sorts == (
        Sort(Slot("Observation.date", Kind.DATE), "value", True),
        Sort(None, "id"),
        Sort(None, "updated"),
    )
    assert (query.count, query.total, query.summary) == (20, "none", "text")
    assert query.elements == ("code", "subject")
    assert query.where == ALWAYS
    assert len(query.used) == 6


def test_a_count_of_nothing_is_a_summary_of_the_count() -> None:
    assert ask("Patient", ("_count", "0")).summary == "count"


def test_includes() -> None:
    subject = (Slot("Observation.subject", Kind.REFERENCE),)
    query = ask(
        "Observation",
        ("_include", "Observation:subject"),
        ("_include", "Observation:subject:Patient"),
        ("_include:iterate", "Patient:organization"),
        ("_include:recurse", "Organization:partof"),
        ("_revinclude", "Provenance:target"),
        ("_include", "Observation:subject"),
    )
    organization = (Slot("Patient.organization", Kind.REFERENCE),)
    assert query.includes == (
        Include("Observation", subject),
        Include("Observation", subject, "Patient"),
        Include("Patient", organization, iterate=True),
        Include("Organization", (Slot("Organization.partof", Kind.REFERENCE),), iterate=True),
        Include("Provenance", (Slot("Provenance.target", Kind.REFERENCE),), reverse=True),
    )


def test_a_star_includes_every_reference() -> None:
    every = {p.slot for p in parameters_of("Observation").values() if p.kind == "reference"}
    (include,) = ask("Observation", ("_include", "Observation:*")).includes
    assert set(include.slots) == every
    for text in ("*", "*:*"):
        (forth,) = ask("Observation", ("_include", text)).includes
        (back,) = ask("Observation", ("_revinclude", text)).includes
        assert (forth, back) == (Include("", ()), Include("", (), reverse=True))


def test_parameters_of_every_request_are_no_part_of_the_search() -> None:
    assert ask("Patient", ("_format", "json"), ("_pretty", "true")) == Query(types=("Patient",))


# What is wrong ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "name", "text"),
    [
        *(("Patient", "birthdate", SECRET), ("Patient", "birthdate", "2000-13")),
        *(("Patient", "active", SECRET), ("Patient", "deceased", SECRET), ("Patient", "name", "")),
        *(("Patient", "name:below", SECRET), ("Patient", "name:Missing", SECRET)),
        *(("Patient", "name:missing", SECRET), ("Patient", "gender:exact", SECRET)),
        *(("Patient", "identifier", "a|b|" + SECRET), ("Patient", "identifier", "|")),
        *(("Patient", "identifier:of-type", SECRET), ("Patient", "_id", SECRET + "!")),
        *(("Patient", "_lastUpdated", SECRET), ("Patient", "_id:missing", SECRET)),
        *(("Patient", "_list", "$current-" + SECRET), ("Patient", "general-practitioner", "!")),
        *(("Patient", "_sort", SECRET), ("Patient", "_count", SECRET), ("Patient", "_count", "-1")),
        *(("Patient", "_total", SECRET), ("Patient", "_summary", SECRET)),
        *(("Patient", "_elements", SECRET + "!"), ("Patient", "_contained", "true")),
        *(("Patient", "_include", SECRET), ("Patient", "_include", "Patient:name")),
        *(("Patient", "_include", "Patient:organization:" + SECRET), ("Patient", "_sort:x", "_id")),
        *(
            ("Patient", "_revinclude", "*:patient"),
            ("Patient", "_include:x", "Patient:organization"),
        ),
        *(("Patient", "_type", SECRET), ("Patient", "_has:Observation:code:code", SECRET)),
        *(("Patient", "_has:Observation:encounter:code", SECRET), ("Patient", "_has:a", SECRET)),
        *(("Patient", "_filter", SECRET), ("Patient", "_text", SECRET), ("Patient", "_query", "a")),
        *(("Patient", "_content", SECRET), ("Patient", "name.given", SECRET)),
        *(("Patient", "organization:Patient.name", SECRET), ("Patient", "link.a", SECRET)),
        *(("Patient", "organization:Nothing.name", SECRET), ("Patient", "", SECRET)),
        *(
            ("Observation", "subject:Patient", "Group/" + SECRET),
            ("Observation", "code:in", SECRET),
        ),
        *(("Observation", "value-quantity", SECRET), ("Observation", "value-quantity", "5|mg")),
        *(
            ("Observation", "code-value-quantity", SECRET),
            ("Observation", "value-quantity", "1e999"),
        ),
        *(
            ("Observation", "code-value-quantity:not", "a$1"),
            ("Observation", "value-quantity", "|"),
        ),
        *(
            ("RiskAssessment", "probability", "0,5" + SECRET),
            ("RiskAssessment", "probability", "٣"),
        ),
        *(("Basic", "subject.name", SECRET), ("Location", "near", SECRET)),
        *(
            ("Location", "near", "91|0"),
            ("Location", "near", "1|2|3|kg"),
            ("Location", "near", "1|2|-1"),
        ),
        *(("Location", "near", "nan|nan"), ("Location", "near", "1|2|3|km|" + SECRET)),
    ],
)
def test_what_is_wrong_is_refused_without_repeating_its_value(
    type_: str, name: str, text: str
) -> None:
    with pytest.raises(Invalid) as raised:
        ask(type_, (name, text))
    said = f"{raised.value.message} {raised.value.advice}"
    assert SECRET not in said
    assert "search parameter" in said


def test_a_name_that_is_no_name_is_not_repeated_either() -> None:
    with pytest.raises(Invalid) as raised:
        ask("Patient", (f"{SECRET} 1912", "x"))
    assert SECRET not in raised.value.message


def test_lenient_searches_pass_over_what_is_unknown_and_nothing_else() -> None:
    pairs = [("gender", "male"), ("no-such", "1"), ("link.no-such", "1"), ("_filter", "x")]
    query = parse(("Patient",), pairs, now_ms=0, lenient=True)
    assert query.unknown == ("no-such", "link.no-such", "_filter")
    assert query.used == (("gender", "male"),)
    assert query.where == token("Patient.gender", TokenTest(None, "male"))
    for name, text in (("birthdate", "x"), ("name:above", "x"), ("_count", "x")):
        with pytest.raises(Invalid):
            parse(("Patient",), [(name, text)], now_ms=0, lenient=True)


def test_a_parameter_that_makes_sense_once_is_refused_twice() -> None:
    with pytest.raises(Invalid, match="_count"):
        ask("Patient", ("_count", "1"), ("_count", "2"))


@pytest.mark.parametrize(
    "pairs",
    [
        [("gender", "male")] * 101,
        [("gender", ",".join(["male"] * 501))],
        [("_id", ",".join(["a"] * 501))],
        [("gender", "a" * 16_001)],
        [("gender" * 60, "a")],
        [("link." * 6 + "_id", "a")],
        [("_has:Group:member:" * 6 + "code", "a")],
        [("_sort", ",".join(["_id"] * 11))],
        [("_include", f"{t}:*") for t in sorted(resource_types())[:31]],
    ],
    ids=["pairs", "values", "ids", "text", "name", "chain", "has", "sorts", "includes"],
)
def test_more_than_anybody_needs_is_refused(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(SimdesError) as raised:
        parse(("Patient",), pairs, now_ms=0)
    assert isinstance(raised.value, TooLarge)


def test_an_expansion_beyond_the_limit_is_refused() -> None:
    with pytest.raises(TooLarge):
        ask("Condition", ("code:in", "x"), expand=lambda *_: [("s", str(n)) for n in range(5001)])


def test_compartments() -> None:
    test = (ReferenceTest("Patient", "1"),)
    assert in_compartment("Patient", "1", "Observation") == AnyOf(
        (
            Match(Slot("Observation.performer", Kind.REFERENCE), test),
            Match(Slot("Observation.subject", Kind.REFERENCE), test),
        )
    )
    assert in_compartment("Patient", "1", "Patient") == AnyOf(
        (
            Ids(("1",)),
            Match(Slot("Patient.link", Kind.REFERENCE), test),
        )
    )
    assert in_compartment("Encounter", "1", "Encounter") == Ids(("1",))
    assert in_compartment("Patient", "1", "Medication") == AnyOf(())
    with pytest.raises(Invalid):
        in_compartment("Group", "1", "Patient")


NAMES = st.sampled_from(
    [
        *(
            "code",
            "date",
            "subject",
            "value-quantity",
            "code-value-quantity",
            "_id",
            "_has",
            "_sort",
        ),
        *(
            "_include",
            "_type",
            "identifier",
            "patient",
            "encounter",
            "Patient",
            "Observation",
            "not",
        ),
        *("missing", "in", "iterate", "*", ".", ":", "", "a", "é"),
    ]
)
TEXTS = st.text(st.sampled_from("a1,|$\\:./-eTZ+ *é\0gt"), max_size=12)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.lists(NAMES, max_size=7).map("".join), TEXTS), max_size=3))
def test_no_text_at_all_makes_it_fail_but_as_it_should(pairs: list[tuple[str, str]]) -> None:
    try:
        query = parse(("Observation",), pairs, now_ms=0, lenient=True)
    except SimdesError:
        return
    assert query.types
