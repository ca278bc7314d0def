"""Where each role finds what: the links of every page, and the start page that leads there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simdes.gateway.pages.languages import mark as _

PATIENT: Final = frozenset({"patient"})
CLINICIANS: Final = frozenset({"doctor", "nurse"})
PHARMACISTS: Final = frozenset({"pharmacist"})
BILLERS: Final = frozenset({"doctor", "pharmacist"})
"""Who may write Claims, at an organisation that claims."""
INSURERS: Final = frozenset({"insurer"})
RESEARCHERS: Final = frozenset({"researcher"})
APPROVERS: Final = frozenset({"administrator", "doctor"})
"""Whom studies usually name to judge them; the contract asks for the very account."""
ADMINISTRATORS: Final = frozenset({"administrator"})


@dataclass(frozen=True, slots=True)
class Link:
    """A page that people go to by themselves: its address, name, what it is for, and for whom.
    ``bills``: at an organisation that claims alone."""

    path: str
    name: str
    about: str
    roles: frozenset[str]
    bills: bool = False


LINKS: Final = (
    Link(
        "/record",
        _("My record"),
        _("Results, medicines, visits and documents, from everybody who wrote about you."),
        PATIENT,
    ),
    Link(
        "/sharing",
        _("Who may see it"),
        _("Open parts of your record to somebody, narrow it, or end it."),
        PATIENT,
    ),
    Link(
        "/log",
        _("Who looked"),
        _("Everybody who looked or was refused, why and when, with a proof."),
        PATIENT,
    ),
    Link(
        "/prescriptions",
        _("Prescriptions"),
        _("Where each stands, and the pharmacy that it goes to."),
        PATIENT,
    ),
    Link(
        "/research",
        _("Research"),
        _("Studies that you take part in, and leaving them."),
        PATIENT,
    ),
    Link(
        "/guardians",
        _("Guardians"),
        _("People who let you in again when you can't get in any more."),
        PATIENT,
    ),
    Link(
        "/claims",
        _("Claims"),
        _("What your insurer asks to see, and letting it, line by line."),
        PATIENT,
    ),
    Link(
        "/download",
        _("Take it along"),
        _("Your record as a file, for a doctor elsewhere or to keep."),
        PATIENT,
    ),
    Link(
        "/patients",
        _("Patients"),
        _("Find a patient and read what you may see of their record."),
        CLINICIANS,
    ),
    Link(
        "/counter",
        _("Counter"),
        _("Prescriptions at this pharmacy: take a code, check, dispense or refuse."),
        PHARMACISTS,
    ),
    Link(
        "/billing",
        _("Our claims"),
        _("What insurers decided of what was done here: accept, appeal, answer."),
        BILLERS,
        bills=True,
    ),
    Link(
        "/inbox",
        _("Claims"),
        _("Claims beside what patients disclosed for them: decide, ask, pay."),
        INSURERS,
    ),
    Link(
        "/people",
        _("People"),
        _("Who has an account here; add, verify or suspend somebody."),
        ADMINISTRATORS,
    ),
    Link(
        "/organisations",
        _("Organisations"),
        _("Who is in the network, and what its owners decide."),
        ADMINISTRATORS,
    ),
    Link(
        "/quarantine",
        _("Quarantine"),
        _("What could not be accepted: why, and giving it in again."),
        ADMINISTRATORS,
    ),
    Link(
        "/emergencies",
        _("Emergencies"),
        _("Records that were opened without consent, to be judged in time."),
        ADMINISTRATORS,
    ),
    Link(
        "/health",
        _("Health"),
        _("Whether ledger, storage and custodians answer, and what waits."),
        ADMINISTRATORS,
    ),
    Link(
        "/trails",
        _("Audit trails"),
        _("What did not agree with the trails of others."),
        ADMINISTRATORS,
    ),
    Link(
        "/upgrades",
        _("Upgrades"),
        _("What waits in the timelock of the network, to be looked at in time."),
        ADMINISTRATORS,
    ),
    Link(
        "/studies",
        _("Studies"),
        _("What is asked of patients' records for research: counts, approvals, releases."),
        RESEARCHERS | APPROVERS,
    ),
)


def links_of(role: str, *, bills: bool) -> tuple[Link, ...]:
    """The links of a role, in order, at an organisation that claims or not."""
    return tuple(one for one in LINKS if role in one.roles and (bills or not one.bills))
