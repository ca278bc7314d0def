"""Merges: what follows to the survivor, and what waits for the patient."""

from __future__ import annotations

from typing import Any

import pytest

from simdes.access.vaults import vault_key
from simdes.crypto.keys import unwrap
from simdes.exchange import anchoring, quarantine, replay
from simdes.exchange.indexing import resource_context
from simdes.exchange.submit import Accepted, Refused, submit_all
from simdes.fhir.json import dumps, loads
from simdes.index import merges, resources, vaults
from simdes.index.vaults import Identifier
from simdes.mapper import map_bytes
from support.bundles import SYSTEM, bundle
from support.consortium import Consortium


def merge(survivor: str, prior: str, *, by: str = "both", control: str = "1") -> bytes:
    """What the mapper makes of an A40: two linked Patients, or one and an identifier."""
    system = SYSTEM
    here = {
        "resourceType": "Patient",
        "id": survivor,
        "identifier": [{"system": system, "value": survivor}],
        "meta": {"tag": [{"system": "urn:test", "code": control}]},
    }
    gone: dict[str, Any] = {
        "resourceType": "Patient",
        "id": prior,
        "active": False,
        "identifier": [{"system": system, "value": prior}],
    }
    if by == "identifier":
        here["link"] = [
            {"other": {"identifier": {"system": system, "value": prior}}, "type": "replaces"}
        ]
        found = [here]
    else:
        other = {"reference": f"https://a.example/fhir/Patient/{prior}"}
        here["link"] = [{"other": other, "type": "replaces"}]
        back = {"reference": f"https://a.example/fhir/Patient/{survivor}"}
        gone["link"] = [{"other": back, "type": "replaced-by"}]
        found = [here, gone]
    entries = [
        {"fullUrl": f"https://a.example/fhir/Patient/{one['id']}", "resource": one} for one in found
    ]
    return dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})


def feed(network: Consortium, patient: str, **more: Any) -> bytes:
    """Submit a patient's records; their vault."""
    [answer] = network.submit("north", f"{patient}.json", bundle(patient, **more))
    assert isinstance(answer, Accepted)
    return answer.vault


def leads_to(network: Consortium, patient: str) -> bytes | None:
    with network["north"].node.database.read() as tx:
        return vaults.find(tx, Identifier(SYSTEM, patient))


def held(network: Consortium, vault: bytes) -> dict[tuple[str, str], dict[str, Any]]:
    """Every latest resource of a vault, opened."""
    node = network["north"].node
    with node.database.read() as tx:
        row = vaults.get(tx, vault)
        rows = resources.of_vault(tx, vault, categories=range(64))
    assert row is not None
    key = vault_key(node.desk.keystore, row)
    return {
        (one.type, one.logical_id): loads(
            unwrap(
                key,
                one.content_wrapped,
                aad=resource_context(vault, one.type, one.logical_id),
            )
        )
        for one in rows
    }


@pytest.mark.parametrize("by", ["both", "identifier"])
def test_the_priors_identifiers_and_records_follow_to_the_survivor(
    network: Consortium, who: str, by: str
) -> None:
    old, new = f"{who}-old", f"{who}-new"
    prior, survivor = feed(network, old), feed(network, new)
    before = held(network, prior)
    [answer] = network.submit("north", "merge", merge(new, old, by=by))
    assert isinstance(answer, Accepted)
    assert answer.vaults == (survivor,)
    assert leads_to(network, old) == leads_to(network, new) == survivor
    after = held(network, survivor)
    for name, content in before.items():
        if name[0] != "Patient":
            assert after[name] == content
    assert ("Patient", old) in after
    node = network["north"].node
    with node.database.read() as tx:
        assert [(one.prior, one.survivor, one.state) for one in merges.of(tx, prior)] == [
            (prior, survivor, merges.MOVED)
        ]
    assert held(network, prior) == before, "what was sealed for the prior stays where it is"
    later = feed(network, old, observations=3)
    assert later == survivor


def test_what_followed_is_sealed_again_and_opens(network: Consortium, who: str) -> None:
    old, new = f"{who}-old", f"{who}-new"
    prior, survivor = feed(network, old), feed(network, new)
    network.settle("north")
    network.submit("north", "merge", merge(new, old))
    network.settle("north")
    node = network["north"].node
    assert anchoring.everything_anchored(node)
    with node.database.read() as tx:
        for vault in (prior, survivor):
            rows = resources.of_vault(tx, vault, categories=range(64))
            assert {one.state for one in rows} == {resources.ANCHORED}


def test_a_merge_of_a_patient_unknown_here_leads_to_the_known_ones_vault(
    network: Consortium, who: str
) -> None:
    for known, unknown in ((f"{who}-a", f"{who}-b"), (f"{who}-d", f"{who}-c")):
        vault = feed(network, known)
        survivor, prior = sorted((known, unknown))
        [answer] = network.submit("north", "merge", merge(survivor, prior))
        assert isinstance(answer, Accepted)
        assert leads_to(network, unknown) == answer.vault == vault


def test_two_unknown_patients_that_are_merged_get_one_vault(network: Consortium, who: str) -> None:
    [answer] = network.submit("north", "merge", merge(f"{who}-new", f"{who}-old"))
    assert isinstance(answer, Accepted)
    assert leads_to(network, f"{who}-new") == leads_to(network, f"{who}-old") == answer.vault


def test_the_same_merge_again_and_the_opposite_one_move_nothing(
    network: Consortium, who: str
) -> None:
    old, new = f"{who}-old", f"{who}-new"
    feed(network, old)
    survivor = feed(network, new)
    network.submit("north", "merge", merge(new, old))
    before = held(network, survivor)
    [again] = network.submit("north", "merge", merge(new, old))
    assert isinstance(again, Accepted)
    assert again.resources == 0
    assert held(network, survivor) == before
    [opposite] = network.submit("north", "opposite", merge(old, new))
    assert isinstance(opposite, Accepted)
    assert opposite.vault == survivor


def test_merges_in_a_row_lead_to_the_last_survivor(network: Consortium, who: str) -> None:
    first, second, third = (feed(network, f"{who}-{at}") for at in range(3))
    network.submit("north", "m1", merge(f"{who}-1", f"{who}-0"))
    network.submit("north", "m2", merge(f"{who}-2", f"{who}-1"))
    assert {leads_to(network, f"{who}-{at}") for at in range(3)} == {third}
    assert {("Patient", f"{who}-{at}") for at in range(3)} <= set(held(network, third))
    assert len({first, second, third}) == 3


@pytest.mark.parametrize("controlled", ["old", "new"])
def test_nothing_moves_while_a_patient_controls_either_vault(
    network: Consortium, who: str, controlled: str
) -> None:
    old, new = f"{who}-old", f"{who}-new"
    prior, survivor = feed(network, old), feed(network, new)
    node = network["north"].node
    before = held(network, prior), held(network, survivor)
    with node.database.transaction() as tx:
        vaults.set_control(tx, prior if controlled == "old" else survivor, bytes(32))
    [answer] = network.submit("north", "merge", merge(new, old))
    assert isinstance(answer, Refused)
    assert answer.code == "merge-needs-patient"
    assert (leads_to(network, old), leads_to(network, new)) == (prior, survivor)
    assert (held(network, prior), held(network, survivor)) == before
    with node.database.read() as tx:
        assert [one.state for one in merges.of(tx, survivor)] == [merges.WAITING]


def test_a_merge_that_waits_is_carried_out_by_a_replay_once_nobody_controls_a_vault(
    network: Consortium, who: str
) -> None:
    old, new = f"{who}-old", f"{who}-new"
    prior, survivor = feed(network, old), feed(network, new)
    node = network["north"].node
    with node.database.transaction() as tx:
        vaults.set_control(tx, survivor, bytes(32))
    network.submit("north", "merge", merge(new, old))
    [waiting] = quarantine.listed(node, None, quarantine.Selection()).entries
    assert replay.replay(node, None, waiting.id).outcome == "refused"
    assert leads_to(network, old) == prior
    with node.database.transaction() as tx:
        tx.run("UPDATE vault SET control = NULL WHERE tag = :tag", tag=survivor)
    assert replay.replay(node, None, waiting.id).outcome == "replayed"
    assert leads_to(network, old) == survivor
    with node.database.read() as tx:
        assert [one.state for one in merges.of(tx, survivor)] == [merges.MOVED]


def test_a_vault_of_another_organisation_is_not_merged(network: Consortium, who: str) -> None:
    old, new = f"{who}-old", f"{who}-new"
    prior, _ = feed(network, old), feed(network, new)
    network.settle("north")  # nothing of it waits: no worker could seal for a vault that is none
    with network["north"].node.database.transaction() as tx:
        tx.run("UPDATE vault SET home = 0, state = 'open' WHERE tag = :tag", tag=prior)
    [answer] = network.submit("north", "merge", merge(new, old))
    assert isinstance(answer, Refused)
    assert answer.code == "merge-needs-patient"


def test_an_erased_patient_is_not_merged(network: Consortium, who: str) -> None:
    old, new = f"{who}-old", f"{who}-new"
    prior, _ = feed(network, old), feed(network, new)
    network.settle("north")
    with network["north"].node.database.transaction() as tx:
        vaults.erase(tx, prior)
    [answer] = network.submit("north", "merge", merge(new, old))
    assert isinstance(answer, Refused)
    assert answer.code == "vault-erased"


def test_messages_behind_a_merge_in_one_feed_find_its_links(network: Consortium, who: str) -> None:

    old, new = f"{who}-old", f"{who}-new"
    feed(network, old)
    survivor = feed(network, new)
    inputs = [merge(new, old), bundle(old, observations=4)]
    node = network["north"].node
    answers = submit_all(node, [map_bytes(f"{at}", data) for at, data in enumerate(inputs)])
    assert [one.vault for found in answers for one in found if isinstance(one, Accepted)] == [
        survivor,
        survivor,
    ]
