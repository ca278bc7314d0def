"""One suite for every content store: a folder, a scripted Kubo, and a real Kubo.

The real one is a node of a private swarm that the suite starts (`make kubo` builds it), or the one
whose RPC address SIMDES_IPFS_URL names (for example ``http://127.0.0.1:5001``); name a node of your
own, the suite stores and deletes blocks on it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.kubo_rpc import Node, running_node
from simdes.errors import Invalid, NotFound, SimdesError, Tampered, TooLarge, Unavailable
from simdes.storage.cid import DAG_CBOR, cid_of, cid_of_digest, digest_of_cid, parse
from simdes.storage.layout import BLOCK_BYTES
from simdes.storage.store import Store, open_store
from support import kubo

NODE_URL = os.environ.get("SIMDES_IPFS_URL", "").removeprefix("ipfs:")
REAL = pytest.param("kubo", marks=[] if NODE_URL else pytest.mark.nodes)
STORES = ["file", "scripted kubo", REAL]
SIZES = [0, 1, 1000, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES + 5]


@pytest.fixture(scope="module")
def node_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The RPC address of a real node that has a peer."""
    if NODE_URL:
        yield NODE_URL
        return
    with kubo.swarm(tmp_path_factory.mktemp("swarm"), 2) as nodes:
        yield nodes[0].url


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Each store in turn, with a short time-out."""
    if request.param == "scripted kubo":
        with running_node() as node:
            opened = open_store(f"ipfs:{node.url}", timeout_seconds=2)
            yield opened
            opened.close()
        return
    real = request.param == "kubo"
    url = f"ipfs:{request.getfixturevalue('node_url')}" if real else f"file:{tmp_path / 'blocks'}"
    opened = open_store(url, timeout_seconds=2)
    yield opened
    opened.close()


@pytest.mark.parametrize("size", SIZES)
def test_content_of_any_size_comes_back(store: Store, size: int) -> None:
    content = os.urandom(size)
    cid = store.put(content)
    assert store.get(cid) == content
    assert b"".join(store.get_chunks(cid)) == content
    assert store.has(cid)


def test_every_store_gives_the_cid_that_the_bytes_have(store: Store) -> None:
    assert store.put(b"hello world") == (
        "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"
    )
    large = bytes(range(256)) * 8192
    assert store.put(large) == "bafyreidnkqxjrdp6ljxqn7cswwcn4h6wjfyqw72kxbtsik4r42532fl4ai"
    assert parse(store.put(large))[0] == DAG_CBOR


def test_a_stream_is_stored_as_the_whole_would_be(store: Store) -> None:
    content = os.urandom(2 * BLOCK_BYTES + 77)
    pieces = (content[at : at + 65_536] for at in range(0, len(content), 65_536))
    assert store.put(pieces) == store.put(content)


def test_many_contents_are_stored_in_order(store: Store) -> None:
    contents = [os.urandom(size) for size in (10, BLOCK_BYTES + 1, 0, 10)]
    contents.append(contents[0])
    cids = store.put_many(contents)
    assert [store.get(cid) for cid in cids] == contents
    assert store.put_many([]) == []


def test_storing_twice_changes_nothing(store: Store) -> None:
    content = os.urandom(100)
    assert store.put(content) == store.put(content)
    assert store.get(cid_of(content)) == content


def test_content_is_found_by_the_digest_on_chain(store: Store) -> None:
    terms = os.urandom(500)
    digest = digest_of_cid(store.put(terms))
    assert store.get(cid_of_digest(digest)) == terms


def test_what_is_not_there_is_not_found_in_bounded_time(store: Store) -> None:
    absent = cid_of(os.urandom(32))
    assert not store.has(absent)
    with pytest.raises((NotFound, Unavailable)):  # a node asks its peers until the time-out
        store.get(absent)
    with pytest.raises((NotFound, Unavailable)):
        list(store.get_chunks(absent))


@pytest.mark.parametrize("size", [100, 2 * BLOCK_BYTES + 1])
def test_deleted_content_is_gone_and_deleting_again_is_harmless(store: Store, size: int) -> None:
    content, other = os.urandom(size), os.urandom(50)
    cid, kept = store.put(content), store.put(other)
    store.delete(cid)
    assert not store.has(cid)
    assert not store.has(cid_of(content[:BLOCK_BYTES]))
    store.delete(cid)
    assert store.get(kept) == other
    assert store.put(content) == cid
    assert store.get(cid) == content


@pytest.mark.parametrize("size", [0, 100, 2 * BLOCK_BYTES + 1])
def test_what_is_kept_verifies_and_what_is_gone_does_not(store: Store, size: int) -> None:
    content = os.urandom(size)
    cid = store.put(content)
    assert store.verify(cid) == size
    store.delete(cid)
    with pytest.raises(NotFound):
        store.verify(cid)


def test_a_store_is_asked_for_its_own_blocks_alone_without_waiting(store: Store) -> None:
    cid = store.put(b"a sealed record")
    assert store.get_block_here(cid) == b"a sealed record"
    begun = time.monotonic()
    with pytest.raises(NotFound):
        store.get_block_here(cid_of(os.urandom(32)))
    assert time.monotonic() - begun < 1


@pytest.mark.parametrize("cid", ["", "../../etc/passwd", "bafk", "Qm" + "a" * 44])
def test_no_verb_takes_a_text_that_is_no_cid(store: Store, cid: str) -> None:
    with pytest.raises(Invalid):
        store.get(cid)
    with pytest.raises(Invalid):
        list(store.get_chunks(cid))
    with pytest.raises(Invalid):
        store.has(cid)
    with pytest.raises(Invalid):
        store.delete(cid)


def test_a_root_of_another_layout_is_refused(store: Store) -> None:
    put_block = store.put_block  # type: ignore[attr-defined]
    cid = put_block(DAG_CBOR, b"\xa1\x61a\x01")
    with pytest.raises(Tampered):
        store.get(cid)
    store.delete(cid)
    assert not store.has(cid)


def test_large_content_is_refused_where_it_would_not_fit(store: Store) -> None:
    cid = store.put(os.urandom(BLOCK_BYTES + 1))
    with pytest.raises(TooLarge):
        store.get(cid, most_bytes=BLOCK_BYTES)


def test_threads_share_a_store(store: Store) -> None:
    contents = [os.urandom(1000) for _ in range(40)]
    failures: list[Exception] = []

    def work(mine: list[bytes]) -> None:
        try:
            for content in mine:
                assert store.get(store.put(content)) == content
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(contents[at::4],)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


# --- A node that misbehaves: only a scripted one can be made to -------------------------------


@pytest.fixture
def node() -> Iterator[Node]:
    """A scripted node."""
    with running_node() as running:
        yield running


def test_a_node_that_changes_bytes_is_found_out(node: Node) -> None:
    store = open_store(f"ipfs:{node.url}")
    cid = store.put(b"a sealed record")
    node.mischief = "other bytes"
    with pytest.raises(Tampered):
        store.get(cid)
    with pytest.raises(Tampered):
        store.put(b"another sealed record")


def test_what_nothing_pins_does_not_verify(node: Node) -> None:
    store = open_store(f"ipfs:{node.url}")
    cid = store.put(b"a sealed record")
    node.pins.clear()  # somebody unpinned it: the node's next collection takes it
    with pytest.raises(NotFound):
        store.verify(cid)


def test_a_node_that_trickles_is_left_in_time(node: Node) -> None:
    store = open_store(f"ipfs:{node.url}", timeout_seconds=0.3)
    cid = store.put(bytes(10_000))
    node.mischief = "trickle"
    begun = time.monotonic()
    with pytest.raises(Unavailable):
        store.get(cid)
    assert time.monotonic() - begun < 3


def test_a_node_that_floods_is_cut_off(node: Node) -> None:
    store = open_store(f"ipfs:{node.url}")
    cid = store.put(b"a sealed record")
    node.mischief = "flood"
    with pytest.raises(Tampered):
        store.get(cid)


@pytest.mark.parametrize("mischief", ["slow", "nonsense", "busy", "redirect"])
def test_a_node_that_does_not_answer_properly_is_unavailable(node: Node, mischief: str) -> None:
    store = open_store(f"ipfs:{node.url}", timeout_seconds=0.2)
    cid = store.put(b"a sealed record")
    node.mischief = mischief
    with pytest.raises(Unavailable):
        store.put(b"another sealed record")
    if mischief != "nonsense":
        with pytest.raises(Unavailable):
            store.get(cid)


def test_a_node_that_is_down_is_unavailable_with_advice() -> None:
    store = open_store("ipfs:http://127.0.0.1:9")
    with pytest.raises(Unavailable) as refusal:
        store.put(b"a sealed record")
    assert "Kubo" in refusal.value.advice


def test_every_call_tells_the_node_when_to_give_up(node: Node) -> None:
    store = open_store(f"ipfs:{node.url}", timeout_seconds=3)
    cid = store.put(b"a sealed record")
    store.get(cid)
    store.has(cid)
    store.delete(cid)
    store.verify(store.put(b"another"))
    assert len(node.queries) == 9
    assert {query["timeout"] for query in node.queries} == {"3000ms"}


def test_errors_hold_no_content(node: Node) -> None:
    store = open_store(f"ipfs:{node.url}")
    node.mischief = "other bytes"
    with pytest.raises(SimdesError) as refusal:
        store.put(b"Jane Doe, 1970-01-01")
    assert "Jane" not in str(refusal.value)
