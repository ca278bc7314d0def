"""Proving in a real Chromium by snarkjs, with the keys that Python proves with.

snarkjs (npm, GPL-3.0) is loaded into an empty page as it comes; nothing of it is in this project.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Route

from simdes.proofs.keys import Keys
from simdes.proofs.snarkjs import proof_bytes

SCRIPT = Path(__file__).parents[2] / "node_modules/snarkjs/build/snarkjs.min.js"
_PROVE = """async ([inputs, single]) => {
  const begun = performance.now();
  const found = await snarkjs.groth16.fullProve(
    inputs, "/circuit.wasm", "/proving_key.zkey", undefined, undefined,
    single ? { singleThread: true } : undefined);
  return { ...found, milliseconds: performance.now() - begun };
}"""


@dataclass(frozen=True)
class Proved:
    """A proof made in the browser: its bytes, public inputs, time, and the page's memory."""

    proof: bytes
    public: list[int]
    seconds: float
    cpu_seconds: float
    renderer_mib: float


def prove(
    browser: Browser, keys: Keys, signals: Mapping[str, Any], *, threads: bool = False
) -> Proved:
    """Prove in a page of its own. All else the page asks for isn't there."""
    files = {
        "/": (b"<!doctype html><title>prove</title>", "text/html"),
        "/circuit.wasm": (keys.circuit_code.read_bytes(), "application/wasm"),
        "/proving_key.zkey": (keys.proving_key.read_bytes(), "application/octet-stream"),
    }

    def answer(route: Route) -> None:
        path = "/" + route.request.url.split("/", 3)[3]
        if path in files:
            body, kind = files[path]
            route.fulfill(body=body, content_type=kind)
        else:
            route.abort()

    context = browser.new_context()
    try:
        page = context.new_page()
        page.set_default_timeout(300_000)
        page.route("http://localhost/**", answer)
        page.goto("http://localhost/")
        page.add_script_tag(path=SCRIPT)
        texts = _texts(signals)
        before = sum(one.cpu_seconds for one in _renderers())
        found = page.evaluate(_PROVE, [texts, not threads])
        after = _renderers()
        return Proved(
            proof_bytes(found["proof"]),
            [int(one) for one in found["publicSignals"]],
            found["milliseconds"] / 1_000,
            sum(one.cpu_seconds for one in after) - before,
            max((one.peak_mib for one in after), default=0),
        )
    finally:
        context.close()


def _texts(value: Any) -> Any:
    """Numbers as text: the browser's own are too short."""
    if isinstance(value, Mapping):
        return {name: _texts(one) for name, one in value.items()}
    return [_texts(one) for one in value] if isinstance(value, list) else str(value)


@dataclass(frozen=True)
class _Renderer:
    """A process of the browser that runs pages: the most memory it had, the CPU time it took."""

    peak_mib: float
    cpu_seconds: float


def _renderers() -> list[_Renderer]:
    """The renderers of this process' browsers, as far as the system tells."""
    parents: dict[int, int] = {}
    found: dict[int, _Renderer] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "status").read_text()
            words = (folder / "cmdline").read_bytes()
            times = (folder / "stat").read_text().rpartition(")")[2].split()[11:13]
        except OSError:
            continue
        lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        pid = int(folder.name)
        parents[pid] = int(lines["PPid"])
        if b"--type=renderer" in words and "VmHWM" in lines:
            peak = int(lines["VmHWM"].split()[0]) / 1_024
            found[pid] = _Renderer(peak, sum(map(int, times)) / os.sysconf("SC_CLK_TCK"))
    return [one for pid, one in found.items() if _descends(pid, parents)]


def _descends(pid: int, parents: Mapping[int, int]) -> bool:
    while pid in parents:
        if pid == os.getpid():
            return True
        pid = parents[pid]
    return False


def timed(call: Any) -> tuple[Any, float, float]:
    """What a call gives, its seconds by the clock and of this process' CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = call()
    return found, time.perf_counter() - wall, time.process_time() - cpu
