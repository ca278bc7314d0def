"""What people type as ids is read, or refused with what an id looks like."""

from __future__ import annotations

import pytest

from simdes.commands.common import id_of
from simdes.errors import Invalid

ID = bytes(range(32))


@pytest.mark.parametrize("text", [ID.hex(), f"0x{ID.hex()}", f"0x{ID.hex().upper()}"])
def test_an_id_is_read_however_it_is_copied(text: str) -> None:
    assert id_of(text, "a vault's tag") == ID


@pytest.mark.parametrize(
    "text", ["", "0x", "north", ID.hex()[:-1], ID.hex() + "00", "zz" * 32, f"0x0x{ID.hex()[:-2]}"]
)
def test_anything_else_is_refused_by_what_it_should_have_been(text: str) -> None:
    with pytest.raises(Invalid, match="is not a vault's tag: 0x and 64 hexadecimal digits"):
        id_of(text, "a vault's tag")
