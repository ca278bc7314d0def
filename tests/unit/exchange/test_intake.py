"""Nothing that a path names is lost on the way in, whatever it turns out to be."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from simdes.errors import NotFound
from simdes.exchange import intake


def reasons(path: Path) -> dict[str, str]:
    """What became of each file below a path: its reason code, "" where it was mapped."""
    mapped = [intake.map_file(file) for file in intake.source_files([path])]
    return {one.name: one.quarantined[0].reason_code if one.quarantined else "" for one in mapped}


def test_files_come_in_a_stable_order_named_below_what_was_asked_for(tmp_path: Path) -> None:
    for name in ("b/2.hl7", "b/1.hl7", "a/3.hl7", "0.hl7"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    names = [file.name for file in intake.source_files([tmp_path, tmp_path / "0.hl7"])]
    assert names == ["0.hl7", "a/3.hl7", "b/1.hl7", "b/2.hl7", "0.hl7"]


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


def test_a_path_that_does_not_exist_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        intake.source_files([tmp_path, tmp_path / "nothing"])
