"""Commands of the patient: grant, revoke, and what was granted."""

from __future__ import annotations

from typing import Annotated

import typer

from simdes import console
from simdes.access.consent import Grantee
from simdes.commands.common import (
    AsJson,
    Data,
    Token,
    User,
    id_of,
    organisation,
    organisation_of,
    seconds,
    signed_in,
)
from simdes.errors import Conflict, Invalid, NotFound
from simdes.exchange import consents, members
from simdes.exchange.node import Node
from simdes.exchange.signin import Session

OwnVault = Annotated[
    str | None, typer.Option("--vault", help="The vault's tag; needed by who has several.")
]

To = Annotated[
    str, typer.Option("--to", help="ORGANISATION, ROLE@ORGANISATION, or an account's id (0x…).")
]
Categories = Annotated[
    list[str], typer.Option("--category", help="observations, medications …; repeatable.")
]
Purposes = Annotated[list[str] | None, typer.Option("--purpose", help="Default TREAT; repeatable.")]
Labels = Annotated[
    list[str] | None,
    typer.Option("--label", help="Sensitive records it opens too (HIV, PSY …); repeatable."),
]
Valid = Annotated[str, typer.Option("--for", help="How long: 12h, 30d, 1y.")]
"""What a grant says, whoever signs it (`simdes wallet grant`, too)."""


def add_commands(cli: typer.Typer) -> None:
    """Add this module's commands."""
    cli.command("grant")(grant)
    cli.command("revoke")(revoke)
    cli.command("consents")(list_consents)


def grant(
    data: Data,
    to: To,
    category: Categories,
    purpose: Purposes = None,
    label: Labels = None,
    valid: Valid = "30d",
    vault: OwnVault = None,
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Let somebody read some of your records, for a purpose, for a time."""
    with organisation(data) as one:
        session = signed_in(one, user, token)
        given = consents.grant(
            one.node,
            session,
            vault=own_vault(one.node, session, vault),
            grantee=grantee_of(one.node, to),
            categories=category,
            purposes=purpose or ["TREAT"],
            labels=label or [],
            valid_seconds=seconds(valid),
        )
        if as_json:
            console.print_json({"handle": given.handle, "expires": given.terms.expiry})
            return
        console.say(
            f"Granted to {to}: {', '.join(category)}, until {console.instant(given.terms.expiry)}."
        )
        console.say(f"To withdraw it: simdes revoke --handle 0x{given.handle.hex()} …")


def revoke(
    data: Data,
    handle: Annotated[
        str | None, typer.Option("--handle", help="The consent to withdraw (0x…).")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Withdraw everything granted so far.")
    ] = False,
    vault: OwnVault = None,
    user: User = None,
    token: Token = None,
) -> None:
    """Withdraw a consent, or all of them; it closes every record not yet opened, at once."""
    if everything == (handle is not None):
        raise Invalid("Give either --handle or --all.")
    with organisation(data) as one:
        session = signed_in(one, user, token)
        tag = own_vault(one.node, session, vault)
        if handle is None:
            consents.revoke_all(one.node, session, vault=tag)
            console.say("Everything is withdrawn.")
        else:
            consents.revoke(one.node, session, vault=tag, handle=_handle(one.node, tag, handle))
            console.say("Withdrawn.")


def list_consents(
    data: Data,
    vault: OwnVault = None,
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List your consents and whether they still count."""
    with organisation(data) as one:
        session = signed_in(one, user, token)
        listed = consents.listed(one.node, own_vault(one.node, session, vault))
        if as_json:
            console.print_json([vars_of(given) for given in listed])
            return
        console.print_table(
            "Consents",
            ("Handle", "To", "Categories", "Purposes", "Until", "State"),
            [
                (
                    f"0x{given.handle.hex()[:16]}…",
                    members.name_of(one.node, given.organisation),
                    ", ".join(given.categories),
                    ", ".join(given.purposes),
                    console.instant(given.expiry_seconds),
                    given.state,
                )
                for given in listed
            ],
        )


def vars_of(given: consents.Given) -> dict[str, object]:
    """A consent as JSON."""
    return {
        "handle": given.handle,
        "organisation": given.organisation,
        "account": given.account,
        "role": given.role,
        "categories": given.categories,
        "labels": given.labels,
        "purposes": given.purposes,
        "notBefore": given.not_before_seconds,
        "expiry": given.expiry_seconds,
        "records": given.records,
        "whileOpen": given.while_open,
        "state": given.state,
    }


def own_vault(node: Node, session: Session, text: str | None) -> bytes:
    """The vault that the signed-in patient controls, or the one named."""
    found = consents.vaults_of(node, session)
    if text is not None:
        return id_of(text, "a vault's tag")
    if not found:
        raise NotFound("You control no vault.", advice="Ask your organisation to enrol you.")
    if len(found) > 1:
        tags = ", ".join(f"0x{tag.hex()}" for tag in found)
        raise Conflict("You control several vaults.", advice=f"Name one with --vault: {tags}.")
    return found[0]


def grantee_of(node: Node, text: str) -> Grantee:
    """Whom the command line names: ORGANISATION, ROLE@ORGANISATION or an account's id."""
    role, at, organisation_name = text.partition("@")
    if at:
        return Grantee.role_in(organisation_of(node, organisation_name), role)
    if text.startswith("0x") and consents.is_account(node, text):
        return Grantee.account(bytes.fromhex(text[2:]))
    return Grantee.organisation(organisation_of(node, text))


def _handle(node: Node, vault: bytes, text: str) -> bytes:
    """The handle that begins with the text; a whole one may be unknown here and is burned."""
    digits = text.removeprefix("0x").lower()
    if len(digits) == 64:
        return id_of(text, "a consent's handle")
    found = [
        one.handle for one in consents.listed(node, vault) if one.handle.hex().startswith(digits)
    ]
    if len(found) != 1:
        raise NotFound("No one consent has this handle.", advice="See `simdes consents`.")
    return found[0]
