"""Commands that back an organisation up, look backups over, and restore one."""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress, TaskID

from simdes import config, console
from simdes.access.keystore import read_passphrase
from simdes.app import passphrase_file
from simdes.backup import checking, making, restoring
from simdes.backup.checking import Checked
from simdes.backup.making import Asked, Made
from simdes.backup.repository import Archived, open_repository
from simdes.backup.restoring import Restored, Wanted
from simdes.commands.common import AsJson, Data
from simdes.errors import Invalid, SimdesError, Tampered, Unauthenticated, Unavailable

_NAMED = 10

To = Annotated[
    Path | None,
    typer.Option("--to", help="The folder of backups; default: `backup_folder` of the settings."),
]
From = Annotated[Path, typer.Option("--from", help="The folder of backups.")]
Name = Annotated[str | None, typer.Option("--backup", help="A backup's name; default: the newest.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done, and what would stop it.")
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        help="The file with the organisation's passphrase; default: SIMDES_PASSPHRASE, or asked.",
    ),
]


def add_commands(cli: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(
        help="Back up database, folder, contents and keys, while the organisation works.",
        invoke_without_command=True,
        callback=create,
    )
    group.command("list")(list_backups)
    group.command("verify")(verify)
    group.command("keys")(keys)
    cli.add_typer(group, name="backup")
    cli.command("restore")(restore)


def create(
    context: typer.Context,
    data: Annotated[Path | None, typer.Option("--data", help="The organisation's folder.")] = None,
    to: To = None,
    keep_days: Annotated[
        int | None,
        typer.Option("--keep-days", min=1, help="Default: `backup_days` of the settings."),
    ] = None,
    contents: Annotated[
        bool,
        typer.Option(
            "--contents/--no-contents",
            help="Copy the content store, too, or rely on other organisations' copies.",
        ),
    ] = True,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Write a backup while the organisation works, then let go of those whose time is over.

    It is encrypted; what opens it is the organisation's passphrase, which is not in it. What
    erasure destroyed is in none.
    """
    if context.invoked_subcommand is not None:
        return
    if data is None:
        raise typer.BadParameter("Name the organisation's folder.", param_hint="--data")
    with _watched(as_json) as watching:
        place = making.opened_place(
            _asked(data, to, keep_days, contents=contents),
            clock=time.time,
            random=secrets.token_bytes,
            watching=watching,
        )
        made = making.rehearse(place) if dry_run else making.back_up(place)
    if as_json:
        console.print_json({"dryRun": dry_run, **_camel(asdict(made))})
        return
    for line in _told(made, dry_run=dry_run):
        console.say(line)
    if made.contents_missing:
        console.warn(
            f"{made.contents_missing} contents are not whole in the store; run"
            " `simdes storage verify`."
        )


def _asked(data: Path, to: Path | None, keep_days: int | None, *, contents: bool = True) -> Asked:
    settings = config.load(data)
    folder = to or (data / settings.backup_folder if settings.backup_folder else None)
    if folder is None:
        raise Invalid(
            "No folder of backups is named.",
            advice="Give --to, or set backup_folder in simdes.toml.",
        )
    days = settings.backup_days if keep_days is None else keep_days
    return Asked(data=data, folder=folder, keep_days=days, contents=contents)


def _told(made: Made, *, dry_run: bool) -> Iterator[str]:
    would = "would be " if dry_run else ""
    size = f"{made.bytes / (1 << 20):.1f} MiB"
    yield f"A backup {would}made of {size}." if dry_run else f"Backup {made.name}, {size}."
    yield f"  {made.contents} contents, {made.contents_copied} of them {would}copied now."
    kept, waiting = (made.positions.get(name, 0) for name in ("resources", "waiting"))
    yield f"  {kept} versions of resources, {waiting} of them not sealed yet."
    if made.removed:
        yield f"  {len(made.removed)} backups {would}let go of: their time is over."
    if made.blocks_removed:
        yield f"  {made.blocks_removed} contents were erased, and went from here, too."


def list_backups(folder: From, as_json: AsJson = False) -> None:
    """List the backups in a folder, oldest first. Takes no passphrase."""
    found = open_repository(folder).listed()
    if as_json:
        console.print_json([_camel(asdict(one)) for one in found])
        return
    console.print_table(
        "Backups",
        ("Backup", "Made", "MiB", "Release", "Database", "Problem"),
        [
            (
                one.name,
                console.instant(one.created_ms / 1000),
                f"{one.bytes / (1 << 20):.1f}",
                one.release,
                f"{one.dialect} {one.revision}",
                one.problem,
            )
            for one in found
        ],
    )


def verify(
    folder: From,
    name: Name = None,
    every: Annotated[bool, typer.Option("--all", help="Every backup, not only one.")] = False,
    passphrase: PassphraseFile = None,
    as_json: AsJson = False,
) -> int:
    """Read a backup whole: every byte, every member, every content that it names.

    Exit code 7: something is damaged or missing.
    """
    repository = open_repository(folder)
    opened = checking.unlocked(repository, _passphrase(passphrase))[0]
    listed = repository.listed() if every else [repository.chosen(name, until_ms=None)]
    documents: list[dict[str, Any]] = []
    with _watched(as_json) as watching:
        for one in listed:
            try:
                found = checking.check(repository, one, opened, blocks=True, watching=watching)
                documents.append(_verified(checking.without_erased(found, opened)))
            except (SimdesError, ValueError) as error:
                if isinstance(error, Unavailable):
                    raise
                documents.append(_broken(one, error))
    if as_json:
        console.print_json(documents)
    else:
        for document in documents:
            _say_verified(document)
    sound = bool(documents) and all(document["sound"] for document in documents)
    return 0 if sound else console.EXIT_CODES[Tampered]


def _verified(found: Checked) -> dict[str, Any]:
    return {
        "name": found.name,
        "sound": found.sound,
        "problem": "",
        **_camel(dict(found.header)),
        "bytes": found.bytes,
        "members": len(found.manifest["members"]),
        "contents": len(found.contents),
        "contentsMissing": len(found.blocks_missing),
        "contentsDamaged": len(found.blocks_damaged),
        "missing": [*found.blocks_missing, *found.blocks_damaged][:_NAMED],
        "positions": found.manifest["positions"],
    }


def _broken(one: Archived, error: Exception) -> dict[str, Any]:
    words = error.message if isinstance(error, SimdesError) else "It makes no sense."
    return {"name": one.name, "sound": False, "problem": words}


def _say_verified(document: dict[str, Any]) -> None:
    name = document["name"]
    if document["problem"]:
        console.say(f"FAILED  {name}: {document['problem']}", style="bold red")
        return
    lost = document["contentsMissing"] + document["contentsDamaged"]
    mark, style = ("ok     ", "green") if document["sound"] else ("FAILED ", "bold red")
    console.say(
        f"{mark} {name}: {document['bytes'] / (1 << 20):.1f} MiB in {document['members']} members,"
        f" {document['contents']} contents, {lost} of them missing or damaged.",
        style=style,
    )


def keys(data: Data, to: To = None, as_json: AsJson = False) -> None:
    """Bring the keys beside the backups up to now: made since, or destroyed.

    `simdes serve` does it by itself where `backup_folder` is set.
    """
    place = making.opened_place(_asked(data, to, None), clock=time.time, random=secrets.token_bytes)
    written = making.keep_keys(place)
    if as_json:
        console.print_json({"written": written})
    else:
        console.say("Written." if written else "They are those of now.")


def restore(
    data: Data,
    folder: From,
    name: Name = None,
    at: Annotated[
        str | None,
        typer.Option("--at", help="The newest backup until then: 2026-11-23T07:00:00Z."),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Put a database that is there aside."),
    ] = False,
    keep_database: Annotated[
        bool,
        typer.Option(
            "--keep-database",
            help="The database was brought back by its own tools; restore the rest around it.",
        ),
    ] = False,
    passphrase: PassphraseFile = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> int:
    """Bring the organisation back from a backup; what was erased since stays erased.

    Then every anchor is compared with the chain. Exit code 7: some do not hold; 6: everything is in
    place, but the ledger did not answer.
    """
    wanted = Wanted(
        data=data,
        folder=folder,
        passphrase=_passphrase(passphrase, data),
        name=name,
        until_ms=None if at is None else _instant_ms(at),
        replace=replace,
        keep_database=keep_database,
    )
    with _watched(as_json) as watching:
        done = (restoring.planned if dry_run else restoring.restore)(wanted, watching)
    if as_json:
        console.print_json({"dryRun": dry_run, **_camel(done.to_dict())})
    else:
        for line in _restored(done, dry_run=dry_run):
            console.say(line)
    if dry_run:
        return 0
    if done.anchors is None:
        console.warn(
            "The ledger did not answer: run `simdes doctor`, then the restore with --keep-database."
        )
        return console.EXIT_CODES[Unavailable]
    return console.EXIT_CODES[Tampered] if done.anchors.wrong else 0


def _restored(done: Restored, *, dry_run: bool) -> Iterator[str]:
    made = console.instant(done.created_ms / 1000)
    yield f"Backup {done.name} of {made}, release {done.release}, is whole."
    if dry_run:
        yield "  It can be restored; nothing was changed."
        return
    yield f"  {len(done.files)} files restored, {len(done.files_kept)} that were there kept."
    if done.database_aside:
        yield f"  The database that was here is {done.database_aside}: delete it when all is well."
    given = done.given_back
    if given is not None:
        yield f"  {given.custody_keys + given.vault_keys} keys given back."
        yield (
            f"  Erased since, and erased again: {given.custody_keys_destroyed} custody keys,"
            f" {given.vaults_erased} vaults,"
            f" {given.contents_erased + given.contents_dropped} contents."
        )
    yield (
        f"  {done.contents} contents restored, {done.contents_there} were there,"
        f" {done.contents_missing} are to come from other organisations."
    )
    anchors = done.anchors
    if anchors is None:
        return
    yield (
        f"  Anchors: {anchors.batches} batches with {anchors.resources} resources,"
        f" {anchors.audit_batches} audit batches with {anchors.audit_entries} entries;"
        f" {len(anchors.wrong)} do not hold."
    )
    for what in anchors.wrong[:_NAMED]:
        yield f"    {what}"
    if anchors.unknown_batches or anchors.lost_audit_batches:
        yield (
            f"  On chain and lost here: {anchors.unknown_batches} batches of records,"
            f" {anchors.lost_audit_batches} of the audit trail, made after the backup."
        )
    yield "  Everybody is signed out, and apps are to be allowed anew."


def _passphrase(file: Path | None, data: Path | None = None) -> str:
    """The organisation's passphrase: of a file, the environment, the folder, or asked for."""
    own = None if data is None else passphrase_file(data)
    try:
        return read_passphrase(file or own, {} if file else os.environ)
    except Unauthenticated:
        if file is not None or not sys.stdin.isatty():
            raise
    return str(typer.prompt("Passphrase of the organisation", hide_input=True, err=True))


def _instant_ms(text: str) -> int:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{text!r} is no time.", advice="Write 2026-11-23T07:00:00Z.") from None
    aware = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return int(aware.timestamp() * 1000)


class _Bar:
    """Shows steps as bars, one below the other."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def begin(self, what: str, total: int) -> None:
        """See `Watching`."""
        self._task = self._progress.add_task(what, total=max(total, 1))

    def advance(self, some: int) -> None:
        """See `Watching`."""
        if self._task is not None:
            self._progress.advance(self._task, some)


@contextmanager
def _watched(quiet: bool) -> Iterator[_Bar]:
    with console.progress(quiet) as progress:
        yield _Bar(progress)


def _camel(document: dict[str, Any]) -> dict[str, Any]:
    """Names as JSON has them here: ``created_ms`` becomes ``createdMs``."""
    return {
        "".join([first, *(part.title() for part in rest)]): (
            _camel(value) if isinstance(value, dict) else value
        )
        for name, value in document.items()
        for first, *rest in (name.split("_"),)
    }
