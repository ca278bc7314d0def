"""Three organisations with an IPFS node each, and what goes wrong with one of the nodes.

Kubo and toxiproxy are real processes. While a node is killed, hung, cut, slow, resetting or empty,
doctors go on reading what was acknowledged, whoever's node it is, and feeds go on being taken; no
call takes above ten seconds. Half a minute after the fault's end everything is anchored and every
content has all its copies (docs/storage.md).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import pytest

from simdes.access.consent import Grantee
from simdes.exchange import anchoring, consents, retrieve, worker
from simdes.exchange.storekeeping import Options, Storekeeper
from simdes.exchange.submit import Accepted
from simdes.index import storekeeping
from support import consortium
from support.bundles import bundle
from support.consortium import Consortium
from support.kubo import IpfsNode, swarm
from support.toxiproxy import Proxy, proxies

pytestmark = pytest.mark.nodes

NAMES = ("north", "south", "east")
CALL_SECONDS = 10
RECOVERY_SECONDS = 30
FAULT_SECONDS = 6


@dataclass(slots=True)
class Stage:
    """The network, its nodes and the way to them; north writes, south's doctor reads."""

    network: Consortium
    nodes: dict[str, IpfsNode]
    ways: dict[str, Proxy]
    vault: bytes
    slowest: float = 0.0
    acknowledged: list[str] = field(default_factory=list)

    def timed(self, act: Callable[[], object]) -> None:
        begun = time.monotonic()
        act()
        self.slowest = max(self.slowest, time.monotonic() - begun)

    def read(self) -> None:
        """Dr. Lee reads Ada's records at south, which keeps no copy of them."""
        south = self.network["south"].node
        south.database.write(lambda tx: tx.run("DELETE FROM remote_copy"))
        doctor = self.network.session("south", "dr.lee")
        found = retrieve.retrieve(south, doctor, vault=self.vault)
        assert "Observation" in {one.type for one in found.resources}

    def feed(self) -> None:
        """A message comes to north, and is acknowledged."""
        name = f"message-{len(self.acknowledged)}"
        [answer] = self.network.submit("north", f"{name}.json", bundle(name))
        assert isinstance(answer, Accepted)
        self.acknowledged.append(name)

    def missing(self) -> list[str]:
        """What keeps all that was acknowledged from being anchored, with all its copies."""
        found = []
        if not anchoring.everything_anchored(self.network["north"].node):
            found.append("north has resources that are not anchored")
        for name, one in self.network.members.items():
            with one.node.database.read() as tx:
                counted = storekeeping.storekeeping(tx, overdue_before_ms=0)
            if counted.short or counted.damaged or counted.fetching:
                found.append(f"{name}: {counted}")
        return found

    def contents(self, name: str) -> int:
        """How many a member keeps, own ones and others'."""
        with self.network[name].node.database.read() as tx:
            counted = storekeeping.storekeeping(tx, overdue_before_ms=0)
        return counted.contents + counted.kept

    def settle(self, seconds: float) -> float:
        """Wait until nothing does; how long that took."""
        begun = time.monotonic()
        while missing := self.missing():
            assert time.monotonic() < begun + seconds, missing
            time.sleep(0.2)
        return time.monotonic() - begun


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Everything running, Ada's record written, anchored, copied and granted to south."""
    folder = tmp_path_factory.mktemp("nodes")
    with ExitStack() as stack:
        nodes = dict(zip(NAMES, stack.enter_context(swarm(folder, len(NAMES))), strict=True))
        ports = [one.api_port for one in nodes.values()]
        ways = dict(zip(NAMES, stack.enter_context(proxies(folder, *ports)), strict=True))
        stores = {name: f"ipfs:{way.url}" for name, way in ways.items()}
        consortium.found(folder / "network", names=NAMES, stores=stores)
        network = stack.enter_context(consortium.opened(folder / "network"))
        vault = _granted(network)
        stack.enter_context(_working(network))
        ready = Stage(network, nodes, ways, vault)
        ready.settle(120)
        ready.read()
        yield ready


def _granted(network: Consortium) -> bytes:
    [answer] = network.submit("north", "ada.json", bundle("ada"))
    assert isinstance(answer, Accepted)
    network.settle()
    network.enrol(answer.vault, "ada")
    network.settle()
    south = network["south"].node.organisation
    consents.grant(
        network["north"].node,
        network.session("north", "ada"),
        vault=answer.vault,
        grantee=Grantee.role_in(south, "doctor"),
        categories=["observations", "demographics"],
        purposes=["TREAT"],
        valid_seconds=86_400,
    )
    network.settle()
    return answer.vault


@contextmanager
def _working(network: Consortium) -> Iterator[None]:
    """Every member's worker and storekeeper, as `simdes serve` runs them."""
    stop = threading.Event()
    threads = []
    for one in network.members.values():
        keeper = Storekeeper(one.node, Options())
        threads.append(threading.Thread(target=worker.run, args=(one.node, stop)))
        threads.append(threading.Thread(target=keeper.run, args=(stop,)))
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@contextmanager
def killed(stage: Stage, name: str) -> Iterator[None]:
    stage.nodes[name].kill()
    try:
        yield
    finally:
        stage.nodes[name].start()


@contextmanager
def hung(stage: Stage, name: str) -> Iterator[None]:
    stage.nodes[name].freeze()
    try:
        yield
    finally:
        stage.nodes[name].freeze(False)


@contextmanager
def cut(stage: Stage, name: str) -> Iterator[None]:
    stage.ways[name].cut()
    try:
        yield
    finally:
        stage.ways[name].heal()


@contextmanager
def silent(stage: Stage, name: str) -> Iterator[None]:
    stage.ways[name].silence()
    try:
        yield
    finally:
        stage.ways[name].heal()


@contextmanager
def slow(stage: Stage, name: str) -> Iterator[None]:
    stage.ways[name].slow(2_500)
    try:
        yield
    finally:
        stage.ways[name].heal()


@contextmanager
def resetting(stage: Stage, name: str) -> Iterator[None]:
    stage.ways[name].reset()
    try:
        yield
    finally:
        stage.ways[name].heal()


@contextmanager
def emptied(stage: Stage, name: str) -> Iterator[None]:
    """Its blocks are gone, as after a disk's loss; its operator has everything read at once."""
    node = stage.nodes[name]
    node.kill()
    for file in node.block_files():
        file.unlink()
    node.start()
    yield
    member = stage.network[name]
    Storekeeper(member.node, Options()).verify_all()


FAULTS = [killed, hung, cut, silent, slow, resetting, emptied]


@pytest.mark.parametrize("fault", [hung, killed], ids=lambda one: one.__name__)
def test_a_reader_whose_own_node_fails_reads_another_copy(stage: Stage, fault: object) -> None:
    with fault(stage, "south"):  # type: ignore[operator]
        stage.read()
        stage.feed()
    stage.settle(RECOVERY_SECONDS)


@pytest.mark.accept
@pytest.mark.parametrize("name", ["north", "south"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda one: one.__name__)
def test_nothing_is_lost_and_nobody_waits_long_while_a_node_fails(
    stage: Stage, fault: object, name: str, record_property: Callable[[str, object], None]
) -> None:
    stage.slowest = 0.0
    with fault(stage, name):  # type: ignore[operator]
        until = time.monotonic() + FAULT_SECONDS
        while time.monotonic() < until:
            stage.timed(stage.read)
            stage.timed(stage.feed)
            time.sleep(0.5)
    recovered = stage.settle(RECOVERY_SECONDS)
    stage.timed(stage.read)
    what = f"{fault.__name__} ({name}), {stage.contents(name)} contents"  # type: ignore[attr-defined]
    record_property("ipfs", f"{what}: {stage.slowest:.1f} s at most, well after {recovered:.1f} s")
    assert stage.slowest < CALL_SECONDS
