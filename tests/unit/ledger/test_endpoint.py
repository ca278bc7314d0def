"""The HTTP endpoint on loopback: who may ask, and how much."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from simdes.ledger.endpoint import BODY_LIMIT_OCTETS, CONNECTION_LIMIT, Endpoint
from simdes.ledger.jsonrpc import JsonRpcLedger
from simdes.ledger.rpc import RpcFace
from unit.ledger.chains import COUNTER, Sender
from unit.ledger.test_embedded import opened

QUESTION = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"})


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    running = Endpoint(RpcFace(opened()), word="secret-word")
    yield running
    running.close()


def post(endpoint: Endpoint, path: str | None = None, **headers: str) -> httpx.Response:
    url = urlsplit(endpoint.url)
    address = f"http://127.0.0.1:{url.port}{path if path is not None else url.path}"
    sent = {
        "content-type": "application/json",
        **{k.replace("_", "-"): v for k, v in headers.items()},
    }
    return httpx.post(address, content=QUESTION, headers=sent)


def test_it_answers_on_loopback(endpoint: Endpoint) -> None:
    answer = post(endpoint)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["result"] == "0x7"
    port = urlsplit(endpoint.url).port
    assert post(endpoint, host=f"localhost:{port}").status_code == 200
    with httpx.Client() as client:  # one connection, several requests
        for _ in range(3):
            again = client.post(endpoint.url, content=QUESTION, headers=answer.request.headers)
            assert again.json()["result"] == "0x7"


def test_a_page_in_a_browser_is_refused(endpoint: Endpoint) -> None:
    """A name that resolves to loopback (DNS rebinding) still shows in Host; scripts in Origin."""
    assert post(endpoint, host="evil.example").status_code == 403
    assert post(endpoint, host="evil.example:80").status_code == 403
    assert post(endpoint, origin="http://evil.example").status_code == 403
    assert post(endpoint, content_type="text/plain").status_code == 415
    assert post(endpoint, content_type="application/x-www-form-urlencoded").status_code == 415


def test_who_does_not_know_the_word_is_refused(endpoint: Endpoint) -> None:
    assert post(endpoint, "/").status_code == 404
    assert post(endpoint, "/secret-wore").status_code == 404
    assert post(endpoint, "/secret-word/").status_code == 404
    assert httpx.get(endpoint.url).status_code == 501


def raw(endpoint: Endpoint, text: str) -> bytes:
    url = urlsplit(endpoint.url)
    assert url.port is not None
    with socket.create_connection(("127.0.0.1", url.port), timeout=5) as connection:
        connection.sendall(text.format(port=url.port).encode())
        return connection.recv(65_536)


HEAD = "POST /secret-word HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"


def test_sizes_are_stated_and_limited(endpoint: Endpoint) -> None:
    large = HEAD + f"Content-Length: {BODY_LIMIT_OCTETS + 1}\r\n\r\n"
    assert b" 413 " in raw(endpoint, large)
    for length in ("", "Content-Length: -5\r\n", "Content-Length: 9999999999999\r\n"):
        assert b" 411 " in raw(endpoint, HEAD + length + "\r\n")
    chunked = HEAD + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    assert b" 411 " in raw(endpoint, chunked)


def test_bad_json_is_answered_as_json_rpc_says(endpoint: Endpoint) -> None:
    answer = httpx.post(endpoint.url, content=b"{", headers={"content-type": "application/json"})
    assert answer.status_code == 200
    assert answer.json()["error"]["code"] == -32700


def test_connections_are_limited_and_come_free_again(endpoint: Endpoint) -> None:
    url = urlsplit(endpoint.url)
    assert url.port is not None
    held = [http.client.HTTPConnection("127.0.0.1", url.port) for _ in range(CONNECTION_LIMIT)]
    headers = {"Content-Type": "application/json"}
    for connection in held:
        connection.request("POST", url.path, QUESTION, headers)
        assert connection.getresponse().read()
    with pytest.raises(httpx.HTTPError):
        post(endpoint)
    for connection in held:
        connection.close()
    for _ in range(50):
        try:
            assert post(endpoint).status_code == 200
            return
        except httpx.HTTPError:
            continue
    pytest.fail("no connection came free")


def test_a_closed_endpoint_hangs_up() -> None:
    ledger = opened()
    running = Endpoint(RpcFace(ledger), word="w")
    guest = JsonRpcLedger(running.url)
    assert guest.chain_id() == 7
    running.close()
    with pytest.raises(Exception, match="does not answer"):
        guest.head()


def test_a_whole_batch_of_transactions_passes_over_it() -> None:
    ledger = opened()
    running = Endpoint(RpcFace(ledger), word="w")
    guest = JsonRpcLedger(running.url)
    sender = Sender(ledger)
    counter = sender.deploy(COUNTER)
    sent = guest.send_many([sender.sign(counter) for _ in range(250)])
    assert all(isinstance(one, bytes) for one in sent)
    assert guest.storage(counter, 0) == (250).to_bytes(32, "big")
    receipts = guest.receipts([one for one in sent if isinstance(one, bytes)])
    assert all(receipt and receipt.succeeded for receipt in receipts)
    guest.close()
    running.close()
