"""Commands of the administrator, and signing in."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from simdes import console
from simdes.access.categories import Role, State
from simdes.commands.common import (
    AsJson,
    Data,
    Patient,
    Token,
    organisation,
    organisation_of,
    passphrase,
    vault_of,
)
from simdes.commands.common import administrator as administrator_session
from simdes.errors import Invalid
from simdes.exchange import enrolment
from simdes.exchange.signin import sign_in
from simdes.exchange.token_requests import issue

Administrator = Annotated[
    str, typer.Option("--as", help="The administrator who acts; see `simdes init`.")
]
NewUser = Annotated[str, typer.Option("--user", help="The user name.")]
Display = Annotated[str, typer.Option("--display", help="The name shown to colleagues.")]


class StaffRole(StrEnum):
    """The roles that an administrator gives; patients are enrolled."""

    DOCTOR = "doctor"
    NURSE = "nurse"
    PHARMACIST = "pharmacist"
    INSURER = "insurer"
    RESEARCHER = "researcher"
    ADMINISTRATOR = "administrator"


def add_commands(cli: typer.Typer) -> None:
    """Add this module's commands."""
    cli.command("token")(token)
    cli.command("enrol")(enrol)
    group = typer.Typer(help="The people of this organisation.", no_args_is_help=True)
    group.command("add")(add)
    group.command("list")(list_people)
    group.command("suspend")(suspend)
    cli.add_typer(group, name="account")


def add(
    data: Data,
    user: NewUser,
    role: Annotated[StaffRole, typer.Option("--role", help="What the person does.")],
    administrator: Administrator = "admin",
    token: Token = None,
    display: Display = "",
) -> None:
    """Register and verify a person's account.

    The passphrases asked for are first the administrator's (unless --token is given), then the new
    person's; without a terminal both are in SIMDES_ADMIN_PASSPHRASE and SIMDES_USER_PASSPHRASE.
    """
    with organisation(data) as one:
        session = administrator_session(one, administrator, token)
        person = enrolment.add_person(
            one.node,
            session,
            user,
            role=Role[role.name],
            passphrase=passphrase(f"New passphrase of {user}", confirm=True),
            display=display,
        )
        console.say(f"{user} is account 0x{person.account.hex()}, verified as {role}.")


def list_people(data: Data, as_json: AsJson = False) -> None:
    """List the people hosted here and where their accounts stand."""
    with organisation(data) as one:
        rows = []
        for person in one.node.desk.keystore.people():
            found = one.node.contracts.accounts.account(person.account)
            state = State(found.state).name.lower() if found else "not registered"
            rows.append((person.user, person.role.name.lower(), state, person.account))
        if as_json:
            names = ("user", "role", "state", "account")
            console.print_json([dict(zip(names, row, strict=True)) for row in rows])
        else:
            console.print_table(
                "People",
                ("User", "Role", "State", "Account"),
                [(*row[:3], f"0x{row[3].hex()[:16]}…") for row in rows],
            )


def suspend(
    data: Data, user: NewUser, administrator: Administrator = "admin", token: Token = None
) -> None:
    """Suspend a person's account; from the next block on it can do nothing but revoke."""
    with organisation(data) as one:
        enrolment.suspend_person(one.node, administrator_session(one, administrator, token), user)
        console.say(f"{user} is suspended.")


def enrol(
    data: Data,
    patient: Patient,
    user: NewUser,
    administrator: Administrator = "admin",
    token: Token = None,
    display: Display = "",
    attester: Annotated[
        list[str] | None,
        typer.Option("--attester", help="Organisation asked to attest; default any custodian."),
    ] = None,
) -> None:
    """Enrol a patient whose identity the administrator has checked: the vault becomes theirs."""
    with organisation(data) as one:
        session = administrator_session(one, administrator, token)
        enrolled = enrolment.enrol(
            one.node,
            session,
            user,
            vault=vault_of(one.node, patient),
            passphrase=passphrase(f"New passphrase of {user}", confirm=True),
            display=display,
            attesters=[organisation_of(one.node, name) for name in attester] if attester else None,
        )
        console.say(f"{user} controls vault 0x{enrolled.vault.hex()}.")


def token(
    data: Data,
    user: Annotated[
        str | None, typer.Option("--user", help="Whose token; the passphrase is asked for.")
    ] = None,
    client: Annotated[
        str | None,
        typer.Option("--client", help="The backend service whose token; needs --scope."),
    ] = None,
    scope: Annotated[
        str, typer.Option("--scope", help="What the token is for; without it, all a person may.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Print an access token for scripts, valid for five minutes.

    A person's token unlocks their account. A backend service's is for whoever runs this
    organisation: it acts as the organisation's agent, within the scopes of the service.
    """
    if (user is None) is (client is None):
        raise Invalid("A token is for --user or for --client.")
    with organisation(data) as one:
        if client is not None:
            given = issue(one.node, client, scope)
        else:
            assert user is not None  # noqa: S101 (checked above)
            words = passphrase(f"Passphrase of {user}")
            given = sign_in(one.node, user, words, scope=scope).token
        if as_json:
            console.print_json({"access_token": given, "token_type": "Bearer", "expires_in": 300})
        else:
            print(given)
