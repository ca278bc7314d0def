"""Which store a URL names."""

from __future__ import annotations

from pathlib import Path

import pytest

from simdes.errors import Invalid, Unavailable
from simdes.storage.file import FileStore
from simdes.storage.kubo import KuboStore
from simdes.storage.store import open_store


def test_a_url_names_a_folder_or_a_node(tmp_path: Path) -> None:
    assert isinstance(open_store(f"file:{tmp_path / 'blocks'}"), FileStore)
    node = open_store("ipfs:http://127.0.0.1:5001")
    assert isinstance(node, KuboStore)
    node.close()


@pytest.mark.parametrize("url", ["", "file:", "ipfs:", "ipfs:127.0.0.1:5001", "s3:bucket", "/x"])
def test_any_other_url_is_refused_with_advice(url: str) -> None:
    with pytest.raises(Invalid) as refusal:
        open_store(url)
    assert "file:" in refusal.value.advice


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(Unavailable):
        open_store(f"file:{tmp_path / 'taken' / 'blocks'}")
