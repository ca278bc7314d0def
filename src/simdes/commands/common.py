"""What commands share: options, who is signed in, how people name patients and organisations."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from simdes import app
from simdes.app import Opened
from simdes.errors import Conflict, Invalid, NotFound, Unauthenticated
from simdes.exchange import enrolment, members, retrieve
from simdes.exchange.node import Node
from simdes.exchange.signin import Session, resume, sign_in

USER_PASSPHRASE = "SIMDES_USER_PASSPHRASE"  # noqa: S105 - the name of a variable
ADMINISTRATOR_PASSPHRASE = "SIMDES_ADMIN_PASSPHRASE"  # noqa: S105 - the same
TOKEN = "SIMDES_TOKEN"  # noqa: S105 - the same

Data = Annotated[Path, typer.Option("--data", help="The organisation's folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
User = Annotated[
    str | None,
    typer.Option("--user", help=f"Who acts; the passphrase is asked for, or in {USER_PASSPHRASE}."),
]
Token = Annotated[
    str | None,
    typer.Option("--token", envvar=TOKEN, help="An access token of `simdes token` instead."),
]
Patient = Annotated[
    str,
    typer.Option("--patient", help="A vault's tag (0x…) or an identifier as SYSTEM|VALUE."),
]
Purpose = Annotated[
    str,
    typer.Option("--purpose", help="TREAT, HPAYMT, HOPERAT, HRESCH, ETREAT or PATRQT."),
]

_ID = re.compile(r"0x[0-9a-f]{64}")
_UNITS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "y": 31_536_000}


@contextmanager
def organisation(data: Path) -> Iterator[Opened]:
    """Open the organisation of a folder with its custody API at hand in this process."""
    with app.opened(data) as one, app.answering(one):
        yield one


def signed_in(one: Opened, user: str | None, token: str | None) -> Session:
    """The session of a token, or of a user whose passphrase is asked for."""
    if token is not None:
        return resume(one.node, token)
    if user is None:
        raise Unauthenticated(
            "Nobody is signed in.", advice=f"Give --user, or --token, or set {TOKEN}."
        )
    return sign_in(one.node, user, passphrase(f"Passphrase of {user}"))


def administrator(one: Opened, user: str, token: str | None) -> Session:
    """The session of an administrator, by token or passphrase."""
    if token is not None:
        return resume(one.node, token)
    words = passphrase(f"Passphrase of {user}", variable=ADMINISTRATOR_PASSPHRASE)
    return sign_in(one.node, user, words)


def passphrase(prompt: str, *, variable: str = USER_PASSPHRASE, confirm: bool = False) -> str:
    """A passphrase from an environment variable, or asked for at a terminal."""
    if value := os.environ.get(variable):
        return value
    if not sys.stdin.isatty():
        raise Unauthenticated(
            "A passphrase is needed and there is no terminal to ask at.",
            advice=f"Set {variable}, or use an access token.",
        )
    return str(typer.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True))


def identifier(text: str) -> tuple[str, str]:
    """An identifier written ``SYSTEM|VALUE``; the system may be empty."""
    system, bar, value = text.partition("|")
    if not bar or not value:
        raise Invalid(
            "A patient is named by a vault's tag or by SYSTEM|VALUE.",
            advice="For example --patient 'urn:oid:1.2.3|12345'.",
        )
    return system, value


def id_of(text: str, what: str) -> bytes:
    """The 32 bytes of an id typed in hex, with or without 0x. ``what`` says whose: "a record's id".

    Raises Invalid for anything else.
    """
    if not _ID.fullmatch("0x" + text.removeprefix("0x").lower()):
        raise Invalid(f"{text!r} is not {what}: 0x and 64 hexadecimal digits.")
    return bytes.fromhex(text.removeprefix("0x"))


def vault_of(node: Node, patient: str, session: Session | None = None) -> bytes:
    """The vault that a patient's name means: here, or with a session anywhere in the network."""
    if _ID.fullmatch(patient):
        return bytes.fromhex(patient[2:])
    wanted = identifier(patient)
    try:
        return enrolment.find_vault(node, [wanted])
    except NotFound:
        if session is None:
            raise
    if not wanted[0]:
        raise Invalid(
            "Nobody here has this identifier, and other organisations know none without a system.",
            advice="Name the system: --patient 'SYSTEM|VALUE'.",
        )
    located = retrieve.locate(node, session, [wanted])
    if not located:
        raise NotFound("No organisation of the network knows this patient.")
    if len(located) > 1:
        tags = ", ".join(f"0x{one.tag.hex()}" for one in located)
        raise Conflict(
            "The patient has several vaults in the network.",
            advice=f"Name one with --patient: {tags}.",
        )
    return located[0].tag


def organisation_of(node: Node, text: str) -> bytes:
    """The organisation that a name or an id (0x…, or its beginning) means."""
    return members.find(node, text)


def file_bytes(path: Path) -> bytes:
    """What a file that the command line names holds. Raises NotFound where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"{path} does not exist") from None


def write_new(path: Path, content: bytes, *, advice: str = "Choose another name.") -> None:
    """Write a file that only its owner reads; never over something, never through a link.

    Raises Conflict, with the advice, where there is one; NotFound where it can't be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise Conflict(f"{path} exists already.", advice=advice) from None
    except OSError as error:
        raise NotFound(f"{path} can't be written: {error.strerror}.") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def seconds(text: str) -> int:
    """A duration as people write it: ``30d``, ``12h``, ``1y``."""
    match = re.fullmatch(r"(\d+)\s*([mhdwy])", text.strip())
    if match is None:
        raise Invalid(
            f"{text!r} is no duration.", advice="Write a number and a unit: 15m, 12h, 30d, 2w, 1y."
        )
    return int(match[1]) * _UNITS[match[2]]
