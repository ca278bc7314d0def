"""The worker's rounds: what stops one vault stops no other, and nothing waits without a reason."""

from __future__ import annotations

import pytest

from simdes.errors import Unavailable
from simdes.exchange import anchoring, logbook
from simdes.exchange.submit import Accepted
from simdes.index import resources
from support.bundles import bundle
from support.consortium import Clock, Consortium


def feed(network: Consortium, patient: str) -> bytes:
    """Submit a patient's records; their vault, which is not open yet."""
    [answer] = network.submit("north", f"{patient}.json", bundle(patient))
    assert isinstance(answer, Accepted)
    return answer.vault


def states(network: Consortium, vault: bytes) -> set[str]:
    with network["north"].node.database.read() as tx:
        return {one.state for one in resources.of_vault(tx, vault, categories=range(64))}


def put(network: Consortium, vault: bytes, state: str) -> None:
    with network["north"].node.database.transaction() as tx:
        tx.run("UPDATE vault SET state = :state WHERE tag = :tag", state=state, tag=vault)


def test_a_vault_that_the_network_does_not_know_stops_no_other(
    network: Consortium, who: str
) -> None:
    unknown = feed(network, f"{who}-unknown")
    put(network, unknown, "open")
    known = feed(network, f"{who}-known")
    network.settle("north")
    assert states(network, known) == {resources.ANCHORED}
    assert states(network, unknown) == {resources.PENDING}
    put(network, unknown, "opening")
    network.settle("north")
    assert states(network, unknown) == {resources.ANCHORED}


def test_what_was_put_off_is_sealed_once_its_vault_is_open(network: Consortium, who: str) -> None:
    network.settle("north")
    vault = feed(network, who)
    assert anchoring.seal_pending(network["north"].node, worker="early").idle
    network.settle("north")
    assert states(network, vault) == {resources.ANCHORED}


def test_however_much_waits_for_its_vault_what_stands_behind_it_gets_its_turn(
    network: Consortium, clock: Clock, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchoring, "SEAL_RESOURCES", 4)
    node = network["north"].node
    open_one = feed(network, f"{who}-open")
    network.settle("north")
    network.down("south")
    try:
        waiting = [feed(network, f"{who}-{number}") for number in range(3)]
        network.submit("north", "late.json", bundle(f"{who}-open", observations=3))
        for _ in range(40):  # rounds as the worker makes them, a second apart
            clock.ahead_seconds += 1
            anchoring.seal_pending(node, worker="test")
        assert resources.PENDING not in states(network, open_one)
        assert states(network, waiting[0]) == {resources.PENDING}
    finally:
        network.up("south")
    network.settle("north")
    assert states(network, waiting[-1]) == {resources.ANCHORED}


def test_a_custodian_that_is_down_holds_up_new_vaults_alone(network: Consortium, who: str) -> None:
    node = network["north"].node
    vault = feed(network, f"{who}-known")
    network.settle("north")
    network.down("south")
    try:
        new = feed(network, f"{who}-new")
        again = network.submit("north", "again.json", bundle(f"{who}-known", observations=3))
        assert isinstance(again[0], Accepted)
        with pytest.raises(Unavailable):
            anchoring.work(node, worker="test")
        with pytest.raises(Unavailable):
            network.settle("north")
        assert states(network, vault) == {resources.ANCHORED}
        assert states(network, new) == {resources.PENDING}
        assert logbook.anchor_trail(node) == 0
    finally:
        network.up("south")
    network.settle("north")
    assert states(network, new) == {resources.ANCHORED}
