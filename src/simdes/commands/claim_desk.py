"""Commands of an insurer's claims staff: look, decide, ask, pay, take back."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from simdes import console
from simdes.app import Opened
from simdes.claims.money import Money, money_of
from simdes.claims.reasons import REASONS, Group
from simdes.commands.claim_trying import decided_line
from simdes.commands.common import AsJson, Data, Token, User, id_of, organisation, signed_in
from simdes.commands.fingerprints import told_signal
from simdes.errors import Invalid, SimdesError
from simdes.exchange import members, rights
from simdes.exchange.claims import arriving, billing_desk, cases, deciding, paying
from simdes.exchange.claims.cases import Case, Row
from simdes.exchange.claims.deciding import Change
from simdes.exchange.claims.noticing import notice
from simdes.exchange.rights import Asking

ClaimId = Annotated[str, typer.Option("--claim", help="The claim's id, as list and inbox show it.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be; do nothing.")]


def asking_of(one: Opened, user: str | None, token: str | None) -> Asking:
    """Who gives the command, with what they may do."""
    session = signed_in(one, user, token)
    one.node.following.catch_up()
    return rights.ask(one.node, session)


def claim_of(text: str) -> bytes:
    """A claim's id on the ledger."""
    return id_of(text, "claim")


def name_of(one: Opened, organisation_id: bytes) -> str:
    """An organisation's name."""
    return members.name_of(one.node, organisation_id)


def inbox(data: Data, user: User = None, token: Token = None, as_json: AsJson = False) -> None:
    """List the claims that were disclosed to you or decided here, by when they are due."""
    with organisation(data) as one:
        arriving.collect(one.node)
        asking = asking_of(one, user, token)
        found = cases.look(one.node, asking, cases.inbox(one.node, asking))
        told = [_row(one, each) for each in found]
        if as_json:
            console.print_json(told)
            return
        console.print_table(
            "Claims",
            ("Claim", "State", "Provider", "Claimed", "Approved", "Due"),
            [
                tuple(
                    each[name]
                    for name in ("claim", "state", "provider", "claimed", "approved", "due")
                )
                for each in told
            ],
        )


def _row(one: Opened, row: Row) -> dict[str, Any]:
    return {
        "claim": row.claim.hex(),
        "state": row.state.name.lower(),
        "provider": name_of(one, row.provider),
        "claimed": "" if row.claimed is None else str(row.claimed),
        "approved": "" if row.approved is None else str(row.approved),
        "due": console.instant(row.due_seconds) if row.due_seconds else "",
        "readable": row.readable,
    }


def show(data: Data, claim: ClaimId, user: User = None, token: Token = None) -> None:
    """Show a claim beside everything that was disclosed of it, as JSON."""
    with organisation(data) as one:
        found = _found(one, asking_of(one, user, token), claim)
        console.print_json(
            {
                "claim": found.id.hex(),
                "state": found.known.state.name.lower(),
                "provider": name_of(one, found.opening.provider),
                "claimed": str(found.claimed),
                "signals": told_signals(one, found),
                "record": list(found.record),
            }
        )


def told_signals(one: Opened, its: Case) -> list[dict[str, Any]]:
    """What other insurers were asked for, too; nothing, and a warning, where that can't be told."""
    try:
        return [told_signal(one, each) for each in notice(one.node, its)]
    except SimdesError as error:
        console.warn(f"Signals can't be told now: {error.message}")
        return []


def _found(one: Opened, asking: Asking, claim: str) -> Case:
    return cases.case(one.node, asking, claim_of(claim))


def propose(
    data: Data, claim: ClaimId, user: User = None, token: Token = None, as_json: AsJson = False
) -> None:
    """Show what your plan proposes for a claim, line by line, with reasons."""
    with organisation(data) as one:
        found = _found(one, asking_of(one, user, token), claim)
        proposal = deciding.proposed(one.node, found).proposal
        lines = [decided_line(each, proposal.currency) for each in proposal.lines]
        noticed = told_signals(one, found)
        if as_json:
            benefit = str(Money(proposal.benefit, proposal.currency))
            console.print_json({"benefit": benefit, "lines": lines, "signals": noticed})
            return
        for each in noticed:
            console.warn(f"Line {each['line']}, {each['day']}, {each['insurer']}: {each['reason']}")
        for told in lines:
            console.say(f"{told['line']}: {told['claimed']}, pays {told['benefit']}")
            for reason in told["reasons"]:
                console.say(f"  {reason['code']} {reason['amount']}: {reason['text']}")


def decide(
    data: Data,
    claim: ClaimId,
    pay: Annotated[
        list[str] | None,
        typer.Option("--pay", help="LINE=AMOUNT=GROUP-REASON, otherwise than proposed."),
    ] = None,
    deny: Annotated[str, typer.Option("--deny", help="Pay nothing: GROUP-REASON, CO-50.")] = "",
    note: Annotated[str, typer.Option("--note", help="A word for the patient.")] = "",
    dry_run: DryRun = False,
    user: User = None,
    token: Token = None,
) -> None:
    """Decide a claim as the plan proposes, or as you say; prints the ClaimResponse."""
    with organisation(data) as one:
        asking = asking_of(one, user, token)
        found = _found(one, asking, claim)
        decision = deciding.decide(
            one.node,
            asking,
            found,
            changes=[_change(each, found.opening.currency) for each in pay or ()],
            deny=_reason(deny) if deny else None,
            note=note,
            dry_run=dry_run,
        )
        console.print_json(
            {
                "decided": not dry_run,
                "outcome": decision.outcome.value,
                "response": decision.response,
            }
        )


def _change(text: str, currency: str) -> Change:
    line, _, rest = text.partition("=")
    amount, _, reason = rest.partition("=")
    if not line.isdecimal() or not reason:
        raise Invalid("--pay is LINE=AMOUNT=GROUP-REASON, such as 2=40.00=CO-50.")
    group, code = _reason(reason)
    benefit = money_of(amount, currency).minor
    return Change(sequence=int(line), benefit=benefit, group=group, reason=code)


def _reason(text: str) -> tuple[Group, str]:
    group, _, code = text.partition("-")
    if group not in set(Group) or code not in REASONS:
        raise Invalid(f"A reason is {', '.join(Group)} and one of {', '.join(REASONS)}: CO-50.")
    return Group(group), code


def ask(
    data: Data,
    claim: ClaimId,
    missing: Annotated[list[str], typer.Option("--missing", help="What is needed to decide.")],
    user: User = None,
    token: Token = None,
) -> None:
    """Ask the provider for more before you decide."""
    with organisation(data) as one:
        asking = asking_of(one, user, token)
        response = deciding.ask(one.node, asking, _found(one, asking, claim), missing)
        console.print_json({"response": response})


def settle(data: Data, claim: ClaimId, user: User = None, token: Token = None) -> None:
    """Pay what was decided: on the ledger first; prints the PaymentReconciliation.

    Move the money once this says so: exit code 0.
    """
    with organisation(data) as one:
        paid = paying.settle(one.node, asking_of(one, user, token), claim_of(claim))
        console.print_json({"paid": str(paid.amount), "payment": paid.reconciliation})


def reverse(data: Data, claim: ClaimId, user: User = None, token: Token = None) -> None:
    """Take back your decision or payment, or the claim that you opened; it ends."""
    with organisation(data) as one:
        asking = asking_of(one, user, token)
        take_back = paying.reverse if one.node.claims.pays else billing_desk.reverse
        take_back(one.node, asking, claim_of(claim))
        console.say("Reversed.")


COMMANDS: Final = (
    ("inbox", inbox),
    ("show", show),
    ("propose", propose),
    ("decide", decide),
    ("ask", ask),
    ("settle", settle),
    ("reverse", reverse),
)
