"""Validators join and leave by their peers' votes, over a Besu node's JSON-RPC.

Each operator lets the own node vote; more than half of the validators must have voted, in blocks
that they made, before the set changes. A vote stands until it is discarded, so `settle` discards it
once the set is as wanted. Source: https://besu.hyperledger.org/private-networks/reference/api/qbft
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import httpx

from simdes.errors import Conflict, Invalid, Unavailable, Unsupported
from simdes.tls import trusted

ADDRESS: Final = re.compile(r"0x[0-9a-f]{40}")
TIMEOUT_SECONDS: Final = 5.0
POLL_SECONDS: Final = 1.0
_MOST_BYTES: Final = 1 << 20
_NO_METHOD: Final = (-32601, -32604)
"""Unknown to the node, or of an API that it does not offer."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Who makes blocks, and the asked node's votes: address to add (true) or remove."""

    validators: tuple[str, ...]
    votes: dict[str, bool]

    @property
    def needed(self) -> int:
        """How many validators must vote alike."""
        return len(self.validators) // 2 + 1


class Voter:
    """An operator's own ledger node. Close it after use."""

    def __init__(self, url: str, *, transport: httpx.BaseTransport | None = None) -> None:
        """``url`` is the node's JSON-RPC address; nobody but its operators may reach it."""
        if not url.startswith(("http://", "https://")):
            raise Invalid("A ledger node is named by its http:// address.")
        self._url = url
        self._http = httpx.Client(
            timeout=TIMEOUT_SECONDS,
            follow_redirects=False,
            trust_env=False,
            verify=trusted(),
            transport=transport,
        )

    def close(self) -> None:
        """Close connections."""
        self._http.close()

    def standing(self) -> Standing:
        """Who makes blocks from the newest block on, and this node's votes.

        Raises Unavailable where the node does not answer, Unsupported where it offers no QBFT.
        """
        validators = self._ask("qbft_getValidatorsByBlockNumber", "pending")
        votes = self._ask("qbft_getPendingVotes")
        if not isinstance(validators, list) or not isinstance(votes, dict):
            raise Unavailable("The ledger node's answer is not of the agreed form.")
        return Standing(
            tuple(sorted(str(one).lower() for one in validators)),
            {str(one).lower(): vote is True for one, vote in votes.items()},
        )

    def propose(self, address: str, *, add: bool) -> None:
        """Let the node vote for or against a validator in every block it makes."""
        if self._ask("qbft_proposeValidatorVote", _checked(address), add) is not True:
            raise Conflict("The ledger node did not take the vote.")

    def discard(self, address: str) -> None:
        """Take the node's vote back."""
        self._ask("qbft_discardValidatorVote", _checked(address))

    def _ask(self, method: str, *arguments: object) -> Any:
        question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(arguments)}
        try:
            response = self._http.post(self._url, json=question)
            answer = response.json() if len(response.content) <= _MOST_BYTES else None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise Unavailable("The ledger node does not answer.") from error
        if not isinstance(answer, dict):
            raise Unavailable("The ledger node's answer is not JSON-RPC.")
        failure = answer.get("error")
        if isinstance(failure, dict):
            if failure.get("code") in _NO_METHOD:
                raise Unsupported(
                    "The node offers no QBFT methods.",
                    advice="Name a Besu node with QBFT in rpc-http-api, your own.",
                )
            raise Unavailable(f"The ledger node refused {method}: {failure.get('code')}.")
        return answer.get("result")


def settle(
    voter: Voter,
    address: str,
    *,
    add: bool,
    wait_seconds: float = 0,
    sleep: Callable[[float], None] = lambda _: None,
) -> Standing:
    """Vote until the validators are as wanted or ``wait_seconds`` are over; where it stands then.

    Repeating it is harmless. Raises Conflict for removing the last validator.
    """
    address = _checked(address)
    found = voter.standing()
    if not add and found.validators == (address,):
        raise Conflict("The last validator can't leave.")
    waited = 0.0
    while (address in found.validators) is not add:
        if found.votes.get(address) is not add:
            voter.propose(address, add=add)
            found = voter.standing()
            continue
        if waited >= wait_seconds:
            return found
        sleep(POLL_SECONDS)
        waited += POLL_SECONDS
        found = voter.standing()
    if address in found.votes:
        voter.discard(address)
        found = voter.standing()
    return found


def _checked(address: str) -> str:
    if not ADDRESS.fullmatch(address.lower()):
        raise Invalid("A validator is named by its address: 0x and 40 hexadecimal digits.")
    return address.lower()
