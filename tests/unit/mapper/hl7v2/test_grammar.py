"""Grouping segments by their message's structure."""

from simdes.mapper.hl7v2.grammar import Walk
from simdes.mapper.hl7v2.tables import hl7v2


def walk(structure: str, segments: str) -> list[str]:
    """Name the frame of each segment: equal letters, equal frame; ``-`` for no place."""
    steps = Walk(hl7v2().structures[structure])
    frames: list[object] = []
    names = []
    for name in segments.split():
        item = steps.place(name)
        if item is None:
            names.append("-")
            continue
        if steps.frame not in frames:
            frames.append(steps.frame)
        names.append("abcdefghij"[frames.index(steps.frame)])
    return names


def test_each_obx_is_a_group_of_its_own_and_keeps_its_notes() -> None:
    found = walk("ORU_R01", "MSH PID PV1 ORC OBR NTE OBX NTE NTE OBX NTE")
    assert found == list("abb") + list("ccc") + list("ddd") + list("ee")


def test_each_order_is_a_group_of_its_own() -> None:
    assert walk("ORU_R01", "MSH PID OBR OBX OBR OBX") == ["a", "b", "c", "d", "e", "f"]
    assert walk("ORU_R01", "MSH PID ORC OBR OBX ORC OBR") == ["a", "b", "c", "c", "d", "e", "e"]


def test_a_second_pid_begins_a_second_patient() -> None:
    assert walk("ORU_R01", "MSH PID OBR OBX PID OBR") == ["a", "b", "c", "d", "e", "f"]


def test_specimens_and_their_observations() -> None:
    found = walk("ORU_R01", "MSH PID OBR OBX SPM OBX SPM")
    assert found == ["a", "b", "c", "d", "e", "f", "g"]


def test_missing_groups_are_forgiven() -> None:
    assert walk("ORU_R01", "MSH OBX") == ["a", "b"]
    assert walk("ORU_R01", "MSH SPM") == ["a", "b"]
    assert walk("ADT_A01", "MSH PV1") == ["a", "a"]


def test_segments_out_of_order_find_their_place() -> None:
    assert walk("ADT_A01", "MSH PID PV1 AL1 DG1 OBX OBX IN1 IN2") == list("aaaaabcdd")
    assert walk("ADT_A01", "PV1 PID EVN") == ["a", "a", "a"]


def test_segments_the_structure_does_not_have_get_no_place() -> None:
    assert walk("ADT_A01", "MSH PID ZZZ NTE PV1") == ["a", "a", "-", "-", "a"]
