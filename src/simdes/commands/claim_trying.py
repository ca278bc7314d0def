"""Commands of claims that need no network: plans tried on claims and questions in files."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from simdes import console
from simdes.claims.engine import Decided
from simdes.claims.money import Money
from simdes.claims.plan import Plan, read_plan
from simdes.claims.reasons import REASONS
from simdes.commands.common import AsJson
from simdes.errors import Invalid
from simdes.exchange import intake
from simdes.exchange.claims import inquiring, trying
from simdes.exchange.claims.trying import Tried


def try_(
    sources: Annotated[list[Path], typer.Argument(help="Claims: X12 837, FHIR.")],
    plan: Annotated[Path, typer.Option("--plan", help="The plan: a TOML table (docs/claims.md).")],
    received: Annotated[
        str, typer.Option("--received", help="The day they came in, YYYY-MM-DD; without it today.")
    ] = "",
    remittance: Annotated[
        Path | None, typer.Option("--remittance", help="Write the 835 that it would be, as a test.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Try a plan on claims: what it pays of each line, and why not more. Nothing is decided."""
    now_seconds = int(time.time())
    bundles = bundles_of(sources)
    table = _plan(plan)
    tried = trying.try_plan(table, bundles, received=_day(received, now_seconds))
    if remittance is not None:
        content = trying.remit(
            tried, bundles, now_seconds=now_seconds, sender="PAYER", receiver="PROVIDER"
        )
        remittance.write_bytes(content)
    if as_json:
        console.print_json([_told(one) for one in tried])
        return
    for one in tried:
        told = _told(one)
        console.say(
            f"{told['claim']}: claimed {told['claimed']}, pays {told['benefit']}, "
            f"patient {told['patient']}"
        )
        for line in told["lines"]:
            console.say(f"  {line['line']}: {line['claimed']}, pays {line['benefit']}")
            for reason in line["reasons"]:
                console.say(f"    {reason['code']} {reason['amount']}: {reason['text']}")


def eligibility(
    sources: Annotated[list[Path], typer.Argument(help="Questions: X12 270, FHIR.")],
    plan: Annotated[
        list[Path],
        typer.Option("--plan", help="A plan, a TOML table (docs/claims.md); repeatable."),
    ],
    members: Annotated[
        list[Path],
        typer.Option("--members", help="Who is insured: X12 834, FHIR Coverage and Patient."),
    ],
    day: Annotated[
        str, typer.Option("--day", help="What counts as today, YYYY-MM-DD; without it today.")
    ] = "",
    answer: Annotated[
        Path | None, typer.Option("--answer", help="Write the 271 that it would be, as a test.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Answer whether people are covered, and for what, by plans and members in files."""
    now_seconds = int(time.time())
    answered = inquiring.answer_files(
        [_plan(one) for one in plan],
        bundles_of(members),
        bundles_of(sources),
        today=_day(day, now_seconds),
    )
    if answer is not None:
        content = inquiring.as_x12(
            answered, now_seconds=now_seconds, sender="PAYER", receiver="PROVIDER"
        )
        answer.write_bytes(content)
    if as_json:
        console.print_json([one.response for one in answered])
        return
    for number, one in enumerate(answered, 1):
        console.say(f"{number}: {one.response['disposition']}")
        for insurance in one.response.get("insurance", ()):
            for item in insurance.get("item", ()):
                console.say(f"  {item['name']}: {_benefits(item)}")


def _benefits(item: dict[str, Any]) -> str:
    if item.get("excluded"):
        return "not covered"
    found = [_benefit(one) for one in item.get("benefit", ())]
    if item.get("authorizationRequired"):
        found.append("prior authorisation")
    return ", ".join(found) or "covered"


def _benefit(one: dict[str, Any]) -> str:
    kind = one["type"]["coding"][0]["code"]
    if "allowedMoney" in one:
        money = one["allowedMoney"]
        return f"{kind} {money['value']:f} {money['currency']}"
    if "allowedUnsignedInt" in one:
        return f"{kind} {one['allowedUnsignedInt']}"
    return f"{kind} {one['allowedString']} %"


def _plan(path: Path) -> Plan:
    try:
        return read_plan(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError):
        raise Invalid(f"The plan {path} can't be read.", advice="Check the path.") from None


def bundles_of(sources: list[Path]) -> list[Any]:
    """The Bundles that files become. Raises Invalid for a file that is not read whole."""
    found = []
    for file in intake.source_files(sources):
        mapping = intake.map_file(file)
        if mapping.quarantined:
            raise Invalid(f"{file.name} can't be read whole: {mapping.quarantined[0].reason}")
        found += [one.bundle for one in mapping.messages]
    return found


def _day(text: str, now_seconds: int) -> Any:
    if not text:
        return datetime.fromtimestamp(now_seconds, UTC).date()
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise Invalid("A day is written like 2026-03-31.") from None


def _told(tried: Tried) -> dict[str, Any]:
    proposal = tried.proposal
    number = (tried.claim.get("identifier") or [{}])[0].get("value", tried.claim["id"])

    def money(minor: int) -> str:
        return str(Money(minor, proposal.currency))

    return {
        "claim": number,
        "outcome": tried.response["outcome"],
        "claimed": money(proposal.submitted),
        "benefit": money(proposal.benefit),
        "patient": money(proposal.patient),
        "lines": [decided_line(one, proposal.currency) for one in proposal.lines],
        "response": tried.response,
        "explanation": tried.benefit,
    }


def decided_line(one: Decided, currency: str) -> dict[str, Any]:
    """A decided line as JSON."""
    return {
        "line": one.sequence,
        "claimed": str(Money(one.submitted, currency)),
        "benefit": str(Money(one.benefit, currency)),
        "reasons": [
            {
                "code": f"{each.group}-{each.reason}",
                "amount": str(Money(each.amount, currency)),
                "text": REASONS[each.reason],
            }
            for each in one.adjustments
        ],
    }
