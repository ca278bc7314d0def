"""What 270, 271, 276, 277 and 834 mean."""

from decimal import Decimal

from unit.mapper.x12.samples import (
    codes,
    mapped,
    mapped_all,
    one,
    only,
    referred,
    resources,
    sample,
)


def test_an_inquiry_asks_an_insurer_for_a_service_of_a_day() -> None:
    found = mapped(sample("demo/demo.270"))
    request = only(found, "CoverageEligibilityRequest")
    assert request["servicedDate"] == "2006-05-01"
    assert codes(request["item"][0]["category"]) == ["30"]
    assert referred(found, request["insurer"])["name"] == "ABC COMPANY"
    assert referred(found, request["provider"])["name"] == "BONE AND JOINT CLINIC"
    assert request["identifier"][0] == {
        "system": "urn:simdes:x12:trace:9877281234",
        "value": "93175-012547",
    }


def test_an_answer_names_the_inquiry_and_what_each_service_type_has() -> None:
    found = mapped(sample("demo/demo.271"))
    response = only(found, "CoverageEligibilityResponse")
    asked = only(mapped(sample("demo/demo.270")), "CoverageEligibilityRequest")
    assert response["request"]["identifier"] == asked["identifier"][0]
    (insurance,) = response["insurance"]
    assert insurance["inforce"] is True
    assert insurance["benefitPeriod"] == {"start": "2006-01-01"}
    copays = [one for one in insurance["item"] if codes(one["benefit"][0]["type"]) == ["B"]]
    assert len(copays) == 20
    first = copays[0]
    assert first["benefit"][0]["allowedMoney"] == {"value": Decimal("10.00"), "currency": "USD"}
    assert codes(first["network"]) == ["in"]
    assert first["name"] == "GOLD 123 PLAN"
    assert codes(copays[-1]["network"]) == ["out"]
    doctor = next(one for one in insurance["item"] if "provider" in one)
    assert referred(found, doctor["provider"])["name"][0]["family"] == "JONES"


def test_a_rejected_inquiry_is_an_error() -> None:
    text = """
        BHT*0022*11*1*20240101*1200
        HL*1**20*1
        NM1*PR*2*PAYER*****PI*1
        HL*2*1*21*1
        NM1*1P*2*CLINIC*****XX*2
        HL*3*2*22*0
        TRN*2*T1*9999999999
        NM1*IL*1*DOE*JON****MI*M1
        AAA*N**75*C
    """
    response = only(mapped(one("271", text)), "CoverageEligibilityResponse")
    assert response["outcome"] == "error"
    assert codes(response["error"][0]["code"]) == ["75", "C"]


def test_a_status_inquiry_is_a_task_about_the_claim() -> None:
    messages = mapped_all(sample("demo/demo.276")).messages
    task = only(messages[0], "Task")
    assert task["status"] == "requested"
    assert codes(task["code"]) == ["status"]
    assert task["focus"]["identifier"]["value"] == "SM123456"
    assert task["focus"]["identifier"]["system"] == "urn:simdes:x12:provider:1666666661:claim"
    assert referred(messages[0], task["owner"])["name"] == "ABC INSURANCE"
    assert [only(one, "Patient")["gender"] for one in messages] == ["male", "female", "male"]


def test_the_answer_is_the_same_task_with_its_status_and_a_response() -> None:
    asked = mapped_all(sample("demo/demo.276")).messages[1]
    answered = mapped_all(sample("demo/demo.277")).messages[1]
    task = only(answered, "Task")
    assert task["identifier"] == only(asked, "Task")["identifier"]
    assert task["status"] == "completed"
    assert codes(task["businessStatus"]) == ["F0", "3"]
    response = referred(answered, task["output"][0]["valueReference"])
    assert response["outcome"] == "complete"
    assert response["identifier"][0]["value"] == "0529675341"
    totals = {codes(one["category"])[0]: one["amount"]["value"] for one in response["total"]}
    assert totals == {"submitted": Decimal("7599.00"), "benefit": Decimal("7599.00")}


def test_lines_of_an_answer_have_services_and_their_status() -> None:
    answered = mapped_all(sample("demo/demo.277")).messages[2]
    (line,) = only(answered, "ClaimResponse")["addItem"]
    assert codes(line["productOrService"]) == ["99203"]
    assert line["servicedDate"] == "2005-05-01"
    reasons = [codes(one["reason"]) for one in line["adjudication"] if "reason" in one]
    assert reasons == [["F2", "88", "QC"]]


def test_an_acknowledged_claim_is_named_by_its_own_number() -> None:
    text = """
        BHT*0085*08*1*20240101*1200*TH
        HL*1**20*1
        NM1*PR*2*PAYER*****PI*1
        TRN*1*B1
        DTP*050*D8*20240101
        HL*2*1*21*1
        NM1*41*2*SENDER*****46*S1
        TRN*2*BATCH1
        STC*A1:20:PR*20240101*WQ*100
        QTY*90*1
        HL*3*2*19*1
        NM1*85*2*HOSPITAL*****XX*1234567893
        HL*4*3*PT
        NM1*QC*1*DOE*JON****MI*M1
        TRN*2*C1
        STC*A7:562:85*20240101*U*100*******A3:21
        REF*1K*ICN1
    """
    found = mapped(one("277CA", text))
    response = only(found, "ClaimResponse")
    assert response["request"]["identifier"]["system"] == "urn:simdes:x12:provider:1234567893:claim"
    assert response["request"]["identifier"]["value"] == "C1"
    assert response["outcome"] == "error"
    reasons = [codes(one["reason"]) for one in response["adjudication"]]
    assert ["A3", "21"] in reasons
    batch = [task for task in resources(found, "Task") if "for" not in task]
    assert batch[0]["output"][1]["valueDecimal"] == 1


def test_a_member_has_a_coverage_for_each_kind() -> None:
    found = mapped(sample("demo/demo.834"))
    coverages = resources(found, "Coverage")
    assert [codes(one["type"]) for one in coverages] == [["HLT"], ["VIS"]]
    assert {one["subscriberId"] for one in coverages} == {"123456789"}
    assert {one["period"]["start"] for one in coverages} == {"1996-06-01"}
    assert coverages[0]["subscriber"] == coverages[0]["beneficiary"]
    assert only(found, "Patient")["birthDate"] == "1940-08-16"


def test_a_dependents_coverage_names_its_subscriber() -> None:
    coverage = only(mapped(sample("lfh/834_005010X220A1__add-dependent.834")), "Coverage")
    assert coverage["subscriber"]["identifier"]["value"] == "123456789"
    assert codes(coverage["relationship"]) == ["child", "19"]
