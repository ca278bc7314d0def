"""Commands for the content store: how its copies stand, reading it again, erasing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from simdes import app, console
from simdes.app import Opened
from simdes.commands.common import AsJson, Data, id_of
from simdes.errors import NotFound, Tampered, Unavailable
from simdes.exchange import storekeeping
from simdes.exchange.operations import Operations
from simdes.own_store import storekeeper


def add_commands(cli: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(help="The content store and its copies elsewhere.", no_args_is_help=True)
    group.command("status")(status)
    group.command("verify")(verify)
    group.command("erase")(erase)
    cli.add_typer(group, name="storage")


def status(
    data: Data,
    record: Annotated[
        str | None, typer.Option("--record", help="A record's id (0x…): who signed to hold it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show how many contents have all their copies, or who holds those of one record."""
    with app.opened(data) as one:
        document = _of_record(one, record) if record else _of_all(one)
    if as_json:
        console.print_json(document)
        return
    for line in _lines(document):
        console.say(line)


def verify(data: Data, as_json: AsJson = False) -> int:
    """Read everything in the store again now, and mend what is damaged.

    At the rate of the settings; broken off, `simdes serve` reads the rest. Exit code 7: something
    is damaged, and nobody who was reached has it whole.
    """
    with app.opened(data) as one, console.progress(as_json) as bar:
        counted = _of_all(one)
        task = bar.add_task("Reading", total=counted["contents"] + counted["keptForOthers"])
        done = storekeeper(one).verify_all(lambda some: bar.advance(task, some))
        document = _of_all(one) | {"read": done.read, "mended": done.mended}
    if as_json:
        console.print_json(document)
    else:
        for line in _lines(document):
            console.say(line)
    return console.EXIT_CODES[Tampered] if document["damaged"] else 0


def erase(
    data: Data,
    record: Annotated[
        list[str], typer.Option("--record", help="A record's id (0x…); may be repeated.")
    ],
    as_json: AsJson = False,
) -> None:
    """Delete the sealed bytes of records that this organisation wrote, here and at every other.

    `simdes serve` carries it out; `storage status --record` shows who signed for it. This can't be
    undone.
    """
    with app.opened(data) as one:
        count = storekeeping.erase(one.node, [id_of(text, "a record's id") for text in record])
    if not count:
        raise NotFound("This organisation has stored nothing of such records, or erased it before.")
    if as_json:
        console.print_json({"contents": count})
    else:
        console.say(f"{count} contents are being erased, here and at every other organisation.")


def _of_all(one: Opened) -> dict[str, Any]:
    counted = Operations(one.custody).figures().storekeeping
    if counted is None:
        raise Unavailable("The database does not answer.")
    return {
        "contents": counted.contents,
        "short": counted.short,
        "damaged": counted.damaged,
        "overdue": counted.overdue,
        "erasing": counted.erasing,
        "keptForOthers": counted.kept,
        "keptForOthersBytes": counted.kept_bytes,
        "fetching": counted.fetching,
    }


def _of_record(one: Opened, record: str) -> dict[str, Any]:
    found = storekeeping.copies_of(one.node, id_of(record, "a record's id"))
    if not found:
        raise NotFound("This organisation has stored nothing of such a record.")
    return {
        "record": record,
        "contents": [
            {
                "cid": content.cid,
                "kind": content.kind,
                "state": content.state,
                "copies": [
                    {"organisation": "0x" + copy.organisation.hex(), "state": copy.state}
                    for copy in copies
                ],
            }
            for content, copies in found
        ],
    }


_SAID = {
    "contents": "contents of ours are in the store",
    "short": "of them lack a confirmed copy",
    "damaged": "of them are damaged here",
    "overdue": "should have been read again",
    "erasing": "are being erased",
    "keptForOthers": "are kept for other organisations",
    "fetching": "are on their way here for others",
    "read": "were read now",
    "mended": "were mended",
}


def _lines(document: dict[str, Any]) -> Iterator[str]:
    if "record" not in document:
        for name, words in _SAID.items():
            if name in document:
                yield f"{document[name]:>8} {words}"
        return
    for content in document["contents"]:
        yield f"{content['kind']} {content['cid']}: {content['state']} here"
        for copy in content["copies"]:
            yield f"  {copy['organisation']}: {copy['state']}"
