"""Commands for comparing audit trails with other organisations', and for what does not agree."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from simdes import console
from simdes.commands.common import AsJson, Data, Token, id_of, organisation, seconds, signed_in
from simdes.errors import Tampered
from simdes.exchange import findings, members, reconciling
from simdes.exchange.findings import KINDS, Finding
from simdes.exchange.node import Node
from simdes.exchange.reconciling import Report


def add_commands(cli: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(
        help="Audit trails held against those of other organisations.", no_args_is_help=True
    )
    group.command("reconcile")(reconcile)
    group.command("findings")(list_findings)
    group.command("close")(close)
    cli.add_typer(group, name="audit")


def reconcile(
    data: Data,
    older: Annotated[
        str, typer.Option("--older", help="Compare what is older than this: 1h, 1d.")
    ] = "1h",
    everything: Annotated[
        bool, typer.Option("--all", help="Read the whole of our own trail again, too.")
    ] = False,
    dry: Annotated[
        bool, typer.Option("--dry", help="Ask nobody and write nothing: say what would be asked.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Compare our audit trail with the chain and with those of readers and custodians.

    `simdes serve` does it every night. Exit code 7: something does not agree.
    """
    with organisation(data) as one:
        report = reconciling.reconcile(
            one.node, settled_seconds=seconds(older), everything=everything, dry=dry
        )
        if as_json:
            console.print_json(_report_json(report, dry=dry))
        else:
            _print_report(one.node, report, dry=dry)
    return console.EXIT_CODES[Tampered] if report.findings else 0


def list_findings(
    data: Data,
    user: Annotated[
        str | None, typer.Option("--user", help="An administrator; else whoever runs this.")
    ] = None,
    token: Token = None,
    closed: Annotated[bool, typer.Option("--closed", help="Closed ones, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what did not agree, the newest first, with what to do about it."""
    with organisation(data) as one:
        session = None if user is None and token is None else signed_in(one, user, token)
        found: list[Finding] = []
        while True:
            after = found[-1].id if found else None
            page = findings.listed(one.node, session, closed=closed, after=after)
            found += page
            if len(page) < findings.PAGE_LIMIT:
                break
        if as_json:
            console.print_json([_finding_json(finding) for finding in found])
        else:
            _print_findings(one.node, found)


def close(
    data: Data,
    finding: Annotated[str, typer.Argument(help="Its id (0x…).", metavar="ID")],
    why: Annotated[
        str, typer.Option("--why", help="The reason, for those who come after you; no names.")
    ],
    user: Annotated[str, typer.Option("--user", help="An administrator.")] = "admin",
    token: Token = None,
) -> None:
    """Close a finding that was looked into."""
    wanted = id_of(finding, "a finding's id")
    with organisation(data) as one:
        session = signed_in(one, user, token)
        findings.close(one.node, session, wanted, why=why)
    console.say("The finding is closed.")


def _report_json(report: Report, *, dry: bool) -> dict[str, Any]:
    return {
        "dry": dry,
        "asked": {f"0x{who.hex()}": count for who, count in report.asked.items()},
        "agreed": report.agreed,
        "waiting": report.waiting,
        "silent": [f"0x{who.hex()}" for who in report.silent],
        "new": report.new,
        "findings": [_finding_json(finding) for finding in report.findings],
    }


def _print_report(node: Node, report: Report, *, dry: bool) -> None:
    for who, count in report.asked.items():
        verb = "would be asked" if dry else "was asked"
        console.say(f"{members.name_of(node, who)} {verb} about {count} openings and refusals.")
    if not dry:
        console.say(f"{report.agreed} agree, {report.waiting} are to be asked about again.")
    for who in report.silent:
        console.warn(f"{members.name_of(node, who)} did not show its trail.")
    if report.findings:
        _print_findings(node, report.findings)
    else:
        console.say("Nothing was found.", style="bold green")


def _print_findings(node: Node, found: list[Finding]) -> None:
    console.print_table(
        f"{len(found)} findings",
        ("Found", "About", "What", "Our entry", "State", "Id"),
        [
            (
                console.instant(finding.found_ms / 1000),
                members.name_of(node, finding.organisation),
                KINDS[finding.kind].means,
                finding.seq or "",
                finding.state,
                f"0x{finding.id.hex()}",
            )
            for finding in found
        ],
    )
    for kind in dict.fromkeys(finding.kind for finding in found):
        console.say(f"{kind}: {KINDS[kind].advice}")


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "kind": finding.kind,
        "means": KINDS[finding.kind].means,
        "advice": KINDS[finding.kind].advice,
        "organisation": finding.organisation,
        "vault": finding.vault,
        "ourEntry": finding.seq,
        "theirBatch": finding.batch_seq,
        "receipt": finding.token.decode("ascii") if finding.token else None,
        "foundMs": finding.found_ms,
        "againMs": finding.again_ms,
        "state": finding.state,
        "why": finding.why,
        "closedBy": finding.closed_by,
        "closedMs": finding.closed_ms,
    }
