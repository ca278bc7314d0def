"""A ceremony's four steps. A folder goes from organisation to organisation; each adds its part.

docs/operations/ceremony.md. Everybody can check everything again from the circuits' source and the
file of phase 1 on; one contributor who forgot what was drawn is enough for all.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from simdes.ceremony.tools import Found, Tools
from simdes.ceremony.transcript import FILE, Contribution, Transcript, read
from simdes.errors import Conflict, Invalid, Tampered
from simdes.proofs import keys
from simdes.proofs.keys import FILES, digest_of
from simdes.proofs.verification_keys import require_sound

SOURCES: Final = {name: keys.SOURCES / f"{name}.circom" for name in keys.CIRCUITS}
LEAST_ORGANISATIONS: Final = 2
LEAST_BEACON_BYTES: Final = 16
_KEY, _CONSTRAINTS, _CODE = "newest.zkey", "circuit.r1cs", "circuit.wasm"
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,80}")
_ENTROPY_BYTES = 64

Circuits = Mapping[str, Path]
"""Circuit -> its source."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a contributor keeps: where its contribution stands, and its hashes."""

    number: int
    contribution: Contribution

    def require_in(self, transcript: Transcript) -> None:
        """Raise Tampered unless the contribution stands where it stood."""
        stands = transcript.contributions[self.number : self.number + 1]
        if stands != (self.contribution,):
            raise Tampered(
                f"the contribution of {self.contribution.name} is not in this ceremony",
                advice="Say so to all: somebody began again without you.",
            )


def start(
    folder: Path,
    phase1: Path,
    *,
    organisations: Sequence[str],
    beacon: str,
    tools: Tools,
    circuits: Circuits = SOURCES,
) -> Transcript:
    """Begin: compile the circuits, make the keys that nobody contributed to, say who will.

    `beacon` says which number that nobody can know now ends it. Raises Invalid, Conflict.
    """
    names = tuple(organisations)
    if len(set(names)) < max(LEAST_ORGANISATIONS, len(names)):
        raise Invalid("a ceremony needs two organisations at least, each named once")
    if not all(_NAME.fullmatch(one) for one in (*names, beacon)):
        raise Invalid("names and the beacon's source are one line of 80 characters at most")
    if folder.exists() and any(folder.iterdir()):
        raise Conflict(f"{folder} is not empty")
    tools.verify_phase1(phase1)
    for circuit, source in circuits.items():
        own = folder / circuit
        own.mkdir(parents=True)
        _compile(circuit, source, own, tools)
        tools.begin(own / _CONSTRAINTS, phase1, own / _KEY)

    def digests(name: str) -> dict[str, str]:
        return {circuit: digest_of(folder / circuit / name) for circuit in circuits}

    made = Transcript(
        organisations=names,
        beacon=beacon,
        phase1=digest_of(phase1),
        constraints=digests(_CONSTRAINTS),
        code=digests(_CODE),
        first=digests(_KEY),
    )
    made.write(folder)
    return made


def contribute(folder: Path, name: str, *, tools: Tools, random: Callable[[int], bytes]) -> Receipt:
    """Add an organisation's part to every key. Raises Conflict, Tampered."""
    before = read(folder)
    before.require_chained()
    if before.ended is not None:
        raise Conflict("the ceremony is over")
    if name not in before.waiting():
        raise Conflict(f"{name} was not announced, or contributed already")
    _require_files(folder, before)
    hashes = {}
    for circuit in before.first:
        newest, after = folder / circuit / _KEY, folder / circuit / "next.zkey"
        hashes[circuit] = tools.contribute(newest, after, name=name, entropy=random(_ENTROPY_BYTES))
    for circuit in before.first:
        (folder / circuit / "next.zkey").replace(folder / circuit / _KEY)
    added = Contribution(
        name=name,
        previous=before.digest(),
        hashes=hashes,
        keys={circuit: digest_of(folder / circuit / _KEY) for circuit in before.first},
    )
    replace(before, contributions=(*before.contributions, added)).write(folder)
    return Receipt(len(before.contributions), added)


def verify(
    folder: Path,
    phase1: Path,
    *,
    tools: Tools,
    receipts: Sequence[Receipt] = (),
    circuits: Circuits = SOURCES,
) -> Transcript:
    """Check all of a ceremony again, from the circuits' source and phase 1 on.

    Raises Tampered naming what doesn't hold, NotFound where a file is missing.
    """
    transcript = read(folder)
    transcript.require_chained()
    for receipt in receipts:
        receipt.require_in(transcript)
    if digest_of(phase1) != transcript.phase1:
        raise Tampered("the ceremony began from another file of phase 1")
    if transcript.first.keys() != circuits.keys():
        raise Tampered("the ceremony is about other circuits")
    _require_files(folder, transcript)
    tools.verify_phase1(phase1)
    with tempfile.TemporaryDirectory() as place:
        for circuit, source in circuits.items():
            own = Path(place) / circuit
            own.mkdir()
            _compile(circuit, source, own, tools)
            for file, said in ((_CONSTRAINTS, transcript.constraints), (_CODE, transcript.code)):
                if digest_of(own / file) != said[circuit]:
                    raise Tampered(f"the ceremony's {file} of {circuit} is not this source's")
            found = tools.verify(own / _CONSTRAINTS, phase1, folder / circuit / _KEY)
            _require_same(transcript, circuit, found)
    return transcript


def finish(
    folder: Path,
    phase1: Path,
    out: Path,
    *,
    beacon: bytes,
    iterations: int,
    tools: Tools,
    circuits: Circuits = SOURCES,
) -> Transcript:
    """End a ceremony with the number announced, check all, and write the keys with their manifest.

    The number is hashed 2 ** `iterations` times. Raises Conflict where somebody has not
    contributed, Tampered where anything doesn't verify; then nothing is written to `out`.
    """
    if len(beacon) < LEAST_BEACON_BYTES:
        raise Invalid(f"a beacon has {LEAST_BEACON_BYTES} bytes at least")
    before = verify(folder, phase1, tools=tools, circuits=circuits)
    if before.ended is not None or before.waiting():
        raise Conflict(f"the ceremony is over, or waits for {', '.join(before.waiting()) or '-'}")
    if out.exists() and any(out.iterdir()):
        raise Conflict(f"{out} is not empty")
    hashes = {}
    for circuit in circuits:
        newest, after = folder / circuit / _KEY, folder / circuit / "next.zkey"
        hashes[circuit] = tools.beacon(newest, after, beacon=beacon, iterations=iterations)
        after.replace(newest)
    ended = Contribution(
        name=f"{beacon.hex()}/{iterations}",
        previous=before.digest(),
        hashes=hashes,
        keys={circuit: digest_of(folder / circuit / _KEY) for circuit in circuits},
    )
    replace(before, ended=ended).write(folder)
    done = verify(folder, phase1, tools=tools, circuits=circuits)
    with tempfile.TemporaryDirectory(dir=out.parent) as place:
        made = Path(place) / "keys"
        _publish(folder, made, done, tools)
        if out.exists():
            out.rmdir()
        made.rename(out)
    return done


def _publish(folder: Path, made: Path, done: Transcript, tools: Tools) -> None:
    for circuit in done.first:
        own = made / circuit
        own.mkdir(parents=True)
        proving_key, code, verification_key = (own / name for name in FILES)
        shutil.copyfile(folder / circuit / _KEY, proving_key)
        shutil.copyfile(folder / circuit / _CODE, code)
        tools.export(proving_key, verification_key)
        require_sound(circuit, json.loads(verification_key.read_bytes()))
    shutil.copyfile(folder / FILE, made / FILE)
    keys.write_manifest(made, development=False, circuits=tuple(done.first), ceremony=done.digest())


def _compile(circuit: str, source: Path, target: Path, tools: Tools) -> None:
    with tempfile.TemporaryDirectory() as place:
        constraints, code = tools.compile(source, Path(place))
    (target / _CONSTRAINTS).write_bytes(constraints)
    (target / _CODE).write_bytes(code)


def _require_files(folder: Path, transcript: Transcript) -> None:
    """Raise Tampered unless the folder holds what the transcript says."""
    said = {
        _KEY: transcript.newest(),
        _CONSTRAINTS: transcript.constraints,
        _CODE: transcript.code,
    }
    for file, digests in said.items():
        for circuit, digest in digests.items():
            if digest_of(folder / circuit / file) != digest:
                raise Tampered(
                    f"{circuit}/{file} is not what the transcript says",
                    advice="Get the folder again from who contributed last.",
                )


def _require_same(transcript: Transcript, circuit: str, found: Sequence[Found]) -> None:
    """Raise Tampered unless a key holds exactly the transcript's contributions."""
    said = [(one.name, one.hashes[circuit]) for one in transcript.contributions]
    held = [(one.name, one.hash) for one in found if not one.beacon]
    if transcript.ended is not None:
        said.append((transcript.ended.name, transcript.ended.hashes[circuit]))
        held += [(f"{one.beacon}/{one.iterations}", one.hash) for one in found if one.beacon]
    elif any(one.beacon for one in found):
        raise Tampered(f"the key of {circuit} was ended, the transcript says nothing of it")
    if said != held:
        raise Tampered(
            f"the contributions in the key of {circuit} are not those of the transcript",
            advice="Go back to the last state that verifies.",
        )
