"""Commands of the ceremony that makes the circuits' keys: start, contribute, verify, finish."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from simdes import ceremony, console
from simdes.ceremony.steps import Receipt
from simdes.ceremony.transcript import Contribution, Transcript
from simdes.commands.common import AsJson
from simdes.errors import Invalid, NotFound

Folder = Annotated[Path, typer.Argument(help="The ceremony's folder, as the last one gave it.")]
Phase1 = Annotated[
    Path, typer.Option("--phase1", help="Powers of tau, 2^14 at least, prepared for phase 2.")
]
ToolsIn = Annotated[
    Path | None,
    typer.Option("--tools", help="Folder with node_modules of circom2 and snarkjs; else PATH."),
]


def add_commands(cli: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(
        help="Make the keys of proofs together (docs/operations/ceremony.md).",
        no_args_is_help=True,
    )
    group.command("start")(start)
    group.command("contribute")(contribute)
    group.command("verify")(verify)
    group.command("finish")(finish)
    cli.add_typer(group, name="ceremony")


def start(
    folder: Folder,
    phase1: Phase1,
    organisations: Annotated[
        list[str], typer.Option("--organisation", help="Who will contribute; two at least.")
    ],
    beacon: Annotated[
        str,
        typer.Option("--beacon", help="Which public number of the future ends it, in words."),
    ],
    tools: ToolsIn = None,
    as_json: AsJson = False,
) -> None:
    """Begin a ceremony in an empty folder."""
    made = ceremony.start(
        folder,
        phase1,
        organisations=organisations,
        beacon=beacon,
        tools=ceremony.Tools.found(tools),
    )
    _tell(made, as_json)
    if not as_json:
        console.say(f"Give {folder} to the first contributor.")


def contribute(
    folder: Folder,
    name: Annotated[str, typer.Option("--as", help="Your organisation, as it was announced.")],
    receipt: Annotated[Path, typer.Option("--receipt", help="Where to keep your receipt.")],
    tools: ToolsIn = None,
    as_json: AsJson = False,
) -> None:
    """Add your part. Forget what was drawn: do it on a machine that you wipe, if you can."""
    made = ceremony.contribute(
        folder, name, tools=ceremony.Tools.found(tools), random=secrets.token_bytes
    )
    document = {"v": 1, **asdict(made)}
    receipt.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
    if as_json:
        console.print_json(document)
        return
    for circuit, digest in made.contribution.hashes.items():
        console.say(f"{circuit}: {digest}")
    console.say(f"Publish these, keep {receipt}, and give {folder} to the next contributor.")


def verify(
    folder: Folder,
    phase1: Phase1,
    receipts: Annotated[
        list[Path] | None,
        typer.Option("--receipt", help="What you got when you contributed; repeatable."),
    ] = None,
    tools: ToolsIn = None,
    as_json: AsJson = False,
) -> None:
    """Check everything again: sources, phase 1, each contribution, the beacon, your receipt."""
    kept = [_receipt(path) for path in receipts or ()]
    found = ceremony.verify(folder, phase1, tools=ceremony.Tools.found(tools), receipts=kept)
    _tell(found, as_json)


def finish(
    folder: Folder,
    phase1: Phase1,
    beacon: Annotated[str, typer.Option("--beacon", help="The number announced, in hex.")],
    out: Annotated[Path, typer.Option("--out", help="An empty folder for the keys.")],
    iterations: Annotated[
        int, typer.Option("--iterations", min=10, max=40, help="It is hashed 2^N times.")
    ] = 16,
    tools: ToolsIn = None,
    as_json: AsJson = False,
) -> None:
    """End it with the public number, check all, write the keys and their manifest."""
    try:
        number = bytes.fromhex(beacon.removeprefix("0x"))
    except ValueError:
        raise Invalid("the beacon is a number in hex") from None
    done = ceremony.finish(
        folder,
        phase1,
        out,
        beacon=number,
        iterations=iterations,
        tools=ceremony.Tools.found(tools),
    )
    _tell(done, as_json)
    if not as_json:
        console.say(f"The keys are in {out}; found the network with `simdes init --keys {out}`.")


def _tell(found: Transcript, as_json: bool) -> None:
    if as_json:
        console.print_json({**found.to_dict(), "digest": found.digest()})
        return
    for number, one in enumerate(found.contributions, 1):
        console.say(f"{number}. {one.name}: {', '.join(d[:16] for d in one.hashes.values())}…")
    console.say(f"Waiting for: {', '.join(found.waiting()) or 'nobody'}")
    ended = "none yet" if found.ended is None else found.ended.name
    console.say(f"Beacon: {found.beacon} ({ended})")
    console.say(f"Transcript: {found.digest()}")


def _receipt(path: Path) -> Receipt:
    try:
        found = json.loads(path.read_text("utf-8"))
        return Receipt(int(found["number"]), Contribution(**found["contribution"]))
    except FileNotFoundError:
        raise NotFound(f"{path} does not exist") from None
    except (ValueError, TypeError, KeyError):
        raise Invalid(f"{path} is no receipt of a contribution") from None
