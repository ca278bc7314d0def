"""Copies at other organisations: asked for, signed for, verified, mended, given back, erased."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest

from simdes import app
from simdes.access.copies import ask_drop, ask_keep
from simdes.access.requests import verify_receipt
from simdes.app import Opened
from simdes.errors import NotFound, TooLarge, Unavailable
from simdes.exchange import storekeeping
from simdes.exchange.custody import CustodyDesk
from simdes.exchange.elsewhere import verified
from simdes.exchange.storekeeping import Options, Storekeeper, erase
from simdes.index import contents, safekeeping
from simdes.index.contents import DROPPED, HELD, Content
from simdes.storage.cid import parse
from simdes.storage.layout import BLOCK_BYTES
from simdes.storage.placement import keepers
from support import consortium
from support.consortium import Clock, Consortium

NAMES = ("north", "south", "east", "west")
DAY = 86_400


@pytest.fixture(scope="module", autouse=True)
def _impatient() -> Iterator[None]:
    """Who does not answer is left alone for a moment, not for the five seconds of production."""
    with mock.patch.object(storekeeping, "REST_SECONDS", 0.3):
        yield


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four organisations with folders of blocks of their own; a record of north's, and copies."""
    folder = tmp_path_factory.mktemp("network") / "network"
    consortium.found(folder, names=NAMES, stores=dict.fromkeys(NAMES, "file:blocks"))
    with consortium.opened(folder) as opened:
        for name, data in consortium.sample_messages("ORU-R01-01.hl7"):
            opened.submit("north", name, data)
        opened.settle()
        keeping = Keepers(opened)
        until = time.monotonic() + 30
        # A keeper is asked again some time after it agreed: has it fetched what it keeps?
        while not everything_is_held(opened):
            assert time.monotonic() < until, "the copies never came"
            keeping.work(rounds=1)
            time.sleep(0.1)
    return folder


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def network(template: Path, tmp_path: Path, clock: Clock) -> Iterator[Consortium]:
    """A copy of it, opened."""
    with consortium.opened(consortium.copy(template, tmp_path / "network"), clock=clock) as opened:
        yield opened


class Keepers:
    """Every member's storekeeper; ``work`` lets some or all of them do rounds."""

    def __init__(self, network: Consortium, copies: int = 3) -> None:
        options = Options(copies=copies, verify_bytes_per_second=1 << 40)
        self.all = {name: Storekeeper(network[name].node, options) for name in network.members}

    def work(self, *names: str, rounds: int = 4) -> None:
        for _ in range(rounds):
            for name in names or self.all:
                self.all[name].work()


@pytest.fixture
def keeping(network: Consortium) -> Keepers:
    """The members' storekeepers."""
    return Keepers(network)


def own(one: Opened) -> list[Content]:
    with one.node.database.read() as tx:
        cids = [row[0] for row in tx.all("SELECT cid FROM content ORDER BY cid")]
        return list(contents.get_many(tx, cids).values())


def copies(one: Opened, cid: str) -> dict[bytes, contents.Copy]:
    with one.node.database.read() as tx:
        return {copy.organisation: copy for copy in contents.copies(tx, [cid])[cid]}


def named(network: Consortium) -> dict[bytes, str]:
    return {one.node.organisation: name for name, one in network.members.items()}


def everything_is_held(network: Consortium) -> bool:
    """Whether two others hold each of north's contents, and north knows it."""
    north = network["north"]
    return all(
        [copy.state for copy in copies(north, one.cid).values()].count(HELD) == 2
        for one in own(north)
    )


def holders(network: Consortium, cid: str) -> set[str]:
    """Whose own store has a content."""
    return {name for name, one in network.members.items() if one.node.store.has(cid)}


def test_everything_stored_is_kept_at_two_others_who_sign_for_it(
    network: Consortium, keeping: Keepers
) -> None:
    stored = own(network["north"])
    assert {one.kind for one in stored} >= {"body", "capsule", "manifest", "vault"}
    keeping.work()
    north = network["north"].node
    others = verified(north.database, but=north.organisation)
    for one in own(network["north"]):
        chosen = keepers(one.cid, north.organisation, others, copies=3)
        found = copies(network["north"], one.cid)
        assert {by for by, copy in found.items() if copy.state == HELD} == set(chosen)
        expected = {named(network)[by] for by in chosen} | {"north"}
        assert holders(network, one.cid) >= expected
        with north.database.read() as tx:
            for receipt in contents.receipts(tx, [one.cid]):
                claims, _ = verify_receipt(receipt.token)
                assert one.cid in claims.receipt["held"]
                assert bytes.fromhex(claims.iss[2:]) in chosen


def keeper_of(network: Consortium, one: Content) -> str:
    """The name of an organisation that holds a copy of north's content."""
    found = copies(network["north"], one.cid).values()
    return next(named(network)[copy.organisation] for copy in found if copy.state == HELD)


def body(network: Consortium) -> Content:
    return next(one for one in own(network["north"]) if one.kind == contents.BODY)


def block_file(network: Consortium, name: str, cid: str) -> Path:
    store = network[name].settings.store_url.removeprefix("file:")
    digest = parse(cid)[1].hex()
    return Path(store) / digest[:2] / digest


def test_what_is_missing_or_damaged_here_is_taken_from_a_keeper(
    network: Consortium, keeping: Keepers, clock: Clock
) -> None:
    stored = own(network["north"])
    lost, damaged = stored[0].cid, stored[1].cid
    block_file(network, "north", lost).unlink()
    block_file(network, "north", damaged).write_bytes(b"rubbish")
    clock.ahead_seconds += 2 * DAY
    keeping.work("north", rounds=1)
    for cid in (lost, damaged):
        network["north"].node.store.verify(cid)
    assert not any(one.damaged for one in own(network["north"]))


def test_a_keeper_that_lost_a_copy_fetches_it_again(
    network: Consortium, keeping: Keepers, clock: Clock
) -> None:
    one = body(network)
    name = keeper_of(network, one)
    block_file(network, name, one.cid).write_bytes(b"rubbish")
    clock.ahead_seconds += 2 * DAY
    keeping.work(name)
    assert network[name].node.store.verify(one.cid)


def test_a_copy_that_cannot_be_mended_now_is_said_and_mended_later(
    network: Consortium, keeping: Keepers, clock: Clock
) -> None:
    one = body(network)
    block_file(network, "north", one.cid).unlink()
    others = [name for name in NAMES if name != "north"]
    for name in others:
        network.down(name)
    clock.ahead_seconds += 2 * DAY
    keeping.work("north", rounds=1)
    assert body(network).damaged == 1
    for name in others:
        network.up(name)
    clock.ahead_seconds += 60
    eventually(lambda: keeping.work("north", rounds=1), lambda: body(network).damaged == 0)


def eventually(act: Callable[[], None], holds: Callable[[], bool], seconds: float = 60) -> None:
    """Repeat an act until something holds: who did not answer is left alone for a moment."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        act()
        time.sleep(0.2)


def test_readers_take_from_a_keeper_what_the_author_does_not_give(
    network: Consortium, keeping: Keepers
) -> None:
    one = body(network)
    held = copies(network["north"], one.cid)
    reader = next(name for name in NAMES[1:] if network[name].node.organisation not in held)
    network.down("north")
    assert not network[reader].node.store.has(one.cid)
    found = network[reader].node.store.get(one.cid)
    assert found == network["north"].node.store.get(one.cid)


def test_a_copy_that_a_keeper_only_says_to_hold_is_found_out(
    network: Consortium, keeping: Keepers, clock: Clock
) -> None:
    one = body(network)
    name = keeper_of(network, one)
    liar = network[name].node
    with liar.database.read() as tx:
        author = network["north"].node.organisation
        rows = tx.all("SELECT cid FROM kept_content WHERE organisation = :a", a=author)
        its = [row[0] for row in rows]
    for cid in its:
        liar.store.delete(cid)  # it says to hold them, and holds none
    clock.ahead_seconds += 2 * DAY
    keeping.work("north", rounds=1)
    states = [copies(network["north"], cid)[liar.organisation].state for cid in its]
    assert states.count(contents.WANTED) == 1  # the one that was asked for, by chance


def test_an_organisation_that_is_away_gets_its_copies_when_it_is_back(
    network: Consortium, keeping: Keepers
) -> None:
    stored = noted(network)
    network.down("south")
    network.down("east")
    keeping.work("north", "west", rounds=2)
    waiting = [one for one in stored if len(held_by(network, one)) < 2]
    assert waiting
    network.up("south")
    network.up("east")
    eventually(
        lambda: keeping.work(rounds=1),
        lambda: all(len(held_by(network, one)) == 2 for one in own(network["north"])),
    )


def held_by(network: Consortium, one: Content) -> list[bytes]:
    found = copies(network["north"], one.cid).values()
    return [copy.organisation for copy in found if copy.state == HELD]


def noted(network: Consortium) -> list[Content]:
    """More contents of north's, not copied yet."""
    node = network["north"].node
    cids = [node.store.put(bytes([number]) * 100) for number in range(20)]
    rows = [(cid, contents.BODY, None) for cid in cids]
    node.database.write(lambda tx: contents.add(tx, rows, now_ms=node.now_ms()))
    return [one for one in own(network["north"]) if one.cid in cids]


def test_large_content_of_many_blocks_is_copied_whole(
    network: Consortium, keeping: Keepers
) -> None:
    node = network["north"].node
    cid = node.store.put(bytes(3 * BLOCK_BYTES + 7))
    node.database.write(
        lambda tx: contents.add(tx, [(cid, contents.BODY, None)], now_ms=node.now_ms())
    )
    keeping.work()
    assert len(holders(network, cid)) == 3
    for name in holders(network, cid):
        assert network[name].node.store.verify(cid) == 3 * BLOCK_BYTES + 7


def test_more_copies_are_made_when_more_are_wanted_and_none_is_taken_away(
    network: Consortium, keeping: Keepers
) -> None:
    stored = own(network["north"])
    before = {one.cid: holders(network, one.cid) for one in stored}
    Keepers(network, copies=4).work()
    assert all(holders(network, one.cid) == set(NAMES) for one in own(network["north"]))
    Keepers(network, copies=2).work()
    for one in stored:
        assert holders(network, one.cid) >= before[one.cid]
        counted = [copy for copy in copies(network["north"], one.cid).values() if copy.assigned]
        assert len(counted) == 1


def test_what_is_erased_goes_everywhere_and_everybody_signs_for_it(
    network: Consortium, keeping: Keepers
) -> None:
    one = body(network)
    assert one.record_id is not None
    network.down("west")
    assert erase(network["north"].node, [one.record_id]) == 2
    keeping.work("north", "south", "east")
    assert body(network).state == contents.ERASING  # west has not said so yet
    network.up("west")
    eventually(keeping.work, lambda: body(network).state == contents.ERASED)
    assert holders(network, one.cid) == set()
    with pytest.raises((NotFound, Unavailable)):
        network["south"].node.store.get(one.cid)
    found = copies(network["north"], one.cid)
    assert {copy.state for copy in found.values()} == {DROPPED}
    assert len(found) == 3
    with network["north"].node.database.read() as tx:
        for receipt in contents.receipts(tx, [one.cid]):
            assert one.cid in verify_receipt(receipt.token)[0].receipt["dropped"]
    # Erased is the last word: nobody takes it in again.
    node = network["north"].node
    placed = keepers(one.cid, node.organisation, verified(node.database), copies=2)[0]
    said = ask_keep(node.agent_caller(), placed, [one.cid], copies=2)
    assert said.held == ()


def test_nobody_has_another_s_copies_deleted(network: Consortium, keeping: Keepers) -> None:
    one = body(network)
    name = keeper_of(network, one)
    thief = next(other for other in NAMES[1:] if other != name)
    asked = [network["north"].node.organisation, network[name].node.organisation]
    for organisation in asked:
        said = ask_drop(network[thief].node.agent_caller(), organisation, [one.cid])
        assert said.dropped == ()
    keeping.work()
    assert holders(network, one.cid) >= {"north", name}


def test_nobody_has_more_kept_than_the_rule_and_the_limit_allow(
    network: Consortium, keeping: Keepers
) -> None:
    stored = [one.cid for one in noted(network)]
    north, south = network["north"].node, network["south"].node
    others = verified(north.database, but=north.organisation)
    mine = [
        cid
        for cid in stored
        if south.organisation in keepers(cid, north.organisation, others, copies=2)
    ]
    assert 0 < len(mine) < len(stored)
    assert ask_keep(north.agent_caller(), south.organisation, stored, copies=2).held == ()
    with south.database.read() as tx:
        assert safekeeping.load(tx, north.organisation).waiting == len(mine)
    keeping.work("south", rounds=1)
    held = ask_keep(north.agent_caller(), south.organisation, stored, copies=2).held
    assert set(held) == set(mine)
    small = replace(south.desk, limits=replace(south.desk.limits, keep_bytes=100 * len(mine)))
    custodian = CustodyDesk(small, network["south"].node.following)
    app._here.open(south.organisation, custodian.answer)
    with pytest.raises(TooLarge):
        ask_keep(north.agent_caller(), south.organisation, stored, copies=3)


def test_one_process_of_an_organisation_tends_its_store_at_a_time(
    network: Consortium, clock: Clock
) -> None:
    node = network["north"].node
    one, two = (Storekeeper(node, Options()) for _ in range(2))
    assert one._on_duty("one")
    assert not two._on_duty("two")
    clock.ahead_seconds += 60
    assert two._on_duty("two")
    assert not one._on_duty("one")
