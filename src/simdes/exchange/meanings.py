"""What a consent hangs on, for its patient: found in their own record, checked against the ledger.

Its terms have 32 bytes for the records that it is about and a contract with an id that has to be
open. Whoever signs them wants to know which prescription that is. Nothing that a request says of it
is believed: it names what to look up, and what is found must be what the terms have committed to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from simdes.access.consent import Consent
from simdes.access.record_lists import records_root
from simdes.errors import Conflict, Forbidden, Invalid, NotFound, Tampered
from simdes.exchange.claims import disclosing
from simdes.exchange.claims.disclosing import Request
from simdes.exchange.node import Node
from simdes.exchange.prescriptions import holding
from simdes.exchange.prescriptions.holding import Held
from simdes.exchange.research import documents, taking_part
from simdes.exchange.research.studies import Document
from simdes.exchange.rights import Asking
from simdes.ledger.terms import ZERO20, ZERO32
from simdes.typed_numbers import octets

Named = tuple[str, str]
"""A kind of what a consent hangs on, and what that is found by."""
PRESCRIPTION, CLAIM, STUDY, AREA = "prescription", "claim", "study", "area"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a consent hangs on, as it was found (of a claim with the lines that are shown alone);
    ``records``: which record ids it explains."""

    named: Named
    found: Held | Request | Document | str
    records: frozenset[bytes] = frozenset()

    @property
    def kind(self) -> str:
        """One of the kinds above."""
        return self.named[0]


@dataclass(frozen=True, slots=True)
class _Kind:
    """The contract of which a consent's condition is an id, and how to find what that means."""

    contract: Callable[[Node], bytes]
    find: Callable[[Node, Asking, Consent, str], Meaning]


def find(
    node: Node, asking: Asking | None, consent: Consent, named: Named | None
) -> Meaning | None:
    """What a consent hangs on; None where on nothing but time and whom it names.

    Raises Invalid where nobody asks whose record could tell, or it tells something else.
    """
    terms = consent.terms
    hangs = (terms.records, terms.condition, terms.condition_id) != (ZERO32, ZERO20, ZERO32)
    if not hangs and named is None and not consent.listed:
        return None
    if asking is None:
        raise Invalid(
            "What this consent hangs on is told by the patient’s own record alone.",
            advice="Sign in with the wallet, and begin on the page that it is about.",
        )
    known = None if named is None else _KINDS.get(named[0])
    if named is None or known is None or terms.condition != known.contract(node):
        raise _untold()
    try:
        meaning = known.find(node, asking, consent, named[1])
    except (NotFound, Conflict, Tampered, Forbidden):
        raise _untold() from None
    root = records_root(consent.listed) if consent.listed else ZERO32
    if root != terms.records or set(consent.listed) - meaning.records:
        raise _untold()
    return meaning


def _untold() -> Invalid:
    return Invalid(
        "What this consent hangs on is not what was said, or is not yours.",
        advice="Begin again on the page that it is about.",
    )


def _prescription(node: Node, asking: Asking, consent: Consent, name: str) -> Meaning:
    """The prescription whose tag has to be open: in the patient's vault, and in the forest."""
    tag = consent.terms.condition_id
    held = holding.hold(node, asking, name, vault=consent.vault, tag=tag)
    stated = held.opening
    node.forests.standing(node.desk, issuer=stated.issuer, batch_root=stated.batch_root)
    return Meaning(named=(PRESCRIPTION, name), found=held)


def _study(node: Node, asking: Asking, consent: Consent, name: str) -> Meaning:
    """The study that has to run while this consent's tag takes part in it, by its document."""
    group = octets(name, 32)
    document = None if group is None else documents.known(node, [group]).get(group)
    study = None if group is None else node.contracts.studies.study(group)
    if group is None or document is None or study is None:
        raise NotFound("There is no such study.")
    _require_tag(node, consent, group, study.sponsor)
    return Meaning(named=(STUDY, name), found=document)


def _area(node: Node, asking: Asking, consent: Consent, name: str) -> Meaning:
    """The area of research, for whose studies of a sponsor this consent's tag stands by."""
    sponsor = consent.terms.grantee
    _require_tag(node, consent, taking_part.group_of(node, sponsor, name), sponsor)
    return Meaning(named=(AREA, name), found=name)


def _require_tag(node: Node, consent: Consent, group: bytes, sponsor: bytes) -> None:
    """Raise Tampered unless a consent lets this sponsor read as its tag in this group says."""
    terms = consent.terms
    tag = taking_part.tag_in(node, consent, group)
    if (terms.grantee, terms.condition_id) != (sponsor, tag):
        raise Tampered("The consent is not for this study.")


def _claim(node: Node, asking: Asking, consent: Consent, name: str) -> Meaning:
    """The claim that has to go on, of the patient's vault, to its insurer, and the chosen lines."""
    claim, listed = consent.terms.condition_id, frozenset(consent.listed)
    found = disclosing.own_request(node, asking, claim)
    if (name, found.vault, found.insurer) != (claim.hex(), consent.vault, consent.terms.grantee):
        raise NotFound("There is nothing like that.")
    lines = tuple(one for one in found.lines if one.record in listed)
    if not lines:  # words would name no entry, and all would be opened
        raise NotFound("There is nothing like that.")
    records = frozenset(one.record for one in lines)
    return Meaning(named=(CLAIM, name), found=replace(found, lines=lines), records=records)


_KINDS: Final[Mapping[str, _Kind]] = {
    CLAIM: _Kind(lambda node: node.contracts.addresses.claims, _claim),
    PRESCRIPTION: _Kind(lambda node: node.contracts.addresses.prescriptions, _prescription),
    STUDY: _Kind(lambda node: node.contracts.addresses.studies, _study),
    AREA: _Kind(lambda node: node.contracts.addresses.studies, _area),
}
