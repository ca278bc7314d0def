"""Where networks of tests store: a folder that they share, or the IPFS node of SIMDES_IPFS_URL."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import httpx

from simdes.storage.cid import parse
from simdes.storage.kubo import KuboStore

# Read now: an open network keeps the settings in the environment away.
NODE_URL = os.environ.get("SIMDES_IPFS_URL", "").removeprefix("ipfs:").rstrip("/")


def stores(names: Sequence[str]) -> dict[str, str]:
    """The store URL of each member; {} where they share a folder."""
    return dict.fromkeys(names, f"ipfs:{NODE_URL}") if NODE_URL else {}


def blocks(folder: Path) -> Path:
    """A folder with everything that a network in ``folder`` stored, one file a block.

    Of a node this is a copy of all that lies there, also of what others stored.
    """
    found = folder / "blocks"
    if NODE_URL:
        found.mkdir(exist_ok=True)
        with httpx.Client(base_url=f"{NODE_URL}/api/v0/", timeout=60) as node:
            for line in node.post("refs/local").raise_for_status().text.splitlines():
                _copy(node, json.loads(line)["Ref"], found)
    return found


def _copy(node: httpx.Client, cid: str, folder: Path) -> None:
    path = folder / cid
    if not path.exists():
        answer = node.post("block/get", params={"arg": cid, "offline": "true"})
        if answer.status_code == httpx.codes.OK:  # erased by another test meanwhile
            path.write_bytes(answer.content)


@contextmanager
def damaged(folder: Path, cid: str) -> Iterator[None]:
    """Let the store give other bytes than it was given under a CID."""
    if NODE_URL:
        with _damaged_answers(cid):
            yield
        return
    name = parse(cid)[1].hex()
    [path] = [one for one in (folder / "blocks").rglob(name) if one.is_file()]
    whole = path.read_bytes()
    path.write_bytes(_changed(whole))
    try:
        yield
    finally:
        path.write_bytes(whole)


@contextmanager
def _damaged_answers(cid: str) -> Iterator[None]:
    """A node hashes what it is given: only its disk, or what stands between, can be changed."""
    call = KuboStore._call

    def changed(self: KuboStore, verb: str, query: Any, **more: Any) -> bytes:
        answer = call(self, verb, query, **more)
        return _changed(answer) if verb == "block/get" and query["arg"] == cid else answer

    with mock.patch.object(KuboStore, "_call", changed):
        yield


def _changed(block: bytes) -> bytes:
    return bytes([block[0] ^ 1]) + block[1:]
