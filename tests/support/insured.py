"""Keys of fingerprints: proposed, agreed to and made by members of a test's network."""

from __future__ import annotations

from collections.abc import Sequence

from simdes.crypto.oprf_forms import Key
from simdes.exchange.claims import fingerprint_keys as keys
from support.consortium import Consortium

CUSTODIANS = ("north", "south", "lake")
PERSONS, PLACES = "urn:example:persons", "urn:example:places"


def make_key(
    network: Consortium,
    *,
    custodians: Sequence[str] = CUSTODIANS,
    m: int = 2,
    persons: Sequence[str] = (PERSONS,),
) -> Key:
    """Propose, agree to and make a key."""
    plan = keys.propose(
        network[custodians[0]].node,
        [network[one].node.organisation for one in custodians],
        m=m,
        persons=persons,
        places=[PLACES],
    ).encode()
    for one in custodians:
        keys.agree(network[one].node, plan)
    return keys.make(network[custodians[0]].node, plan)
