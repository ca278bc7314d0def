"""The end of a slice: its results and the position behind them, in one commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from simdes.exchange.node import Node
from simdes.index import bulk
from simdes.index.bulk import RUNNING, Job, Part
from simdes.index.transaction import Transaction

KEPT_MS: Final = 24 * 3_600_000
"""How long a job and its files are kept after its last slice."""


def finish(
    node: Node,
    tx: Transaction,
    job: Job,
    *,
    position: str,
    parts: Sequence[Part] = (),
    state: str = RUNNING,
    failure: str = "",
) -> Job:
    """Write down that a slice is done; the job behind it. Raises Conflict where it is not ours."""
    after = replace(
        job,
        position=position,
        state=state,
        failure=failure,
        step=job.step + 1,
        expires_ms=node.now_ms() + KEPT_MS,
    )
    bulk.advance(
        tx,
        job,
        position=position,
        parts=parts,
        state=state,
        failure=failure,
        expires_ms=after.expires_ms,
    )
    return after
