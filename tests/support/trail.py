"""What the audit trail of an organisation gets while a test watches."""

from __future__ import annotations

from dataclasses import dataclass

from simdes.access.audit_event import Attempt, decode
from simdes.exchange.node import Node
from simdes.index import audit, custody


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry: what was tried, and its bytes as text."""

    attempt: Attempt
    text: str


class Watched:
    """The entries that are written from now on."""

    def __init__(self, node: Node) -> None:
        self._node = node
        # Refusals that other tests began to count are over: the next of their kind is a first one.
        node.database.write(lambda tx: custody.take_folds(tx, before_ms=1 << 62))
        with node.database.read() as tx:
            self._after = max((one.seq for one in audit.newest(tx, limit=1)), default=0)

    def entries(self) -> list[Kept]:
        """What came since."""
        trail = self._node.desk.trail
        with self._node.database.read() as tx:
            rows = audit.entries(tx, after=self._after, limit=1000)
            texts = [trail.read(tx, one) for one in rows]
        return [Kept(decode(text).attempt, text.decode()) for text in texts]

    def refusal(self) -> Kept:
        """The one entry that came since, which is a refusal."""
        found = self.entries()
        assert len(found) == 1, [one.text for one in found]
        assert not found[0].attempt.granted
        return found[0]
