"""Commands for vaults: who keeps the shares, how that changes, and erasing one everywhere."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from simdes import console
from simdes.commands.common import (
    AsJson,
    Data,
    Patient,
    Token,
    User,
    organisation,
    organisation_of,
    signed_in,
    vault_of,
)
from simdes.errors import Unavailable
from simdes.exchange import erasure, renewal
from simdes.exchange.erasure import Begun, Erasure
from simdes.exchange.renewal import Renewed, Waiting

Organisations = Annotated[
    list[str] | None, typer.Option(help="Name, or id (0x…, or its beginning); may be repeated.")
]


def add_commands(cli: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(help="Vaults: who keeps their shares; erasing one.", no_args_is_help=True)
    group.command("custodians")(custodians)
    group.command("renew")(renew)
    group.command("erase")(erase)
    cli.add_typer(group, name="vault")


def custodians(data: Data, as_json: AsJson = False) -> None:
    """List how many vaults opened here each organisation keeps shares of."""
    with organisation(data) as one:
        counted = renewal.custodians(one.node)
        if as_json:
            console.print_json({f"0x{org.hex()}": count for org, count in counted.items()})
            return
        console.print_table(
            "Custodians of vaults opened here",
            ("Id", "Vaults"),
            [(f"0x{org.hex()[:16]}…", str(count)) for org, count in counted.items()],
        )


def renew(
    data: Data,
    leaving: Organisations = None,
    joining: Organisations = None,
    without: Organisations = None,
    shares: Annotated[
        int | None, typer.Option("--shares", help="Shares needed (m); default: as before.")
    ] = None,
    patient: Annotated[
        str | None,
        typer.Option("--patient", help="One patient's vault alone (0x… or SYSTEM|VALUE)."),
    ] = None,
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> int:
    """Give vaults other custodians: shares are dealt anew, records stay as they are.

    Without --patient all vaults that were opened here and have --leaving among their custodians,
    but those that patients control: these are listed, and each is renewed with --patient and
    --user, once the patient agrees. Run again, it goes on where it stopped.
    """
    with organisation(data) as one:
        node = one.node
        change = renewal.Change(
            leaving=tuple(organisation_of(node, name) for name in leaving or ()),
            joining=tuple(organisation_of(node, name) for name in joining or ()),
            without=tuple(organisation_of(node, name) for name in without or ()),
            m=shares,
        )
        if patient is None:
            done, waiting = renewal.renew_all(node, change)
        else:
            session = signed_in(one, user, token)
            vault = vault_of(node, patient)
            done, waiting = [renewal.renew_one(node, vault, change, control=session.key)], []
    _tell(done, waiting, as_json=as_json)
    return 1 if any(item.failed for item in waiting) else 0


def _tell(done: list[Renewed], waiting: list[Waiting], *, as_json: bool) -> None:
    if as_json:
        console.print_json(
            {
                "renewed": [
                    {"vault": one.vault, "epoch": one.epoch, "records": one.records} for one in done
                ],
                "waiting": [
                    {"vault": one.vault, "why": one.why, "failed": one.failed} for one in waiting
                ],
            }
        )
        return
    records = sum(one.records for one in done)
    console.say(f"{len(done)} vaults have their new custodians; {records} records were dealt.")
    for one in waiting:
        (console.warn if one.failed else console.say)(f"0x{one.vault.hex()}: {one.why}")


def erase(
    data: Data,
    patient: Patient,
    user: User = None,
    token: Token = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say who would be asked; ask and change nothing.")
    ] = False,
    status: Annotated[
        bool, typer.Option("--status", help="Say how far it is; ask and change nothing.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Erase a patient's vault at every organisation, for good; each signs a receipt.

    The patient who controls the vault asks (--user); without, this organisation, for a vault that
    it opened, that no patient controls and that nobody else wrote into. Who does not answer is
    asked again by the running gateway until everybody signed, or now by running it again, which
    takes no --user then: exit code 6 until everybody signed. An organisation may keep what it wrote
    itself where the law says so; its receipt names the law.
    """
    with organisation(data) as one:
        vault = vault_of(one.node, patient)
        if dry_run or status:
            found = erasure.look(one.node, vault)
        else:
            asks = user is not None or token is not None
            control = signed_in(one, user, token).key if asks else None
            found = erasure.erase(one.node, vault, control=control)
    if as_json:
        console.print_json(_erasure(found))
    else:
        _tell_erasure(found, dry_run=dry_run)
    return console.EXIT_CODES[Unavailable] if found.waiting and not dry_run else 0


def _erasure(found: Erasure) -> dict[str, Any]:
    return {
        "vault": f"0x{found.vault.hex()}",
        "holds": found.holds,
        "epochs": [
            {
                "epoch": one.number,
                "custodians": [f"0x{each.hex()}" for each in one.custodians],
                "destroyed": [f"0x{each.hex()}" for each in one.gone],
                "needed": one.needed,
            }
            for one in found.epochs
        ],
        "receipts": [
            {
                "organisation": f"0x{one.organisation.hex()}",
                "epochs": one.epochs,
                "chart": one.chart,
                "duty": one.duty,
                "receipt": one.token.decode(),
            }
            for one in found.receipts
        ],
        "waiting": {f"0x{org.hex()}": why for org, why in found.waiting.items()},
        "linked": [f"0x{tag.hex()}" for tag in found.linked],
        "job": None if found.begun is None else _job(found.begun),
    }


def _job(begun: Begun) -> dict[str, Any]:
    return {
        "beganMs": begun.begun_ms,
        "tries": begun.tries,
        "nextMs": None if begun.settled_ms else begun.next_ms,
        "settledMs": begun.settled_ms,
    }


_CHARTS = {
    "none": "had nothing of it",
    "erased": "erased what it had",
    "kept": "keeps what it wrote itself, by law",
}


def _tell_erasure(found: Erasure, *, dry_run: bool) -> None:
    for each in found.receipts:
        law = f" ({each.duty})" if each.duty else ""
        console.say(
            f"0x{each.organisation.hex()[:16]}…: keys destroyed; {_CHARTS[each.chart]}{law}"
        )
    for organisation_id, why in found.waiting.items():
        would = "would be asked" if dry_run and why != erasure.SUSPENDED else why
        console.say(f"0x{organisation_id.hex()[:16]}…: {would}")
    for one in found.epochs:
        console.say(
            f"Epoch {one.number}: {len(one.gone)} of {len(one.custodians)} custodians destroyed"
            f" their keys; {one.needed} are needed."
        )
    for tag in found.linked:
        console.say(f"The same patient's records lie in 0x{tag.hex()}, too: erase it by itself.")
    if found.begun is not None and found.waiting:
        console.say(
            f"Begun {console.instant(found.begun.begun_ms / 1000)}; the running gateway asks who is"
            f" missing, next {console.instant(found.begun.next_ms / 1000)}."
        )
    console.say("Nobody can open it any more." if found.holds else "It does not hold yet.")
