"""Whether two custodians list the same records of a patient, asked now and then.

A custodian that leaves a record out of its list hides it from whoever trusts that list. So every
quarter of an hour, for each vault and ground, two are asked at once; what either lists is read, and
what one of them left out for longer than news takes to arrive is a finding (docs/audit.md).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from simdes.access.reading import Listed
from simdes.exchange.findings import LISTED_LESS, finding, keep
from simdes.exchange.node import Node

SETTLED_SECONDS: Final = 3_600
"""How long a custodian may take to learn of a record."""


def note_lacking(
    node: Node,
    vault: bytes,
    lacking: Mapping[bytes, Collection[Listed]],
    opened: Collection[bytes],
) -> None:
    """Write down who left out records that were opened and that the chain has had for long."""
    found = []
    for custodian, left_out in lacking.items():
        old = [one for one in left_out if one.record_id in opened and _is_old(node, one)]
        if old and custodian != node.organisation:
            found.append(finding(node, LISTED_LESS, custodian, vault=vault, about=old[0].record_id))
    keep(node, found)


def _is_old(node: Node, one: Listed) -> bool:
    batch = node.contracts.records.batch(one.batch_id)
    return batch is not None and batch.time < node.now_seconds() - SETTLED_SECONDS
