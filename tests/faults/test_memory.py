"""Fifty of the largest answers and bodies at once, asked of the real program: what it takes."""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from pathlib import Path

import httpx
import pytest

from faults.writer import WRITER
from simdes import app
from support import consortium, gateways
from support.fhir_api import JSON, Api, application

AT_ONCE = 50
BINARIES, BINARY_BYTES = 20, 12_000_000
MOST_MIB = 1_536
"""The program itself, 512 MiB that are counted, and what Python and SQLite add to it."""


def made(data: Path) -> str:
    """Store Binaries of a patient; a backend service's token."""
    with consortium.own_settings(), app.opened(data) as one:
        api = Api.of_agent(one, application(one))
        patient = api.create({"resourceType": "Patient"})["id"]
        context = {"x-security-context": f"Patient/{patient}"}
        for _ in range(BINARIES):
            headers = {"content-type": "application/octet-stream", **context}
            content = os.urandom(1000) * (BINARY_BYTES // 1000)
            assert api.send("POST", "Binary", content=content, headers=headers).status_code == 201
        return Api.of_agent(one, application(one)).token


def large_batch() -> bytes:
    """31 MB of requests that store nothing."""
    code = {"text": "x" * 6_000}
    resource = {"resourceType": "Observation", "code": code}
    entry = {"resource": resource, "request": {"method": "POST", "url": "Observation"}}
    return json.dumps(
        {"resourceType": "Bundle", "type": "batch", "entry": [entry] * 5_000}
    ).encode()


def asked(url: str, token: str, method: str, content: bytes | None) -> Counter[int]:
    """Ask many times at once; how often each status came, and Retry-After with each 503."""
    came: Counter[int] = Counter()
    headers = {"authorization": f"Bearer {token}", "content-type": JSON}

    def one() -> None:
        with httpx.Client(timeout=120, headers=headers) as client:
            answer = client.request(method, url, content=content)
            assert answer.status_code != 503 or "retry-after" in answer.headers
            came[answer.status_code] += 1

    threads = [threading.Thread(target=one) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return came


def peak_mib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024


@pytest.mark.accept
@pytest.mark.parametrize("what", ["answers", "bodies"])
def test_many_large_requests_at_once_are_refused_before_memory_ends(
    template: Path, tmp_path: Path, what: str
) -> None:
    data = consortium.copy(template, tmp_path / "network") / WRITER
    token = made(data)
    with consortium.own_settings(), app.opened(data) as one:
        url = one.node.issuer.audience
    with gateways.serve(data) as program:
        if what == "answers":
            came = asked(f"{url}/Binary?_count=50", token, "GET", None)
        else:
            came = asked(url, token, "POST", large_batch())
        assert sum(came.values()) == AT_ONCE
        assert set(came) <= {200, 408, 503}
        assert came[200] >= 1
        assert peak_mib(program.pid) < MOST_MIB
        assert asked(f"{url}/Patient", token, "GET", None) == {200: AT_ONCE}
