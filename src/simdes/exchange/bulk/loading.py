"""Writes some lines of an import in one transaction with the position behind them.

What is known to be wrong with a line (its rules, its writer's rights, references that lead nowhere)
is found before and refused; what only the transaction finds out is raised, so that whoever calls
tries fewer lines at a time until it is clear which one it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from simdes.errors import SimdesError
from simdes.exchange.bulk.refusals import Refusal, parts_of, put_on_record
from simdes.exchange.bulk.slices import finish
from simdes.exchange.bulk.stages import INPUTS, Position, text_of
from simdes.exchange.interactions import drafting, writing
from simdes.exchange.interactions.changes import Change, Method
from simdes.exchange.interactions.drafts import local_names
from simdes.exchange.interactions.placing import Name
from simdes.exchange.interactions.referring import nowhere, unresolved
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.fhir.problem import BrokenRules
from simdes.index import bulk
from simdes.index.bulk import DONE, RUNNING, Job
from simdes.index.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A line to write: its input, its number, and its resource, which keeps its id.

    ``ends`` is what a line says is to be deleted; its resource is the Bundle that says it.
    """

    input: int
    number: int
    resource: Mapping[str, Any]
    ends: tuple[Name, ...] = ()

    @property
    def name(self) -> Name:
        """Type and id; of a line that ends something, its own place."""
        if self.ends:
            return str(self.resource["resourceType"]), f"{self.input}.{self.number}"
        return str(self.resource["resourceType"]), str(self.resource["id"])

    @property
    def changes(self) -> Sequence[Change]:
        """What it asks for."""
        if self.ends:
            return [Change(method=Method.DELETE, type=type_, id=id_) for type_, id_ in self.ends]
        type_, id_ = self.name
        return [Change(method=Method.UPDATE, type=type_, id=id_, resource=self.resource)]


@dataclass(slots=True)
class Batch:
    """Lines that are written together; ``behind`` is the position behind them, without counts."""

    node: Node
    asking: Asking
    job: Job
    lines: list[Incoming]
    behind: Position
    refusals: list[Refusal] = field(default_factory=list)
    after: Job | None = None

    def write(self) -> Job:
        """Write what can be written and refuse the rest; the job behind it.

        Raises what a single line that is not known yet is refused for; nothing is written then.
        """
        self._drop(self._check)
        while True:
            self._drop_unresolved()
            try:
                return self._apply()
            except BrokenRules:
                if not self._drop(lambda one: drafting.validated(self.node, one.changes)):
                    raise

    def refuse(self, error: SimdesError) -> Job:
        """Refuse all of it; the job behind it."""

        def refused(_: Incoming) -> None:
            raise error

        self._drop(refused)
        return self._apply()

    def _apply(self) -> Job:
        if self.lines:
            writing.apply(
                self.node,
                self.asking,
                [each for one in self.lines for each in one.changes],
                base=self.node.issuer.audience,
                then=lambda tx, _: self._finish(tx),
            )
        else:
            self.node.database.write(self._finish)
        assert self.after is not None  # noqa: S101 (`_finish` ran in what was committed)
        put_on_record(self.node, self.asking, self.refusals)
        return self.after

    def _check(self, one: Incoming) -> None:
        for change in one.changes:
            drafting.check(self.asking, change)

    def _drop(self, require: Callable[[Incoming], object]) -> bool:
        """Refuse the lines for which this raises; whether there were any."""
        kept = []
        for one in self.lines:
            try:
                require(one)
            except SimdesError as error:
                refusal = Refusal(input=one.input, number=one.number, error=error, type=one.name[0])
                self.refusals.append(refusal)
            else:
                kept.append(one)
        dropped = len(kept) < len(self.lines)
        self.lines = kept
        return dropped

    def _drop_unresolved(self) -> None:
        """Refuse lines that refer to what is neither here nor coming, and those that need them."""
        refers = {
            id(one): frozenset(() if one.ends else local_names(one.resource)) for one in self.lines
        }
        while True:
            coming = {one.name for one in self.lines}
            wanted = frozenset[Name]().union(*(refers[id(one)] for one in self.lines))
            with self.node.database.read() as tx:
                lost = unresolved(tx, self.asking, wanted - coming)

            def require(one: Incoming, lost: frozenset[Name] = lost) -> None:
                for name in sorted(refers[id(one)] & lost):
                    raise nowhere(name)

            if not self._drop(require):
                return

    def _finish(self, tx: Transaction) -> None:
        good = list(self.behind.good)
        for one in self.lines:
            good[one.input] += 1
        at = msgspec.structs.replace(self.behind, good=tuple(good))
        at, parts = parts_of(self.node, self.job, at, self.refusals)
        over = at.at >= at.batches
        self.after = finish(
            self.node,
            tx,
            self.job,
            position=text_of(at),
            parts=parts,
            state=DONE if over else RUNNING,
        )
        if over:
            bulk.drop_inputs(tx, self.job.id, but=INPUTS)
