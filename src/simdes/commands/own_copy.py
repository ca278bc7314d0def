"""Commands for a patient's own machine: a key for a sealed copy of their record, and opening it.

They need no organisation's folder and no network.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simdes import console
from simdes.commands.common import AsJson, file_bytes, passphrase, write_new
from simdes.exchange import own_copies

Key = Annotated[
    Path, typer.Option("--key", help="The key's file; it opens every copy sealed to it.")
]


def add_commands(cli: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(
        help="Your record as a file sealed to a key that you alone hold.", no_args_is_help=True
    )
    for name, command in (("key", make_key), ("public", public), ("open", open_copy)):
        group.command(name)(command)
    cli.add_typer(group, name="own-copy")


def make_key(
    out: Annotated[Path, typer.Option("--out", help="Where to keep the key; give it to nobody.")],
    as_json: AsJson = False,
) -> None:
    """Make a key under a passphrase, and print what the page `/own-copy` asks for."""
    made = own_copies.new_key(passphrase("Passphrase of the key", confirm=True))
    write_new(out, made.file)
    _show(made.public, as_json)


def public(key: Key, as_json: AsJson = False) -> None:
    """Print again what the page `/own-copy` asks for."""
    _show(own_copies.public_of(file_bytes(key), passphrase("Passphrase of the key")), as_json)


def open_copy(
    copy: Annotated[Path, typer.Argument(help="The sealed copy.")],
    key: Key,
    out: Annotated[Path, typer.Option("--out", help="Where to write the record, in clear.")],
    as_json: AsJson = False,
) -> None:
    """Open a copy: the record as a FHIR Bundle, readable by whoever has the file."""
    words = passphrase("Passphrase of the key")
    record = own_copies.opened(file_bytes(copy), file_bytes(key), words)
    write_new(out, record)
    if as_json:
        console.print_json({"out": str(out), "bytes": len(record)})
    else:
        console.say(f"{out}: {len(record)} bytes, no longer sealed.")


def _show(public_key: str, as_json: bool) -> None:
    if as_json:
        console.print_json({"public": public_key})
    else:
        console.say(public_key)
