"""Two IPFS nodes of one private swarm: what one keeps, the other one gives (docs/storage.md)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest

from simdes.errors import NotFound, Unavailable
from simdes.storage.kubo import KuboStore
from simdes.storage.layout import BLOCK_BYTES
from support.kubo import IpfsNode, swarm

pytestmark = pytest.mark.nodes

ANSWER_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Two:
    """A store on each of two nodes."""

    nodes: tuple[IpfsNode, IpfsNode]
    here: KuboStore
    there: KuboStore


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    with (
        swarm(tmp_path_factory.mktemp("peers"), 2) as [one, other],
        closing(KuboStore(one.url, timeout_seconds=ANSWER_SECONDS)) as here,
        closing(KuboStore(other.url, timeout_seconds=ANSWER_SECONDS)) as there,
    ):
        yield Two((one, other), here, there)


@pytest.mark.parametrize("size", [9, 3 * BLOCK_BYTES + 1])
def test_what_one_node_keeps_the_other_one_reads(two: Two, size: int) -> None:
    content = os.urandom(size)
    cid = two.there.put(content)
    with pytest.raises(NotFound):
        two.here.get_block_here(cid)
    assert two.here.get(cid) == content


def test_what_was_read_of_a_peer_is_not_kept_until_it_is_mended(two: Two) -> None:
    cid = two.there.put(os.urandom(1000))
    two.here.get(cid)
    with pytest.raises(NotFound):
        two.here.verify(cid)
    two.here.mend(cid)
    assert two.here.verify(cid) == 1000


def test_a_peer_that_hangs_holds_a_reader_up_for_the_time_of_an_answer(two: Two) -> None:
    cid = two.there.put(os.urandom(1000))
    two.nodes[1].freeze()
    begun = time.monotonic()
    try:
        with pytest.raises((Unavailable, NotFound)):
            two.here.get(cid)
    finally:
        two.nodes[1].freeze(False)
    assert time.monotonic() - begun < ANSWER_SECONDS + 2
