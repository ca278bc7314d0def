"""Commands of research: the sponsor's, the approvers', the patient's (docs/research.md)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from simdes import console
from simdes.access.reasons import words
from simdes.commands import study_count, study_release
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
from simdes.commands.consent import OwnVault, own_vault
from simdes.commands.study_release import DryRun, StudyFile, document_of
from simdes.exchange.research import documents, studies, taking_part
from simdes.exchange.research import feasibility as counting
from simdes.exchange.research.feasibility import Counted
from simdes.exchange.research.studies import Stands
from simdes.exchange.research.taking_part import Participation


def add_commands(cli: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(help="Studies on anonymised data.", no_args_is_help=True)
    for name, command in (
        ("feasibility", feasibility),
        ("register", register),
        ("show", show),
        ("approve", approve),
        ("retract", retract),
        ("list", list_studies),
        ("opt-in", opt_in),
        ("prefer", prefer),
        ("withdraw", withdraw),
        ("mine", mine),
    ):
        group.command(name)(command)
    study_release.add_commands(group)
    study_count.add_commands(group)
    cli.add_typer(group, name="study")


def feasibility(
    data: Data,
    study: StudyFile,
    at: Annotated[
        list[str] | None, typer.Option("--at", help="Ask these alone, by name or id; repeatable.")
    ] = None,
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """For a researcher: ask about how many patients meet the criteria; needs no approval."""
    document = document_of(study)
    with organisation(data) as one:
        found = counting.feasibility(
            one.node,
            signed_in(one, user, token),
            document.criteria,
            organisations=[organisation_of(one.node, name) for name in at] if at else None,
        )
    if as_json:
        told = [{**asdict(each), "answered": each.answered} for each in found.counted]
        sums = {"total": found.total, "margin": found.margin}
        console.print_json({**sums, "small": found.small, "silent": found.silent, "counted": told})
        return
    console.print_table(
        "Patients who meet the criteria",
        ("Organisation", "About", "Off by", "Questions left"),
        [(each.name, *_counted(each)) for each in found.counted],
    )
    console.say(f"Together about {found.total}, off by {found.margin} at most, 19 times of 20")


def _counted(one: Counted) -> tuple[object, object, object]:
    if not one.answered:
        return f"no answer: {words(one.reason)}", "", ""
    if one.count is None:
        return f"fewer than {one.fewer_than}", "", one.left
    return one.count, one.margin, one.left


def register(
    data: Data,
    study: StudyFile,
    dry_run: DryRun = False,
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """For a researcher: register a study of this organisation; it waits for its approvers."""
    document = document_of(study)
    with organisation(data) as one:
        if dry_run:
            id_ = studies.id_of(one.node, document)
        else:
            id_ = studies.register(one.node, signed_in(one, user, token), document)
            documents.keep(one.node, document)
    if as_json:
        console.print_json({"study": id_, "registered": not dry_run})
    else:
        console.say(f"0x{id_.hex()}")


def show(data: Data, study: StudyFile, as_json: AsJson = False) -> None:
    """Compare a study's document with the ledger and show where it stands."""
    document = document_of(study)
    with organisation(data) as one:
        documents.keep(one.node, document)
        _show(studies.stands(one.node, document), as_json=as_json)


def approve(
    data: Data,
    study: StudyFile,
    dry_run: DryRun = False,
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """For a named approver: approve exactly the study of this document."""
    document = document_of(study)
    with organisation(data) as one:
        if dry_run:
            found = studies.stands(one.node, document)
        else:
            found = studies.approve(one.node, signed_in(one, user, token), document)
            documents.keep(one.node, document)
        _show(found, as_json=as_json)


def retract(
    data: Data, study: StudyFile, user: User = None, token: Token = None, as_json: AsJson = False
) -> None:
    """For a named approver: take the approval back; with too few left, everything stops."""
    document = document_of(study)
    with organisation(data) as one:
        session = signed_in(one, user, token)
        _show(studies.retract(one.node, session, document), as_json=as_json)


def list_studies(data: Data, as_json: AsJson = False) -> None:
    """List the network's studies as the ledger shows them."""
    with organisation(data) as one:
        found = studies.listed(one.node)
    rows = [
        {
            "study": each.id,
            "sponsor": each.study.sponsor,
            "approvals": each.study.approvals,
            "threshold": each.study.threshold,
            "running": each.running,
            "begins": each.study.begins,
            "ends": each.study.ends,
            "counted": each.study.counted,
            "releases": each.study.releases,
        }
        for each in found
    ]
    if as_json:
        console.print_json(rows)
        return
    console.print_table(
        "Studies",
        ("Study", "Sponsor", "Approvals", "Runs", "Counted", "Releases"),
        [
            (
                f"0x{each.id.hex()}",
                f"0x{each.study.sponsor.hex()[:16]}",
                f"{each.study.approvals}/{each.study.threshold}",
                "yes" if each.running else "no",
                each.study.counted,
                each.study.releases,
            )
            for each in found
        ],
    )


def opt_in(
    data: Data,
    study: StudyFile,
    vault: OwnVault = None,
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """For a patient: take part in a study until it ends, or you withdraw."""
    document = document_of(study)
    with organisation(data) as one:
        session = signed_in(one, user, token)
        tag = own_vault(one.node, session, vault)
        made = taking_part.opt_in(one.node, session, document, vault=tag)
        documents.keep(one.node, document)
    _tell([made], as_json=as_json)


def prefer(
    data: Data,
    to: Annotated[str, typer.Option("--to", help="The sponsor, by name or id (0x…).")],
    area: Annotated[str, typer.Option("--area", help="The area of research, as studies name it.")],
    category: Annotated[
        list[str], typer.Option("--category", help="observations, conditions …; repeatable.")
    ],
    valid: Annotated[str, typer.Option("--for", help="How long: 30d, 1y.")] = "1y",
    vault: OwnVault = None,
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """For a patient: stand by for every approved study of a sponsor in an area of research."""
    with organisation(data) as one:
        session = signed_in(one, user, token)
        made = taking_part.prefer(
            one.node,
            session,
            vault=own_vault(one.node, session, vault),
            sponsor=organisation_of(one.node, to),
            area=area,
            categories=tuple(category),
            valid_seconds=seconds(valid),
        )
    _tell([made], as_json=as_json)


def withdraw(
    data: Data,
    study: Annotated[str, typer.Option("--study", help="The study's (or preference's) id (0x…).")],
    vault: OwnVault = None,
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """For a patient: leave a study for ever. You are in no later release; earlier ones are told."""
    with organisation(data) as one:
        session = signed_in(one, user, token)
        left = taking_part.withdraw(
            one.node,
            session,
            vault=own_vault(one.node, session, vault),
            study=id_of(study, "a study's id"),
        )
    _tell(left, as_json=as_json)


def mine(
    data: Data,
    vault: OwnVault = None,
    user: User = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """For a patient: what you take part in, and which releases there were meanwhile."""
    with organisation(data) as one:
        session = signed_in(one, user, token)
        found = taking_part.listed(one.node, own_vault(one.node, session, vault))
    _tell(found, as_json=as_json)


def _show(found: Stands, *, as_json: bool) -> None:
    told = {
        "study": found.id,
        "title": found.document.title,
        "approvals": found.study.approvals,
        "threshold": found.study.threshold,
        "running": found.running,
        "begins": found.study.begins,
        "ends": found.study.ends,
        "releases": found.study.releases,
    }
    if as_json:
        console.print_json(told)
        return
    console.say(found.document.title)
    for name, value in told.items():
        shown = f"0x{value.hex()}" if isinstance(value, bytes) else value
        console.say(f"  {name}: {shown}")


def _tell(found: list[Participation] | tuple[Participation, ...], *, as_json: bool) -> None:
    if as_json:
        console.print_json(
            [
                {
                    "study": one.group,
                    "sponsor": one.sponsor,
                    "tag": one.tag,
                    "handle": one.handle,
                    "categories": list(one.categories),
                    "open": one.open,
                    "withdrawn": one.withdrawn,
                    "releases": list(one.releases),
                }
                for one in found
            ]
        )
        return
    for one in found:
        state = "withdrawn" if one.withdrawn else "takes part" if one.open else "waits"
        console.say(f"0x{one.group.hex()}: {state}; categories {', '.join(one.categories)}")
        numbers = ", ".join(map(str, one.releases))
        console.say(f"  releases while you took part: {numbers or 'none'}")
