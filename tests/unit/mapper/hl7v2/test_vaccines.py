"""VXU^V04: given, refused, historical, deleted vaccinations, and what OBX says of them."""

from __future__ import annotations

from typing import Any

import pytest

from simdes.fhir.validate import validate
from simdes.mapper import Mapped
from unit.mapper.hl7v2.messages import kept, mapped, resource, resources

PID = "PID|1||M1^^^HOSP&1.2.36.1&ISO^MR||Doe^Jane"
ORC = "ORC|RE|4422^NIST|13696^NIST|||||||7824^Jackson^Lily||654^Thomas^Wilma^^^^^NIST"


def rxa(**fields: str) -> str:
    """RXA with fields named f5, f9 and so on."""
    given = {"f1": "0", "f2": "1", "f3": "20210818", "f5": "208^COVID-19^CVX", "f6": "0.5"}
    given |= {"f7": "mL^^UCUM"} | fields
    return "|".join(["RXA", *(given.get(f"f{n}", "") for n in range(1, 29))])


def vxu(*segments: str) -> Mapped:
    one = mapped(PID, *segments, event="VXU^V04")
    assert [p for p in validate(one.bundle) if p.is_error] == []
    return one


def immunization(*segments: str) -> dict[str, Any]:
    return resource(vxu(ORC, *segments), "Immunization")


def test_a_vaccination_says_what_when_how_much_and_from_which_lot() -> None:
    one = vxu(
        ORC,
        rxa(f10="1^Nurse^Nia", f15="LOT1", f16="20211216", f17="PMC^Sanofi^MVX", f20="CP"),
        "RXR|IM^^HL70162|LD^Left^HL70163",
    )
    found = resource(one, "Immunization")
    assert (found["status"], found["occurrenceDateTime"]) == ("completed", "2021-08-18")
    assert found["vaccineCode"]["coding"][0]["system"] == "http://hl7.org/fhir/sid/cvx"
    dose = found["doseQuantity"]
    assert (str(dose["value"]), dose["code"], dose["unit"]) == ("0.5", "mL", "mL")
    assert (found["lotNumber"], found["expirationDate"]) == ("LOT1", "2021-12-16")
    assert [i["value"] for i in found["identifier"]] == ["4422", "13696"]
    functions = [p["function"]["coding"][0]["code"] for p in found["performer"]]
    assert sorted(functions) == ["AP", "OP"]
    assert "Sanofi" in [o.get("name") for o in resources(one, "Organization")]
    assert found["route"]["coding"][-1]["code"] == "IM"
    assert found["patient"] == {"reference": f"urn:uuid:{resource(one, 'Patient')['id']}"}


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, "completed"),
        ({"f20": "CP", "f21": "A"}, "completed"),
        ({"f20": "PA"}, "completed"),
        ({"f20": "RE", "f18": "00^Parental^NIP002"}, "not-done"),
        ({"f20": "NA"}, "not-done"),
        ({"f18": "00^Parental^NIP002"}, "not-done"),
        ({"f5": "998^none^CVX"}, "not-done"),
        ({"f20": "CP", "f21": "D"}, "entered-in-error"),
        ({"f21": "D"}, "entered-in-error"),
    ],
)
def test_status_follows_completion_and_action(fields: dict[str, str], status: str) -> None:
    assert immunization(rxa(**fields))["status"] == status


def test_a_refusal_says_why() -> None:
    found = immunization(rxa(f20="RE", f18="00^Parental decision^NIP002"))
    assert found["statusReason"]["coding"][0]["code"] == "00"
    found = immunization(rxa(f20="RE"))
    assert found["statusReason"]["coding"][0]["code"] == "PATOBJ"


def test_a_deletion_is_of_the_vaccination_that_was_sent() -> None:
    assert immunization(rxa())["id"] == immunization(rxa(f21="D"))["id"]


def test_partly_given_is_subpotent() -> None:
    assert immunization(rxa(f20="PA"))["isSubpotent"] is True


@pytest.mark.parametrize(
    ("code", "primary"), [("00^New^NIP001", True), ("01^Historical^NIP001", False)]
)
def test_where_the_record_comes_from(code: str, primary: bool) -> None:
    found = immunization(rxa(f9=code))
    assert found["primarySource"] is primary
    assert ("reportOrigin" in found) is not primary


def test_a_note_in_place_of_a_source_is_a_note() -> None:
    found = immunization(rxa(f9="^cried a lot"))
    assert found["note"] == [{"text": "cried a lot"}]
    assert "primarySource" not in found


def test_an_amount_of_999_is_no_dose() -> None:
    found = immunization(rxa(f6="999"))
    assert "doseQuantity" not in found
    assert kept(found)["RXA-6"] == "999"


def test_the_number_9999_of_many_records_is_no_identifier() -> None:
    records = [
        resource(vxu("ORC|RE||9999^CDC", rxa(f5=code, f20="NA")), "Immunization")
        for code in ("998^none^CVX", "88^flu^CVX")
    ]
    assert all("identifier" not in record for record in records)
    assert records[0]["id"] != records[1]["id"]


def test_eligibility_funding_and_information_sheets_are_said_of_the_vaccination() -> None:
    one = vxu(
        ORC,
        rxa(),
        "OBX|1|CE|64994-7^eligibility^LN|1|V01^Not eligible^HL70064||||||F",
        "OBX|2|CE|30963-3^funding^LN|1|PHC70^Private^CDCPHINVS||||||F",
        "OBX|3|CE|69764-9^document^LN|2|253^Td VIS^cdcgs1vis||||||F",
        "OBX|4|DT|29768-9^published^LN|2|20200101||||||F",
        "OBX|5|DT|29769-7^presented^LN|2|20210818||||||F",
        "OBX|6|CE|69764-9^document^LN|3|254^Flu VIS^cdcgs1vis||||||F",
        "OBX|7|DT|29769-7^presented^LN|3|20210819||||||F",
        "OBX|8|NM|30973-2^dose number^LN|4|2||||||F",
        "OBX|9|CE|31044-1^reaction^LN|5|39579001^Anaphylaxis^SCT||||||F",
    )
    found = resource(one, "Immunization")
    assert found["programEligibility"][0]["coding"][0]["code"] == "V01"
    assert found["fundingSource"]["coding"][0]["code"] == "PHC70"
    assert found["education"] == [
        {
            "documentType": "Td VIS",
            "publicationDate": "2020-01-01",
            "presentationDate": "2021-08-18",
        },
        {"documentType": "Flu VIS", "presentationDate": "2021-08-19"},
    ]
    assert found["protocolApplied"] == [{"doseNumberPositiveInt": 2}]
    reaction = resource(one, "Observation")
    assert reaction["partOf"] == [{"reference": f"urn:uuid:{found['id']}"}]


def test_an_information_date_without_its_document_still_validates() -> None:
    found = immunization(rxa(), "OBX|1|DT|29769-7^presented^LN|1|20210818||||||F")
    assert found["education"][0]["presentationDate"] == "2021-08-18"


def test_two_vaccinations_keep_their_own_observations() -> None:
    first = [ORC, rxa(), "OBX|1|CE|64994-7^eligibility^LN|1|V01||||||F"]
    one = vxu(*first, ORC.replace("13696", "13697").replace("4422", "4423"), rxa(f5="88^flu^CVX"))
    found = resources(one, "Immunization")
    assert ["programEligibility" in record for record in found] == [True, False]


def test_a_clinic_in_the_old_location_field_is_the_place() -> None:
    one = vxu(ORC, rxa(f11="^^^Clinic-1^^^^^1 High St^^Ulm^BW^89073^DE"))
    places = {place.get("name"): place for place in resources(one, "Location")}
    assert "Clinic-1" in places
    assert any(p.get("address", {}).get("city") == "Ulm" for p in places.values())
