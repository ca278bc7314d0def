"""Commands of a consortium's operators: the files that a network of Besu nodes runs from."""

from __future__ import annotations

import secrets
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from simdes import console
from simdes.commands.common import AsJson
from simdes.commands.network import Kind
from simdes.deploy import network, spec, voting
from simdes.errors import Invalid

Out = Annotated[Path, typer.Option("--out", help="The folder to write into.")]


def add_commands(cli: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(help="The machines of a consortium.", no_args_is_help=True)
    group.command("member")(member)
    group.command("besu")(besu)
    group.command("validators")(validators)
    group.command("join")(join)
    group.command("leave")(leave)
    cli.add_typer(group, name="network")


def member(
    out: Out,
    name: Annotated[str, typer.Option("--name", help="A short name: lower case, a DNS label.")],
    host: Annotated[str, typer.Option("--host", help="Where its gateways are reached by https.")],
    title: Annotated[str, typer.Option("--title", help="The organisation's full name.")] = "",
    kind: Annotated[Kind, typer.Option("--kind", help="What it is.")] = Kind.HOSPITAL,
    p2p_host: Annotated[
        str, typer.Option("--p2p-host", help="Where its nodes are reached, best an IPv4 address.")
    ] = "",
    validator: Annotated[
        bool, typer.Option(help="Whether its ledger node is to make blocks.")
    ] = True,
    gateways: Annotated[int, typer.Option("--gateways", help="How many gateways it runs.")] = 2,
    as_json: AsJson = False,
) -> None:
    """Make an organisation's node keys, and the public table for whoever founds the network.

    The keys stay in OUT/secrets, readable by their owner; run again, they are kept. Send
    OUT/member.toml, which holds nothing secret.
    """
    table = {
        "name": name,
        "host": host,
        "kind": str(kind),
        "validator": validator,
        "gateways": gateways,
    }
    table |= {key: value for key, value in (("title", title), ("p2p_host", p2p_host)) if value}
    made = network.write_member(
        out, spec.organisation(table, "The organisation"), secrets.token_bytes
    )
    if as_json:
        console.print_json(
            {"member": str(out / network.MEMBER), "node_public_key": made.node_public_key}
            | {"ipfs_peer": made.ipfs_peer, "address": _address(made)}
        )
        return
    console.say(f"Send {out / network.MEMBER} to whoever founds the network.")
    console.say(f"Its ledger node is {_address(made)}; the keys are in {out / network.SECRETS}.")


def besu(
    spec_file: Annotated[Path, typer.Option("--spec", help="The network's description (TOML).")],
    out: Out,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be written; make nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a network's genesis, node settings, Compose and Kubernetes files, one folder a member.

    Keys that the description does not name are made in OUT/NAME/secrets. Run again after a change
    of the description: keys and the first block are kept. docs/operations/network.md has the
    procedure.
    """
    wanted = spec.read_spec(spec_file)
    plan = network.plan(wanted, out) if dry_run else network.write(wanted, out, secrets.token_bytes)
    if as_json:
        console.print_json(
            {
                "network": wanted.name,
                "chain_id": wanted.chain_id,
                "written": not dry_run,
                "genesis_kept": plan.genesis_kept,
                "validators": {
                    one.name: _address(one) for one in plan.spec.validators if one.identity
                },
                "keys_made_for": list(plan.keys_for),
                "files": sorted(plan.files),
                "warnings": list(plan.warnings),
            }
        )
        return
    for name in sorted(plan.files) if dry_run else ():
        console.say(str(out / name))
    for one in plan.spec.organisations:
        role = "validator" if one.validator else "node"
        console.say(f"{one.name}: {role} {_address(one) if one.identity else '(key to be made)'}")
    if plan.genesis_kept:
        console.say("The first block is kept; who joined since is voted in.")
    for warning in plan.warnings:
        console.warn(warning)
    if not dry_run:
        console.say(f"Each organisation's folder is in {out}; start with its README.md.")


Ledger = Annotated[str, typer.Option("--ledger", help="Your own Besu node: http://….")]
Who = Annotated[Path, typer.Argument(help="The organisation's member.toml.", show_default=False)]
Wait = Annotated[
    int, typer.Option("--wait", help="Seconds to wait for the others' votes.", min=0, max=3600)
]


def validators(ledger: Ledger, as_json: AsJson = False) -> None:
    """Say who makes blocks, and how your node votes."""
    with closing(voting.Voter(ledger)) as voter:
        _tell(voter.standing(), as_json=as_json)


def join(who: Who, ledger: Ledger, wait: Wait = 0, as_json: AsJson = False) -> None:
    """Vote for an organisation's node as validator; every validator's operator runs it.

    The whole procedure is in docs/operations/join-leave.md: its node must be on every allow-list
    first, and its organisation is verified by `simdes organisation verify`.
    """
    _vote(who, ledger, add=True, wait=wait, as_json=as_json)


def leave(who: Who, ledger: Ledger, wait: Wait = 0, as_json: AsJson = False) -> None:
    """Vote an organisation's node out; every other validator's operator runs it.

    First see to its vaults (`simdes vault renew`); docs/operations/join-leave.md has the order.
    """
    _vote(who, ledger, add=False, wait=wait, as_json=as_json)


def _vote(who: Path, ledger: str, *, add: bool, wait: int, as_json: bool) -> None:
    address = _address(spec.read_member(who))
    if not address:
        raise Invalid(f"{who} names no public key.", advice="Ask for the file with its keys.")
    with closing(voting.Voter(ledger)) as voter:
        found = voting.settle(voter, address, add=add, wait_seconds=wait, sleep=time.sleep)
    done = (address in found.validators) is add
    _tell(found, as_json=as_json, address=address, done=done)


def _tell(
    found: voting.Standing, *, as_json: bool, address: str = "", done: bool | None = None
) -> None:
    if as_json:
        console.print_json(
            {"validators": list(found.validators), "votes": found.votes, "needed": found.needed}
            | ({} if done is None else {"address": address, "done": done})
        )
        return
    for one in found.validators:
        console.say(f"{one} makes blocks")
    for one, add in found.votes.items():
        console.say(f"{one}: your node votes to {'add' if add else 'remove'} it")
    if done is False:
        count = len(found.validators)
        console.say(f"Voted. {found.needed} of {count} validators must vote alike.")
    elif done:
        console.say("Done: the validators are as wanted.")


def _address(one: spec.Organisation) -> str:
    identity = one.identity
    return "" if identity is None else "0x" + identity.address.hex()
