"""Commands for records: ingest, read."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from simdes import console
from simdes.commands.common import (
    AsJson,
    Data,
    Patient,
    Purpose,
    Token,
    User,
    id_of,
    organisation,
    signed_in,
    vault_of,
)
from simdes.commands.mapping import From, Report, SourceKind, Sources, finish
from simdes.errors import Unavailable
from simdes.exchange import anchoring, intake, members, opening, retrieve, submit
from simdes.exchange.retrieve import Read
from simdes.exchange.running import worker_name
from simdes.exchange.submit import Accepted, Refused
from simdes.mapper import Mapping, report

HELD_SECONDS = 2 * anchoring.LEASE_MS / 1000
"""How long what another worker holds is waited for: its lease, and as long again to anchor it."""


def add_commands(cli: typer.Typer) -> None:
    """Add this module's commands."""
    cli.command("ingest")(ingest)
    cli.command("read")(read)


def ingest(
    sources: Sources,
    data: Data,
    kind: From = SourceKind.AUTO,
    report_file: Report = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Map and validate, store nothing.")
    ] = False,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Return when durable; `serve` seals and anchors.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Map, validate, store, seal and anchor. Safe to repeat: what is here already is left alone."""
    files = intake.source_files(sources)
    with organisation(data) as one, console.progress(as_json) as bar:
        task = bar.add_task("Accepting", total=len(files))
        answers: list[Accepted | Refused] = []
        kinds: Counter[str] = Counter()

        def accepted() -> Iterator[Mapping]:
            given = (intake.map_file(file, kind=str(kind), site=one.node.site) for file in files)
            for mapping, found in (
                ((each, submit.check(each)) for each in given)
                if dry_run
                else submit.submit_each(one.node, given)
            ):
                answers.extend(found)
                kinds[mapping.kind] += 1
                yield mapping
                bar.advance(task)

        dropped = report(accepted())["dropped"]
        summary = _summary(len(files), answers) | {
            "kinds": dict(sorted(kinds.items())),
            "dropped": dropped,
            "dryRun": dry_run,
        }
        if not dry_run and not no_wait:
            summary["anchoring"] = anchor(one.node, summary["resources"], bar)
    verb = "would be accepted" if dry_run else "accepted"
    of_kinds = ", ".join(f"{count} {name}" for name, count in summary["kinds"].items())
    text = (
        f"{summary['accepted']} messages {verb} from {summary['inputs']} files ({of_kinds}): "
        f"{summary['resources']} resources new or changed, {summary['unchanged']} unchanged, "
        f"{summary['older']} older than what is here, {len(summary['vaults'])} patients."
    )
    return finish(summary, report_file, as_json, text)


def _summary(inputs: int, answers: list[Accepted | Refused]) -> dict[str, Any]:
    accepted = [one for one in answers if isinstance(one, Accepted)]
    refused = [one for one in answers if isinstance(one, Refused)]
    return {
        "inputs": inputs,
        "accepted": len(accepted),
        "resources": sum(one.resources for one in accepted),
        "unchanged": sum(one.unchanged for one in accepted),
        "older": sum(one.older for one in accepted),
        "vaults": sorted({f"0x{vault.hex()}" for one in accepted for vault in one.vaults}),
        "quarantined": [
            {
                "input": one.name,
                "index": one.index,
                "reasonCode": one.code,
                "reason": one.reason,
                "advice": one.advice,
            }
            for one in refused
        ],
    }


def anchor(node: Any, resources: int, bar: Any) -> str:
    """Seal and anchor what is waiting; "waiting" where a part does not answer now.

    What another worker holds is waited for: it anchors it, or it is dead and its lease ends.
    """
    task = bar.add_task("Sealing and anchoring", total=resources)
    name = worker_name()
    give_up = time.monotonic() + HELD_SECONDS
    try:
        while not (done := anchoring.work(node, worker=name)).idle or _held(node, give_up):
            bar.advance(task, done.resources)
    except Unavailable as error:
        console.warn(f"Stored here, not anchored yet: {error.message} {error.advice}")
        return "waiting"
    bar.update(task, completed=resources)
    return "anchored"


def _held(node: Any, give_up: float) -> bool:
    """Whether some of it is still on its way with another worker, after a short pause."""
    if anchoring.everything_anchored(node):
        return False
    if time.monotonic() > give_up:
        raise Unavailable("Another worker has held some of it for too long.")
    time.sleep(0.25)
    return True


def read(
    data: Data,
    patient: Patient,
    user: User = None,
    token: Token = None,
    category: Annotated[
        list[str] | None, typer.Option("--category", help="Read these only; repeatable.")
    ] = None,
    purpose: Purpose = "TREAT",
    emergency: Annotated[
        str | None, typer.Option("--emergency", help="Under this emergency of yours (0x…).")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write resources and their proofs here.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Read a patient's records, as far as consent, role and purpose allow; every try is logged."""
    with organisation(data) as one:
        session = signed_in(one, user, token)
        vault = vault_of(one.node, patient, session)
        found = retrieve.retrieve(
            one.node,
            session,
            vault=vault,
            categories=category,
            purpose="ETREAT" if emergency else purpose,
            emergency=id_of(emergency, "an emergency's handle") if emergency else None,
        )
        for who, what in found.culprits.items():
            console.warn(f"{members.name_of(one.node, who)} {what}; others' shares were used.")
        if out is not None:
            _write_records(one.node, out, found.resources)
        if as_json:
            console.print_json([_as_json(resource) for resource in found.resources])
        else:
            _show_records(one.node, found)
    return 0


def _as_json(resource: Read) -> dict[str, Any]:
    return {
        "type": resource.type,
        "origin": resource.origin,
        "organisation": resource.organisation,
        "record": resource.record_id,
        "resource": json.loads(resource.content),
    }


def _write_records(node: Any, out: Path, resources: tuple[Read, ...]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for number, one in enumerate(resources, 1):
        name = f"{number:04}-{one.type}"
        (out / f"{name}.json").write_bytes(one.content)
        if one.place is not None and one.record_id is not None:
            proof = opening.prove(
                node,
                record_id=one.record_id,
                resource_type=one.type,
                content=one.content,
                place=one.place,
            )
            (out / f"{name}.proof.json").write_text(json.dumps(proof, indent=2) + "\n")


def _show_records(node: Any, found: retrieve.Retrieved) -> None:
    rows: dict[tuple[str, bytes, str], int] = {}
    for one in found.resources:
        key = (one.type, one.organisation, one.origin)
        rows[key] = rows.get(key, 0) + 1
    console.print_table(
        f"{len(found.resources)} resources",
        ("Type", "Written by", "From", "Count"),
        [
            (type_, members.name_of(node, author), origin, count)
            for (type_, author, origin), count in rows.items()
        ],
    )
    if found.refused:
        console.say(f"{len(found.refused)} records were refused.")
