"""SMART scopes: published examples, and everything that is none.

The examples are those of http://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
(and of STU 1 and 2) with the meaning that its text gives them.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdes.access import scopes
from simdes.access.scopes import ResourceScope, Scopes, covers, meet, parse, resource_scope, within
from simdes.errors import Invalid

LABORATORY = "http://terminology.hl7.org/CodeSystem/observation-category|laboratory"

PUBLISHED: dict[str, tuple[str, str, str, tuple[tuple[str, str], ...]]] = {
    "patient/Patient.rs": ("patient", "Patient", "rs", ()),
    "patient/*.rs": ("patient", "*", "rs", ()),
    "user/*.cruds": ("user", "*", "cruds", ()),
    "patient/Observation.rs": ("patient", "Observation", "rs", ()),
    "user/Appointment.cu": ("user", "Appointment", "cu", ()),
    "user/Practitioner.rs": ("user", "Practitioner", "rs", ()),
    "system/Observation.rs": ("system", "Observation", "rs", ()),
    "system/*.cruds": ("system", "*", "cruds", ()),
    f"patient/Observation.rs?category={LABORATORY}": (
        "patient",
        "Observation",
        "rs",
        (("category", LABORATORY),),
    ),
    "patient/Observation.rs?category=http%3A%2F%2Fx%7Claboratory&status=final": (
        "patient",
        "Observation",
        "rs",
        (("category", "http://x|laboratory"), ("status", "final")),
    ),
    "patient/Observation.read": ("patient", "Observation", "rs", ()),
    "patient/*.read": ("patient", "*", "rs", ()),
    "patient/Observation.write": ("patient", "Observation", "cud", ()),
    "user/*.*": ("user", "*", "cruds", ()),
    "user/Observation.*": ("user", "Observation", "cruds", ()),
    "patient/Patient.c": ("patient", "Patient", "c", ()),
    "patient/Condition.d": ("patient", "Condition", "d", ()),
    "patient/*.s?_security:not=R": ("patient", "*", "s", (("_security:not", "R"),)),
}


@pytest.mark.parametrize("text", PUBLISHED)
def test_published_scopes_mean_what_they_say(text: str) -> None:
    context, type_, letters, constraint = PUBLISHED[text]
    one = resource_scope(text)
    assert one == ResourceScope(context, type_, frozenset(letters), constraint)  # type: ignore[arg-type]
    assert one is not None and one.text == text
    assert parse(text).text == text


@pytest.mark.parametrize("name", sorted(scopes.NAMES))
def test_named_scopes_are_known(name: str) -> None:
    assert parse(name) == Scopes(names=frozenset({name}))


GARBAGE = [
    "patient",
    "patient/",
    "patient/.rs",
    "patient/*",
    "patient/*.",
    "patient/Patient",
    "patient/Patient.sr",
    "patient/Patient.rr",
    "patient/Patient.rx",
    "patient/Patient.RS",
    "patient/Patient.readwrite",
    "patient/Patient.*s",
    "patient/patient.rs",
    "patient/Nothing.rs",
    "patient/Patient*.rs",
    "patient/**.rs",
    "patients/Patient.rs",
    "Patient/Patient.rs",
    "group/Patient.rs",
    "/Patient.rs",
    "patient//Patient.rs",
    "patient/Patient.rs?",
    "patient/Patient.rs?name",
    "patient/Patient.rs?name=",
    "patient/Patient.rs?=x",
    "patient/Patient.rs?name=x&",
    "patient/Patient.rs?general-practitioner.name=x",
    "patient/Patient.rs?_has:Observation:patient:code=x",
    "patient/Patient.rs?_include=Patient:organization",
    "patient/Patient.rs?_count=1",
    "patient/Patient.rs?_summary=true",
    "patient/Patient.rs?_filter=x",
    "patient/Patient.rs?name=%00",
    "patient/Patient.rs?name=%FF",
    "patient/Patient.read?name=x",
    "patient/Patient.*?name=x",
    "patient/Patient.rs?" + "&".join(f"name={at}" for at in range(9)),
    "launch/practitioner",
    "openid/",
    "OPENID",
    "fhiruser",
    "offline",
    "__/__",
    "../../etc/passwd",
]


@pytest.mark.parametrize("text", GARBAGE)
def test_what_means_nothing_is_told_apart_and_never_granted(text: str) -> None:
    found = parse(f"openid {text}")
    assert found.unknown == (text,)
    assert found.text == "openid" and found.resources == ()
    assert not parse(text)


@pytest.mark.parametrize(
    "text",
    ['a"b', "a\\b", "a\tb", "a\nb", "é", "\0", "x" * 8_193, " ".join(map(str, range(257)))],
    ids=["quote", "backslash", "tab", "line", "letter", "zero", "long", "many"],
)
def test_what_is_no_scope_string_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse(text)


COVERED = [
    ("patient/*.rs", "patient/Observation.r", True),
    ("patient/*.rs", "patient/*.read", True),
    ("patient/*.rs", "patient/Observation.rs?code=x", True),
    ("patient/Observation.r patient/Observation.s", "patient/Observation.rs", True),
    ("patient/*.r patient/Observation.s", "patient/Observation.rs", True),
    ("patient/Observation.rs?a=1", "patient/Observation.rs?a=1&b=2", True),
    ("patient/Observation.rs?b=2&a=1", "patient/Observation.rs?a=1&b=2", True),
    ("patient/Observation.rs?a=1", "patient/Observation.rs", False),
    ("patient/Observation.rs?a=1", "patient/Observation.rs?a=2", False),
    ("patient/Observation.rs?a=1", "patient/Observation.rs?a=1,2", False),
    ("patient/Observation.rs", "patient/*.rs", False),
    ("patient/Observation.rs", "user/Observation.rs", False),
    ("user/*.cruds", "patient/Observation.r", False),
    ("patient/*.rs", "patient/*.cruds", False),
    ("patient/*.write", "patient/Observation.rs", False),
]


@pytest.mark.parametrize(("granted", "asked", "expected"), COVERED)
def test_less_is_within_and_more_is_not(granted: str, asked: str, expected: bool) -> None:
    [one] = parse(asked).resources
    assert covers(parse(granted).resources, one) is expected
    assert within(parse(granted), parse(asked)) is expected


def test_names_and_unknown_scopes_are_not_within_either() -> None:
    granted = parse("openid patient/*.rs offline_access")
    assert within(granted, parse("openid patient/*.r"))
    assert not within(granted, parse("online_access"))
    assert not within(granted, parse("openid odd"))


MET = [
    ("patient/*.cruds", "patient/*.rs", "patient/*.rs"),
    ("patient/*.read", "patient/*.cruds", "patient/*.read"),
    ("patient/*.rs", "patient/Observation.r", "patient/Observation.r"),
    (
        "patient/Observation.rs?a=1",
        "patient/*.rs?b=x%26y",
        "patient/Observation.rs?a=1&b=x%26y",
    ),
    ("patient/Observation.rs", "user/Observation.rs", ""),
    ("patient/Observation.c", "patient/Observation.rs", ""),
    ("openid fhirUser patient/*.rs", "openid", "openid"),
]


@pytest.mark.parametrize(("asked", "allowed", "expected"), MET)
def test_what_both_allow(asked: str, allowed: str, expected: str) -> None:
    assert meet(parse(asked), parse(allowed)).text == expected


_TYPES = st.sampled_from(["*", "Patient", "Observation", "Condition"])
_LETTERS = st.sets(st.sampled_from("cruds"), min_size=1).map(
    lambda chosen: "".join(one for one in "cruds" if one in chosen)
)
_QUERY = st.sampled_from(["", "?code=a", "?code=b", "?code=a&status=final", "?status=final"])
_ONE = st.builds(
    lambda context, type_, letters, query: f"{context}/{type_}.{letters}{query}",
    st.sampled_from(["patient", "user"]),
    _TYPES,
    _LETTERS,
    _QUERY,
)
_SOME = st.lists(_ONE, max_size=4).map(lambda ones: parse(" ".join(ones)))


@settings(derandomize=True, max_examples=300, deadline=None)
@given(_SOME, _SOME)
def test_what_both_allow_is_within_each(asked: Scopes, allowed: Scopes) -> None:
    both = meet(asked, allowed)
    assert within(asked, both)
    assert within(allowed, both)
    assert meet(asked, asked).text == asked.text
    assert parse(both.text) == both


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except Invalid:
        return
    assert parse(found.text) == Scopes(found.resources, found.names)
