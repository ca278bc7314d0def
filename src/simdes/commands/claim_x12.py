"""Commands of an insurer's clearing desk: X12 questions in, answers and remittances out."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Final

import typer

from simdes import console
from simdes.commands.claim_desk import asking_of
from simdes.commands.common import AsJson, Data, Token, User, organisation
from simdes.errors import Conflict, Invalid
from simdes.exchange import intake
from simdes.exchange.claims.remitting import Span, remit
from simdes.exchange.claims.x12 import Interchange, answer_x12

_WRITTEN: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
Sender = Annotated[
    str, typer.Option("--sender", help="Our id in interchanges; without it our name.")
]


def x12(
    data: Data,
    sources: Annotated[list[Path], typer.Argument(help="Questions: X12 270 and 276.")],
    out: Annotated[
        Path, typer.Option("--out", help="The folder for the answers, a file each interchange.")
    ],
    sender: Sender = "",
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Answer X12 questions about cover and claims from your own records, as an insurer."""
    bundles = []
    for file in intake.source_files(sources):
        mapping = intake.map_file(file)
        if mapping.quarantined:
            raise Invalid(f"{file.name} can't be read whole: {mapping.quarantined[0].reason}")
        bundles += [one.bundle for one in mapping.messages]
    with organisation(data) as one:
        made = answer_x12(one.node, asking_of(one, user, token), bundles, sender=sender)
    _write(out, made, as_json=as_json)


def remittance(
    data: Data,
    out: Annotated[
        Path, typer.Option("--out", help="The folder for the 835s, a file each provider.")
    ],
    first: Annotated[
        str, typer.Option("--from", help="The first day, YYYY-MM-DD; without it the first payment.")
    ] = "",
    last: Annotated[
        str, typer.Option("--to", help="The last day, YYYY-MM-DD; without it today.")
    ] = "",
    sender: Sender = "",
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Write the X12 835s of what you paid and took back, one for each provider."""
    span = Span(first=_day(first), last=_day(last))
    if span.first and span.last and span.last < span.first:
        raise Invalid("The last day lies before the first one.")
    with organisation(data) as one:
        made = remit(one.node, asking_of(one, user, token), span, sender=sender)
    _write(out, made, as_json=as_json)


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text if _WRITTEN.fullmatch(text) else "")
    except ValueError:
        raise Invalid("A day is written like 2026-03-31.") from None


def _write(out: Path, made: list[Interchange], *, as_json: bool) -> None:
    """Write each interchange into a file of its own; none of an earlier run is replaced."""
    paths = [out / f"{number:03}.{one.kind}" for number, one in enumerate(made, 1)]
    taken = [one for one in paths if one.exists()]
    if taken or (out.exists() and not out.is_dir()):
        name = taken[0] if taken else out
        raise Conflict(f"{name} exists already.", advice="Choose a folder that is empty.")
    out.mkdir(parents=True, exist_ok=True)
    told = []
    for path, answer in zip(paths, made, strict=True):
        path.write_bytes(answer.content)
        told.append({"file": str(path), "kind": answer.kind, "transactions": answer.count})
    if as_json:
        console.print_json(told)
        return
    for row in told:
        console.say(f"{row['file']}: {row['transactions']} transactions")


COMMANDS: Final = (("x12", x12), ("remittance", remittance))
