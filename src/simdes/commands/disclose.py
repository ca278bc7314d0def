"""Commands to show a third party one fact of an anchored record: key, state, ask, answer, check."""

from __future__ import annotations

import json
import secrets
import sys
import time
from pathlib import Path
from typing import Annotated

import msgspec
import segno
import typer

from simdes import console
from simdes.commands.common import (
    AsJson,
    Data,
    Purpose,
    Token,
    User,
    file_bytes,
    organisation,
    signed_in,
    write_new,
)
from simdes.errors import Invalid
from simdes.exchange import disclosing
from simdes.exchange.rights import ask as rights_of
from simdes.proofs import facts
from simdes.proofs.disclosures import Asked, read_kept
from simdes.proofs.trees import LATEST_DAY

Key = Annotated[Path, typer.Option("--key", help="The holder's key, of `simdes disclose key`.")]
Text = Annotated[str, typer.Option("--question", help="The question's text, or - for stdin.")]
Picture = Annotated[Path | None, typer.Option("--qr", help="Write it as a QR code (.svg, .png).")]
_KEY_BYTES = 31


def add_commands(cli: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(
        help="Show one fact of an anchored record and nothing else.", no_args_is_help=True
    )
    for name, command in (
        ("key", make_key),
        ("state", state),
        ("ask", ask),
        ("answer", answer),
        ("check", check),
    ):
        group.command(name)(command)
    cli.add_typer(group, name="disclose")


def make_key(
    out: Annotated[Path, typer.Option("--out", help="Where to keep the key; give it to nobody.")],
    as_json: AsJson = False,
) -> None:
    """For the patient: make a key, and print the holder that facts are to be stated for."""
    key = int.from_bytes(secrets.token_bytes(_KEY_BYTES), "big")
    kept = json.dumps({"v": 1, "holder_key": f"{key:#066x}"}).encode()
    write_new(out, kept, advice="Facts are bound to their key.")
    holder = f"{facts.holder_of(key):#066x}"
    if as_json:
        console.print_json({"holder": holder})
    else:
        console.say(holder)


def state(
    data: Data,
    records: Annotated[list[str], typer.Argument(help="Anchored records, as Type/id.")],
    holder: Annotated[str, typer.Option("--holder", help="The patient's holder (0x…).")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the facts, for the patient.")],
    user: User = None,
    token: Token = None,
    purpose: Purpose = "TREAT",
) -> None:
    """For a hospital or pharmacy: state facts of records that the user may read."""
    with organisation(data) as one:
        session = signed_in(one, user, token)
        asking = rights_of(one.node, session, purpose=purpose)
        kept = disclosing.state(one.node, asking, records, holder=_element(holder))
    out.mkdir(parents=True, exist_ok=True)
    for number, fact in enumerate(kept, 1):
        path = out / f"{number:04}-{fact.record.partition('/')[0]}.fact.json"
        path.write_bytes(msgspec.json.encode(fact))
        console.say(str(path))


def ask(
    code: Annotated[str, typer.Option("--code", help="What about, as SYSTEM|CODE.")],
    coded: Annotated[
        str | None, typer.Option("--says", help="The code, or the unit, as SYSTEM|CODE.")
    ] = None,
    least: Annotated[int, typer.Option("--least", help="The least number.")] = 0,
    most: Annotated[int, typer.Option("--most", help="The greatest number.")] = facts.MOST_VALUE,
    first_day: Annotated[int, typer.Option("--first-day", help="Days since 1970-01-01.")] = 0,
    last_day: Annotated[int, typer.Option("--last-day", help="The same.")] = LATEST_DAY,
    qr: Picture = None,
) -> None:
    """For a third party: a question, good for fifteen minutes and one answer."""
    text = disclosing.ask(
        int(time.time()),
        secrets.token_bytes,
        code=_coding(code),
        coded=_coding(coded) if coded else ("", ""),
        least=least,
        most=most,
        first_day=first_day,
        last_day=last_day,
    )
    _show(text, qr)


def answer(
    data: Data,
    fact: Annotated[Path, typer.Option("--fact", help="The fact, of `simdes disclose state`.")],
    key: Key,
    question: Text,
    qr: Picture = None,
) -> None:
    """For the patient: answer a question. `--data` is any organisation of the network."""
    kept = read_kept(file_bytes(fact))
    with organisation(data) as one:
        text = disclosing.answer(one.node, _typed(question), kept, holder_key=holder_key_in(key))
    _show(text, qr)


def check(
    data: Data,
    question: Text,
    shown: Annotated[str, typer.Argument(help="The answer's text.")],
    as_json: AsJson = False,
) -> None:
    """For a third party: check an answer at one's own node."""
    with organisation(data) as one:
        found = disclosing.check(one.node, _typed(question), shown)
    if as_json:
        console.print_json({"holds": True, **_as_json(found)})
        return
    console.say("It holds: a verified organisation stated about the holder of the key:")
    for name, value in _as_json(found).items():
        console.say(f"  {name}: {value}")


def _as_json(found: Asked) -> dict[str, object]:
    return {
        "code": "|".join(found.code),
        "says": "|".join(found.coded) if any(found.coded) else "",
        "least": found.least,
        "most": found.most,
        "first_day": found.first_day,
        "last_day": found.last_day,
    }


def _show(text: str, qr: Path | None) -> None:
    if qr is not None:
        segno.make(text, error="m").save(str(qr), scale=4, border=4)
    console.say(text)


def _typed(text: str) -> str:
    return sys.stdin.read() if text == "-" else text


def _coding(text: str) -> tuple[str, str]:
    system, of, code = text.rpartition("|")
    if not of or not code:
        raise Invalid("write a code as SYSTEM|CODE")
    return system, code


def _element(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        raise Invalid("a holder is a number in hex") from None


def holder_key_in(path: Path) -> int:
    """The holder's key in a file of `simdes disclose key`. Raises Invalid."""
    try:
        return int(json.loads(file_bytes(path))["holder_key"], 16)
    except (ValueError, TypeError, KeyError):
        raise Invalid(f"{path} is no holder's key") from None
