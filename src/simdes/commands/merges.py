"""Commands for patients whom an organisation asks whether two records are both theirs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

import typer

from simdes import console, typed_numbers
from simdes.commands.common import AsJson, Data, Token, User, organisation, signed_in
from simdes.errors import Invalid
from simdes.exchange import members, merge_questions, merge_telling
from simdes.exchange.merge_telling import Side
from simdes.exchange.node import Node
from simdes.exchange.signin import Session

Number = Annotated[str, typer.Argument(help="The question's number, as `list` shows it.")]


def add_commands(cli: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(
        help="Records that an organisation says are one person's: answer for yours.",
        no_args_is_help=True,
    )
    group.command("list")(list_asked)
    group.command("show")(show)
    group.command("accept")(accept)
    group.command("decline")(decline)
    group.command("withdraw")(withdraw)
    cli.add_typer(group, name="merge")


def list_asked(data: Data, user: User = None, token: Token = None, as_json: AsJson = False) -> None:
    """List what you were asked, and what came of it."""
    with organisation(data) as one:
        listed = merge_telling.listed(one.node, signed_in(one, user, token))
    if as_json:
        console.print_json([asdict(each) for each in listed])
        return
    console.print_table(
        "Are both records yours?",
        ("Number", "Asked", "Until", "You said", "It is"),
        [
            (
                f"0x{each.id.hex()}",
                console.instant(each.asked_ms / 1000),
                console.instant(each.until_seconds),
                each.answer,
                each.state,
            )
            for each in listed
        ],
    )


def show(
    data: Data, number: Number, user: User = None, token: Token = None, as_json: AsJson = False
) -> None:
    """Show both records as far as they are yours, and whom accepting lets read."""
    with organisation(data) as one:
        found = merge_telling.told(one.node, signed_in(one, user, token), _id(number))
        readers = merge_telling.readers(one.node, found)
        names = {each.given.organisation: "" for each in readers}
        names = {each: members.name_of(one.node, each) for each in names}
    if as_json:
        console.print_json(asdict(found) | {"readers": [asdict(each) for each in readers]})
        return
    console.say(f"Goes on: {_side(found.kept)}")
    console.say(f"Is joined to it: {_side(found.moved)}")
    if not found.kept.mine:
        console.warn(
            "Another account has the record that goes on: it reads what is brought over and "
            "decides who else does. Accept only if that account is yours, too."
        )
        return
    console.print_table(
        "Who may read it after that, beside you and the organisation",
        ("To", "Role", "Categories", "Until", "Entries more"),
        [
            (
                names[each.given.organisation],
                each.given.role or "everybody",
                ", ".join(each.given.categories),
                console.instant(each.given.expiry_seconds),
                "not shown" if each.entries is None else each.entries,
            )
            for each in readers
        ],
    )


def accept(
    data: Data, number: Number, user: User = None, token: Token = None, as_json: AsJson = False
) -> None:
    """Sign that both records are yours and may be joined; read `show` first."""
    _answer(data, number, user, token, as_json, merge_questions.accept)


def decline(
    data: Data, number: Number, user: User = None, token: Token = None, as_json: AsJson = False
) -> None:
    """Say no; both records stay as they are."""
    _answer(data, number, user, token, as_json, merge_questions.decline)


def withdraw(
    data: Data, number: Number, user: User = None, token: Token = None, as_json: AsJson = False
) -> None:
    """Take your acceptance back while nothing was joined."""
    _answer(data, number, user, token, as_json, merge_questions.withdraw)


def _answer(
    data: Data,
    number: str,
    user: str | None,
    token: str | None,
    as_json: bool,
    verb: Callable[[Node, Session, bytes], None],
) -> None:
    with organisation(data) as one:
        session = signed_in(one, user, token)
        verb(one.node, session, _id(number))
        found = merge_telling.told(one.node, session, _id(number))
    told: dict[str, Any] = {"id": found.id, "answer": found.answer, "state": found.state}
    if as_json:
        console.print_json(told)
    else:
        console.say(f"You {found.answer}; the merge is {found.state}.")


def _id(text: str) -> bytes:
    found = typed_numbers.octets(text, 32)
    if found is None:
        raise Invalid("That is no number of a question.", advice="`simdes merge list` shows them.")
    return found


def _side(side: Side) -> str:
    numbers = ", ".join(side.numbers) or "no number"
    if not side.mine:
        return f"a record that is not yours, known by {numbers}"
    return f"your record {numbers}, with {side.entries} entries of the organisation"
