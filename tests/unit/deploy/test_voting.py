"""Validators by vote: a scripted QBFT network that counts as Besu's documentation says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from simdes.cli import command_line
from simdes.deploy.spec import read_spec
from simdes.deploy.voting import Standing, Voter, settle
from simdes.errors import Conflict, Invalid, Unavailable, Unsupported

EXAMPLE = Path(__file__).resolve().parents[3] / "deploy" / "example" / "network.toml"
FOUR = [f"0x{place:040x}" for place in (1, 2, 3, 4)]
FIFTH = f"0x{5:040x}"


@dataclass
class Qbft:
    """Four validators or more. Each block carries one vote of its proposer; a majority decides.

    Votes that led to a change are dropped from blocks, proposals stay until they are discarded.
    """

    validators: list[str] = field(default_factory=lambda: list(FOUR))
    proposals: dict[str, dict[str, bool]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def block(self) -> None:
        """Everybody makes a block."""
        tally: dict[tuple[str, bool], int] = {}
        for validator in self.validators:
            for address, add in self.proposals.get(validator, {}).items():
                if (address in self.validators) is not add:
                    tally[address, add] = tally.get((address, add), 0) + 1
        for (address, add), count in tally.items():
            if count * 2 > len(self.validators):
                (self.validators.append if add else self.validators.remove)(address)

    def answer(self, node: str, question: dict[str, Any]) -> dict[str, Any]:
        method, own = question["method"], self.proposals.setdefault(node, {})
        self.asked.append(method)
        result: Any
        match method, question["params"]:
            case "qbft_getValidatorsByBlockNumber", ["latest" | "pending"]:
                result = [one.upper().replace("0X", "0x") for one in self.validators]
            case "qbft_getPendingVotes", []:
                result = dict(own)
            case "qbft_proposeValidatorVote", [str(address), bool(add)]:
                own[address] = add
                result = True
            case "qbft_discardValidatorVote", [str(address)]:
                result = own.pop(address, None) is not None
            case _:
                return {"error": {"code": -32601, "message": "Method not found"}}
        return {"result": result}

    def voter(self, node: str) -> Voter:
        def handler(request: httpx.Request) -> httpx.Response:
            answer = self.answer(node, json.loads(request.content))
            return httpx.Response(200, json={"jsonrpc": "2.0", "id": 1} | answer)

        return Voter("http://node.invalid", transport=httpx.MockTransport(handler))


def test_more_than_half_must_vote_and_votes_are_discarded_afterwards() -> None:
    network = Qbft()
    for node in FOUR[:2]:
        found = settle(network.voter(node), FIFTH, add=True)
        network.block()
        assert FIFTH not in found.validators
    assert network.validators == FOUR, "two of four are no majority"
    found = settle(
        network.voter(FOUR[2]), FIFTH, add=True, wait_seconds=5, sleep=lambda _: network.block()
    )
    assert found == Standing((*FOUR, FIFTH), {})
    for node in FOUR[:2]:
        assert settle(network.voter(node), FIFTH, add=True).votes == {}
    assert not any(network.proposals.values()), "a vote that stays would fight the next change"


def test_a_validator_is_voted_out_the_same_way() -> None:
    network = Qbft()
    for node in FOUR[:3]:
        settle(network.voter(node), FOUR[3], add=False)
        network.block()
    assert network.validators == FOUR[:3]
    assert settle(network.voter(FOUR[0]), FOUR[3], add=False).validators == tuple(FOUR[:3])


def test_voting_twice_proposes_once_and_a_changed_mind_replaces_the_vote() -> None:
    network = Qbft()
    voter = network.voter(FOUR[0])
    for _ in range(3):
        settle(voter, FIFTH, add=True)
    assert network.asked.count("qbft_proposeValidatorVote") == 1
    network.proposals[FOUR[0]][FOUR[1]] = True
    settle(voter, FOUR[1], add=False)
    assert network.proposals[FOUR[0]][FOUR[1]] is False


def test_waiting_ends() -> None:
    slept: list[float] = []
    found = settle(Qbft().voter(FOUR[0]), FIFTH, add=True, wait_seconds=3, sleep=slept.append)
    assert (len(slept), found.needed) == (3, 3)


def test_the_last_validator_stays() -> None:
    with pytest.raises(Conflict):
        settle(Qbft(validators=FOUR[:1]).voter(FOUR[0]), FOUR[0], add=False)


@pytest.mark.parametrize("address", ["", "0x12", "1" * 42, FIFTH + "0", "0x" + "g" * 40])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(Invalid):
        settle(Qbft().voter(FOUR[0]), address, add=True)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(200, json={"error": {"code": -32601}}), Unsupported),
        (httpx.Response(200, json={"error": {"code": -32604}}), Unsupported),
        (httpx.Response(200, json={"error": {"code": -32000}}), Unavailable),
        (httpx.Response(200, json={"result": "0x"}), Unavailable),
        (httpx.Response(200, json=[1]), Unavailable),
        (httpx.Response(200, content=b"<html>"), Unavailable),
        (httpx.Response(200, content=b" " * (2 << 20)), Unavailable),
        (httpx.ConnectError("refused"), Unavailable),
    ],
    ids=lambda one: getattr(one, "__name__", type(one).__name__),
)
def test_a_node_that_is_none_is_told(answer: Any, error: type[Exception]) -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    with (
        closing(Voter("http://node.invalid", transport=httpx.MockTransport(handler))) as voter,
        pytest.raises(error),
    ):
        voter.standing()
    with pytest.raises(Invalid):
        Voter("embedded:ledger.sqlite")


# The commands, over HTTP -----------------------------------------------------------------------


@pytest.fixture
def served() -> Iterator[tuple[str, Qbft]]:
    network = Qbft()

    class Node(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            content = json.dumps(network.answer(FOUR[0], question)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Node)
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", network
    server.shutdown()
    server.server_close()
    thread.join()


def run(*words: object) -> dict[str, Any]:
    told = [str(word) for word in words]
    result = CliRunner().invoke(command_line(), [*told, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    assert CliRunner().invoke(command_line(), told).exit_code == 0
    return found


def test_join_and_leave_vote_for_the_node_of_a_members_file(
    served: tuple[str, Qbft], tmp_path: Path
) -> None:
    url, network = served
    spec = read_spec(EXAMPLE).organisations[0]
    assert spec.identity is not None
    address = "0x" + spec.identity.address.hex()
    member = tmp_path / "member.toml"
    member.write_text(
        f'name = "e"\nhost = "e.example"\nnode_public_key = "{spec.node_public_key}"\n'
        f'ipfs_peer = "{spec.ipfs_peer}"\n'
    )
    told = run("network", "join", member, "--ledger", url)
    assert (told["address"], told["done"], told["needed"]) == (address, False, 3)
    assert network.proposals[FOUR[0]] == {address: True}
    for node in FOUR[1:3]:
        network.proposals[node] = {address: True}
    network.block()
    assert run("network", "join", member, "--ledger", url)["done"] is True
    assert network.proposals[FOUR[0]] == {}
    network.proposals.clear()
    assert run("network", "validators", "--ledger", url)["validators"] == sorted([*FOUR, address])
    assert run("network", "leave", member, "--ledger", url)["votes"] == {address: False}
