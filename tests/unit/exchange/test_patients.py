"""A message about several patients, taken apart: whose is what, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from simdes.access.categories import Label, mask
from simdes.errors import Invalid
from simdes.exchange.checking import Ready, check_message
from simdes.exchange.patients import Parts, parts_of
from simdes.index.vaults import Identifier
from simdes.mapper import map_bytes
from support.messages import message

Json = dict[str, Any]
MRN = "urn:oid:2.999.7"
BASE = "https://a.example/fhir/"
SENT = "20260101090000"


def patient(name: str, *, system: str = MRN, **more: Any) -> Json:
    identifier = {"value": name} | ({"system": system} if system else {})
    return {"resourceType": "Patient", "id": name, "identifier": [identifier], **more}


def observation(name: str, subject: Json | None, **more: Any) -> Json:
    found = {"resourceType": "Observation", "id": name, "status": "final", "code": {"text": "x"}}
    return found | ({} if subject is None else {"subject": subject}) | more


def to(what: str) -> Json:
    return {"reference": f"{BASE}{what}"}


def by(value: str, *, system: str = MRN) -> Json:
    return {"identifier": {"system": system, "value": value}}


def bundle(*resources: Json) -> Json:
    entries = [
        {"fullUrl": f"{BASE}{one['resourceType']}/{one['id']}", "resource": one}
        for one in resources
    ]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def names(parts: Parts) -> list[list[str]]:
    return [sorted(one.logical_id for one in part.resources) for part in parts.parts]


def mapped(*segments: str, event: str = "ADT^A40^ADT_A39") -> Parts:
    """Map a message and take it apart."""
    [found] = map_bytes("m", message(event, *segments, control="1", sent=SENT)).messages
    return parts_of(found.bundle, found.patient_identifiers, facility=found.facility)


# One patient ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "subject",
    [
        to("Patient/one"),
        {"reference": "Patient/one"},
        to("Patient/one/_history/3"),
        by("one"),
        {"display": "somebody"},
        {"reference": "#inside"},
        {"reference": f"{BASE}Group/all"},
        None,
    ],
)
def test_what_is_of_the_patient_or_of_nobody_named_stays_with_the_patient(
    subject: Json | None,
) -> None:
    inside = {"contained": [patient("one") | {"id": "inside"}]}
    [found] = names(parts_of(bundle(patient("one"), observation("o", subject, **inside))))
    assert found == ["o", "one"]


@pytest.mark.parametrize(
    "subject",
    [
        to("Patient/two"),
        {"reference": "Patient/two"},
        {"reference": "https://b.example/fhir/Patient/one"},
        {"reference": "Patient?identifier=two"},
        by("two"),
        by("one", system="urn:oid:2.999.8"),
        {"reference": "#stranger"},
        {"reference": "#missing"},
        {"reference": "#nameless"},
    ],
)
def test_what_is_of_somebody_else_is_never_stored_with_the_patient(subject: Json) -> None:
    inside = [patient("two") | {"id": "stranger"}, {"resourceType": "Patient", "id": "nameless"}]
    strange = observation("o", subject, contained=inside)
    with pytest.raises(Invalid, match="patient who is not in the message"):
        parts_of(bundle(patient("one"), strange))


def test_a_contained_group_is_nobody_in_particular() -> None:
    group = {"resourceType": "Group", "id": "herd", "type": "person", "actual": True}
    strange = observation("o", {"reference": "#herd"}, contained=[group])
    assert names(parts_of(bundle(patient("one"), strange))) == [["o", "one"]]


def test_a_patient_without_address_is_found_under_any_of_the_senders() -> None:
    found = bundle(patient("one"), observation("o", to("Patient/one")))
    found["entry"][0]["fullUrl"] = "urn:uuid:5d0c9d0b-5f0e-4f0c-9a1b-6f1a2c7e3d41"
    assert names(parts_of(found)) == [["o", "one"]]


def test_a_message_without_patient_goes_where_its_identifiers_lead() -> None:
    found = parts_of(bundle(observation("o", by("one"))), [(MRN, "one"), ("urn:ssn", "1")])
    [part] = found.parts
    assert part.identifiers == (Identifier(MRN, "one"), Identifier("urn:ssn", "1"))
    assert (part.subject, names(found)) == ("", [["o"]])


def test_without_patient_a_subject_beside_its_identifiers_is_somebody_else() -> None:
    with pytest.raises(Invalid, match="not in the message"):
        parts_of(bundle(observation("o", by("two"))), [(MRN, "one")])


def test_a_part_has_every_label_that_one_of_its_resources_has() -> None:
    system = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
    labelled = [
        observation(code, to("Patient/one"), meta={"security": [{"system": system, "code": code}]})
        for code in ("HIV", "PSY")
    ]
    [part] = parts_of(bundle(patient("one"), *labelled)).parts
    assert part.labels == mask((Label.HIV, Label.PSY))


# Several --------------------------------------------------------------------------------------


def test_subjects_named_by_identifier_take_a_message_apart() -> None:
    found = parts_of(
        bundle(
            patient("one"),
            patient("two"),
            observation("o1", by("one")),
            observation("o2", by("two")),
            {"resourceType": "Location", "id": "bed"},
        )
    )
    assert names(found) == [["bed", "o1", "one"], ["bed", "o2", "two"]]
    assert [part.subject for part in found.parts] == ["Patient/one", "Patient/two"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([observation("o", None)], "to several of its patients, or to none"),
        (
            [observation("o", to("Patient/one"), performer=[to("Patient/two")])],
            "to several of its patients",
        ),
        (
            [
                observation("o1", to("Patient/one"), hasMember=[to("Observation/o2")]),
                observation("o2", to("Patient/two")),
            ],
            "links resources of different patients",
        ),
        ([observation("o", to("Patient/three"))], "not in the message"),
        (
            [
                patient("three")
                | {"identifier": [{"system": MRN, "value": one} for one in ("one", "three")]},
                patient("four")
                | {"identifier": [{"system": MRN, "value": one} for one in ("one", "four")]},
            ],
            "same identifier",
        ),
    ],
)
def test_what_would_mix_patients_is_refused(more: list[Json], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        parts_of(bundle(patient("one"), patient("two"), *more))


def test_headers_name_only_what_is_in_their_part() -> None:
    provenance = {
        "resourceType": "Provenance",
        "id": "p",
        "target": [to("Patient/one"), to("Patient/two")],
    }
    header = {"resourceType": "MessageHeader", "id": "h", "focus": [to("Patient/one")]}
    of_header = {"resourceType": "Provenance", "id": "q", "target": [to("MessageHeader/h")]}
    bare = {"resourceType": "MessageHeader", "id": "b"}
    found = parts_of(bundle(header, patient("one"), patient("two"), provenance, of_header, bare))
    assert names(found) == [["b", "h", "one", "p", "q"], ["b", "p", "two"]]
    for part, other in zip(found.parts, ("two", "one"), strict=True):
        assert all(f"Patient/{other}".encode() not in one.content for one in part.resources)


def test_one_whose_numbers_another_has_is_the_same_person() -> None:
    both = patient("one") | {
        "identifier": [*patient("one")["identifier"], *patient("x")["identifier"]]
    }
    nameless = {"resourceType": "Patient", "id": "nameless"}
    found = parts_of(bundle(patient("x"), both, nameless))
    assert names(found) == [["one", "x"], ["nameless"]]
    assert (found.parts[1].identifiers, found.merges) == ((), ())


# Merges ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "link",
    [
        {"other": to("Patient/old"), "type": "replaces"},
        {"other": by("old"), "type": "replaces"},
    ],
)
def test_a_merge_is_what_the_survivor_says(link: Json) -> None:
    others = [patient("old")] if "reference" in link["other"] else []
    found = parts_of(bundle(patient("new", link=[link]), *others))
    [merge] = found.merges
    assert merge.survivor == (Identifier(MRN, "new"),)
    assert merge.prior == (Identifier(MRN, "old"),)
    assert [part.subject for part in found.parts] == ["Patient/new"]


def test_a_merge_is_what_the_prior_says_and_both_say_it_once() -> None:
    back = {"other": to("Patient/new"), "type": "replaced-by"}
    on = {"other": to("Patient/old"), "type": "replaces"}
    for survivor in (patient("new"), patient("new", link=[on])):
        found = parts_of(bundle(patient("old", link=[back]), survivor))
        assert len(found.merges) == 1
        assert found.merges[0].prior == (Identifier(MRN, "old"),)
        assert [part.subject for part in found.parts] == ["Patient/new"]


@pytest.mark.parametrize(
    "link",
    [
        {"other": to("Patient/old"), "type": "seealso"},
        {"other": {"display": "the old one"}, "type": "replaces"},
        {"type": "replaces"},
        "nonsense",
    ],
)
def test_other_links_merge_nothing(link: Any) -> None:
    assert parts_of(bundle(patient("new", link=[link]))).merges == ()


def test_numbers_without_an_assigning_authority_are_the_senders_in_every_kind_of_message() -> None:
    """PID-3 as old systems send it. In merges and swaps, too, it means what it means alone."""
    alone = mapped("EVN|A08", "PID|1||100^^^^MR||Doe", "PV1|1|I", event="ADT^A08^ADT_A01")
    merge = mapped("EVN|A40", "PID|1||200^^^^MR||Doe", "MRG|100^^^^MR")
    swap = mapped(
        *("EVN|A17", "PID|1||100^^^^MR||Doe", "PV1|1|I"),
        *("PID|2||300^^^^MR||Roe", "PV1|1|I"),
        event="ADT^A17^ADT_A17",
    )
    mine = Identifier("urn:id:HOSP", "100")
    assert alone.parts[0].identifiers == (mine,)
    assert merge.merges[0].prior == (mine,)
    assert [part.identifiers for part in swap.parts] == [
        (mine,),
        (Identifier("urn:id:HOSP", "300"),),
    ]


PATIENTS = ("ANN", "BOB")


def planted(name: str, segments: str) -> list[str]:
    """Segments with a value in each place that no other patient's have."""
    return [one.replace("*", f"{name}{at}") for at, one in enumerate(segments.split())]


STORIES = {
    "ADT^A17^ADT_A17": "PID|1||*^^^HOSP^MR||*^* PD1||||*^* PV1|1|I|*^*|||||||||||||||||* "
    "OBX|1|ST|1^*^L||*||||||F",
    "ADT^A24^ADT_A24": "PID|1||*^^^HOSP^MR||*^*|||F|||*^^* PD1||||*^* PV1|1|I|*^*",
    "ADT^A37^ADT_A37": "PID|1||*^^^HOSP^MR||*^*|||F|||*^^* PV1|1|I|*^*|||||||||||||||||*",
    "ORU^R01^ORU_R01": "PID|1||*^^^HOSP^MR||*^*|||F|||*^^* NTE|1||* PV1|1|I|*^* "
    "ORC|RE|*|* OBR|1|*|*|1^*^L OBX|1|ST|2^*^L||*||||||F NTE|1||* SPM|1|*||*",
    "DFT^P03^DFT_P03": "PID|1||*^^^HOSP^MR||*^* PV1|1|I|*^*|||||||||||||||||* "
    "FT1|1|*||20260101||CG|*^*^L",
    "BAR^P01^BAR_P01": "PID|1||*^^^HOSP^MR||*^* PV1|1|I|*^*",
    "MDM^T02^MDM_T02": "PID|1||*^^^HOSP^MR||*^* PV1|1|I|*^* TXA|1|CN|TX|||||||||*|||||AU "
    "OBX|1|TX|1^*^L||*||||||F",
    "ADT^A43^ADT_A43": "PID|1||*^^^HOSP^MR||*^* MRG|*^^^HOSP^MR",
    "ADT^A45^ADT_A45": "PID|1||*^^^HOSP^MR||*^* MRG|*^^^HOSP^MR||||*^^^HOSP^VN "
    "PV1|1|I|*^*|||||||||||||||||*^^^HOSP^VN",
}


UNSPLIT = {"MDM^T02^MDM_T02"}
"""Its structure has one PID; a second one is the sender's fault."""


@pytest.mark.parametrize("event", STORIES)
def test_no_value_of_one_patient_is_in_the_part_of_another(event: str) -> None:
    evn = [f"EVN|{event.split('^')[1]}|{SENT}"] if event[:3] in ("ADT", "DFT", "BAR") else []
    segments = [one for name in PATIENTS for one in planted(name, STORIES[event])]
    mapping = map_bytes("m", message(event, *evn, *segments, control="1", sent=SENT))
    [one] = mapping.messages
    ready = check_message(mapping, one)
    if event in UNSPLIT:
        assert not isinstance(ready, Ready)
        assert "different patients" in ready.reason
        assert "ANN" not in ready.reason
        return
    assert isinstance(ready, Ready)
    whose = [
        {name for name in PATIENTS for one in part.resources if name.encode() in one.content}
        for part in ready.parts
    ]
    assert {len(found) for found in whose} == {1}
    assert set.union(*whose) == set(PATIENTS)
