"""A site's sheets map Z segments and change what ships."""

from typing import Any

import pytest

from simdes.errors import Invalid
from simdes.fhir.validate import validate
from simdes.mapper import DEFAULT_SITE, Mapped, Site, check_site, map_bytes, site_of

HEADER = "verb | map | source | target | when | datatype | vocabulary | assign | why\n"
CODES = "vocabulary | table | v2 | code | display | system\n"
VIP = "https://hospital.example/vip"
ZPD = (
    HEADER
    + f"""add | ZPD[Patient] | ZPD-1 | extension[1].url | | | | "{VIP}"
add | ZPD[Patient] | ZPD-1 | extension[1].valueString
add | ZPD[Patient] | ZPD-2 | contact[1].name | | XPN[HumanName]
add | ZPD[Patient] | ZPD-3 | deceasedBoolean | ZPD-3 VALUED | | OurYesNo
"""
)
LINES = (
    "MSH|^~\\&|APP|HOSP|||20240101120000||ADT^A01|1|P|2.5.1",
    "EVN|A01|20240101",
    "PID|1||77^^^HOSP^MR||Doe^Ann||1980|F",
    "PV1|1|I",
)


def _site(text: str, codes: str = "") -> Site:
    files = {"hl7v2/ours.psv": text.encode()}
    if codes:
        files["hl7v2/codes.psv"] = codes.encode()
    return site_of(files, default=DEFAULT_SITE)


def _mapped(site: Site, *segments: str) -> Mapped:
    data = "\r".join([*LINES, *segments]).encode()
    mapping = map_bytes("x", data, site=site)
    assert mapping.quarantined == ()
    errors = [p for p in validate(mapping.messages[0].bundle) if p.severity == "error"]
    assert errors == []
    return mapping.messages[0]


def _patient(mapped: Mapped) -> dict[str, Any]:
    entries: list[dict[str, Any]] = [entry["resource"] for entry in mapped.bundle["entry"]]
    return next(one for one in entries if one["resourceType"] == "Patient")


def test_a_z_segment_feeds_the_resource_its_map_names() -> None:
    codes = CODES + "OurYesNo | | J | true | | \n"
    site = _site(ZPD, codes)
    check_site(site)
    patient = _patient(_mapped(site, "ZPD|gold|Roe^Bob|J|rest"))
    assert {"url": VIP, "valueString": "gold"} in patient["extension"]
    assert patient["contact"] == [{"name": {"family": "Roe", "given": ["Bob"]}}]
    assert patient["deceasedBoolean"] is True
    kept = {
        e["url"]: e["valueString"] for x in patient["extension"] for e in x.get("extension", ())
    }
    assert kept["ZPD-4"] == "rest"


def test_a_z_segment_without_a_map_is_reported() -> None:
    mapped = _mapped(DEFAULT_SITE, "ZPD|gold")
    assert [(one.path, "locally" in one.reason) for one in mapped.dropped if "Z" in one.path] == [
        ("ZPD-1", True)
    ]


def test_a_site_may_put_a_field_elsewhere_or_leave_it_out() -> None:
    text = HEADER + "drop | PID[Patient] | PID-8\n"
    text += "add | PID[Patient] | PID-8 | maritalStatus.text\n"
    text += "drop | PID[Patient] | PID-7\n"
    text += "ignore | PID[Patient] | PID-7 | | | | | | not for us\n"
    mapped = _mapped(_site(text))
    assert "gender" not in _patient(mapped)
    assert ("PID-7", "not for us") in {(one.path, one.reason) for one in mapped.dropped}
    assert _patient(mapped)["maritalStatus"] == {"text": "F"}


def test_rows_of_the_site_win_over_those_that_ship() -> None:
    text = HEADER + 'add | PID[Patient] | PID-8 | gender | | | | instead("other", PID-8)\n'
    assert _patient(_mapped(_site(text)))["gender"] == "other"


def test_what_ships_is_not_changed_by_a_site() -> None:
    _mapped(_site(HEADER + "drop | PID[Patient] | PID-8\n"))
    assert _patient(_mapped(DEFAULT_SITE))["gender"] == "female"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("alter | PID[Patient] | PID-8", "alter"),
        ("add | XYZ[Patient] | XYZ-1 | gender", "XYZ"),
        ("add | PID[Patient] | PID-8 | colour", "colour"),
        ("add | PID[Patient] | PID-5 | name | | NOSUCH[HumanName]", "nosuch"),
        ("add | PID[Patient] | PID-8 | gender | | | NoSuchCodes", "nosuchcodes"),
        ("add | PID[Patient] | PID-8 | gender | if it rains", "rains"),
        ("drop | PID[Patient] | PID-99", "PID-99"),
        ("ignore | PID[Patient] | PID-8", "reason"),
        ("add | PID[Patient] | a | b | c | d | e | f | g | h", "10 fields"),
    ],
)
def test_a_row_that_cannot_be_followed_is_named(row: str, told: str) -> None:
    with pytest.raises(Invalid, match=f"ours.psv.*{told}"):
        check_site(_site(HEADER + row + "\n"))


def test_every_element_of_a_message_tells_its_field_and_row() -> None:
    data = "\r".join(LINES).encode()
    (mapped,) = map_bytes("x", data, explain=True).messages
    patient = _patient(mapped)
    found = {(e.element, e.source, e.rule) for e in mapped.explained if "Patient" in e.resource}
    assert {e.resource for e in mapped.explained if e.element == "gender"} == {
        f"Patient/{patient['id']}"
    }
    assert ("gender", "PID-8", "PID[Patient] 8") in found
    assert ("name.family", "PID-5.1", "fn[humanname] 1") in {
        (element, source[:7], rule) for element, source, rule in found
    }
    assert map_bytes("x", data).messages[0].explained == ()
    assert map_bytes("x", data).messages[0].bundle == mapped.bundle
