"""Commands to be counted in a study without a name: the patient proves, the collector counts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simdes import console
from simdes.commands.common import (
    AsJson,
    Data,
    Token,
    User,
    file_bytes,
    organisation,
    signed_in,
    write_new,
)
from simdes.commands.disclose import Key, holder_key_in
from simdes.commands.study_release import StudyFile, document_of
from simdes.errors import Conflict
from simdes.exchange.research import counted
from simdes.proofs.disclosures import read_kept


def add_commands(group: typer.Typer) -> None:
    """Add this module's commands to those of studies."""
    for name, command in (("prove", prove), ("count", count)):
        group.command(name)(command)


def prove(
    data: Data,
    study: StudyFile,
    fact: Annotated[
        list[Path], typer.Option("--fact", help="A fact, of `simdes disclose state`; repeatable.")
    ],
    key: Key,
    out: Annotated[Path, typer.Option("--out", help="The proofs, for the study's collector.")],
    as_json: AsJson = False,
) -> None:
    """For a patient: prove to meet a study's criteria, and nothing else; good for today (UTC).

    `--data` is any organisation of the network: it need not know who proves.
    """
    document, kept = document_of(study), [read_kept(file_bytes(path)) for path in fact]
    holder_key = holder_key_in(key)
    if out.exists():
        raise Conflict(f"{out} exists already.")
    with organisation(data) as one:
        shown = counted.prove(one.node, document, kept, holder_key=holder_key)
    write_new(out, shown)
    read = counted.read_shown(shown)
    if as_json:
        console.print_json({"study": read.study, "day": read.day, "proofs": len(read.proofs)})
    else:
        console.say(f"{len(read.proofs)} proofs in {out}; the ledger takes them today alone.")


def count(
    data: Data,
    study: StudyFile,
    proofs: Annotated[Path, typer.Argument(help="What the patient's `simdes study prove` wrote.")],
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """For the collector: count a patient who proved to meet the criteria, once, without a name."""
    document, shown = document_of(study), file_bytes(proofs)
    with organisation(data) as one:
        number = counted.count(one.node, signed_in(one, user, token), document, shown)
    if as_json:
        console.print_json({"counted": number})
    else:
        console.say(f"{number} patients are counted in this study.")
