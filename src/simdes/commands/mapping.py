"""Commands for the mapper alone: map, infer. No network, no database, no keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import typer

from simdes import console
from simdes.commands.common import AsJson
from simdes.errors import Conflict
from simdes.exchange import intake
from simdes.fhir.json import dumps
from simdes.mapper import Mapping, Site, report

_NAME_BYTES = 255
"""What file systems take as one name."""


class SourceKind(StrEnum):
    """What a source is: the mapper's `FORMATS`; ``auto`` looks at its first bytes."""

    AUTO = "auto"
    CDA = "cda"
    CSV = "csv"
    DICOM = "dicom"
    FHIR = "fhir"
    FHIR_DSTU2 = "fhir-dstu2"
    FHIR_STU3 = "fhir-stu3"
    HL7V2 = "hl7v2"
    X12 = "x12"


Sources = Annotated[list[Path], typer.Argument(help="Files, or folders read recursively.")]
From = Annotated[SourceKind, typer.Option("--from", help="What the sources are.")]
Report = Annotated[
    Path | None,
    typer.Option("--report", help="Write counts, dropped fields and quarantine to this file."),
]


def add_commands(cli: typer.Typer) -> None:
    """Add this module's commands."""
    cli.command("map")(map_sources)
    cli.command("infer")(infer)


def map_sources(
    sources: Sources,
    out: Annotated[Path, typer.Option("--out", help="Folder for the Bundles.")],
    kind: From = SourceKind.AUTO,
    report_file: Report = None,
    time_zone: Annotated[
        str, typer.Option("--time-zone", help="Zone of times that carry none.")
    ] = "UTC",
    site_folder: Annotated[
        Path | None,
        typer.Option("--site", help="Folder with site.toml, ConceptMaps and sheets of your own."),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Write <name>.<n>.explained.json: source and row of each element."
        ),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Map sources to FHIR R4 Bundles, one <name>.<n>.json a message. No network, no database."""
    files = intake.source_files(sources)
    site = Site(time_zone=time_zone)
    if site_folder is not None:
        site = intake.read_site(site_folder, default=site)
    with console.progress(as_json) as bar:
        task = bar.add_task("Mapping", total=len(files))

        def mapped() -> Iterator[Mapping]:
            for file in files:
                mapping = intake.map_file(file, kind=str(kind), site=site, explain=explain)
                _write_bundles(out, mapping, explain=explain)
                yield mapping
                bar.advance(task)

        summary = report(mapped())
    events = ", ".join(f"{count} {event}" for event, count in summary["events"].items())
    text = f"{summary['messages']} messages mapped from {summary['inputs']} files: {events}."
    return finish(summary, report_file, as_json, text)


def _write_bundles(out: Path, mapping: Mapping, *, explain: bool) -> None:
    for number, message in enumerate(mapping.messages, 1):
        target = _named(out / mapping.name, f".{number}.json")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(dumps(message.bundle) + b"\n")
        if explain:
            rows = [asdict(one) for one in message.explained]
            document = json.dumps(rows, indent=1, ensure_ascii=False)
            beside = _named(out / mapping.name, f".{number}.explained.json")
            beside.write_text(document + "\n", encoding="utf-8")


def _named(source: Path, ending: str) -> Path:
    """Name what is written of a source; a name too long for a file is cut, and stays its own."""
    name = source.name.encode()
    if len(name) + len(ending) > _NAME_BYTES:
        mark = "~" + sha256(name).hexdigest()[:16]
        name = name[: _NAME_BYTES - len(ending) - len(mark)] + mark.encode()
    return source.with_name(name.decode("utf-8", "ignore") + ending)


def finish(summary: dict[str, Any], report_file: Path | None, as_json: bool, text: str) -> int:
    """Write and print a summary; bad input among the rest shows in the exit code."""
    if report_file is not None:
        document = json.dumps(summary, indent=2, ensure_ascii=False)
        report_file.write_text(document + "\n", encoding="utf-8")
    if as_json:
        console.print_json(summary)
    else:
        _show(summary, text)
    return console.BAD_INPUT if summary["quarantined"] else 0


def _show(summary: dict[str, Any], text: str) -> None:
    console.say(text)
    dropped = sum(one["count"] for one in summary["dropped"])
    if dropped:
        console.say(
            f"{dropped} source fields have no place in FHIR and were dropped; --report lists them."
        )
    if summary["quarantined"]:
        console.print_table(
            f"{len(summary['quarantined'])} kept in quarantine",
            ("Input", "Message", "Reason", "What to do"),
            [
                (one["input"], one["index"] + 1, one["reason"], one["advice"])
                for one in summary["quarantined"]
            ],
        )


def infer(
    table: Annotated[Path, typer.Argument(help="A CSV or TSV file.")],
    out: Annotated[
        Path, typer.Option("--out", help="A site's folder; the draft goes to its folder csv.")
    ],
    as_json: AsJson = False,
) -> int:
    """Draft a map for a table from its columns, for a person to read and finish."""
    draft = intake.infer_map(table)
    stem = table.name.partition(".")[0]
    written = _write_new(out / "csv" / f"{stem}.psv", draft.sheet)
    if draft.codes:
        written += _write_new(out / "csv" / f"codes-{stem}.psv", draft.codes)
    if as_json:
        document = {"type": draft.type, "known": draft.known, "unknown": draft.unknown}
        console.print_json({**document, "files": written})
        return 0
    console.say(f"Rows look like {draft.type}: {draft.known} columns have a row of their own.")
    if draft.unknown:
        console.say(f"Nothing is known of: {', '.join(draft.unknown)}. They would be kept beside.")
    console.say(f"Read and finish {', '.join(written)}, then: simdes map {table} --site {out} …")
    return 0


def _write_new(path: Path, text: str) -> list[str]:
    """Write a file that must not be there yet: a finished map is worth more than a draft."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Conflict(
            f"{path} is there already.", advice="Move it away, or choose another --out."
        ) from None
    return [str(path)]
