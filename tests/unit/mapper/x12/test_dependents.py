"""Dependents without a member number are told apart within the family, and nowhere else
(docs/decisions/0052), in 837, 834 and 270 alike; who could be two people is nobody yet.

The dependents' loops are those of the 005010 implementation guides: 2010CA, 2100A, 2100D.
"""

from __future__ import annotations

import pytest

from simdes.exchange.checking import Ready, check_message
from unit.mapper.x12.samples import codes, mapped, mapped_all, one, only, referred, sample
from unit.mapper.x12.test_claims import HEAD

SYSTEM = "urn:simdes:x12:payer:99999:dependent"
SUBSCRIBER = HEAD.replace("HL*2*1*22*0", "HL*2*1*22*1").replace("SBR*P*18*", "SBR*P**")


def claim(
    *, number: str = "M1", relation: str = "19", born: str = "20150304", given: str = "MAX"
) -> bytes:
    """An 837 for a child of the subscriber."""
    subscriber = SUBSCRIBER.replace("MI*M1", f"MI*{number}")
    text = f"""{subscriber}
        HL*3*2*23*0
        PAT*{relation}
        NM1*QC*1*DOE*{given}
        N3*2 SIDE ST
        N4*TOWN*PA*17111
        DMG*D8*{born}*M
        CLM*C1*100***11:B:1*Y*A*Y*Y
        HI*ABK:J020
        LX*1
        SV1*HC:99213*100*UN*1***1
        DTP*472*D8*20240102
    """
    return one("837P", text)


INQUIRY = """
    BHT*0022*13*10001*20240102*1319
    HL*1**20*1
    NM1*PR*2*PAYER*****PI*99999
    HL*2*1*21*1
    NM1*1P*2*HOSPITAL*****XX*1234567893
    HL*3*2*22*1
    NM1*IL*1*DOE*JON****MI*M1
    HL*4*3*23*0
    TRN*1*T1*9877281234
    NM1*03*1*DOE*MAX
    DMG*D8*20150304*M
    INS*N*19
    DTP*291*D8*20240102
    EQ*30
"""
ENROLMENT = """
    BGN*00*1*20240102
    N1*P5*EMPLOYER*FI*999888777
    N1*IN*PAYER*XV*99999
    INS*N*19*021*28*A***F
    REF*0F*M1
    REF*1L*G1
    DTP*356*D8*20240101
    NM1*IL*1*DOE*MAX
    DMG*D8*20150304*M
    HD*021**HLT
    DTP*348*D8*20240101
"""


def numbers(data: bytes) -> list[str]:
    """The numbers of ours that a message's patients have."""
    return [
        value
        for message in mapped_all(data).messages
        for system, value in message.patient_identifiers
        if system.endswith(":dependent")
    ]


def test_a_claim_an_enrolment_and_an_inquiry_mean_the_same_dependent() -> None:
    (number,) = numbers(claim())
    assert numbers(one("270", INQUIRY)) == [number]
    assert numbers(one("834", ENROLMENT)) == [number]
    found = mapped(claim())
    assert found.patient_identifiers == ((SYSTEM, number),)
    patient, coverage = only(found, "Patient"), only(found, "Coverage")
    assert patient["name"][0]["given"] == ["MAX"]
    assert coverage["subscriberId"] == "M1"
    assert coverage["beneficiary"]["reference"].endswith(patient["id"])
    assert codes(coverage["relationship"]) == ["child", "19"]
    assert referred(found, coverage["subscriber"])["name"][0]["given"] == ["JON", "T"]


@pytest.mark.parametrize(
    "other",
    [
        {"number": "M2"},
        {"relation": "01"},
        {"born": "20150305"},
        {"given": "MIA"},
    ],
    ids=str,
)
def test_another_family_relation_birth_date_or_name_is_somebody_else(other: dict[str, str]) -> None:
    assert numbers(claim(**other)) != numbers(claim())
    assert len(numbers(claim(**other))) == 1


@pytest.mark.parametrize("given", ["Max", "MÁX", "M.A.X."])
def test_case_accents_and_points_do_not_part_somebody_from_themselves(given: str) -> None:
    assert numbers(claim(given=given)) == numbers(claim())


@pytest.mark.parametrize(
    "missing",
    [{"given": "M"}, {"given": ""}, {"born": ""}, {"relation": ""}, {"number": ""}],
    ids=str,
)
def test_who_could_be_several_people_waits_for_a_person(missing: dict[str, str]) -> None:
    """An initial would fit twins; without a birth date or number anybody of the name."""
    mapping = mapped_all(claim(**missing))
    (message,) = mapping.messages
    assert numbers(claim(**missing)) == []
    assert message.patient_identifiers == ()
    refused = check_message(mapping, message)
    assert not isinstance(refused, Ready)
    assert refused.reason_code == "no-patient-identifier"
    assert "DOE" not in refused.reason


def test_a_dependent_with_a_member_number_has_that_and_no_other() -> None:
    found = mapped(sample("lfh/837_004010X098A1__dependent-commercial-insurance-01.837"))
    identifiers = dict(found.patient_identifiers)
    assert "234557329" in identifiers.values()
    assert not any(system.endswith(":dependent") for system in identifiers)


def test_a_name_in_the_number_can_not_be_read_off_it() -> None:
    (number,) = numbers(claim())
    assert "MAX" not in number.upper()
    assert "M1" not in number.upper()
    assert "20150304" not in number.replace("-", "")
