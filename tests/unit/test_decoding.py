"""Threads that decode a type for the first time at once: the process goes on."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src/simdes"

CROWD = """
import sys, threading, types, msgspec
from simdes.decoding import ready
sys.setswitchinterval(1e-6)
SOURCE = '''
from __future__ import annotations
import msgspec
class Inner(msgspec.Struct): f: str
class Outer(msgspec.Struct):
    a: str
    inner: list[Inner]
    b: str
'''
data = msgspec.json.encode({"a": "x", "inner": [{"f": "y"}], "b": "z"})
for _ in range(300):
    module = sys.modules["made"] = types.ModuleType("made")
    exec(SOURCE, module.__dict__)
    gate = threading.Barrier(4)
    def decode():
        gate.wait()
        assert msgspec.json.decode(data, type=ready(module.Outer)).inner[0].f == "y"
    threads = [threading.Thread(target=decode) for _ in range(4)]
    [one.start() for one in threads]
    [one.join() for one in threads]
"""


def test_a_type_is_made_ready_by_one_thread_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CROWD], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_type_that_is_decoded_into_passes_there() -> None:
    asked = re.compile(r"decode\([^\n]*type=(?!ready\()(?!list\[msgspec\.Raw\])")
    found = [
        f"{path.relative_to(SOURCE)}: {line.strip()}"
        for path in SOURCE.rglob("*.py")
        for line in path.read_text().splitlines()
        if asked.search(line)
    ]
    assert found == []
