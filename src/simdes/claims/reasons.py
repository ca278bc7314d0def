"""Why an amount is not paid: X12's claim adjustment groups and reasons, by what they mean here.

Code lists: https://x12.org/codes (external code source 139); FHIR's categories are of
http://terminology.hl7.org/CodeSystem/adjudication. The words are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

GROUP_SYSTEM: Final = "https://x12.org/codes/claim-adjustment-group-codes"
REASON_SYSTEM: Final = "https://x12.org/codes/claim-adjustment-reason-codes"


class Group(StrEnum):
    """Who bears what is not paid."""

    CONTRACT = "CO"
    """The provider, by its contract."""
    PATIENT = "PR"
    """The patient."""
    OTHER = "OA"
    """Nobody of the two: another payer did, or will."""
    PAYER = "PI"
    """The payer took it off without a contract that says so."""


REASONS: Final[Mapping[str, str]] = {
    "1": "Deductible of the period",
    "2": "Share of the patient (coinsurance)",
    "3": "Fixed share of the patient (co-pay)",
    "4": "Code and modifier do not fit",
    "16": "Something is missing that is needed to decide",
    "18": "The same was claimed before",
    "22": "Another insurer comes first",
    "23": "Paid or written off by an earlier insurer",
    "26": "Before the coverage began",
    "27": "After the coverage ended",
    "29": "Claimed too late",
    "31": "Not known as insured here",
    "45": "More than the agreed price",
    "50": "Not found necessary",
    "96": "Not covered",
    "97": "Contained in another service",
    "109": "Not this insurer's to pay",
    "119": "The limit of the period is reached",
    "197": "Prior authorisation is missing",
    "204": "Not covered by this plan",
    "252": "A document is needed to decide",
    "B7": "The provider was not entitled to it on that day",
}
"""The reasons that a decision here may name."""
