"""web3.py as it comes, over the embedded ledger, over its endpoint, and over a real node."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from adapters.ethereum import (
    Account,
    ContractCustomError,
    HTTPProvider,
    TransactionNotFound,
    Web3,
    Web3RPCError,
)
from simdes.ledger.abi import Artifact
from simdes.ledger.ledger import open_ledger
from simdes.ledger.provider import EmbeddedProvider
from simdes.ledger.rpc_values import bloom


@pytest.fixture(scope="module", params=["embedded", "endpoint", "node"])
def web3(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Web3]:
    if request.param == "node":
        yield Web3(HTTPProvider(request.getfixturevalue("node_url")))
        return
    path = tmp_path_factory.mktemp("web3") / "chain.db"
    ledger: Any = open_ledger(f"embedded:{path}", clock=time.time)
    if request.param == "endpoint":
        yield Web3(HTTPProvider(ledger.endpoint.url))
    else:
        yield Web3(EmbeddedProvider(ledger))
    ledger.close()


def send(web3: Web3, account: Any, call: Any, **changes: Any) -> Any:
    fields = {
        "from": account.address,
        "nonce": web3.eth.get_transaction_count(account.address),
        "maxFeePerGas": 0,
        "maxPriorityFeePerGas": 0,
        **changes,
    }
    signed = account.sign_transaction(call.build_transaction(fields))
    sent = web3.eth.send_raw_transaction(signed.raw_transaction)
    return web3.eth.wait_for_transaction_receipt(sent, timeout=60, poll_latency=0.05)


def test_a_contract_is_deployed_called_and_read(web3: Web3, probe_code: Artifact) -> None:
    assert web3.is_connected()
    account = Account.create()
    factory = web3.eth.contract(abi=probe_code.abi, bytecode=probe_code.bytecode)
    receipt = send(web3, account, factory.constructor())
    assert receipt.status == 1
    probe = web3.eth.contract(address=receipt.contractAddress, abi=probe_code.abi)
    assert web3.eth.get_code(probe.address) == probe_code.deployed

    receipt = send(web3, account, probe.functions.set(5, 6))
    assert receipt.status == 1
    assert probe.functions.valueOf(5).call() == 6
    [event] = probe.events.Set().process_receipt(receipt)
    assert (event.args.by, event.args.key, event.args.value) == (account.address, 5, 6)
    [again] = probe.events.Set().get_logs(
        from_block=receipt.blockNumber, argument_filters={"by": account.address}
    )
    assert again.transactionHash == receipt.transactionHash
    assert again.logIndex == event.logIndex

    [log] = receipt.logs
    held = bloom([bytes.fromhex(log.address[2:]), *(bytes(topic) for topic in log.topics)])
    assert bytes(receipt.logsBloom) == held

    with pytest.raises(ContractCustomError):
        probe.functions.refuse(1).call()
    receipt = send(web3, account, probe.functions.refuse(1), gas=200_000)
    assert receipt.status == 0


def test_blocks_and_transactions_have_the_usual_form(web3: Web3) -> None:
    account = Account.create()
    fields = {
        "chainId": web3.eth.chain_id,
        "nonce": 0,
        "gas": 21_000,
        "gasPrice": 0,
        "to": account.address,
        "value": 0,
    }
    raw = account.sign_transaction(fields).raw_transaction
    sent = web3.eth.send_raw_transaction(raw)
    receipt = web3.eth.wait_for_transaction_receipt(sent, timeout=60, poll_latency=0.05)
    transaction = web3.eth.get_transaction(sent)
    assert transaction["from"] == account.address
    assert transaction.nonce == 0
    assert transaction.blockHash == receipt.blockHash
    block = web3.eth.get_block(receipt.blockNumber, full_transactions=True)
    assert block.hash == receipt.blockHash
    assert any(entry.hash == sent for entry in block.transactions)
    assert web3.eth.get_block(block.hash).number == block.number
    assert web3.eth.get_block("latest").baseFeePerGas == 0
    assert web3.eth.get_block("earliest").number == 0
    assert web3.eth.get_balance(account.address) == 0
    assert web3.eth.gas_price >= 0, "what it suggests; zero is taken"
    assert web3.eth.fee_history(1, "latest").baseFeePerGas[-1] == 0
    assert web3.eth.get_transaction_count(account.address) == 1
    assert not web3.eth.syncing
    assert web3.net.version == str(web3.eth.chain_id)


def test_what_does_not_exist_is_said_to_be_missing(web3: Web3) -> None:
    with pytest.raises(TransactionNotFound):
        web3.eth.get_transaction_receipt(bytes(31) + b"\1")
    with pytest.raises(Web3RPCError):
        web3.eth.send_raw_transaction(b"\2rubbish")
