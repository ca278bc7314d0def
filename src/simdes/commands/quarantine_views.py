"""How documents in quarantine are shown: as JSON, and as tables for people."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from simdes import console
from simdes.errors import TooLarge
from simdes.exchange import quarantine
from simdes.exchange.merge_telling import Standing
from simdes.exchange.quarantine import Content, Entry, Group
from simdes.exchange.replay import Replayed

SHOWN_BYTES = 64 * 1024
"""Content shown on a terminal; `--out` writes all of it."""
JSON_BYTES = 1024 * 1024
"""Content given in JSON; more is for `--out` alone."""

NEXT = {
    "upgrade": "After an upgrade: simdes quarantine replay --reason {code} --dry-run",
    "settings": "Correct the settings or the mapping, then: replay --reason {code} --dry-run",
    "decide": "Decide who the patient is (show ID), then: replay ID, or dismiss ID",
    "patient": "The patient is asked (show ID says who); once they accepted: replay ID",
    "replay": "simdes quarantine replay --reason {code}",
    "correct": "Ask the sender to send it again; or fix ID FILE, replay ID; or dismiss ID",
}
"""What a step (`quarantine.STEPS`) means for somebody at the command line."""


def entry_json(entry: Entry) -> dict[str, Any]:
    """An entry as JSON."""
    return {
        "id": entry.id,
        "name": entry.name,
        "position": entry.position,
        "kind": entry.kind,
        "event": entry.event,
        "sender": entry.sender,
        "reasonCode": entry.code,
        "reason": entry.reason,
        "advice": entry.advice,
        "state": entry.state,
        "receivedMs": entry.received_ms,
        "triedMs": entry.tried_ms,
        "settledMs": entry.settled_ms,
        "contentKept": entry.kept,
    }


def group_json(group: Group) -> dict[str, Any]:
    """A line of the summary as JSON."""
    return {
        "count": group.count,
        "reasonCode": group.code,
        "kind": group.kind,
        "event": group.event,
        "sender": group.sender,
        "oldestMs": group.oldest_ms,
        "newestMs": group.newest_ms,
        "advice": group.advice,
        "step": group.step,
    }


def content_json(opened: Content) -> dict[str, Any]:
    """Content as text, or in Base64 where it is none. Raises TooLarge above `JSON_BYTES`."""
    if len(opened.data) > JSON_BYTES:
        raise TooLarge(
            f"The content has {len(opened.data):,} bytes; JSON gives {JSON_BYTES:,} at most.",
            advice="Write it to a file with --out.",
        )
    try:
        return {"content": opened.data.decode()}
    except UnicodeDecodeError:
        return {"contentBase64": base64.b64encode(opened.data).decode()}


def replay_json(done: list[Replayed], dry_run: bool) -> dict[str, Any]:
    """What came of replays as JSON."""
    refused = [one for one in done if one.outcome == "refused"]
    return {
        "documents": len(done),
        "replayed": sum(one.outcome == "replayed" for one in done),
        "refused": len(refused),
        "settledBefore": sum(one.outcome == "settled" for one in done),
        "messages": sum(one.accepted for one in done),
        "messagesRefused": sum(one.refused for one in done),
        "resources": sum(one.resources for one in done),
        "dryRun": dry_run,
        "stillRefused": [
            {
                "id": one.id,
                "name": one.name,
                "reasonCode": one.code,
                "reason": one.reason,
                "advice": one.advice,
            }
            for one in refused
        ],
    }


def print_entries(entries: Sequence[Entry]) -> None:
    """Print entries as a table."""
    console.print_table(
        f"{len(entries)} in quarantine",
        ("No.", "Name", "Event", "Sender", "Reason", "What to do", "Received", "State"),
        [
            (
                one.id,
                one.name,
                one.event or one.kind,
                one.sender,
                f"{one.code}: {one.reason}",
                one.advice,
                console.instant(one.received_ms / 1000),
                one.state,
            )
            for one in entries
        ],
    )


def print_shown(shown: quarantine.Shown) -> None:
    """Print an entry with its history."""
    entry = shown.entry
    console.print_table(
        f"Document {entry.id} is {entry.state}",
        ("What", "Value"),
        [
            ("Name", f"{entry.name}, message {entry.position + 1}"),
            ("Kind, event, sender", " / ".join((entry.kind, entry.event, entry.sender))),
            ("Reason", f"{entry.code}: {entry.reason}"),
            ("What to do", entry.advice),
            ("Received", console.instant(entry.received_ms / 1000)),
            *(_ahead(shown) if entry.state == quarantine.OPEN else ()),
        ],
    )
    if shown.history:
        console.print_table(
            "History",
            ("When", "What", "By", "Why", "Source"),
            [
                (
                    console.instant(one.time_ms / 1000),
                    one.action,
                    one.by or "operator",
                    one.why,
                    "" if one.source_id is None else one.source_id,
                )
                for one in shown.history
            ],
        )


def _ahead(shown: quarantine.Shown) -> tuple[tuple[str, str], ...]:
    code = shown.entry.code
    return (
        ("Next", NEXT[quarantine.step_of(code)].format(code=code)),
        ("A replay takes", "the corrected copy" if shown.corrected else "the original"),
    )


def print_merge(merge: Standing) -> None:
    """Print who has yet to answer before two records are joined."""
    console.print_table(
        f"The merge is {merge.state}; asked until {console.instant(merge.until_seconds)}",
        ("Who", "Answer"),
        [(one.user or f"an account of {one.organisation}", one.answer) for one in merge.people],
    )


def print_content(opened: Content) -> None:
    """Print content as far as it fits, with nothing in it that steers a terminal."""
    text = opened.data[:SHOWN_BYTES].decode("utf-8", errors="backslashreplace")
    console.say(text.replace("\r\n", "\n").replace("\r", "\n"))
    if len(opened.data) > SHOWN_BYTES:
        console.say(f"… {len(opened.data) - SHOWN_BYTES:,} bytes more; --out FILE writes them all.")


def print_told(told: Replayed) -> None:
    """Print what a replay would do."""
    if told.outcome == "replayed":
        console.say(f"A replay would accept it: simdes quarantine replay {told.id}")
    else:
        console.say(f"A replay would refuse it: {told.code}: {told.reason} {told.advice}")


def print_replayed(done: list[Replayed], told: dict[str, Any]) -> None:
    """Print what came of replays."""
    verb = "would be replayed" if told["dryRun"] else "replayed"
    console.say(
        f"{told['replayed']} of {told['documents']} documents {verb}: {told['messages']} messages, "
        f"{told['resources']} resources new or changed; {told['settledBefore']} settled before."
    )
    refused = [one for one in done if one.outcome == "refused"]
    if refused:
        console.print_table(
            f"{len(refused)} still refused",
            ("No.", "Name", "Reason", "What to do"),
            [(one.id, one.name, f"{one.code}: {one.reason}", one.advice) for one in refused],
        )


def print_state(entry: Entry, as_json: bool) -> None:
    """Print where a document stands now."""
    if as_json:
        console.print_json(entry_json(entry))
    else:
        console.say(f"Document {entry.id} is {entry.state}.")
