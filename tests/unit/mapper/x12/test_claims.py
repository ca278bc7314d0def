"""What an 837 means: who claims what of whom, for whom, and why."""

from decimal import Decimal

from unit.mapper.x12.samples import (
    codes,
    interchange,
    mapped,
    mapped_all,
    one,
    only,
    referred,
    resources,
    sample,
    transaction,
    unmapped,
)

HEAD = """
    BHT*0019*00*T1*20240102*0304*CH
    NM1*41*2*BILLING SERVICE*****46*S1
    PER*IC*ANN*TE*5551234567
    NM1*40*2*PAYER*****46*P1
    HL*1**20*1
    PRV*BI*PXC*282N00000X
    NM1*85*2*HOSPITAL*****XX*1234567893
    N3*1 MAIN ST
    N4*TOWN*PA*17111
    REF*EI*123456789
    HL*2*1*22*0
    SBR*P*18*GRP1*GROUP NAME*****CI
    NM1*IL*1*DOE*JON*T***MI*M1
    N3*2 SIDE ST
    N4*TOWN*PA*17111
    DMG*D8*19681111*M
    NM1*PR*2*PAYER*****PI*99999
"""
PROFESSIONAL = (
    HEAD
    + """
    CLM*C1*150.50***11:B:7*Y*A*Y*Y*P*AA:::CA:US
    DTP*439*D8*20240101
    DTP*431*D8*20231230
    DTP*435*RD8*20231231-20240102
    PWK*OZ*BM***AC*DMN0012
    AMT*F5*20.00
    REF*F8*ICN1
    REF*G1*AUTH1
    REF*9F*REFER1
    REF*D9*CH1
    NTE*ADD*fell from a ladder
    HI*ABK:S8251XA*ABF:E119
    NM1*DN*1*REFERRER*RAY****XX*1111111112
    NM1*82*1*RENDERER*RITA****XX*2222222221
    PRV*PE*PXC*207X00000X
    NM1*77*2*CLINIC*****XX*3333333330
    N3*3 CLINIC ST
    N4*TOWN*PA*17111
    LX*1
    SV1*HC:99213:25:LT:::office visit*100.50*UN*1***1:2**Y
    DTP*472*D8*20240102
    REF*6R*LINE1
    NM1*82*1*OTHER*OTTO****XX*4444444449
    LX*2
    SV1*HC:J0696*50*UN*2.50*12**1
    DTP*472*RD8*20240101-20240102
    LIN**N4*00004196501
    CTP****7.00*ML
"""
)


def test_a_claim_says_who_claims_what_of_whom() -> None:
    found = mapped(one("837P", PROFESSIONAL))
    claim = only(found, "Claim")
    assert claim["use"] == "claim"
    assert codes(claim["type"]) == ["professional"]
    assert claim["created"] == "2024-01-02T03:04:00Z"
    assert claim["total"] == {"value": Decimal("150.50"), "currency": "USD"}
    assert claim["identifier"][0]["system"] == "urn:simdes:x12:provider:1234567893:claim"
    assert claim["identifier"][0]["value"] == "C1"
    provider, insurer = referred(found, claim["provider"]), referred(found, claim["insurer"])
    assert provider["identifier"][0]["system"] == "http://hl7.org/fhir/sid/us-npi"
    assert provider["identifier"][1]["system"] == "urn:oid:2.16.840.1.113883.4.4"
    assert codes(provider["type"]) == ["282N00000X"]
    assert insurer["name"] == "PAYER"
    assert referred(found, claim["patient"])["birthDate"] == "1968-11-11"
    assert referred(found, claim["facility"])["address"]["line"] == ["3 CLINIC ST"]
    assert unmapped(found) == []


def test_a_claim_names_earlier_ones_authorisations_and_referrals() -> None:
    claim = only(mapped(one("837P", PROFESSIONAL)), "Claim")
    related = claim["related"][0]["claim"]["identifier"]
    assert related == {"system": "urn:simdes:x12:payer:99999:claim", "value": "ICN1"}
    assert claim["insurance"][0]["preAuthRef"] == ["AUTH1"]
    assert claim["referral"]["identifier"]["value"] == "REFER1"
    assert "CH1" in [identifier["value"] for identifier in claim["identifier"]]


def test_diagnoses_have_their_point_their_system_and_their_order() -> None:
    claim = only(mapped(one("837P", PROFESSIONAL)), "Claim")
    said = [
        (one["sequence"], one["diagnosisCodeableConcept"]["coding"][0])
        for one in claim["diagnosis"]
    ]
    system = "http://hl7.org/fhir/sid/icd-10-cm"
    assert said == [
        (1, {"code": "S82.51XA", "system": system}),
        (2, {"code": "E11.9", "system": system}),
    ]
    assert "principal" in codes(claim["diagnosis"][0]["type"])


def test_diagnoses_of_the_ninth_revision_are_named_so() -> None:
    text = PROFESSIONAL.replace("HI*ABK:S8251XA*ABF:E119", "HI*BK:8628*BF:E8888*BF:V270")
    claim = only(mapped(one("837P", text)), "Claim")
    said = [one["diagnosisCodeableConcept"]["coding"][0] for one in claim["diagnosis"]]
    assert [coding["code"] for coding in said] == ["862.8", "E888.8", "V27.0"]
    assert {coding["system"] for coding in said} == {"http://hl7.org/fhir/sid/icd-9-cm"}


def test_lines_say_what_was_done_when_where_by_whom_and_what_for() -> None:
    claim = only(mapped(one("837P", PROFESSIONAL)), "Claim")
    first, second = claim["item"]
    assert first["productOrService"] == {
        "coding": [{"code": "99213", "system": "http://www.ama-assn.org/go/cpt"}],
        "text": "office visit",
    }
    assert codes(first["modifier"]) == ["25", "LT"]
    assert first["modifier"][1]["coding"][0]["system"].endswith("HCPCSReleaseCodeSets")
    assert first["net"] == {"value": Decimal("100.50"), "currency": "USD"}
    assert first["diagnosisSequence"] == [1, 2]
    assert first["servicedDate"] == "2024-01-02"
    assert codes(first["locationCodeableConcept"]) == ["11"]
    assert codes(second["locationCodeableConcept"]) == ["12"]
    assert second["quantity"]["value"] == Decimal("2.50")
    assert second["servicedPeriod"] == {"start": "2024-01-01", "end": "2024-01-02"}
    assert second["productOrService"]["coding"][0]["system"].endswith("HCPCSReleaseCodeSets")
    drug = second["detail"][0]
    assert drug["productOrService"]["coding"] == [
        {"code": "00004196501", "system": "http://hl7.org/fhir/sid/ndc"}
    ]
    assert drug["quantity"]["value"] == Decimal("7.00")


def test_lines_refer_to_care_team_and_information_by_number() -> None:
    found = mapped(one("837P", PROFESSIONAL))
    claim = only(found, "Claim")
    team = {one["sequence"]: one for one in claim["careTeam"]}
    (number,) = claim["item"][0]["careTeamSequence"]
    assert referred(found, team[number]["provider"])["name"][0]["family"] == "OTHER"
    info = {one["sequence"]: one for one in claim["supportingInfo"]}
    assert len(info) == len(claim["supportingInfo"])
    told = [info[number] for number in claim["item"][0]["informationSequence"]]
    assert {"LINE1", "Y"} == {one["valueString"] for one in told}
    roles = [codes(one["role"]) for one in claim["careTeam"]]
    assert roles == [["other", "DN"], ["primary", "82"], ["primary", "82"]]


def test_an_accident_has_its_day_kind_and_place() -> None:
    accident = only(mapped(one("837P", PROFESSIONAL)), "Claim")["accident"]
    assert accident["date"] == "2024-01-01"
    assert codes(accident["type"]) == ["MVA", "AA"]
    assert accident["locationAddress"] == {"state": "CA", "country": "US"}


def test_dates_amounts_attachments_and_notes_are_supporting_information() -> None:
    info = only(mapped(one("837P", PROFESSIONAL)), "Claim")["supportingInfo"]
    by_code = {code: one for one in info for code in codes(one["category"])}
    assert by_code["onset"]["timingDate"] == "2023-12-30"
    assert by_code["hospitalized"]["timingPeriod"]["end"] == "2024-01-02"
    assert by_code["attachment"]["valueReference"]["identifier"]["value"] == "DMN0012"
    assert by_code["F5"]["valueQuantity"]["code"] == "USD"
    assert by_code["ADD"]["valueString"] == "fell from a ladder"
    assert codes(by_code["CLM05-3"]["code"]) == ["7"]


def test_the_subscriber_is_the_patient_where_no_dependent_is() -> None:
    found = mapped(one("837P", PROFESSIONAL))
    coverage = only(found, "Coverage")
    assert coverage["subscriber"] == coverage["beneficiary"]
    assert coverage["subscriberId"] == "M1"
    assert codes(coverage["relationship"]) == ["self", "18"]
    assert coverage["order"] == 1
    assert coverage["class"][0]["value"] == "GRP1"
    assert coverage["class"][0]["name"] == "GROUP NAME"
    assert codes(coverage["type"]) == ["CI"]
    assert found.patient_identifiers == (("urn:simdes:x12:payer:99999:member", "M1"),)


def test_a_dependent_is_the_patient_and_the_subscriber_a_related_person() -> None:
    found = mapped(sample("lfh/837_004010X098A1__coordination-of-benefits.837"))
    patient, coverage = only(found, "Patient"), only(found, "Coverage")
    subscriber = referred(found, coverage["subscriber"])
    assert patient["name"][0] == {"family": "SMITH", "given": ["TED"]}
    assert subscriber["resourceType"] == "RelatedPerson"
    assert subscriber["name"][0]["given"] == ["JANE"]
    assert coverage["beneficiary"] == only(found, "Claim")["patient"]
    assert codes(coverage["relationship"]) == ["child", "19"]


def test_what_another_payer_decided_is_a_claim_response_of_its_own() -> None:
    found = mapped(sample("lfh/837_005010X222A2__demo.cob.example4.837"))
    claim, response = only(found, "Claim"), only(found, "ClaimResponse")
    other = claim["insurance"][1]
    assert [one["sequence"] for one in claim["insurance"]] == [1, 2]
    assert other["focal"] is False
    assert referred(found, other["claimResponse"]) == response
    assert referred(found, response["insurer"])["name"] == "COMMERCE"
    (item,) = response["item"]
    assert item["itemSequence"] == 1
    reasons = [codes(one["reason"]) for one in item["adjudication"] if "reason" in one]
    assert reasons == [["42"], ["2"]]


def test_an_institutional_claim_has_revenue_codes_and_its_stay() -> None:
    text = (
        HEAD
        + """
        CLM*C2*89.95***13:A:1*Y*C*Y*Y
        DTP*434*RD8*20240301-20240303
        CL1*1*7*01
        HI*ABK:I2510
        HI*BBR:02703ZZ:D8:20240302
        HI*BE:80:::2
        HI*BH:11:D8:20240228
        NM1*71*1*JONES*JOHN*J***XX*1122334455
        LX*1
        SV2*0305*HC:85025*13.39*UN*1
        DTP*472*D8*20240301
        """
    )
    found = mapped(one("837I", text))
    claim = only(found, "Claim")
    assert codes(claim["type"]) == ["institutional"]
    assert claim["subType"]["coding"][0] == {
        "code": "131",
        "system": "https://www.nubc.org/CodeSystem/TypeOfBill",
    }
    assert claim["billablePeriod"] == {"start": "2024-03-01", "end": "2024-03-03"}
    assert claim["procedure"][0]["date"] == "2024-03-02"
    assert claim["procedure"][0]["procedureCodeableConcept"]["coding"][0] == {
        "code": "02703ZZ",
        "system": "http://www.cms.gov/Medicare/Coding/ICD10",
    }
    assert codes(claim["item"][0]["revenue"]) == ["0305"]
    assert "locationCodeableConcept" not in claim["item"][0]
    by_code = {code: one for one in claim["supportingInfo"] for code in codes(one["category"])}
    assert codes(by_code["discharge-status"]["code"]) == ["01"]
    assert by_code["BE"]["valueQuantity"]["value"] == Decimal(2)
    assert by_code["BH"]["timingDate"] == "2024-02-28"
    assert referred(found, claim["careTeam"][0]["provider"])["name"][0]["family"] == "JONES"
    assert unmapped(found) == []


def test_a_dental_claim_has_teeth_and_surfaces() -> None:
    text = (
        HEAD
        + """
        CLM*C3*100***11:B:1*Y*A*Y*Y
        LX*1
        SV3*AD:D2150*100****1
        TOO*JP*12*L:O
        DTP*472*D8*20240301
        """
    )
    claim = only(mapped(one("837D", text)), "Claim")
    (item,) = claim["item"]
    assert codes(claim["type"]) == ["oral"]
    assert item["productOrService"]["coding"][0]["system"] == "http://www.ada.org/cdt"
    assert codes(item["bodySite"]) == ["12"]
    assert [site["text"] for site in item["subSite"]] == ["L", "O"]


def test_several_claims_of_one_patient_stay_together() -> None:
    text = PROFESSIONAL + "CLM*C9*1***11:B:1*Y*A*Y*Y\nLX*1\nSV1*HC:99213*1*UN*1\n"
    found = mapped(one("837P", text))
    assert len(resources(found, "Claim")) == 2
    assert len(resources(found, "Coverage")) == 1


def test_patients_of_one_batch_are_parted_and_keep_what_they_share() -> None:
    second = HEAD[HEAD.index("HL*2*1*22") :].replace("HL*2*1", "HL*3*1").replace("MI*M1", "MI*M2")
    more = second.replace("DOE*JON", "ROE*JANE") + "CLM*C2*5***11:B:1*Y*A*Y*Y\nLX*1\n"
    mapping = mapped_all(one("837P", PROFESSIONAL + more))
    first, other = mapping.messages
    assert [only(one, "Patient")["name"][0]["family"] for one in (first, other)] == ["DOE", "ROE"]
    assert b"ROE" not in first.source
    assert b"DOE" not in other.source
    for one_patient in (first, other):
        assert "HOSPITAL" in [found.get("name") for found in resources(one_patient, "Organization")]


def test_the_submitter_and_receiver_are_in_a_provenance_of_the_claim() -> None:
    found = mapped(one("837P", PROFESSIONAL))
    provenance, claim = only(found, "Provenance"), only(found, "Claim")
    assert provenance["target"][0]["reference"] == f"urn:uuid:{claim['id']}"
    who = [referred(found, agent["who"]) for agent in provenance["agent"]]
    assert [one["name"] for one in who] == ["BILLING SERVICE", "PAYER"]


def test_transactions_of_one_interchange_are_messages_of_their_own() -> None:
    again = transaction("837P", PROFESSIONAL.replace("C1*", "C7*"), number="0002")
    mapping = mapped_all(interchange("837P", transaction("837P", PROFESSIONAL), again))
    claims = [only(one, "Claim") for one in mapping.messages]
    assert [claim["identifier"][0]["value"] for claim in claims] == ["C1", "C7"]
    assert claims[0]["id"] != claims[1]["id"]
    assert [message.index for message in mapping.messages] == [0, 1]
