"""What the patient of the living demo has of their own: guardians, a code, a question, a word."""

from __future__ import annotations

from collections.abc import Mapping

from simdes.app import Opened
from simdes.exchange import access_requests, corrections, guardians, health_links, rights
from simdes.exchange.guardians import Chosen
from simdes.exchange.interactions.everything import everything
from simdes.exchange.signin import Session


def own(
    north: Opened, south: Opened, people: Mapping[str, Session], vault: bytes, reference: str
) -> None:
    """Something in the lists that only the patient fills, or others fill for them."""
    rosa, node = people["patient"], north.node
    guardians.appoint(
        node,
        rosa,
        [
            Chosen(account=people["doctor"].actor.account, label="My neighbour"),
            Chosen(account=people["approver"].actor.account, label="My sister"),
        ],
        threshold=2,
        name="Rosa Okafor",
    )
    asking, patient = rights.ask(node, rosa), reference.rpartition("/")[2]
    health_links.make(
        node, asking, vault=vault, patient=patient, label="For the trip to Lisbon", days=30
    )
    page = everything(node, asking, patient, types=("AllergyIntolerance",))
    for one in page.matches[:1]:
        corrections.ask(node, asking, patient, one.name, "It was a rash, and long ago.")
    access_requests.request(
        south.node,
        people["approver"],
        vault=vault,
        categories=["medications", "immunizations"],
        purpose="TREAT",
        days=90,
        text="You come to us next week; we would like to see your medicines before.",
        name="Dr Lee",
    )
