"""A real go-ethereum node: another EVM and another pool than anvil's, with zero base fee.

`make geth` builds it from the exact module that ``tools/geth/go.mod`` names. Its developer mode
makes a block every second on a genesis file of ours, in which the base fee begins at zero; it
stays there as long as blocks are less than half full.
"""

from __future__ import annotations

import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

GETH = Path(__file__).parents[2] / ".tools/geth/geth"
START_SECONDS = 60
GAS_LIMIT = 1_000_000_000
_GENESIS = {
    "config": {
        "chainId": 1_338,
        **dict.fromkeys(
            (
                "homesteadBlock",
                "eip150Block",
                "eip155Block",
                "eip158Block",
                "byzantiumBlock",
                "constantinopleBlock",
                "petersburgBlock",
                "istanbulBlock",
                "berlinBlock",
                "londonBlock",
                "arrowGlacierBlock",
                "grayGlacierBlock",
                "mergeNetsplitBlock",
                "shanghaiTime",
                "cancunTime",
                "terminalTotalDifficulty",
            ),
            0,
        ),
        "terminalTotalDifficultyPassed": True,
    },
    "nonce": "0x0",
    "timestamp": "0x0",
    "extraData": "0x",
    "gasLimit": hex(GAS_LIMIT),
    "difficulty": "0x0",
    "baseFeePerGas": "0x0",
    "alloc": {},
}


@contextmanager
def running_geth(program: Path = GETH) -> Iterator[str]:
    """Start geth on loopback, give its URL, end it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        genesis = Path(folder) / "genesis.json"
        genesis.write_text(json.dumps(_GENESIS))
        place = ["--datadir", f"{folder}/data"]
        subprocess.run(
            [program, *place, "init", genesis], check=True, capture_output=True, timeout=60
        )
        # fmt: off
        node = subprocess.Popen(
            [program, *place, "--dev", "--dev.period", "1", "--miner.gasprice", "0",
             "--miner.gaslimit", str(GAS_LIMIT), "--networkid", "1338",
             "--http", "--http.addr", "127.0.0.1", "--http.port", str(port),
             "--http.api", "eth,net,web3", "--ipcdisable", "--nodiscover", "--port", "0",
             "--authrpc.port", "0", "--rpc.txfeecap", "0", "--verbosity", "1"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        # fmt: on
        url = f"http://127.0.0.1:{port}"
        try:
            _wait(url, node)
            yield url
        finally:
            node.terminate()
            node.wait(timeout=START_SECONDS)


def _wait(url: str, node: subprocess.Popen[bytes]) -> None:
    question = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if node.poll() is not None:
            raise RuntimeError(f"geth ended with {node.returncode}")
        try:
            if int(httpx.post(url, json=question, timeout=1).json()["result"], 16) > 0:
                return
        except (httpx.HTTPError, KeyError):
            pass
        time.sleep(0.1)
    raise RuntimeError("geth made no block in time")
