"""Files become mappings; what can't be read is quarantined with a reason, never lost or raised."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from simdes.errors import NotFound
from simdes.exchange.intake import SourceFile, map_file, source_files
from simdes.mapper import LIMITS


def reasons(path: Path) -> dict[str, str]:
    """What became of each file below a path: its reason code, "" where it was mapped."""
    mapped = [map_file(file) for file in source_files([path])]
    return {one.name: one.quarantined[0].reason_code if one.quarantined else "" for one in mapped}


def test_folders_are_read_recursively_in_a_stable_order(tmp_path: Path) -> None:
    for name in ("b/two.hl7", "a/one.hl7", "a/deep/three.hl7", "zero.hl7"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    names = [file.name for file in source_files([tmp_path])]
    assert names == ["zero.hl7", "a/one.hl7", "a/deep/three.hl7", "b/two.hl7"]


def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"missing\.hl7"):
        source_files([tmp_path / "missing.hl7"])


def test_a_link_loop_ends(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "one.hl7").write_text("x")
    assert [file.name for file in source_files([tmp_path])] == ["loop", "one.hl7"]
    loop, _ = (map_file(file) for file in source_files([tmp_path]))
    assert [one.reason_code for one in loop.quarantined] == ["not-a-file"]


def test_a_pipe_is_quarantined_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    mapping = map_file(SourceFile("pipe", tmp_path / "pipe"))
    assert [one.reason_code for one in mapping.quarantined] == ["not-a-file"]


def test_a_file_above_the_limit_is_quarantined_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.hl7"
    with path.open("wb") as file:
        file.truncate(LIMITS.file_bytes + 1)
    mapping = map_file(SourceFile("huge.hl7", path))
    assert [one.reason_code for one in mapping.quarantined] == ["file-too-large"]


def test_a_file_that_went_away_is_quarantined(tmp_path: Path) -> None:
    mapping = map_file(SourceFile("gone.hl7", tmp_path / "gone.hl7"))
    assert [one.reason_code for one in mapping.quarantined] == ["unreadable"]


def test_links_to_folders_are_told_of_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "out").symlink_to("/", target_is_directory=True)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    assert reasons(tmp_path) == dict.fromkeys(("loop", "out", "dangling"), "not-a-file")


def test_a_folder_that_cannot_be_read_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a fault in the system's call, since a test that runs as root can read everything."""
    (tmp_path / "closed").mkdir()
    (tmp_path / "empty.hl7").write_bytes(b"")
    monkeypatch.setattr(os, "scandir", _closed(os.scandir, tmp_path / "closed"))
    assert reasons(tmp_path) == {"closed": "not-a-file", "empty.hl7": "empty"}


def test_a_file_that_cannot_be_read_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closed.hl7").write_bytes(b"MSH|")
    monkeypatch.setattr(Path, "read_bytes", _closed(Path.read_bytes, tmp_path / "closed.hl7"))
    assert reasons(tmp_path) == {"closed.hl7": "unreadable"}


def _closed(call: Callable[..., Any], closed: Path) -> Callable[..., Any]:
    def refusing(path: Any = ".") -> Iterator[Any]:
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return call(path)

    return refusing


def test_files_of_one_name_keep_apart(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "one.hl7").write_text(name)
    files = source_files([tmp_path / "a/one.hl7", tmp_path / "b/one.hl7", tmp_path / "a"])
    assert [file.name for file in files] == ["one.hl7", "2/one.hl7", "3/one.hl7"]


def test_a_name_that_is_no_text_can_be_written_everywhere(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.hl7")).write_text("x")
    (file,) = source_files([tmp_path])
    assert file.name == "caf\\xe9.hl7"
    assert file.path.read_text() == "x"
