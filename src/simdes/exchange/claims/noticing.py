"""Signals beside a claim that lies before an insurer: compared when looked at, published when paid.

Without a key of fingerprints in use nothing is compared and nothing is missing. What is compared is
what was disclosed: the Claim, the patient, the provider and the stay (`simdes.claims.signals`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from simdes.claims.reading import reference_of
from simdes.claims.signals import Seen, Signal
from simdes.errors import NotFound
from simdes.exchange.claims import fingerprints
from simdes.exchange.claims.cases import Case
from simdes.exchange.claims.fingerprint_keys import in_use
from simdes.exchange.node import Node
from simdes.index.vaults import ORGANISATION
from simdes.ledger.contracts import ClaimState

_ACCEPTED: Final = frozenset((ClaimState.APPROVED, ClaimState.PARTLY, ClaimState.PAID))


def notice(node: Node, its: Case) -> tuple[Signal, ...]:
    """What others were asked for, too, of a disclosed claim; see `fingerprints.fingerprint`.

    The lines of one that is approved, wholly or in part, are published with the next batch.
    """
    try:
        in_use(node)
    except NotFound:
        return ()
    claim = its.id.hex()
    accepted = its.known.state in _ACCEPTED
    fingerprints.fingerprint(node, claim, _seen(its), pairs=node.claims.pairs, accepted=accepted)
    return fingerprints.signals(node, claim)


def _seen(its: Case) -> Seen:
    by = {f"{one['resourceType']}/{one.get('id')}": one for one in its.record}
    encounters = [
        reference_of(one)
        for item in its.claim.get("item") or ()
        for one in item.get("encounter") or ()
    ]
    return Seen(
        claim=its.claim,
        patient=by.get(reference_of(its.claim.get("patient"))) or _only(its, "Patient"),
        provider={"identifier": [*_own(its), *_known(by, its.claim.get("provider"))]},
        encounter=next((by[one] for one in encounters if one in by), None),
    )


def _own(its: Case) -> list[Mapping[str, str]]:
    """The provider as the ledger knows it: whoever opened the claim."""
    return [{"system": ORGANISATION, "value": f"0x{its.opening.provider.hex()}"}]


def _known(by: Mapping[str, Mapping[str, Any]], provider: Any) -> Sequence[Mapping[str, Any]]:
    named = (provider or {}).get("identifier")
    listed = by.get(reference_of(provider), {}).get("identifier") or ()
    return [*([named] if named else ()), *listed]


def _only(its: Case, kind: str) -> Mapping[str, Any]:
    found = [one for one in its.record if one["resourceType"] == kind]
    return found[0] if len(found) == 1 else {}
