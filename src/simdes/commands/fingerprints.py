"""Commands for fingerprints across insurers: their key, what is published, what was found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from simdes import console
from simdes.app import Opened
from simdes.claims.signals import Signal, read_pairs
from simdes.commands.claim_trying import bundles_of
from simdes.commands.common import (
    AsJson,
    Data,
    file_bytes,
    organisation,
    organisation_of,
)
from simdes.errors import Conflict, NotFound
from simdes.exchange.claims import fingerprint_keys as keys
from simdes.exchange.claims import fingerprints
from simdes.exchange.members import name_of

PlanFile = Annotated[Path, typer.Argument(help="The plan of a key.")]
KeyFile = Annotated[Path, typer.Argument(help="A finished key.")]


def add_commands(cli: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(help="Fingerprints that insurers compare.", no_args_is_help=True)
    for command in (propose, agree, make, adopt, show, add, publish):
        group.command(command.__name__)(command)
    cli.add_typer(group, name="fingerprints")


def propose(
    plan: Annotated[Path, typer.Argument(help="Where the plan is written.")],
    data: Data,
    custodian: Annotated[
        list[str], typer.Option("--custodian", help="Name or id of who gets a share; repeat it.")
    ],
    needed: Annotated[int, typer.Option("--needed", help="How many of them it takes (m).")],
    person: Annotated[
        list[str],
        typer.Option("--person", help="System of identifiers of patients that all insurers know."),
    ] = [],  # noqa: B006 - Typer's default
    place: Annotated[list[str], typer.Option("--place", help="The same of providers.")] = [],  # noqa: B006 - Typer's default
    previous: Annotated[
        Path | None, typer.Option("--previous", help="The finished key to hand on.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a plan: who is to hold shares of a key that nobody holds whole."""
    with organisation(data) as one:
        made = keys.propose(
            one.node,
            [organisation_of(one.node, text) for text in custodian],
            m=needed,
            persons=person,
            places=place,
            previous=file_bytes(previous) if previous else b"",
        )
        _write(plan, made.encode())
        _tell(_planned(one, made), as_json)


def agree(
    plan: PlanFile,
    data: Data,
    digest: Annotated[
        str, typer.Option("--digest", help="The plan's digest, as the other operators tell it.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Show a plan; with the digest that all operators have compared, agree to take part."""
    content = file_bytes(plan)
    with organisation(data) as one:
        read = keys.read(content)
        if digest:
            if digest.lower().removeprefix("0x") != read.digest.hex():
                raise Conflict("The plan in the file has another digest.")
            keys.agree(one.node, content)
        _tell(_planned(one, read) | {"agreed": bool(digest)}, as_json)


def make(
    plan: PlanFile,
    key: Annotated[Path, typer.Argument(help="Where the finished key is written.")],
    data: Data,
    as_json: AsJson = False,
) -> None:
    """Have the custodians make the key of a plan to which all agreed. Give the file to insurers."""
    with organisation(data) as one:
        made = keys.make(one.node, file_bytes(plan))
        _write(key, made.encode())
        _tell(_planned(one, made.plan) | {"key": f"0x{made.digest.hex()}"}, as_json)


def adopt(key: KeyFile, data: Data, as_json: AsJson = False) -> None:
    """Take a finished key into use; a share of the one before it that lies here is destroyed."""
    with organisation(data) as one:
        read = keys.adopt(one.node, file_bytes(key))
        _tell(_planned(one, read.plan) | {"key": f"0x{read.digest.hex()}"}, as_json)


def show(data: Data, as_json: AsJson = False) -> None:
    """Show plans agreed to, shares held, the key in use, and what insurers had evaluated today."""
    with organisation(data) as one:
        document: dict[str, Any] = {
            "held": [
                {
                    "plan": f"0x{held.plan.hex()}",
                    "key": f"0x{held.key.hex()}" if held.key else None,
                    "state": held.state,
                }
                for held in keys.held(one.node)
            ],
            "inUse": _in_use(one),
            "evaluatedToday": {
                name_of(one.node, insurer): count
                for insurer, count in keys.evaluated_today(one.node).items()
            },
        }
    _tell(document, as_json)


def add(
    sources: Annotated[list[Path], typer.Argument(help="Accepted claims: X12 837, FHIR.")],
    data: Data,
    pairs: Annotated[
        Path | None,
        typer.Option("--pairs", help="Services that include others: `whole ; part ; why` lines."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fingerprint claims in files that this insurer accepted. Nothing is published yet."""
    table = read_pairs(file_bytes(pairs).decode()) if pairs else ()
    counted: dict[str, int] = {}
    with organisation(data) as one:
        for claim, seen in fingerprints.claims_in(bundles_of(sources)):
            counted[claim] = fingerprints.fingerprint(
                one.node, claim, seen, pairs=table, accepted=True
            )
    if not counted:
        raise NotFound("There is no claim in these files.")
    _tell({"fingerprints": counted}, as_json)


def publish(data: Data, as_json: AsJson = False) -> None:
    """Publish what waits among dummies, and read what other insurers published.

    Run it on a timetable, also when there is nothing to publish.
    """
    with organisation(data) as one:
        number = fingerprints.publish(one.node)
        read = fingerprints.collect(one.node)
        silent = {name_of(one.node, who): why for who, why in read.silent.items()}
    _tell({"batch": number, "read": read.batches, "silent": silent}, as_json)


def signals(
    data: Data,
    claim: Annotated[str | None, typer.Option("--claim", help="Of this claim alone.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what other insurers were asked for, too: possible duplicates, overlaps, unbundling."""
    with organisation(data) as one:
        found = [told_signal(one, each) for each in fingerprints.signals(one.node, claim)]
    if as_json:
        console.print_json(found)
        return
    for each in found:
        line = f", line {each['line']}" if each["line"] else ""
        console.say(f"{each['claim']}{line}, {each['day']}: {each['sign']}, {each['insurer']}")
        console.say(f"  {each['reason']}")
    if not found:
        console.say("No signals.")


def told_signal(one: Opened, each: Signal) -> dict[str, Any]:
    """A signal as it is shown."""
    return {
        "sign": each.sign.value,
        "claim": each.claim,
        "line": each.line,
        "day": each.day,
        "insurer": name_of(one.node, each.other),
        "by": each.by.value,
        "expected": each.expected,
        "reason": each.reason,
    }


def _planned(one: Opened, plan: keys.Plan) -> dict[str, Any]:
    return {
        "plan": f"0x{plan.digest.hex()}",
        "needed": plan.m,
        "custodians": [name_of(one.node, each) for each in plan.custodians],
        "persons": list(plan.persons),
        "places": list(plan.places),
        "handsOn": bool(plan.previous),
    }


def _in_use(one: Opened) -> dict[str, Any] | None:
    try:
        key = keys.in_use(one.node)
    except NotFound:
        return None
    return {"key": f"0x{key.digest.hex()}"} | _planned(one, key.plan)


def _tell(document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        console.print_json(document)
        return
    for name, value in document.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else value
        console.say(f"{name}: {text}")


def _write(path: Path, content: bytes) -> None:
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise Conflict(f"{path} exists already.", advice="Choose another file.") from None
