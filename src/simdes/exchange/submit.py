"""Submit: mapped messages become durable records of a patient's vault (ARCHITECTURE.md, "submit").

A message is acknowledged once its resources, encrypted under the vault's local key, and their
outbox rows are durable; sealing, storing and anchoring follow in `anchoring`. A patient unknown
here gets a provisional vault at once, opened on the network by the same worker, so that a feed
never waits for other organisations. What can't be accepted is kept in quarantine with a reason.
The same message twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from simdes.exchange import keeping, merging
from simdes.exchange.answers import Accepted, Refused
from simdes.exchange.checking import Ready, check_message
from simdes.exchange.indexing import resource_context
from simdes.exchange.node import Node
from simdes.exchange.placing import Placed, place
from simdes.exchange.storing import store
from simdes.index.transaction import Transaction
from simdes.mapper import Mapped, Mapping, Quarantined
from simdes.tracing import step

__all__ = [
    "GROUP",
    "Accepted",
    "Refused",
    "accept_all",
    "check",
    "resource_context",
    "submit",
    "submit_all",
    "submit_each",
]

GROUP = 32
"""Messages that share one durable commit."""

GROUP_BYTES = 8 * 1024 * 1024
"""How much of inputs' messages may wait for others to share a commit with."""


def submit(
    node: Node, mapping: Mapping, *, registers: bool = True
) -> tuple[Accepted | Refused, ...]:
    """Make one input's messages durable, in their order; returns when they are.

    ``registers`` False: who sends them may neither merge patients nor give known ones further
    identifiers; a message that does waits in quarantine. Raises Unavailable where the database does
    not answer; then nothing of the group was accepted.
    """
    return submit_all(node, [mapping], registers=registers)[0]


@step("exchange.submit.submit_all")
def submit_all(
    node: Node, mappings: Sequence[Mapping], *, registers: bool = True
) -> list[tuple[Accepted | Refused, ...]]:
    """Make several inputs' messages durable, in their order; one answer for each input.

    Messages of different inputs share durable commits, `GROUP` at a time, so that many small
    inputs at once cost no more than a large one. Raises as `submit` does.
    """
    taken = accept_all(node, mappings, registers=registers)
    keeping.keep(
        node,
        [
            keeping.Arrived(mapping.name, mapping.kind, one)
            for mapping, found in zip(mappings, taken, strict=True)
            for one in found
            if isinstance(one, Quarantined)
        ],
    )
    return [
        tuple(_refused(mapping.name, one) if isinstance(one, Quarantined) else one for one in found)
        for mapping, found in zip(mappings, taken, strict=True)
    ]


def submit_each(
    node: Node, mappings: Iterable[Mapping]
) -> Iterator[tuple[Mapping, tuple[Accepted | Refused, ...]]]:
    """Make inputs durable as they come; what is given back is.

    Takes `GROUP` messages ahead, or `GROUP_BYTES`, so that small files share commits.
    """
    ahead: list[Mapping] = []
    held = size = 0
    for mapping in mappings:
        ahead.append(mapping)
        held += max(1, len(mapping.messages))
        size += sum(len(one.source) for one in mapping.messages)
        if held >= GROUP or size >= GROUP_BYTES:
            yield from zip(ahead, submit_all(node, ahead), strict=True)
            ahead, held, size = [], 0, 0
    yield from zip(ahead, submit_all(node, ahead), strict=True)


def accept_all(
    node: Node, mappings: Sequence[Mapping], *, registers: bool = True
) -> list[tuple[Accepted | Quarantined, ...]]:
    """What `submit_all` does with what can be accepted; the rest comes back and is kept nowhere."""
    answers: list[list[Accepted | Quarantined]] = [list(one.quarantined) for one in mappings]
    waiting = [
        (number, mapping, message)
        for number, mapping in enumerate(mappings)
        for message in mapping.messages
    ]
    for start in range(0, len(waiting), GROUP):
        group = waiting[start : start + GROUP]
        pairs = [(mapping, message) for _, mapping, message in group]
        found = _accept_group(node, pairs, registers)
        for (number, _, _), answer in zip(group, found, strict=True):
            answers[number].append(answer)
    return [tuple(sorted(found, key=lambda answer: answer.index)) for found in answers]


def check(mapping: Mapping, *, registers: bool = True) -> tuple[Accepted | Refused, ...]:
    """What `submit` would answer, as far as that can be told without a database."""
    answers: list[Accepted | Refused] = [_refused(mapping.name, one) for one in mapping.quarantined]
    for message in mapping.messages:
        checked: Ready | Quarantined = check_message(mapping, message)
        if isinstance(checked, Ready) and not registers:
            checked = merging.unregistered(checked) or checked
        if isinstance(checked, Quarantined):
            answers.append(_refused(mapping.name, checked))
        else:
            answers.append(
                Accepted(
                    name=mapping.name,
                    index=message.index,
                    event=message.event,
                    vaults=(),
                    resources=checked.resources,
                    unchanged=0,
                )
            )
    return tuple(sorted(answers, key=lambda answer: answer.index))


def _accept_group(
    node: Node, messages: Sequence[tuple[Mapping, Mapped]], registers: bool
) -> list[Accepted | Quarantined]:
    """Store a group of messages in one commit, merges in their own; answers in their order."""
    checked = [check_message(mapping, message) for mapping, message in messages]
    ready = [one for one in checked if isinstance(one, Ready)]
    stored = iter([one for run in _runs(ready) for one in _store(node, run, registers)])
    return [next(stored) if isinstance(one, Ready) else one for one in checked]


def _runs(ready: Sequence[Ready]) -> Iterator[list[Ready]]:
    """Messages that share a commit: a merge changes whose the messages behind it are."""
    for alone, run in groupby(ready, key=lambda one: bool(one.merges)):
        if alone:
            yield from ([one] for one in run)
        else:
            yield list(run)


class _Undone(Exception):
    """A message was refused behind its merge, which is not to be committed then."""

    def __init__(self, why: Quarantined) -> None:
        super().__init__(why.reason_code)
        self.why = why


def _store(node: Node, run: Sequence[Ready], registers: bool) -> list[Accepted | Quarantined]:
    try:
        return node.database.write(lambda tx: _store_in(node, tx, run, registers))
    except _Undone as undone:
        return [undone.why]


def _store_in(
    node: Node, tx: Transaction, run: Sequence[Ready], registers: bool
) -> list[Accepted | Quarantined]:
    waits = [merging.settle(node, tx, one, registers=registers) for one in run]
    going = [one for one, why in zip(run, waits, strict=True) if why is None]
    placed = place(node, tx, going, registers=registers) if going else []
    for one, where in zip(going, placed, strict=True):
        if one.merges and isinstance(where, Quarantined):  # alone in its commit
            raise _Undone(where)
    stored = iter(store(node, tx, [one for one in placed if isinstance(one, Placed)]))
    settled = iter([next(stored) if isinstance(one, Placed) else one for one in placed])
    return [next(settled) if why is None else why for why in waits]


def _refused(name: str, refused: Quarantined) -> Refused:
    return Refused(
        name=name,
        index=refused.index,
        code=refused.reason_code,
        reason=refused.reason,
        advice=refused.advice,
    )
