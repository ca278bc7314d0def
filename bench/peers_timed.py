"""Time the libraries that one would otherwise use in Python; runs in their own environment.

Reads {"set": {"name": base64, ...}, ...} from standard input and writes one row per library and
set: how many inputs it took, and the least CPU seconds of several rounds over those.
"""

from __future__ import annotations

import io
import json
import logging
import sys
import time
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import hl7
from fhir_converter.renderers import CcdaRenderer
from hl7apy.parser import parse_message

ROUNDS = 3


def python_hl7(data: bytes) -> None:
    """Parse only."""
    hl7.parse(data.decode().replace("\r\n", "\r").replace("\n", "\r"))


def hl7apy(data: bytes) -> None:
    """Parse only; its groups are found too, as a mapping needs them."""
    parse_message(data.decode().replace("\r\n", "\r").replace("\n", "\r"), find_groups=True)


def converter() -> Callable[[bytes], None]:
    """Convert a C-CDA document to FHIR with Microsoft's templates."""
    renderer = CcdaRenderer()
    return lambda data: renderer.render_fhir("CCD", io.BytesIO(data), io.StringIO())


PEERS: dict[str, dict[str, Callable[[bytes], None]]] = {
    "hl7v2": {"python-hl7 (parse only)": python_hl7, "hl7apy (parse only)": hl7apy},
    "cda": {"python-fhir-converter (CCD template)": converter()},
}


def timed(verb: Callable[[bytes], None], inputs: list[bytes]) -> dict[str, Any]:
    """Time one library on what it takes of ``inputs``."""
    taken = []
    for data in inputs:
        try:
            verb(data)
        except Exception:  # noqa: S112 whatever it raises, it did not take this one
            continue
        taken.append(data)
    best = float("inf")
    for _ in range(ROUNDS if taken else 0):
        start = time.process_time()
        for data in taken:
            verb(data)
        best = min(best, time.process_time() - start)
    return {"inputs": len(inputs), "taken": len(taken), "per_second": round(len(taken) / best, 1)}


def main() -> None:
    """Read the inputs, time every library, write the rows."""
    logging.disable(logging.CRITICAL)
    rows = []
    for name, files in json.load(sys.stdin).items():
        inputs = [b64decode(text) for text in files]
        for library, verb in PEERS[name.partition(" ")[0]].items():
            rows.append({"set": name, "library": library, **timed(verb, inputs)})
    json.dump(rows, sys.stdout)


if __name__ == "__main__":
    main()
