"""Apps that may ask people for access: registered, listed, removed, given other secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simdes import console
from simdes.app import Opened
from simdes.commands.common import (
    AsJson,
    Data,
    Token,
    organisation,
)
from simdes.commands.common import administrator as administrator_session
from simdes.commands.people import Administrator
from simdes.errors import Invalid
from simdes.exchange import clients
from simdes.exchange.clients import Client, Kind, Registered
from simdes.exchange.signin import Session

ClientId = Annotated[str, typer.Option("--client", help="The app's client id.")]
Keys = Annotated[
    Path | None, typer.Option("--keys", help="File with the app's public keys (JWKS).")
]
KeysUrl = Annotated[str, typer.Option("--keys-url", help="https address of the app's JWKS.")]


def add_commands(cli: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(
        help="Apps that may ask people for access (SMART on FHIR).", no_args_is_help=True
    )
    group.command("add")(add)
    group.command("list")(list_clients)
    group.command("remove")(remove)
    group.command("rotate")(rotate)
    cli.add_typer(group, name="client")


def add(
    data: Data,
    name: Annotated[str, typer.Option("--name", help="The name people see.")],
    kind: Annotated[
        Kind,
        typer.Option(
            "--kind",
            help="public (browser, phone), confidential (has a server), backend (no people).",
        ),
    ],
    scope: Annotated[
        str, typer.Option("--scope", help="The most it may ask for, blanks between scopes.")
    ],
    redirect: Annotated[
        list[str] | None,
        typer.Option("--redirect", help="Address that people are sent back to; repeat for more."),
    ] = None,
    launch_url: Annotated[
        str, typer.Option("--launch-url", help="Address that starts it with a patient open.")
    ] = "",
    keys: Keys = None,
    keys_url: KeysUrl = "",
    client_id: Annotated[
        str, typer.Option("--client", help="The client id; one is made up without it.")
    ] = "",
    administrator: Administrator = "admin",
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Register an app. A confidential one without keys gets a secret, shown this once."""
    with organisation(data) as one:
        made = clients.register(
            one.node,
            _session(one, administrator, token),
            name=name,
            kind=kind,
            scope=scope,
            redirect_uris=redirect or [],
            launch_url=launch_url,
            keys=_read(keys),
            keys_url=keys_url or None,
            client_id=client_id,
        )
    _show(made, as_json=as_json, verb="registered")


def list_clients(data: Data, as_json: AsJson = False) -> None:
    """List the apps with what they may ask for."""
    with organisation(data) as one:
        found = clients.listed(one.node)
    if as_json:
        console.print_json([_described(client) for client in found])
    else:
        console.print_table(
            "Apps",
            ("Client", "Name", "Kind", "Scope"),
            [(one.id, one.name, one.kind.value, one.scope.text) for one in found],
        )


def remove(
    data: Data, client: ClientId, administrator: Administrator = "admin", token: Token = None
) -> None:
    """Remove an app; everything people allowed it ends at once."""
    with organisation(data) as one:
        clients.remove(one.node, _session(one, administrator, token), client)
    console.say(f"{client} is removed.")


def rotate(
    data: Data,
    client: ClientId,
    keys: Keys = None,
    keys_url: KeysUrl = "",
    administrator: Administrator = "admin",
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Give an app a new secret, or other keys; what it had is refused from now on."""
    with organisation(data) as one:
        session = _session(one, administrator, token)
        made = clients.rotate(
            one.node, session, client, keys=_read(keys), keys_url=keys_url or None
        )
    _show(made, as_json=as_json, verb="changed")


def _session(one: Opened, administrator: str, token: str | None) -> Session:
    return administrator_session(one, administrator, token)


def _read(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} can't be read.") from error


def _described(client: Client) -> dict[str, object]:
    return {
        "client_id": client.id,
        "name": client.name,
        "kind": client.kind.value,
        "scope": client.scope.text,
        "redirect_uris": list(client.redirect_uris),
        "launch_url": client.launch_url,
        "proof": _proof(client),
    }


def _proof(client: Client) -> str:
    if client.secret_digest is not None:
        return "secret"
    return "keys" if client.keys or client.keys_url else "none"


def _show(made: Registered, *, as_json: bool, verb: str) -> None:
    if as_json:
        secret = {"client_secret": made.secret} if made.secret else {}
        console.print_json(_described(made.client) | secret)
        return
    console.say(f"{made.client.id} is {verb}.")
    if made.secret:
        console.say("Its secret, which is shown this once:")
        print(made.secret)
