"""Commands of an insurer's clearing desk: X12 questions in, answers out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from simdes import console
from simdes.commands.common import AsJson, Data, Token, User, organisation, signed_in
from simdes.errors import Invalid
from simdes.exchange import intake, rights
from simdes.exchange.claims.x12 import answer_x12


def x12(
    data: Data,
    sources: Annotated[list[Path], typer.Argument(help="Questions: X12 270 and 276.")],
    out: Annotated[
        Path, typer.Option("--out", help="The folder for the answers, a file each interchange.")
    ],
    sender: Annotated[
        str, typer.Option("--sender", help="Our id in interchanges; without it our name.")
    ] = "",
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
        session = signed_in(one, user, token)
        one.node.following.catch_up()
        asking = rights.ask(one.node, session)
        made = answer_x12(one.node, asking, bundles, sender=sender)
    out.mkdir(parents=True, exist_ok=True)
    told = []
    for number, answer in enumerate(made, 1):
        path = out / f"{number:03}.{answer.kind}"
        path.write_bytes(answer.content)
        told.append({"file": str(path), "kind": answer.kind, "answers": answer.count})
    if as_json:
        console.print_json(told)
        return
    for row in told:
        console.say(f"{row['file']}: {row['answers']} answered")


COMMANDS: Final = (("x12", x12),)
