"""What an 835 means: what was paid of which claim, why not more, and by which payment."""

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
    unmapped,
)
from unit.mapper.x12.test_claims import PROFESSIONAL

HEAD = """
    BPR*I*945.00*C*ACH*CCP*01*888999777*DA*24681012*1935665544**01*111333555*DA*144444*20240316
    TRN*1*7170066655*1935665544
    DTM*405*20240314
    N1*PR*RUSHMORE LIFE*XV*99999
    N1*PE*HOSPITAL*XX*1234567893
    LX*1
"""
CLAIM = """
    CLP*C1*1*150.50*80.00*20.00*12*ICN1*11*1
    CAS*CO*45*50.50
    NM1*QC*1*DOE*JON****MI*M1
    MOA***MA01
    DTM*232*20240102
    SVC*HC:99213:25*100.50*80**1
    DTM*472*20240102
    CAS*PR*1*15**2*5.50*1
    REF*6R*LINE1
    AMT*B6*100
    LQ*HE*N59
"""
OTHER = "CLP*C8*4*10*0**12*ICN8\nNM1*QC*1*ROE*JANE****MI*M2\n"


def test_a_claim_paid_is_an_explanation_of_benefit_of_the_claim() -> None:
    found = mapped(one("835", HEAD + CLAIM))
    benefit = only(found, "ExplanationOfBenefit")
    claim = only(mapped(one("837P", PROFESSIONAL)), "Claim")
    named = benefit["claim"]["identifier"]
    assert (named["system"], named["value"]) == (
        claim["identifier"][0]["system"],
        claim["identifier"][0]["value"],
    )
    assert benefit["identifier"][0]["value"] == "ICN1"
    assert benefit["disposition"] == "processed as primary"
    assert benefit["billablePeriod"] == {"start": "2024-01-02"}
    assert benefit["payment"]["date"] == "2024-03-16"
    totals = {codes(one["category"])[0]: one["amount"]["value"] for one in benefit["total"]}
    assert totals == {
        "submitted": Decimal("150.50"),
        "benefit": Decimal("80.00"),
        "memberliability": Decimal("20.00"),
    }
    assert unmapped(found) == []


def test_adjustments_keep_group_reason_amount_and_quantity() -> None:
    benefit = only(mapped(one("835", HEAD + CLAIM)), "ExplanationOfBenefit")
    first, remark = benefit["adjudication"]
    assert codes(first["category"]) == ["CO"]
    assert codes(first["reason"]) == ["45"]
    assert first["amount"] == {"value": Decimal("50.50"), "currency": "USD"}
    assert codes(remark["reason"]) == ["MA01"]
    line = benefit["item"][0]["adjudication"]
    patients = [one for one in line if codes(one["category"]) == ["PR"]]
    assert [codes(one["reason"]) for one in patients] == [["1"], ["2"]]
    assert patients[1]["value"] == Decimal(1)
    systems = {one["reason"]["coding"][0]["system"] for one in patients}
    assert systems == {"https://x12.org/codes/claim-adjustment-reason-codes"}
    assert ["N59"] in [codes(one["reason"]) for one in line if "reason" in one]


def test_a_line_says_its_service_its_charge_what_is_allowed_and_paid() -> None:
    (item,) = only(mapped(one("835", HEAD + CLAIM)), "ExplanationOfBenefit")["item"]
    assert codes(item["productOrService"]) == ["99213"]
    assert codes(item["modifier"]) == ["25"]
    amounts = {
        code: one["amount"]["value"]
        for one in item["adjudication"]
        for code in codes(one["category"])
        if "reason" not in one
    }
    assert amounts == {"submitted": Decimal("100.50"), "benefit": 80, "eligible": 100}


def test_the_payment_has_a_detail_for_each_claim_of_the_patient() -> None:
    found = mapped(one("835", HEAD + CLAIM))
    payment, benefit = only(found, "PaymentReconciliation"), only(found, "ExplanationOfBenefit")
    assert payment["paymentAmount"] == {"value": Decimal("945.00"), "currency": "USD"}
    assert payment["paymentDate"] == "2024-03-16"
    assert payment["paymentIdentifier"]["value"] == "7170066655"
    assert referred(found, payment["paymentIssuer"])["name"] == "RUSHMORE LIFE"
    (detail,) = payment["detail"]
    assert referred(found, detail["response"]) == benefit
    assert detail["request"]["identifier"]["value"] == "C1"
    assert detail["amount"]["value"] == Decimal("80.00")


def test_patients_see_their_own_part_of_a_payment_alone() -> None:
    first, second = mapped_all(one("835", HEAD + CLAIM + OTHER)).messages
    assert b"ROE" not in first.source
    assert b"DOE" not in second.source
    payments = [only(part, "PaymentReconciliation") for part in (first, second)]
    assert payments[0]["id"] != payments[1]["id"]
    assert payments[0]["identifier"] == payments[1]["identifier"]
    assert [len(payment["detail"]) for payment in payments] == [1, 1]


def test_adjustments_of_the_provider_are_taken_off() -> None:
    text = HEAD + CLAIM + "PLB*1234567893*20241231*WO:ICN9*30.00*CS:X*-1.27\n"
    payment = only(mapped(one("835", text)), "PaymentReconciliation")
    taken = payment["detail"][1:]
    assert [one["amount"]["value"] for one in taken] == [Decimal("-30.00"), Decimal("1.27")]
    assert [codes(one["type"]) for one in taken] == [["WO"], ["CS"]]


def test_a_reversal_is_cancelled_and_beside_what_replaces_it() -> None:
    text = HEAD + CLAIM.replace("CLP*C1*1*", "CLP*C1*22*") + CLAIM
    both = resources(mapped(one("835", text)), "ExplanationOfBenefit")
    assert [benefit["status"] for benefit in both] == ["cancelled", "active"]
    assert both[0]["id"] != both[1]["id"]


def test_amounts_keep_their_precision_and_sign() -> None:
    found = mapped(sample("lfh/835_005010X221A1__cob-contractural-adjustment.835"))
    line = only(found, "ExplanationOfBenefit")["item"][0]["adjudication"]
    amounts = [str(one["amount"]["value"]) for one in line if "reason" in one]
    assert amounts == ["516.00", "-9.00"]
