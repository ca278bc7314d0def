"""Commands for a patient's own wallet: what it is asked to sign, and relaying what it signed.

The wallet's owner signs the request's ``typedData`` with whatever signs EIP-712, or on the page
`/wallet` of any organisation; no key is ever given to a command.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simdes import console, typed_numbers
from simdes.access.categories import Role
from simdes.commands.common import (
    Data,
    Patient,
    Token,
    User,
    file_bytes,
    id_of,
    organisation,
    organisation_of,
    passphrase,
    seconds,
    signed_in,
    vault_of,
    write_new,
)
from simdes.commands.common import administrator as administrator_session
from simdes.commands.consent import Categories, Labels, Purposes, To, Valid, grantee_of
from simdes.errors import Invalid
from simdes.exchange import enrolment, members, moving, wallets
from simdes.exchange.node import Node
from simdes.exchange.signin import Session

Vault = Annotated[str, typer.Option("--vault", help="The vault's tag (0x…).")]
Out = Annotated[Path, typer.Option("--out", help="Where to write the request.")]
Handed = Annotated[Path, typer.Argument(help="A request for a wallet.")]


def add_commands(cli: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(
        help="A patient's own wallet that controls their vault.", no_args_is_help=True
    )
    for name, command in (
        ("enrol", enrol),
        ("grant", grant),
        ("revoke", revoke),
        ("show", show),
        ("send", send),
        ("move", move),
    ):
        group.command(name)(command)
    cli.add_typer(group, name="wallet")


def enrol(
    data: Data,
    patient: Patient,
    address: Annotated[str, typer.Option("--address", help="The wallet's address (0x…).")],
    out: Out,
    administrator: Annotated[
        str, typer.Option("--as", help="The administrator who acts; see `simdes init`.")
    ] = "admin",
    token: Token = None,
    attester: Annotated[
        list[str] | None,
        typer.Option("--attester", help="Organisation asked to attest; default any custodian."),
    ] = None,
    user: Annotated[
        str,
        typer.Option("--user", help="What they are known by when they sign in with the wallet."),
    ] = "",
    name: Annotated[str, typer.Option("--name", help="Their name, shown to them.")] = "",
    reader: Annotated[
        str | None,
        typer.Option("--reader", help="Also an account for apps, once the wallet lets it read."),
    ] = None,
) -> None:
    """Let a patient whose identity was checked take their vault with their own wallet.

    With --user they sign in at /sign-in/wallet with it and read; the wallet decides. Apps read by
    keys that are kept here: with --reader the passphrase of a new account is asked for, whose id a
    first `simdes wallet grant --to` with --purpose PATRQT names.
    """
    with organisation(data) as one:
        session = administrator_session(one, administrator, token)
        if reader is not None:
            words = passphrase(f"New passphrase of {reader}", confirm=True)
            person = enrolment.add_person(
                one.node, session, reader, role=Role.PATIENT, passphrase=words
            )
            console.say(f"{reader} is account 0x{person.account.hex()}.")
        request = wallets.enrol(
            one.node,
            session,
            _address(address),
            vault=vault_of(one.node, patient),
            user=user,
            display=name,
            attesters=[organisation_of(one.node, name) for name in attester] if attester else None,
        )
        _write(one.node, request, out)


def grant(
    data: Data,
    vault: Vault,
    to: To,
    category: Categories,
    out: Out,
    purpose: Purposes = None,
    label: Labels = None,
    valid: Valid = "30d",
) -> None:
    """Ask the vault's wallet to let somebody read, for a purpose, for a time."""
    with organisation(data) as one:
        request = wallets.grant(
            one.node,
            vault=id_of(vault, "a vault's tag"),
            grantee=grantee_of(one.node, to),
            categories=category,
            purposes=purpose or ["TREAT"],
            labels=label or [],
            valid_seconds=seconds(valid),
        )
        _write(one.node, request, out)


def revoke(
    data: Data,
    vault: Vault,
    out: Out,
    handle: Annotated[
        str | None, typer.Option("--handle", help="The consent to withdraw (0x…).")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Withdraw everything granted so far.")
    ] = False,
) -> None:
    """Ask the vault's wallet to withdraw a consent, or all of them."""
    if everything == (handle is not None):
        raise Invalid("Give either --handle or --all.")
    with organisation(data) as one:
        tag = id_of(vault, "a vault's tag")
        if handle is None:
            request = wallets.revoke_all(one.node, vault=tag)
        else:
            named = id_of(handle, "a consent's handle")
            request = wallets.revoke(one.node, vault=tag, handle=named)
        _write(one.node, request, out)


def show(data: Data, request: Handed) -> None:
    """Say what a request asks for, after checking that this is what would be signed."""
    with organisation(data) as one:
        _say(one.node, _read(one.node, request))


def send(
    data: Data,
    request: Handed,
    signature: Annotated[
        str, typer.Option("--signature", help="The wallet's signature of its typed data (0x…).")
    ],
) -> None:
    """Relay what the wallet signed; any organisation does."""
    signed = _signed(signature)
    with organisation(data) as one:
        wallets.send(one.node, _read(one.node, request), signed)
        console.say("It is on the ledger.")


def move(
    data: Data,
    user: User = None,
    token: Token = None,
    address: Annotated[
        str | None, typer.Option("--address", help="First: the wallet's address (0x…).")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="First: where to write what the wallet signs.")
    ] = None,
    request: Annotated[
        Path | None, typer.Option("--request", help="Then: the file that was written.")
    ] = None,
    signature: Annotated[
        str | None, typer.Option("--signature", help="Then: what the wallet signed (0x…).")
    ] = None,
) -> None:
    """Move your account from the key that is kept here to a wallet of your own.

    In two steps: --address and --out, then --request and --signature. It counts from the end of
    the network's delay on; until then: simdes key cancel. From then on nobody here can sign for
    you, or let you in again by themselves; your passphrase, passkeys, codes, sessions and apps end.
    """
    first, then = (address, out), (request, signature)
    if (None in first) == (None in then) or not (all(first) or all(then)):
        raise Invalid("Give --address and --out, or --request and --signature.")
    with organisation(data) as one:
        session = signed_in(one, user, token)
        if address is not None and out is not None:
            asked = moving.prepare(one.node, session, _address(address))
            write_new(out, moving.written(asked).encode())
            _warn(one.node, session)
            console.say(f"{out}: have its typedData signed by the wallet.")
        if request is not None and signature is not None:
            wallet, deadline = moving.read(file_bytes(request).decode(errors="replace"))
            signed = _signed(signature)
            waiting = moving.move(one.node, session, wallet, deadline=deadline, signature=signed)
            when = console.instant(waiting.ready_at)
            console.say(f"The wallet takes over from {when} on; until then: simdes key cancel.")


def _warn(node: Node, session: Session) -> None:
    """What somebody should know before the wallet signs."""
    standing = moving.standing(node, session)
    console.say("Once it counts, nobody here can sign for you or let you in by themselves.")
    if not standing.guarded:
        console.say("You have no guardians: with the wallet the account may be lost for good.")
    if standing.wards:
        console.say("You are somebody's guardian and would not be any more; tell them.")


_WORDS = {
    wallets.CLAIM: "Take this vault, so that your wallet alone grants and withdraws in it.",
    wallets.GRANT: "Let somebody read in this vault.",
    wallets.REVOKE: "Withdraw one consent.",
    wallets.REVOKE_ALL: "Withdraw everything granted so far.",
}


def _say(node: Node, request: wallets.Request) -> None:
    console.say(_WORDS[request.verb])
    console.say(f"  vault: 0x{request.vault.hex()}")
    if request.verb == wallets.GRANT:
        given = wallets.given(node, request)
        whom = members.name_of(node, given.organisation)
        role = f"{given.role} at " if given.role else "one account at " if given.account else ""
        console.say(f"  to: {role}{whom}")
        number = (given.account or given.organisation).hex()
        console.say(f"  their number: 0x{number} (compare it with what they told you)")
        console.say(f"  categories: {', '.join(given.categories)}")
        if given.labels:
            console.say(f"  sensitive records: {', '.join(given.labels)}")
        console.say(f"  purposes: {', '.join(given.purposes)}")
        console.say(f"  until: {console.instant(given.expiry_seconds)}")
        if not request.listed:
            console.say("  not sealed to this organisation: ask one that keeps the record as well")
    console.say(f"  sign until: {console.instant(request.message['deadline'])}")


def _write(node: Node, request: wallets.Request, out: Path) -> None:
    write_new(out, wallets.written(request).encode())
    _say(node, request)
    console.say(f"{out}: have its typedData signed, here or on the page /wallet.")


def _read(node: Node, path: Path) -> wallets.Request:
    return wallets.read(node, file_bytes(path).decode(errors="replace"))


def _signed(text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise Invalid("A signature is written as 0x and 130 hexadecimal digits.") from None


def _address(text: str) -> bytes:
    found = typed_numbers.octets(text, 20)
    if found is None:
        raise Invalid("An address is 0x and 40 hexadecimal digits.")
    return found
