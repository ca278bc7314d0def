"""Following: duplicates, reorganisations and nodes that are behind, from a scripted node.

The embedded ledger and a real node are followed in ``tests/adapters``; neither reorganises on
command.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from simdes.errors import Conflict, Unavailable
from simdes.ledger.follow import Checkpoint, HistoryChanged, Step, age_seconds, follow
from simdes.ledger.ledger import Block, Ledger, Log
from unit.ledger.chains import COUNTER, Sender
from unit.ledger.test_embedded import opened


class Twisted:
    """A real ledger, one of whose verbs answers something else."""

    def __init__(self, ledger: Ledger, **verbs: Callable[..., Any]) -> None:
        self._ledger = ledger
        self._verbs = verbs

    def __getattr__(self, name: str) -> Any:
        return self._verbs.get(name) or getattr(self._ledger, name)


def counted(times: int) -> tuple[Any, bytes]:
    ledger = opened()
    sender = Sender(ledger)
    counter = sender.deploy(COUNTER)
    for _ in range(times):
        sender.send(counter)
    return ledger, counter


def steps(
    ledger: Any, counter: bytes, checkpoint: Checkpoint | None = None, **options: int
) -> list[Step]:
    return list(follow(ledger, [counter], checkpoint, **options))


def numbers(found: list[Step]) -> list[int]:
    return [int.from_bytes(log.data, "big") for step in found for log in step.logs]


@pytest.mark.parametrize("span", [1, 2, 3, 5_000])
def test_every_span_finds_the_same_events_in_order(span: int) -> None:
    ledger, counter = counted(9)
    found = steps(ledger, counter, span=span)
    assert numbers(found) == list(range(1, 10))
    last = found[-1].checkpoint
    assert last.block_number == ledger.head().number
    assert steps(ledger, counter, last) == []
    Sender(ledger).send(counter)
    assert numbers(steps(ledger, counter, last)) == [10]


def test_it_begins_where_the_network_began() -> None:
    ledger, counter = counted(5)
    head = ledger.head().number
    assert numbers(steps(ledger, counter, first_block=head)) == [5]


def test_an_event_told_twice_counts_once() -> None:
    ledger, counter = counted(3)

    def logs(**query: Any) -> list[Log]:
        found = ledger.logs(**query)
        return [*reversed(found), *found]

    assert numbers(steps(Twisted(ledger, logs=logs), counter)) == [1, 2, 3]


def test_a_block_that_changes_while_it_is_read_is_noticed() -> None:
    ledger, counter = counted(3)
    other = dataclasses.replace(ledger.head(), hash=b"\1" * 32)
    twisted = Twisted(ledger, block=lambda number: other)
    with pytest.raises(HistoryChanged):
        steps(twisted, counter)


def test_events_of_another_block_of_the_same_number_are_noticed() -> None:
    ledger, counter = counted(3)

    def logs(**query: Any) -> list[Log]:
        found = ledger.logs(**query)
        return [*found[:-1], dataclasses.replace(found[-1], block_hash=b"\1" * 32)]

    with pytest.raises(HistoryChanged):
        steps(Twisted(ledger, logs=logs), counter)


def test_a_block_that_vanishes_is_unavailable() -> None:
    ledger, counter = counted(1)
    with pytest.raises(Unavailable):
        steps(Twisted(ledger, block=lambda number: None), counter)


def test_another_chain_at_the_checkpoint_is_noticed() -> None:
    ledger, counter = counted(4)
    [step] = steps(ledger, counter)
    other = opened()
    sender = Sender(other, 2)
    for _ in range(9):
        sender.deploy(COUNTER)
    with pytest.raises(HistoryChanged) as changed:
        steps(other, counter, step.checkpoint)
    assert isinstance(changed.value, Conflict)


def test_a_node_behind_the_checkpoint_is_waited_for() -> None:
    ledger, counter = counted(4)
    [step] = steps(ledger, counter)
    behind, _ = counted(1)
    assert steps(behind, counter, step.checkpoint) == []


def test_age_is_never_negative() -> None:
    head = Block(1, bytes(32), bytes(32), 100)
    assert age_seconds(head, lambda: 130.5) == 30.5
    assert age_seconds(head, lambda: 90.0) == 0


def test_one_new_block_needs_its_events_alone() -> None:
    ledger, counter = counted(2)
    [step] = steps(ledger, counter)
    Sender(ledger).send(counter)
    asked: list[Any] = []

    def logs(**query: Any) -> list[Log]:
        asked.append((query["first"], query["last"], query["end"]))
        return ledger.logs(**query)

    head = ledger.head()
    twisted = Twisted(ledger, logs=logs, block=asked.append)
    found = list(follow(twisted, [counter], step.checkpoint, head=head))
    assert numbers(found) == [3]
    assert asked == [(head.number, head.number, head)]


def test_a_new_block_on_another_chain_than_the_checkpoints_is_noticed() -> None:
    ledger, counter = counted(2)
    [step] = steps(ledger, counter)
    Sender(ledger).send(counter)
    elsewhere = dataclasses.replace(step.checkpoint, block_hash=b"\1" * 32)
    with pytest.raises(HistoryChanged):
        steps(ledger, counter, elsewhere)


def test_what_one_follower_read_another_need_not() -> None:
    ledger, counter = counted(4)
    head, read = ledger.head(), {}
    [first] = follow(ledger, [counter], None, head=head, read=read)
    silent = Twisted(ledger, logs=lambda **_: pytest.fail("asked again"))
    assert list(follow(silent, [counter], None, head=head, read=read)) == [first]
    Sender(ledger).send(counter)
    with pytest.raises(pytest.fail.Exception, match="asked again"):
        list(follow(silent, [counter], None, head=ledger.head(), read=read))
