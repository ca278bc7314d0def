"""Commands for the quarantine: what holds messages up, and how they get through."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from simdes import console
from simdes.app import Opened
from simdes.commands import quarantine_views as views
from simdes.commands.common import (
    AsJson,
    Data,
    Token,
    User,
    organisation,
    seconds,
    signed_in,
    write_new,
)
from simdes.commands.mapping import SourceKind
from simdes.commands.records import anchor
from simdes.errors import NotFound, TooLarge
from simdes.exchange import merge_telling, quarantine
from simdes.exchange import replay as replays
from simdes.exchange.quarantine import Entry, Selection
from simdes.exchange.replay import Replayed
from simdes.mapper import LIMITS

Number = Annotated[int, typer.Argument(help="The document's number.", metavar="ID")]
Why = Annotated[str, typer.Option("--why", help="The reason, for those who come after you.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Of this reason code alone.")]
Event = Annotated[str | None, typer.Option("--event", help="Of this event alone: ADT^A01.")]
Sender = Annotated[
    str | None, typer.Option("--sender", help="From this sender alone: MSH-3|MSH-4.")
]
Older = Annotated[str | None, typer.Option("--older", help="Received longer ago: 12h, 7d.")]
Newer = Annotated[str | None, typer.Option("--newer", help="Received since: 12h, 7d.")]
State = Annotated[str, typer.Option("--state", help="open, replayed, dismissed or all.")]


def add_commands(cli: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(
        help="What could not be accepted: why, what to do, and giving it to the mapper again.",
        invoke_without_command=True,
    )
    group.callback()(list_open)
    for name, command in (
        ("summary", summary),
        ("list", list_documents),
        ("show", show),
        ("fix", fix),
        ("replay", replay),
        ("dismiss", dismiss),
        ("reopen", reopen),
        ("expire", expire),
    ):
        group.command(name)(command)
    cli.add_typer(group, name="quarantine")


def list_open(
    ctx: typer.Context,
    data: Annotated[
        Path | None, typer.Option("--data", help="The organisation's folder: list all open ones.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What could not be accepted: why, what to do, and giving it to the mapper again.

    Without a command it lists everything open. Begin with `summary`.
    """
    if ctx.invoked_subcommand is not None:
        return
    if data is None:
        raise typer.BadParameter("Give --data, or a command (--help lists them).")
    entries: list[Entry] = []
    with organisation(data) as one:
        after: int | None = 0
        while after is not None:
            page = quarantine.listed(
                one.node, None, Selection(), after=after, limit=quarantine.PAGE_LIMIT
            )
            entries += page.entries
            after = page.after
    if as_json:
        console.print_json([views.entry_json(entry) for entry in entries])
    else:
        views.print_entries(entries)


def summary(data: Data, as_json: AsJson = False, state: State = "open") -> None:
    """Count by reason, event and sender: first what unblocks most, with what to do about it."""
    with organisation(data) as one:
        groups = quarantine.summary(one.node, None, Selection(state=_state(state)))
    if as_json:
        console.print_json([views.group_json(group) for group in groups])
        return
    console.print_table(
        f"{sum(group.count for group in groups)} in quarantine",
        ("Count", "Reason", "Event", "Sender", "Oldest", "Newest", "What to do"),
        [
            (
                group.count,
                group.code,
                group.event or group.kind,
                group.sender,
                console.instant(group.oldest_ms / 1000),
                console.instant(group.newest_ms / 1000),
                group.advice,
            )
            for group in groups
        ],
    )
    for code, step in dict.fromkeys((group.code, group.step) for group in groups):
        console.say(f"{code}: {views.NEXT[step].format(code=code)}")


def list_documents(
    data: Data,
    reason: Reason = None,
    event: Event = None,
    sender: Sender = None,
    older: Older = None,
    newer: Newer = None,
    state: State = "open",
    after: Annotated[int, typer.Option("--after", help="Go on behind this number.")] = 0,
    limit: Annotated[
        int, typer.Option("--limit", help="At most so many.", min=1, max=quarantine.PAGE_LIMIT)
    ] = 100,
    as_json: AsJson = False,
) -> None:
    """List documents in the order of their arrival, a page at a time."""
    with organisation(data) as one:
        chosen = _selection(one, reason, event, sender, older, newer, state)
        page = quarantine.listed(one.node, None, chosen, after=after, limit=limit)
    if as_json:
        console.print_json(
            {"entries": [views.entry_json(entry) for entry in page.entries], "after": page.after}
        )
        return
    views.print_entries(page.entries)
    if page.after is not None:
        console.say(f"There are more: --after {page.after}")


def show(
    data: Data,
    number: Number,
    user: User = None,
    token: Token = None,
    content: Annotated[
        bool, typer.Option("--content", help="Show the content (an administrator; is logged).")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the content to this new file.")
    ] = None,
    original: Annotated[
        bool, typer.Option("--original", help="As received, not as last corrected.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show why a document is here, what to do, and what was decided about it so far.

    Its content is patient data: --content and --out need an administrator (--user or --token), and
    each look stands in the audit trail.
    """
    with organisation(data) as one:
        shown = quarantine.show(one.node, None, number)
        merge = merge_telling.of_document(one.node, None, number)
        opened = None
        if content or out is not None:
            session = signed_in(one, user, token)
            opened = quarantine.open_content(one.node, session, number, original=original)
    if opened is not None and out is not None:
        write_new(out, opened.data)
    if as_json:
        document = views.entry_json(shown.entry) | {
            "corrected": shown.corrected,
            "history": [asdict(decision) for decision in shown.history],
            "merge": None if merge is None else asdict(merge),
        }
        if opened is not None and content:
            document |= views.content_json(opened)
        console.print_json(document)
        return
    views.print_shown(shown)
    if merge is not None:
        views.print_merge(merge)
    if opened is not None and content:
        views.print_content(opened)
    if out is not None:
        console.say(f"Written to {out}; it is patient data.")


def fix(
    data: Data,
    number: Number,
    file: Annotated[Path, typer.Argument(help="The corrected document.")],
    why: Why,
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> int:
    """Put a corrected copy beside the original, and tell what a replay would make of it."""
    corrected = _read(file)
    with organisation(data) as one:
        session = signed_in(one, user, token)
        quarantine.fix(one.node, session, number, corrected, why=why)
        told = replays.replay(one.node, session, number, dry_run=True)
    if as_json:
        console.print_json(asdict(told) | {"dryRun": True})
    else:
        console.say(f"The corrected copy of {number} is kept beside the original.")
        views.print_told(told)
    return 0 if told.outcome == "replayed" else console.BAD_INPUT


def replay(
    data: Data,
    number: Annotated[
        int | None, typer.Argument(help="One document's number.", metavar="[ID]")
    ] = None,
    reason: Reason = None,
    event: Event = None,
    sender: Sender = None,
    older: Older = None,
    newer: Newer = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that is open.")] = False,
    kind: Annotated[
        SourceKind | None, typer.Option("--from", help="What the input is; default as given.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Map and validate, store nothing.")
    ] = False,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Return when durable; `serve` seals and anchors.")
    ] = False,
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> int:
    """Give open documents to the present mapper and settings again, in the order they came.

    Name one by its number, or a selection, or --all. It may be stopped or repeated at any time:
    nothing is accepted twice.
    """
    filters = (reason, event, sender, older, newer)
    if (number is not None) + any(filters) + everything != 1:
        raise typer.BadParameter("Give a number, or filters such as --reason, or --all.")
    done: list[Replayed] = []
    with organisation(data) as one, console.progress(as_json) as bar:
        session = signed_in(one, user, token) if user or token else None
        as_kind = None if kind is None else str(kind)
        if number is not None:
            done.append(replays.replay(one.node, session, number, kind=as_kind, dry_run=dry_run))
        else:
            chosen = _selection(one, *filters)
            bulk = replays.replay_all(one.node, session, chosen, kind=as_kind, dry_run=dry_run)
            task = bar.add_task("Replaying", total=bulk.count)
            for replayed in bulk.replays:
                done.append(replayed)
                bar.advance(task)
        told = views.replay_json(done, dry_run)
        if not dry_run and not no_wait and told["resources"]:
            told["anchoring"] = anchor(one.node, told["resources"], bar)
    if as_json:
        console.print_json(told)
    else:
        views.print_replayed(done, told)
    return console.BAD_INPUT if told["refused"] else 0


def dismiss(
    data: Data,
    number: Number,
    why: Why,
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Decide that a document will not be replayed; it is kept, with the reason and your name."""
    with organisation(data) as one:
        session = signed_in(one, user, token)
        views.print_state(quarantine.dismiss(one.node, session, number, why=why), as_json)


def reopen(
    data: Data,
    number: Number,
    why: Why,
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Take a dismissal back."""
    with organisation(data) as one:
        session = signed_in(one, user, token)
        views.print_state(quarantine.reopen(one.node, session, number, why=why), as_json)


def expire(
    data: Data,
    older: Annotated[str, typer.Option("--settled", help="Settled longer ago: 90d.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, remove nothing.")] = False,
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Remove the content of documents replayed or dismissed long ago; their history stays."""
    with organisation(data) as one:
        session = signed_in(one, user, token)
        removed = quarantine.expire(
            one.node, session, settled_seconds=seconds(older), dry_run=dry_run
        )
    if as_json:
        console.print_json({"removed": removed, "dryRun": dry_run})
    else:
        console.say(
            f"The content of {removed} documents {'would be' if dry_run else 'is'} removed."
        )


# What commands share --------------------------------------------------------------------------


def _state(text: str) -> str | None:
    if text == "all":
        return None
    if text not in quarantine.STATES:
        raise typer.BadParameter(f"--state is all or one of {', '.join(quarantine.STATES)}.")
    return text


def _selection(
    one: Opened,
    reason: str | None,
    event: str | None,
    sender: str | None,
    older: str | None,
    newer: str | None,
    state: str = "open",
) -> Selection:
    now_ms = one.node.now_ms()
    return Selection(
        state=_state(state),
        code=reason,
        event=event,
        sender=sender,
        before_ms=None if older is None else now_ms - seconds(older) * 1000,
        since_ms=None if newer is None else now_ms - seconds(newer) * 1000,
    )


def _read(file: Path) -> bytes:
    try:
        if file.stat().st_size > LIMITS.file_bytes:
            raise TooLarge(f"A corrected copy has at most {LIMITS.file_bytes:,} bytes.")
        return file.read_bytes()
    except OSError as error:
        raise NotFound(f"{file} can't be read: {error.strerror}.") from error
