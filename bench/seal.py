"""How fast records are sealed and opened, next to the bare cost of their cryptography.

Run `.venv/bin/python bench/seal.py` on an idle core. The bare cost, the limit, is one HPKE sealing
per custodian and one ChaCha20-Poly1305 over the same bytes, or one HPKE opening per share needed
and one decryption; everything beyond it (signatures, shares, commitments, leaves, encoding) is
this project's. Measured in CPU time of one process, so that a neighbour on the machine does not
count; the best of many short rounds, bare and full in turn, because the caches are shared.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from simdes.crypto.keys import OpeningKey, SigningKey
from simdes.crypto.seal import Custodian, Item, combine_shares, open_body, open_share, seal

CUSTODIANS = 4
THRESHOLD = 3
OBSERVATION = json.dumps(
    {
        "resourceType": "Observation",
        "id": "0198c5d2-7c1e-7b43-9f6a-2d1e5c3b8a90",
        "status": "final",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": "laboratory",
                    }
                ]
            }
        ],
        "code": {
            "coding": [
                {
                    "system": "http://loinc.org",
                    "code": "2345-7",
                    "display": "Glucose [Mass/volume] in Serum or Plasma",
                }
            ]
        },
        "subject": {"reference": "Patient/0198c5d2-7c1e-7b43-9f6a-000000000001"},
        "encounter": {"reference": "Encounter/0198c5d2-7c1e-7b43-9f6a-000000000002"},
        "effectiveDateTime": "2026-11-22T09:30:00+01:00",
        "valueQuantity": {"value": 182.0, "unit": "mg/dL", "code": "mg/dL"},
        "referenceRange": [{"low": {"value": 70}, "high": {"value": 105}}],
    }
).encode()


def seconds_each(verb: Callable[[], object], times: int) -> float:
    """Return the CPU seconds of this process that one call of `verb` takes."""
    start = time.process_time()
    for _ in range(times):
        verb()
    return (time.process_time() - start) / times


class Bare:
    """The HPKE and AEAD calls alone, on prepared keys."""

    def __init__(self, payload_bytes: int, body_bytes: int) -> None:
        self._suite = hpke.Suite(
            hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305
        )
        self._key = hpke.MLKEM768X25519PrivateKey(
            MLKEM768PrivateKey.generate(), X25519PrivateKey.generate()
        )
        self._public = self._key.public_key()
        self._payload, self._body = os.urandom(payload_bytes), os.urandom(body_bytes)
        self._cipher = ChaCha20Poly1305(os.urandom(32))
        self._sealed = self._suite.encrypt(self._payload, self._public, b"")
        self._sealed_body = self._cipher.encrypt(bytes(12), self._body, b"")

    def seal(self) -> None:
        """One sealing to each custodian and one of the body."""
        for _ in range(CUSTODIANS):
            self._suite.encrypt(self._payload, self._public, b"")
        self._cipher.encrypt(bytes(12), self._body, b"")

    def open(self) -> None:
        """One opening for each share needed and one of the body."""
        for _ in range(THRESHOLD):
            self._suite.decrypt(self._sealed, self._key, b"")
        self._cipher.decrypt(bytes(12), self._sealed_body, b"")


def measure(resources: int, *, times: int, rounds: int) -> dict[str, float]:
    """Measure records of so many resources; rates are per second of one core."""
    keys = [OpeningKey.generate(os.urandom) for _ in range(CUSTODIANS)]
    custodians = [Custodian(os.urandom(32), key.public) for key in keys]
    author, vault, organisation = SigningKey.generate(os.urandom), os.urandom(32), os.urandom(32)
    items = [Item("Observation", OBSERVATION, os.urandom(32)) for _ in range(resources)]

    def seal_one() -> object:
        return seal(
            items,
            vault=vault,
            category=3,
            labels=0,
            epoch=1,
            m=THRESHOLD,
            custodians=custodians,
            author=author,
            organisation=organisation,
            random=os.urandom,
        )

    record = seal_one()
    pairs = list(zip(keys, custodians, strict=True))[:THRESHOLD]

    def open_one() -> object:
        released = [
            open_share(record.capsule, key, custodian.organisation, index=index).share
            for index, (key, custodian) in enumerate(pairs, 1)
        ]
        secret = combine_shares(record.capsule, released)
        return open_body(record.body, secret, record_id=record.record_id)

    bare = Bare(payload_bytes=300, body_bytes=len(record.body))
    verbs = {"bare_seal": bare.seal, "seal": seal_one, "bare_open": bare.open, "open": open_one}
    best = dict.fromkeys(verbs, float("inf"))
    for _ in range(rounds):
        for name, verb in verbs.items():
            best[name] = min(best[name], seconds_each(verb, times))
    return {
        "resources_per_body": resources,
        "body_bytes": len(record.body),
        **{f"{name}_us": round(seconds * 1e6, 1) for name, seconds in best.items()},
        "seals_per_second": round(1 / best["seal"]),
        "resources_sealed_per_second": round(resources / best["seal"]),
        "seal_share_of_limit": round(best["bare_seal"] / best["seal"], 3),
        "opens_per_second": round(1 / best["open"]),
        "resources_opened_per_second": round(resources / best["open"]),
        "open_share_of_limit": round(best["bare_open"] / best["open"], 3),
    }


def main() -> None:
    """Measure, print a table, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10, help="calls per round")
    parser.add_argument("--rounds", type=int, default=200, help="rounds, of which the best counts")
    parser.add_argument("--out", type=Path, help="write the figures as JSON to this file")
    arguments = parser.parse_args()
    results = [
        measure(resources, times=arguments.times, rounds=arguments.rounds)
        for resources in (1, 10, 30)
    ]
    for result in results:
        for name, value in result.items():
            print(f"{name:>30}  {value:>12,}")
        print()
    if arguments.out:
        report = {
            "command": "bench/seal.py",
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {sys.version[:6]}",
            "custodians": CUSTODIANS,
            "threshold": THRESHOLD,
            "results": results,
        }
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
