"""A site's files say what its messages mean, and a fault in them is named."""

import json

import pytest

from simdes.errors import Invalid
from simdes.mapper import DEFAULT_SITE, Mapped, Site, check_site, map_bytes, site_of

LAB = "https://lab.example/codes"
CONCEPT_MAP = {
    "resourceType": "ConceptMap",
    "status": "active",
    "group": [
        {
            "source": LAB,
            "target": "http://loinc.org",
            "element": [
                {
                    "code": "GLU",
                    "target": [
                        {"code": "2345-7", "display": "Glucose", "equivalence": "equivalent"}
                    ],
                },
                {"code": "NA", "target": [{"code": "2951-2", "equivalence": "wider"}]},
            ],
        }
    ],
}
TOML = """
time_zone = "Europe/Paris"
[systems]
HOSP = "https://hospital.example/mrn"
[code_systems]
L = "https://lab.example/codes"
[senders.NORTH]
time_zone = "-05:00"
encoding = "latin-1"
[senders.NORTH.systems]
HOSP = "https://north.example/mrn"
"""


def _site(**files: object) -> Site:
    return site_of(
        {
            name: value if isinstance(value, bytes) else str(value).encode()
            for name, value in files.items()
        },
        default=DEFAULT_SITE,
    )


def _message(*segments: str, facility: str = "HOME") -> bytes:
    head = f"MSH|^~\\&|APP|{facility}|||20240101120000||ORU^R01|1|P|2.5.1"
    return "\r".join([head, "PID|1||77^^^HOSP^MR", *segments]).encode("latin-1")


def _mapped(data: bytes, site: Site) -> Mapped:
    mapping = map_bytes("x", data, site=site)
    assert mapping.quarantined == ()
    return mapping.messages[0]


def _resource(mapped: Mapped, kind: str) -> dict[str, object]:
    found = [entry["resource"] for entry in mapped.bundle["entry"]]
    return next(one for one in found if one["resourceType"] == kind)


RESULT = ("OBR|1|||24331-1^Lipids^LN", "OBX|1|NM|GLU^Glucose^L||5.4|mmol/L|||||F|||202401021030")


def test_a_local_code_gets_the_standard_one_before_it() -> None:
    site = _site(**{"site.toml": TOML, "lab.json": json.dumps(CONCEPT_MAP)})
    found = _resource(_mapped(_message(*RESULT), site), "Observation")
    assert found["code"]["coding"] == [  # type: ignore[index]
        {"system": "http://loinc.org", "code": "2345-7", "display": "Glucose"},
        {"system": LAB, "code": "GLU", "display": "Glucose"},
    ]


def test_a_code_that_means_more_or_less_is_not_translated() -> None:
    site = _site(**{"site.toml": TOML, "lab.json": json.dumps(CONCEPT_MAP)})
    sodium = RESULT[1].replace("GLU", "NA")
    found = _resource(_mapped(_message(RESULT[0], sodium), site), "Observation")
    assert [coding["code"] for coding in found["code"]["coding"]] == ["NA"]  # type: ignore[index]


def test_each_sender_has_its_own_zone_encoding_and_systems() -> None:
    site = _site(**{"site.toml": TOML})
    home = _mapped(_message(*RESULT), site)
    north = _mapped(_message(*RESULT, "NTE|1||caf\xe9", facility="NORTH^1.2^ISO"), site)
    assert _resource(home, "Observation")["effectiveDateTime"] == "2024-01-02T10:30:00+01:00"
    assert _resource(north, "Observation")["effectiveDateTime"] == "2024-01-02T10:30:00-05:00"
    assert home.patient_identifiers[0] == ("https://hospital.example/mrn", "77")
    assert north.patient_identifiers[0] == ("https://north.example/mrn", "77")
    assert "café" in json.dumps(north.bundle, ensure_ascii=False, default=str)


def test_translating_a_code_does_not_rename_the_resource() -> None:
    plain = _mapped(_message(*RESULT), _site(**{"site.toml": TOML}))
    site = _site(**{"site.toml": TOML, "lab.json": json.dumps(CONCEPT_MAP)})
    assert (
        _resource(plain, "Observation")["id"]
        == _resource(_mapped(_message(*RESULT), site), "Observation")["id"]
    )


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"site.toml": "colour = 'red'"}, "colour"),
        ({"site.toml": "time_zone = 3"}, "time_zone"),
        ({"site.toml": "time_zone = 'Mars/Base'"}, "Mars"),
        ({"site.toml": "time_zone = 'America'"}, "America"),
        ({"site.toml": "time_zone = '../../etc/passwd'"}, "passwd"),
        ({"site.toml": "a = " + "[" * 5_000}, "TOML"),
        ({"site.toml": "encoding = 'klingon'"}, "klingon"),
        ({"site.toml": "systems = 'x'"}, "systems"),
        ({"site.toml": "[systems]\nA = 3"}, "systems"),
        ({"site.toml": "[senders]\nA = 3"}, "A must be"),
        ({"site.toml": "[senders.A]\ncolour = 'x'"}, "sender A"),
        ({"site.toml": "not toml"}, "TOML"),
        ({"site.toml": b"\xff"}, "UTF-8"),
        ({"a.json": "{"}, "a.json"),
        ({"a.json": '{"resourceType": "Patient"}'}, "no ConceptMap"),
        ({"a.json": '{"resourceType": "ConceptMap", "group": [{}]}'}, "source and target"),
        ({"a.json": '{"resourceType": "ConceptMap", "group": ["x"]}'}, "laid out"),
        ({"a.json": '{"resourceType": "ConceptMap", "group": 3}'}, "laid out"),
        ({"a.exe": "x"}, "a.exe"),
        ({"loose.psv": "x"}, "loose.psv"),
    ],
)
def test_a_fault_in_a_site_is_named(files: dict[str, object], told: str) -> None:
    with pytest.raises(Invalid, match=told):
        _site(**files)


def test_sheets_for_an_unknown_kind_of_input_are_refused() -> None:
    with pytest.raises(Invalid, match="hl8"):
        check_site(_site(**{"hl8/a.psv": "verb | map"}))
