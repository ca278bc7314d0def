"""Commands for guardians and for a lost key: appoint, let in, recover, veto."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from simdes import console, typed_numbers
from simdes.commands.common import (
    AsJson,
    Data,
    Token,
    User,
    organisation,
    passphrase,
    signed_in,
)
from simdes.errors import Invalid
from simdes.exchange import attesting, freezing, guardians, members, recovering
from simdes.exchange.guardians import Chosen, GuardianSet
from simdes.exchange.node import Node

AT_THE_KEYBOARD = "command line"
"""From where somebody with the organisation's folder asks for a new key."""


def add_commands(cli: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(help="People who let you in again.", no_args_is_help=True)
    group.command("list")(list_guardians)
    group.command("appoint")(appoint)
    group.command("cancel")(cancel)
    group.command("dismiss")(dismiss)
    group.command("number")(number)
    group.command("wards")(wards)
    group.command("vouch")(vouch)
    group.command("sign-freeze")(sign_freeze)
    group.command("freeze")(freeze)
    cli.add_typer(group, name="guardian")
    lost = typer.Typer(help="A lost key or passphrase.", no_args_is_help=True)
    lost.command("begin")(begin)
    lost.command("status")(status)
    lost.command("veto")(veto)
    lost.command("attest")(attest)
    lost.command("finish")(finish)
    cli.add_typer(lost, name="recovery")
    key = typer.Typer(help="The key of your account, while you have it.", no_args_is_help=True)
    key.command("show")(show_key)
    key.command("rotate")(rotate)
    key.command("cancel")(cancel_key)
    cli.add_typer(key, name="key")


def list_guardians(
    data: Data, user: User = None, token: Token = None, as_json: AsJson = False
) -> None:
    """List your guardians, and what waits."""
    with organisation(data) as one:
        session = signed_in(one, user, token)
        seen = guardians.standing(one.node, session.actor.account)
        if as_json:
            console.print_json(
                {
                    "present": _as_json(seen.present),
                    "waiting": _as_json(seen.waiting),
                    "recovery": seen.recovery.ready_at if seen.recovery else None,
                    "delaySeconds": seen.delay_seconds,
                }
            )
            return
        if seen.present is None:
            console.say("You have no guardians: nobody can let you in again.")
        for listed in (seen.present, seen.waiting):
            if listed is not None:
                _show(one.node, listed)
        if seen.recovery is not None:
            console.warn(
                f"A new key was asked for; it counts from {console.instant(seen.recovery.ready_at)}"
                " on. If that was not you: simdes recovery veto."
            )


def _show(node: Node, listed: GuardianSet) -> None:
    when = f", from {console.instant(listed.ready_at)} on" if listed.ready_at else ""
    console.print_table(
        f"Guardians: {listed.threshold} of {listed.count}{when}",
        ("You call them", "Account", "At", "Told"),
        [
            (
                one.label,
                f"0x{one.account.hex()[:16]}…",
                members.name_of(node, one.organisation),
                "yes" if one.told else "not yet",
            )
            for one in listed.guardians
        ],
    )


def _as_json(listed: GuardianSet | None) -> dict[str, Any] | None:
    if listed is None:
        return None
    return {
        "needed": listed.threshold,
        "count": listed.count,
        "readyAt": listed.ready_at or None,
        "guardians": [
            {"account": one.account, "label": one.label, "told": one.told}
            for one in listed.guardians
        ],
    }


def appoint(
    data: Data,
    guardian: Annotated[
        list[str],
        typer.Option(
            "--guardian",
            help="ACCOUNT or ACCOUNT=NAME, by the number they see as `guardian number`; repeat.",
        ),
    ],
    name: Annotated[str, typer.Option("--name", help="Your name, as your guardians read it.")],
    needed: Annotated[int, typer.Option("--needed", help="How many of them it takes.")] = 2,
    user: User = None,
    token: Token = None,
) -> None:
    """Appoint guardians in the place of those you have; it waits for the network's delay."""
    with organisation(data) as one:
        session = signed_in(one, user, token)
        left = guardians.appoint(
            one.node, session, [_chosen(text) for text in guardian], threshold=needed, name=name
        )
        delay = one.node.contracts.accounts.delay_seconds()
        console.say(f"Appointed; they count in {delay} seconds.")
        if left:
            console.warn(f"{left} could not be told yet; run `simdes guardian list` later.")


def _chosen(text: str) -> Chosen:
    number_, _, label = text.partition("=")
    return Chosen(account=_account(number_), label=label)


def _account(text: str) -> bytes:
    found = typed_numbers.octets(text.strip(), 32)
    if found is None:
        raise Invalid("That is no number of an account.", advice="It is 0x and 64 digits.")
    return found


def cancel(data: Data, user: User = None, token: Token = None) -> None:
    """Take guardians back that do not count yet."""
    with organisation(data) as one:
        guardians.cancel(one.node, signed_in(one, user, token))
        console.say("Taken back; what stood before goes on.")


def dismiss(data: Data, user: User = None, token: Token = None) -> None:
    """Have no guardians any more, from the end of the network's delay on."""
    with organisation(data) as one:
        guardians.dismiss(one.node, signed_in(one, user, token))
        console.say("Asked for; after the delay nobody can let you in again.")


def number(data: Data, user: User = None, token: Token = None) -> None:
    """Print the number of your account, for somebody who wants you as a guardian."""
    with organisation(data) as one:
        print(f"0x{signed_in(one, user, token).actor.account.hex()}")


def wards(data: Data, user: User = None, token: Token = None, as_json: AsJson = False) -> None:
    """List whose guardian you are."""
    with organisation(data) as one:
        session = signed_in(one, user, token)
        found = guardians.wards(one.node, session.actor.account)
        if as_json:
            console.print_json(
                [
                    {
                        "account": ward.account,
                        "name": ward.name,
                        "needed": ward.threshold,
                        "count": ward.count,
                        "waiting": ward.waiting,
                    }
                    for ward in found
                ]
            )
            return
        console.print_table(
            "You guard",
            ("Name", "Account", "At", "It takes", "Since"),
            [
                (
                    ward.name,
                    f"0x{ward.account.hex()[:16]}…",
                    members.name_of(one.node, ward.organisation),
                    f"{ward.threshold} of {ward.count}",
                    "not yet" if ward.waiting else "now",
                )
                for ward in found
            ],
        )


def vouch(
    data: Data,
    ward: Annotated[str, typer.Option("--ward", help="The ward's account (0x…, or its start).")],
    code: Annotated[str, typer.Option("--code", help="What the ward read to you.")],
    user: User = None,
    token: Token = None,
) -> None:
    """Let somebody you guard in again. Speak to them first: only the code of their voice counts."""
    with organisation(data) as one:
        session = signed_in(one, user, token)
        digits = ward.removeprefix("0x").lower()
        found = [
            each.account
            for each in guardians.wards(one.node, session.actor.account)
            if each.account.hex().startswith(digits)
        ]
        if len(found) != 1:
            raise Invalid("Name one of those you guard.", advice="See `simdes guardian wards`.")
        let_in = recovering.vouch(one.node, session, found[0], code)
        console.say(f"You let in the key {let_in}.")


def sign_freeze(
    data: Data,
    ward: Annotated[str, typer.Option("--ward", help="The ward's account, 0x and 64 digits.")],
    until: Annotated[
        int, typer.Option("--until", help="Unix seconds; the same for all. Default: a day.")
    ] = 0,
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Sign, as a guardian, that a ward's account be frozen; hand what is printed on."""
    with organisation(data) as one:
        session = signed_in(one, user, token)
        until = until or one.node.now_seconds() + freezing.LASTING_SECONDS
        signed = freezing.sign(one.node, session, _account(ward), until_seconds=until)
        if as_json:
            console.print_json({"signed": signed, "until": until})
            return
        print(signed)
        console.say(f"Let the others sign the same: --until {until}.")


def freeze(
    data: Data,
    signed: Annotated[
        list[str] | None, typer.Option("--signed", help="What a guardian signed; repeat for each.")
    ] = None,
    ward: Annotated[
        str, typer.Option("--ward", help="Sign, as their guardian, with the others: 0x, 64 digits.")
    ] = "",
    user: User = None,
    token: Token = None,
    dry: Annotated[bool, typer.Option("--dry", help="Say what would happen; do nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Freeze an account, as one of its guardians, or by what enough of them signed.

    With --ward the others do the same, within a day of the first; --signed is for when the ward's
    organisation does not answer. Until it is recovered to a new key, the account does nothing:
    simdes recovery begin.
    """
    if bool(ward) is bool(signed):
        raise Invalid("Name --ward, or what was --signed.")
    if ward:
        _join_freeze(data, _account(ward), user, token, dry=dry, as_json=as_json)
        return
    with organisation(data) as one:
        account, count, needed = freezing.freeze(one.node, signed or [], dry=dry)
        if as_json:
            console.print_json({"dry": dry, "account": account, "signed": count, "needed": needed})
            return
        done = "would freeze" if dry else "froze"
        console.say(f"{count} guardians {done} 0x{account.hex()}; it takes {needed}.")


def _join_freeze(
    data: Path, ward: bytes, user: str | None, token: str | None, *, dry: bool, as_json: bool
) -> None:
    with organisation(data) as one:
        session = signed_in(one, user, token)
        guarded = guardians.guarded(one.node, session.actor.account, ward)
        found = None if dry else freezing.join(one.node, session, ward)
        signed, needed = found.signed if found else 0, guarded.threshold
        if as_json:
            console.print_json({"dry": dry, "account": ward, "signed": signed, "needed": needed})
            return
        if found is None:
            console.say(f"You would sign to freeze 0x{ward.hex()}; it takes {needed}.")
            return
        until = console.instant(found.until_seconds)
        console.say(
            f"{signed} of {needed} guardians signed to freeze 0x{ward.hex()}, until {until}."
        )


def begin(
    data: Data,
    user: Annotated[str, typer.Option("--user", help="Whose passphrase is lost.")],
    as_json: AsJson = False,
) -> None:
    """Ask for a new key under a new passphrase; prints the code to read to your guardians."""
    with organisation(data) as one:
        words = passphrase(f"New passphrase of {user}", confirm=True)
        begun = recovering.begin(one.node, user, words, address=AT_THE_KEYBOARD)
        if as_json:
            console.print_json({"code": begun.code, "until": begun.until_seconds})
            return
        console.say(f"Read this to your guardians: {begun.code}")
        console.say(f"They have until {console.instant(begun.until_seconds)}.")


def status(data: Data, as_json: AsJson = False) -> None:
    """List recoveries under way here, as whoever runs the organisation."""
    with organisation(data) as one:
        found = recovering.under_way(one.node)
        if as_json:
            console.print_json(
                [
                    {
                        "user": each.user,
                        "code": each.code,
                        "signed": each.signed,
                        "needed": each.needed,
                        "attested": each.attested,
                        "until": each.until_seconds,
                        "readyAt": each.ready_at or None,
                    }
                    for each in found
                ]
            )
            return
        console.print_table(
            "Recoveries",
            ("User", "Code", "Guardians", "Organisations", "Counts from"),
            [
                (
                    each.user,
                    each.code,
                    f"{each.signed} of {each.needed}",
                    f"{each.attested} of {attesting.NEEDED}",
                    console.instant(each.ready_at) if each.ready_at else "–",
                )
                for each in found
            ],
        )


def attest(
    data: Data,
    account: Annotated[
        str, typer.Option("--account", help="The patient's account, 0x and 64 digits.")
    ],
    code: Annotated[str, typer.Option("--code", help="What the patient brought from /lost.")],
    checked: Annotated[str, typer.Option("--checked", help="How you know that it is them.")],
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Let a patient in again whom you saw with their papers, as an administrator.

    Two organisations do, the patient's own and another one. Nobody can stop it then: whoever chose
    the passphrase of this code has the record after the network's delay.
    """
    with organisation(data) as one:
        session = signed_in(one, user, token)
        said = attesting.attest(one.node, session, _account(account), code, checked=checked)
        if as_json:
            console.print_json(
                {"account": said.account, "code": said.code, "organisations": said.organisations}
            )
            return
        names = ", ".join(members.name_of(one.node, each) for each in said.organisations)
        console.say(f"Attested by {names}, for {said.code}; two organisations are needed.")


def veto(data: Data, user: User = None, token: Token = None) -> None:
    """Stop a recovery of your account that you did not ask for."""
    with organisation(data) as one:
        recovering.veto(one.node, signed_in(one, user, token))
        console.say("Stopped. You can do so once; appoint other guardians now.")


def show_key(data: Data, user: User = None, token: Token = None, as_json: AsJson = False) -> None:
    """Print your account's key as the ledger knows it, and one that waits."""
    with organisation(data) as one:
        account, contract = signed_in(one, user, token).actor.account, one.node.contracts.accounts
        known, waiting = contract.account(account), contract.pending_rotation(account)
        if as_json:
            console.print_json(
                {
                    "key": known.key if known else None,
                    "waiting": waiting.key if waiting else None,
                    "readyAt": waiting.ready_at if waiting else None,
                }
            )
            return
        console.say(f"Your key: 0x{known.key.hex() if known else ''}")
        if waiting:
            when = console.instant(waiting.ready_at)
            console.say(f"0x{waiting.key.hex()} takes its place from {when} on.")


def rotate(
    data: Data,
    user: User = None,
    token: Token = None,
    dry: Annotated[bool, typer.Option("--dry", help="Say what would happen; do nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take a new key for your account; it counts from the end of the network's delay on.

    The second passphrase asked for opens the account then; it may be the one that you have.
    Sessions, passkeys, codes and apps end with the old key; consents and the record stay.
    """
    with organisation(data) as one:
        session = signed_in(one, user, token)
        ready = one.node.now_seconds() + one.node.contracts.accounts.delay_seconds()
        if not dry:
            words = passphrase("Passphrase of the new key", confirm=True)
            ready = recovering.rotate(one.node, session, words)
        if as_json:
            console.print_json({"dry": dry, "readyAt": ready})
            return
        would = "A new key would be yours" if dry else "The new key is yours"
        console.say(f"{would} from {console.instant(ready)} on; until then: simdes key cancel.")


def cancel_key(data: Data, user: User = None, token: Token = None) -> None:
    """Withdraw a new key that waits."""
    with organisation(data) as one:
        recovering.cancel_rotation(one.node, signed_in(one, user, token))
        console.say("Withdrawn; the key that you have stays.")


def finish(data: Data, as_json: AsJson = False) -> None:
    """Take guardians and recoveries as far as they go now; `simdes serve` does it by itself."""
    with organisation(data) as one:
        put = guardians.put_in_force(one.node)
        done = recovering.tend(one.node)
        if as_json:
            console.print_json({"guardians": put, "recovered": done})
            return
        console.say(f"{put} sets of guardians, {done} new keys are in force now.")
