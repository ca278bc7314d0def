"""Commands of a study's releases: for researchers of its sponsor (docs/research.md)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress as Bar

from simdes import console
from simdes.commands.common import (
    AsJson,
    Data,
    Token,
    User,
    file_bytes,
    organisation,
    seconds,
    signed_in,
)
from simdes.errors import Conflict
from simdes.exchange.research import opening, releasing, running, studies
from simdes.exchange.research.releasing import Progress, Released
from simdes.exchange.research.studies import Document
from simdes.research.policy import Policy, read_policy
from simdes.research.policy import policy as policy_named

StudyFile = Annotated[
    Path, typer.Option("--study", help="The study's document, as published (JSON).")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check and show; change nothing.")]
PolicyName = Annotated[
    str,
    typer.Option(
        "--policy", help="Of de-identification: hipaa-safe-harbor, gdpr-strict, or a file."
    ),
]
Kept = Annotated[str, typer.Option("--keep", help="How long it may be kept: 90d, 1y.")]
Pictures = Annotated[
    Path | None,
    typer.Option("--report", help="Write what it changed, in pictures (HTML), for the board."),
]
Accepts = Annotated[
    bool, typer.Option("--accept-terms", help="Accept the study's terms of use; signed.")
]


def add_commands(group: typer.Typer) -> None:
    """Add this module's commands to those of studies."""
    for name, command in (("release", release), ("open", open_), ("run", run)):
        group.command(name)(command)


def document_of(path: Path) -> Document:
    """The study's document in a file. Raises Invalid."""
    return studies.read_document(file_bytes(path))


def release(
    data: Data,
    study: StudyFile,
    out: Annotated[Path, typer.Option("--out", help="The package to write.")],
    policy: PolicyName = "gdpr-strict",
    table: Annotated[
        list[str] | None, typer.Option("--table", help="Flat tables too: csv, parquet; repeatable.")
    ] = None,
    kept: Kept = "1y",
    report: Pictures = None,
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """For a researcher of the sponsor: read who takes part, de-identify, record and seal."""
    document, chosen = document_of(study), _policy(policy)
    _require_new(report)
    with organisation(data) as one, _bar(quiet=as_json) as progress:
        made = releasing.release(
            one.node,
            signed_in(one, user, token),
            document,
            chosen,
            out,
            kept_seconds=seconds(kept),
            tables=table or (),
            progress=progress,
        )
    _write_pictures(made, report)
    if as_json:
        console.print_json(_told(made))
        return
    console.say(f"Release {made.number}: {made.members} patients, in {out}")
    _report(made)


def open_(
    data: Data,
    study: StudyFile,
    package: Annotated[Path, typer.Argument(help="The package of `simdes study release`.")],
    out: Annotated[Path, typer.Option("--out", help="A new folder for the files.")],
    accept_terms: Accepts = False,
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """For a researcher of the sponsor: compare a release with the ledger and open it."""
    document = document_of(study)
    if not accept_terms:
        console.say(document.terms)
    with organisation(data) as one:
        session = signed_in(one, user, token)
        found = opening.open_release(
            one.node, session, document, package, out, accepts=accept_terms
        )
    if as_json:
        console.print_json({"number": found.number, "files": [str(one) for one in found.files]})
        return
    for path in found.files:
        console.say(str(path))


def run(
    data: Data,
    study: StudyFile,
    out: Annotated[Path, typer.Option("--out", help="A new folder for the opened files.")],
    policy: PolicyName = "gdpr-strict",
    table: Annotated[
        list[str] | None,
        typer.Option("--table", help="Flat tables: csv, parquet (by default); repeatable."),
    ] = None,
    package: Annotated[
        Path | None, typer.Option("--package", help="Keep the sealed package, too.")
    ] = None,
    kept: Kept = "1y",
    report: Pictures = None,
    accept_terms: Accepts = False,
    dry_run: DryRun = False,
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """For a researcher of the sponsor: from the approved study to opened tables, in one step.

    With --dry-run nobody is read: it says how many take part.
    """
    document, chosen = document_of(study), _policy(policy)
    _require_new(report)
    if not (accept_terms or dry_run):
        console.say(document.terms)
    with organisation(data) as one:
        session = signed_in(one, user, token)
        if dry_run:
            _tell_plan(
                document, chosen, releasing.taking_part(one.node, session, document), as_json
            )
            return
        with _bar(quiet=as_json) as progress:
            made = running.run(
                one.node,
                session,
                document,
                chosen,
                out,
                accepts=accept_terms,
                package=package,
                kept_seconds=seconds(kept),
                tables=table or ("parquet",),
                progress=progress,
            )
    _write_pictures(made.released, report)
    files = [str(path) for path in made.opened.files]
    if as_json:
        console.print_json({**_told(made.released), "files": files})
        return
    console.say(f"Release {made.released.number}: {made.released.members} patients, in {out}")
    _report(made.released)
    for path in files:
        console.say(path)


def _tell_plan(document: Document, policy: Policy, patients: int, as_json: bool) -> None:
    told = {
        "title": document.title,
        "policy": policy.label,
        "policyDigest": policy.digest,
        "takingPart": patients,
        "released": False,
    }
    if as_json:
        console.print_json(told)
    else:
        console.say(f"{document.title}: {patients} take part; {policy.label}. Nothing was read.")


def _told(made: Released) -> dict[str, Any]:
    return {
        "number": made.number,
        "numbers": list(made.numbers),
        "patients": made.members,
        "report": dict(made.report),
    }


def _report(made: Released) -> None:
    for name, value in made.report.items():
        console.say(f"  {name}: {value}")


def _require_new(report: Path | None) -> None:
    """Look before anybody is read."""
    if report is not None and report.exists():
        raise Conflict(f"{report.name} exists already.")


def _write_pictures(made: Released, report: Path | None) -> None:
    if report is not None:
        report.write_text(made.pictures, encoding="utf-8")


@contextmanager
def _bar(*, quiet: bool) -> Iterator[Progress]:
    """A progress bar of patients read; nothing of them is shown."""
    with console.progress(quiet) as bar:
        yield _Reading(bar)


class _Reading:
    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._task = bar.add_task("Reading who takes part", total=None)

    def __call__(self, done: int, total: int) -> None:
        self._bar.update(self._task, completed=done, total=total)


def _policy(text: str) -> Policy:
    """A policy that ships, by its name, or one of the organisation's own, by its file."""
    path = Path(text)
    return read_policy(path.read_bytes()) if path.is_file() else policy_named(text)
