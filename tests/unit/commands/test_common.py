"""What people type as ids is read, or refused with what an id looks like; new files are new."""

from __future__ import annotations

from pathlib import Path

import pytest

from simdes.commands.common import id_of, write_new
from simdes.errors import Conflict, Invalid, NotFound

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


def test_a_new_file_is_its_owners_and_goes_over_nothing_and_through_no_link(tmp_path: Path) -> None:
    new, link = tmp_path / "new", tmp_path / "link"
    write_new(new, b"kept")
    assert (new.read_bytes(), new.stat().st_mode & 0o777) == (b"kept", 0o600)
    link.symlink_to(tmp_path / "nowhere")
    for taken in (new, link, tmp_path):
        with pytest.raises(Conflict, match="exists already"):
            write_new(taken, b"other")
    with pytest.raises(NotFound, match="can't be written"):
        write_new(tmp_path / "missing" / "new", b"other")
    assert (new.read_bytes(), sorted(tmp_path.iterdir())) == (b"kept", [link, new])
