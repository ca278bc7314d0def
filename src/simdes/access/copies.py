"""Ask other organisations to keep, give back and drop copies of contents; what they sign of it.

The asking side of `custody_store`. An answer counts only where its signer is an agent of the
organisation that was asked (`asking.ask`); what it names beyond the question is passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simdes.access.asking import Caller, ask
from simdes.access.custody_store import DROPPED, HELD
from simdes.access.messages import BlocksBody, DropBody, KeepBody
from simdes.access.requests import Answer
from simdes.errors import SimdesError
from simdes.storage.cid import check


@dataclass(frozen=True, slots=True)
class Said:
    """What an organisation signed: the contents it holds, those it has dropped; all of it."""

    held: tuple[str, ...]
    dropped: tuple[str, ...]
    token: bytes


def ask_keep(caller: Caller, organisation: bytes, cids: Sequence[str], *, copies: int) -> Said:
    """Ask an organisation to keep contents of ours; raises as `asking.ask`."""
    body = KeepBody(cids=list(cids), copies=copies)
    return _said(ask(caller, organisation, "keep", body), cids)


def ask_drop(caller: Caller, organisation: bytes, cids: Sequence[str]) -> Said:
    """Ask an organisation to delete contents of ours; raises as `asking.ask`."""
    return _said(ask(caller, organisation, "drop", DropBody(cids=list(cids))), cids)


def ask_blocks(caller: Caller, organisation: bytes, cids: Sequence[str]) -> dict[str, bytes]:
    """Ask an organisation for blocks; those it gave that hash to what was asked for.

    Raises as `asking.ask`.
    """
    answer = ask(caller, organisation, "blocks", BlocksBody(cids=list(cids)))
    listed = answer.body.get("blocks")
    wanted, found = set(cids), {}
    for item in listed if isinstance(listed, list) else []:
        if isinstance(item, list) and len(item) == 2 and item[0] in wanted:
            cid, block = item
            if isinstance(cid, str) and isinstance(block, bytes) and _is(cid, block):
                found[cid] = block
    return found


def _is(cid: str, block: bytes) -> bool:
    try:
        check(cid, block)
    except SimdesError:
        return False
    return True


def _said(answer: Answer, cids: Sequence[str]) -> Said:
    asked = set(cids)

    def listed(state: str) -> tuple[str, ...]:
        named = answer.receipt.get(state)
        if not isinstance(named, list):
            return ()
        return tuple(one for one in named if isinstance(one, str) and one in asked)

    return Said(listed(HELD), listed(DROPPED), answer.token)
