"""What an insurer's plan says of a claim, line by line, each amount with its reason (pure).

The engine proposes and a person decides. For every line, submitted = benefit + adjustments, to the
minor unit, whatever the plan says: an adjustment is never left out, none is counted twice. Lines
are gone through in their order, so that a deductible or limit is used up by the first of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import ROUND_CEILING
from typing import Final

from simdes.claims.claimed import Claimed, Line
from simdes.claims.money import part, times
from simdes.claims.plan import Plan, Rule, names
from simdes.claims.reasons import REASONS, Group
from simdes.errors import Invalid


@dataclass(frozen=True, slots=True)
class Adjustment:
    """An amount (minor units) that is not paid: who bears it and why (a code of `REASONS`)."""

    group: Group
    reason: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A line as it is decided: ``allowed`` counts as its price, ``benefit`` is paid."""

    sequence: int
    submitted: int
    allowed: int
    benefit: int
    adjustments: Sequence[Adjustment] = ()

    def __post_init__(self) -> None:
        taken = sum(one.amount for one in self.adjustments)
        if self.benefit < 0 or self.submitted != self.benefit + taken:
            raise Invalid("What is paid and what is not do not add up to what was claimed.")

    def of(self, group: Group) -> int:
        """How much of it a group bears."""
        return sum(one.amount for one in self.adjustments if one.group is group)


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What of the period was used up before: the deductible, the patient's share in all, and by
    the name of a rule its amount and count."""

    deductible: int = 0
    share: int = 0
    amounts: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """The insured: from when to when (None: open), what is used, which authorisations (number to
    patterns of codes) stand, and (code, day) of what was decided before."""

    first: date | None = None
    last: date | None = None
    used: Used = field(default_factory=Used)
    authorised: Mapping[str, Sequence[str]] = field(default_factory=dict)
    before: frozenset[tuple[str, date]] = frozenset()


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an insurer before this one left of a line for the patient to pay, in minor units."""

    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What is proposed: every line decided, and what is used up if it is so decided."""

    currency: str
    lines: Sequence[Decided]
    used: Used

    @property
    def submitted(self) -> int:
        """What was claimed in all."""
        return sum(one.submitted for one in self.lines)

    @property
    def benefit(self) -> int:
        """What is paid in all."""
        return sum(one.benefit for one in self.lines)

    @property
    def patient(self) -> int:
        """What the patient bears in all."""
        return sum(one.of(Group.PATIENT) for one in self.lines)


@dataclass(frozen=True, slots=True)
class _At:
    """A line with everything that its decision depends on."""

    plan: Plan
    rule: Rule
    claimed: Claimed
    line: Line
    member: Member
    used: Used
    received: date

    @property
    def count(self) -> int:
        """How often its rule was used, this line included."""
        return self.used.counts.get(self.rule.name, 0) + _whole(self.line)


def _unauthorised(at: _At) -> bool:
    if not at.rule.authorisation:
        return False
    return not any(
        number in at.member.authorised and names(at.member.authorised[number], at.line.codes)
        for number in at.claimed.authorisations
    )


_REFUSED: Final[Sequence[tuple[Group, str, Callable[[_At], bool]]]] = (
    (Group.PATIENT, "26", lambda at: at.member.first is not None and at.line.day < at.member.first),
    (Group.PATIENT, "27", lambda at: at.member.last is not None and at.line.day > at.member.last),
    (Group.CONTRACT, "29", lambda at: (at.received - at.line.day).days > at.plan.filing_days),
    (
        Group.CONTRACT,
        "18",
        lambda at: any((code, at.line.day) in at.member.before for _, code in at.line.codes),
    ),
    (Group.PATIENT, "", lambda at: not at.rule.covered),
    (Group.CONTRACT, "197", _unauthorised),
    (
        Group.PATIENT,
        "119",
        lambda at: at.rule.limit_count is not None and at.count > at.rule.limit_count,
    ),
)
"""When a line is not paid at all: who bears it, why ("": the rule's own reason), and the test. The
first that holds is named."""


def propose(
    plan: Plan,
    claimed: Claimed,
    member: Member,
    *,
    received: date,
    earlier: Mapping[int, Earlier] | None = None,
) -> Proposal:
    """What the plan says of a claim that came in on a day.

    ``earlier`` by line, where insurers before this one decided. Raises Invalid for another
    currency.
    """
    if claimed.currency != plan.currency:
        raise Invalid(f"The plan pays in {plan.currency}, the claim is in {claimed.currency}.")
    used = member.used
    lines = []
    for line in claimed.lines:
        at = _At(plan, plan.rule(line), claimed, line, member, used, received)
        decided, used = _decide(at, (earlier or {}).get(line.sequence))
        lines.append(decided)
    return Proposal(currency=plan.currency, lines=tuple(lines), used=used)


def _decide(at: _At, earlier: Earlier | None) -> tuple[Decided, Used]:
    for group, reason, holds in _REFUSED:
        if holds(at):
            return refused(at.line, group, reason or at.rule.reason), at.used
    decided = _reckoned(at)
    if earlier is not None:
        decided = _coordinated(decided, earlier)
    return decided, _spent(at.used, at.rule, at.line, decided)


def spent(plan: Plan, claimed: Claimed, lines: Sequence[Decided], used: Used) -> Used:
    """What of the period is used up by a decision, however a person changed it."""
    decided = {one.sequence: one for one in lines}
    for line in claimed.lines:
        used = _spent(used, plan.rule(line), line, decided[line.sequence])
    return used


def _spent(used: Used, rule: Rule, line: Line, decided: Decided) -> Used:
    if not decided.allowed:
        return used
    by_reason = {name: _reason(decided, name) for name in ("1", "2", "3")}
    amounts, counts = dict(used.amounts), dict(used.counts)
    amounts[rule.name] = amounts.get(rule.name, 0) + decided.benefit
    counts[rule.name] = counts.get(rule.name, 0) + _whole(line)
    return Used(
        deductible=used.deductible + by_reason["1"],
        share=used.share + sum(by_reason.values()),
        amounts=amounts,
        counts=counts,
    )


def _reason(decided: Decided, name: str) -> int:
    return sum(one.amount for one in decided.adjustments if one.reason == name)


def _whole(line: Line) -> int:
    """How often a service was given, parts of it counted as whole."""
    return int(line.quantity.to_integral_value(rounding=ROUND_CEILING))


def refused(line: Line, group: Group, reason: str) -> Decided:
    """A line of which nothing is paid."""
    taken = (Adjustment(group, reason, line.net),) if line.net else ()
    return Decided(
        sequence=line.sequence, submitted=line.net, allowed=0, benefit=0, adjustments=taken
    )


def _reckoned(at: _At) -> Decided:
    """Price, shares of the patient and limits of a line that is covered."""
    plan, rule, used, net = at.plan, at.rule, at.used, at.line.net
    ceiling = net if rule.ceiling is None else times(rule.ceiling, at.line.quantity)
    allowed = min(net, ceiling)
    copay = min(rule.copay, allowed)
    left = allowed - copay
    deductible = min(left, max(0, plan.deductible - used.deductible)) if rule.deductible else 0
    left -= deductible
    points = plan.coinsurance if rule.coinsurance is None else rule.coinsurance
    coinsurance = part(left, points)
    copay, deductible, coinsurance = _capped(plan, used, copay, deductible, coinsurance)
    benefit = allowed - copay - deductible - coinsurance
    room = benefit
    if rule.limit_amount is not None:
        room = max(0, rule.limit_amount - used.amounts.get(rule.name, 0))
    over = max(0, benefit - room)
    taken = (
        Adjustment(Group.CONTRACT, "45", net - allowed),
        Adjustment(Group.PATIENT, "3", copay),
        Adjustment(Group.PATIENT, "1", deductible),
        Adjustment(Group.PATIENT, "2", coinsurance),
        Adjustment(Group.PATIENT, "119", over),
    )
    return Decided(
        sequence=at.line.sequence,
        submitted=net,
        allowed=allowed,
        benefit=benefit - over,
        adjustments=tuple(one for one in taken if one.amount),
    )


def _capped(
    plan: Plan, used: Used, copay: int, deductible: int, coinsurance: int
) -> tuple[int, int, int]:
    """The patient's shares, cut where the most that a patient bears in a period is reached."""
    if plan.out_of_pocket is None:
        return copay, deductible, coinsurance
    room = max(0, plan.out_of_pocket - used.share)
    copay = min(copay, room)
    deductible = min(deductible, room - copay)
    return copay, deductible, min(coinsurance, room - copay - deductible)


def _coordinated(decided: Decided, earlier: Earlier) -> Decided:
    """Pay no more than insurers before left to the patient; the patient bears what is still left.

    What they paid or wrote off is one adjustment; of the reasons that this plan has of its own
    there stays as much as is not paid after it.
    """
    left = min(earlier.left, decided.submitted)
    benefit = min(decided.benefit, left)
    rest = left - benefit
    kept = []
    for one in sorted(decided.adjustments, key=lambda one: one.group is not Group.PATIENT):
        amount = min(one.amount, rest)
        rest -= amount
        kept.append(replace(one, amount=amount))
    kept.append(Adjustment(Group.OTHER, "23", decided.submitted - left))
    return replace(decided, benefit=benefit, adjustments=tuple(one for one in kept if one.amount))


# A person decides -----------------------------------------------------------------------------


def amended(decided: Decided, *, benefit: int, group: Group, reason: str) -> Decided:
    """A line as a person decides it, otherwise than was proposed; the reason bears the difference.

    Where more is paid than was proposed, the adjustments shrink from the last. Raises Invalid for
    more than was claimed, or an unknown reason.
    """
    if reason not in REASONS:
        raise Invalid("The reason is none of the list.")
    if not 0 <= benefit <= decided.submitted:
        raise Invalid("No less than nothing and no more than was claimed is paid.")
    more = benefit - decided.benefit
    adjustments = list(decided.adjustments)
    if more < 0:
        adjustments.append(Adjustment(group, reason, -more))
    for at in range(len(adjustments) - 1, -1, -1):
        if more <= 0:
            break
        amount = min(adjustments[at].amount, more)
        adjustments[at] = replace(adjustments[at], amount=adjustments[at].amount - amount)
        more -= amount
    return replace(
        decided,
        benefit=benefit,
        allowed=max(decided.allowed, benefit),
        adjustments=tuple(one for one in adjustments if one.amount),
    )


def denied(proposal: Proposal, *, group: Group, reason: str) -> Proposal:
    """The same claim with nothing paid, for one reason."""
    if reason not in REASONS:
        raise Invalid("The reason is none of the list.")
    lines = tuple(
        replace(
            one,
            allowed=0,
            benefit=0,
            adjustments=(Adjustment(group, reason, one.submitted),) if one.submitted else (),
        )
        for one in proposal.lines
    )
    return replace(proposal, lines=lines)


def decided_as(
    plan: Plan, claimed: Claimed, proposal: Proposal, lines: Sequence[Decided], member: Member
) -> Proposal:
    """A proposal with its lines as a person decided them, and what they use up."""
    return replace(proposal, lines=tuple(lines), used=spent(plan, claimed, lines, member.used))
