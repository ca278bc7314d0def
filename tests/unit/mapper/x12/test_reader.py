"""Interchanges are taken apart by the signs they name; what is not whole is put aside."""

import pytest

from simdes.mapper.x12.reader import Fault, Transaction, header, read
from unit.mapper.x12.samples import interchange, sample, transaction

ISA = (
    b"ISA*00*          *00*          *ZZ*A              *ZZ*B              "
    b"*240102*0304*^*00501*000000001*0*P*:~"
)
SET = b"GS*HS*A*B*20240102*0304*7*X*005010X279A1~ST*270*1~BHT*0022*13*1*20240101*1200~SE*3*1~"
END = b"GE*1*7~IEA*1*000000001~"


def only(data: bytes) -> Transaction:
    (found,) = read(data)
    assert isinstance(found, Transaction)
    return found


def notes(data: bytes) -> list[str]:
    return [note.path for note in only(data).problems()]


def test_a_whole_interchange_has_nothing_to_tell() -> None:
    assert notes(ISA + SET + END) == []
    assert [segment.name for segment in only(ISA + SET + END).segments] == ["ST", "BHT", "SE"]


@pytest.mark.parametrize("end", [b"~\n", b"~\r\n", b"\n", b"\x1c", b"'"])
def test_segments_end_as_the_header_says(end: bytes) -> None:
    found = only((ISA + SET + END).replace(b"~", end))
    assert [segment.name for segment in found.segments] == ["ST", "BHT", "SE"]
    assert found.version == "005010X279A1"


def test_elements_components_and_repetitions_part_as_the_header_says() -> None:
    data = (ISA + SET + END).replace(b"*", b"|").replace(b"^", b"!").replace(b":~", b">~")
    signs = only(data).group.interchange.delimiters
    assert signs == ("|", "!", ">", "~")


def test_before_00402_nothing_repeats() -> None:
    data = ISA.replace(b"*^*00501*", b"*U*00401*") + SET + END
    assert only(data).group.interchange.delimiters.repetition == ""


def test_a_header_that_is_not_padded_is_read() -> None:
    assert header(b"ISA*00**00**ZZ*A*ZZ*B*240102*0304*^*00501*1*0*P*:~", 0) is not None


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ((b"SE*3*1", b"SE*9*1"), "SE/SE01"),
        ((b"SE*3*1", b"SE*3*2"), "SE/SE02"),
        ((b"GE*1*7", b"GE*2*7"), "GE/GE01"),
        ((b"GE*1*7", b"GE*1*8"), "GE/GE02"),
        ((b"IEA*1*", b"IEA*3*"), "IEA/IEA01"),
        ((b"IEA*1*000000001", b"IEA*1*000000002"), "IEA/IEA02"),
        ((b"GE*1*7~", b""), "GE"),
        ((b"IEA*1*000000001~", b""), "IEA"),
        ((b"GS*HS*A*B*20240102*0304*7*X*005010X279A1~", b""), "GS"),
    ],
)
def test_wrong_counts_and_numbers_are_told_and_mapped(
    wrong: tuple[bytes, bytes], path: str
) -> None:
    assert path in notes((ISA + SET + END).replace(*wrong))


@pytest.mark.parametrize(
    "data",
    [ISA + SET[:-7], ISA + SET[:-7] + END, ISA + SET[:-7] + SET[41:] + END],
)
def test_a_transaction_without_trailer_is_put_aside(data: bytes) -> None:
    faults = [one for one in read(data) if isinstance(one, Fault)]
    assert [one.code for one in faults] == ["truncated"]
    assert b"BHT*0022" in faults[0].source


def test_a_broken_transaction_costs_no_other() -> None:
    whole = transaction("270", "BHT*0022*13*1*20240101*1200", number="0002").encode()
    found = read(ISA + SET[:-7] + whole + END)
    assert [type(one) for one in found] == [Fault, Transaction]


def test_several_interchanges_may_follow_one_another_with_other_signs() -> None:
    second = (ISA + SET + END).replace(b"*", b"|").replace(b"~", b"\n")
    found = read(ISA + SET + END + b"\r\n" + second)
    assert [one.name for one in found if isinstance(one, Transaction)] == ["270", "270"]


def test_what_stands_outside_is_put_aside() -> None:
    found = read(ISA + SET + END + b"rubbish that nobody sent")
    assert isinstance(found[1], Fault)
    assert found[1].source == b"rubbish that nobody sent"


@pytest.mark.parametrize("data", [b"ISA*00*", b"ISA" + b"A" * 200, b"ISA*" * 50, ISA[:-1], b"ISA~"])
def test_a_header_that_can_not_be_read_is_put_aside(data: bytes) -> None:
    (fault,) = read(data)
    assert isinstance(fault, Fault)
    assert fault.code == "invalid-x12"


def test_binary_data_may_hold_any_sign() -> None:
    data = b"~*SE*3*1~\x00\xff"
    made = interchange("270", "ST*270*1~BIN*11*@~SE*3*1~").replace(b"@", data)
    found = only(made)
    assert [segment.name for segment in found.segments] == ["ST", "BIN", "SE"]
    assert found.segments[1].elements[2] == data.decode("latin-1")


@pytest.mark.parametrize("length", [b"x", b"999999999999", b"-1", b""])
def test_binary_data_with_a_wrong_length_ends_as_other_segments(length: bytes) -> None:
    made = interchange("270", "ST*270*1~BIN*@*abc~SE*3*1~").replace(b"@", length)
    assert [segment.name for segment in only(made).segments] == ["ST", "BIN", "SE"]


def test_text_in_another_encoding_is_read() -> None:
    data = (ISA + SET + END).replace(b"*1200~", b"*1200*M\xfcller~")
    assert only(data).segments[1].elements[-1] == "M\xfcller"


def test_the_samples_are_read_whole() -> None:
    assert only(sample("demo/demo.835")).name == "835"
