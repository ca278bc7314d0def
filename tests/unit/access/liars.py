"""Custodians that lie in properly signed answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simdes.access.requests import read_request, sign_answer
from unit.access.network import Organisation


def answering(member: Organisation, receipt: Any, body: Any) -> Callable[[str, bytes], bytes]:
    """A custodian that signs whatever it is told to say."""

    def answer(method: str, token: bytes) -> bytes:
        now = int(member.network.clock())
        question = read_request(
            token,
            method=method,
            audience=member.id,
            chain=member.contracts.ledger.chain_id(),
            now_seconds=now,
        )
        return sign_answer(
            member.keystore.lanes[0],
            question,
            custodian=member.id,
            receipt=receipt,
            body=body,
            now_seconds=now,
        )

    return answer
