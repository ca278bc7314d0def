"""Packed input is mapped as what it holds, and a bomb is refused."""

import gzip

import pytest

from simdes.errors import TooLarge
from simdes.mapper import Limits, map_bytes
from simdes.mapper.refusal import Unreadable
from simdes.mapper.unpacking import unpacked

MESSAGE = b"MSH|^~\\&|A|B|||20240101||ADT^A01|1|P|2.5\rEVN|A01\rPID|1||7^^^H^MR||Doe^Ann\rPV1|1|I\r"


def test_a_packed_message_is_mapped_like_the_message() -> None:
    packed = map_bytes("feed.hl7.gz", gzip.compress(MESSAGE))
    plain = map_bytes("feed.hl7", MESSAGE)
    assert packed.messages == plain.messages
    assert packed.name == "feed.hl7.gz"
    assert packed.messages[0].source == MESSAGE.rstrip()


def test_several_members_are_one_input() -> None:
    data = gzip.compress(b"one ") + gzip.compress(b"two") + b"\0" * 10
    assert unpacked(data, limit_bytes=100) == b"one two"


def test_a_bomb_is_refused_without_being_unpacked() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    with pytest.raises(TooLarge):
        unpacked(bomb, limit_bytes=1_000_000)
    mapping = map_bytes("x.gz", bomb, limits=Limits(file_bytes=1_000_000))
    assert [one.reason_code for one in mapping.quarantined] == ["too-large"]
    assert mapping.quarantined[0].source == bomb


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x1f\x8b", id="the mark alone"),
        pytest.param(b"\x1f\x8bxyz", id="no gzip"),
        pytest.param(gzip.compress(MESSAGE)[:-9], id="cut off"),
        pytest.param(gzip.compress(b"a")[:12], id="cut off early"),
    ],
)
def test_a_damaged_one_is_quarantined_as_it_came(data: bytes) -> None:
    with pytest.raises(Unreadable):
        unpacked(data, limit_bytes=1_000)
    (refused,) = map_bytes("x.gz", data).quarantined
    assert refused.reason_code == "damaged-archive"
    assert refused.source == data


def test_a_gzip_in_a_gzip_is_not_followed() -> None:
    mapping = map_bytes("x.gz.gz", gzip.compress(gzip.compress(MESSAGE)))
    assert mapping.messages == ()
    assert len(mapping.quarantined) == 1
