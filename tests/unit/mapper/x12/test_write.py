"""What is written as 835, 271 and 277 is read back as it was."""

from typing import Any

import pytest

from simdes.errors import Invalid
from simdes.mapper.x12.compose import Envelope, TransactionSet, interchange, segment
from simdes.mapper.x12.write_eligibility import eligibility
from simdes.mapper.x12.write_remittance import remittance
from simdes.mapper.x12.write_status import status
from unit.mapper.x12.samples import mapped, mapped_all, one, only, sample
from unit.mapper.x12.test_remittance import CLAIM, HEAD

ENVELOPE = Envelope(
    sender=("ZZ", "PAYER"),
    receiver=("30", "12345"),
    day="20240102",
    time="0304",
    interchange=17,
    group=3,
    transaction=2,
)
WRITERS = {"835": remittance, "271": eligibility, "277": status}
NAMES = [
    "demo/demo.271",
    "demo/demo.277",
    "demo/demo.835",
    "lfh/835_005010X221A1__cob-contractural-adjustment.835",
    "lfh/835_005010X221A1__managed-care.835",
    "lfh/835_005010X221A1__secondary-payment.835",
]
MAIN = ("ExplanationOfBenefit", "CoverageEligibilityResponse", "ClaimResponse", "Coverage")


def plain(value: Any) -> Any:
    """Leave out what a second reading names anew, and what no element of X12 carries."""
    if isinstance(value, dict):
        left = ("id", "reference", "created", "lastModified")
        return {
            name: plain(part)
            for name, part in value.items()
            if name not in left and not (name == "extension" and "unmapped" in str(part))
        }
    return [plain(part) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", NAMES)
def test_samples_are_read_back_as_they_were(name: str) -> None:
    writer = WRITERS[name.rpartition(".")[2]]
    for message in mapped_all(sample(name)).messages:
        again = mapped(writer(message.bundle, ENVELOPE))
        assert [note.path for note in again.dropped if note.path.startswith(("SE", "GE"))] == []
        for kind in MAIN:
            before = [one["resource"] for one in message.bundle["entry"]]
            after = [one["resource"] for one in again.bundle["entry"]]
            assert [plain(one) for one in after if one["resourceType"] == kind] == [
                plain(one) for one in before if one["resourceType"] == kind
            ]


def test_a_payment_is_read_back_with_its_details_and_adjustments() -> None:
    text = HEAD + CLAIM + "PLB*1234567893*20241231*WO:ICN9*30.00\n"
    found = mapped(one("835", text))
    again = mapped(remittance(found.bundle, ENVELOPE))
    for kind in ("PaymentReconciliation", "ExplanationOfBenefit"):
        assert plain(only(again, kind)) == plain(only(found, kind))
    assert again.patient_identifiers == found.patient_identifiers


def test_a_task_is_read_back_with_its_status() -> None:
    found = mapped_all(sample("demo/demo.277")).messages[0]
    again = mapped(status(found.bundle, ENVELOPE))
    before, after = only(found, "Task"), only(again, "Task")
    for name in ("identifier", "businessStatus", "focus", "status"):
        assert after[name] == before[name]


def test_the_envelope_is_the_callers() -> None:
    found = mapped(one("835", HEAD + CLAIM))
    written = remittance(found.bundle, ENVELOPE)
    assert written == remittance(found.bundle, ENVELOPE)
    assert written[:106].endswith(b"*240102*0304*^*00501*000000017*0*P*:~")
    assert b"~GS*HP*PAYER*12345*20240102*0304*3*X*005010X221A1~ST*835*0002*" in written
    assert written.endswith(b"*0002~GE*1*3~IEA*1*000000017~")


def test_a_delimiter_in_a_text_does_no_harm() -> None:
    assert segment("NTE", "ADD", "a*b~c:d^e\n") == "NTE*ADD*a b c d e"
    assert segment("SVC", ["HC", "1", "", ""], None, "", 3, "") == "SVC*HC:1***3"


@pytest.mark.parametrize("writer", WRITERS.values())
def test_a_bundle_without_what_is_written_is_refused(writer: Any) -> None:
    with pytest.raises(Invalid):
        writer({"resourceType": "Bundle", "entry": []}, ENVELOPE)


def test_names_and_numbers_that_do_not_fit_are_refused() -> None:
    parts = {"day": "20240102", "time": "0304", "group": 1, "transaction": 1}
    for number, name in ((0, "A"), (10**9, "A"), (1, ""), (1, "A" * 16)):
        wrong = Envelope(sender=("ZZ", name), receiver=("ZZ", "B"), interchange=number, **parts)  # type: ignore[arg-type]
        with pytest.raises(Invalid):
            interchange(wrong, TransactionSet("835", "HP", "x"), [[]])
