"""What a claim lets an insurer see, over every door: what was disclosed, until the claim ends."""

from __future__ import annotations

from simdes.access.categories import Category
from simdes.exchange import rights
from simdes.exchange.claims import billing_desk
from simdes.exchange.reach import reach
from simdes.exchange.retrieve import retrieve
from simdes.index import resources
from support.claim_scene import CLERKS, Visit
from support.fhir_api import Api, application


def _held(visit: Visit) -> set[str]:
    """Everything in the patient's record at the hospital."""
    with visit.node("north").database.read() as tx:
        rows = resources.of_vault(tx, visit.vault, categories=tuple(Category))
    return {f"{one.type}/{one.logical_id}" for one in rows}


def _seen(visit: Visit, insurer: str) -> set[str]:
    """What an insurer's clerk finds of it, by searches of every type and by reads of each id."""
    one = visit.network[insurer]
    api = Api.of(one, CLERKS[insurer], app=application(one))
    held = _held(visit)
    found = {
        f"{match['resourceType']}/{match['id']}"
        for type_ in sorted({name.partition("/")[0] for name in held} - {"Subscription"})
        for match in api.found(f"{type_}?_count=200")
    }
    found |= {name for name in held if api.get(name).status_code == 200}
    everything = api.get(f"Patient/{visit.subject['reference'].partition('/')[2]}/$everything")
    if everything.status_code == 200:
        found |= {
            f"{entry['resource']['resourceType']}/{entry['resource']['id']}"
            for entry in everything.json().get("entry", ())
        }
    return found & held


def _retrieved(visit: Visit, insurer: str) -> int:
    """How many resources the clerk opens by the custodians, whatever is asked for."""
    node = visit.node(insurer)
    session = visit.network.session(insurer, CLERKS[insurer])
    try:
        found = retrieve(
            node,
            session,
            vault=visit.vault,
            categories=[one.label for one in Category],
            purpose="HPAYMT",
        )
    except Exception as error:
        assert type(error).__name__ == "Forbidden"
        return 0
    return len([one for one in found.resources if one.origin != "own"])


def test_an_insurer_sees_what_was_disclosed_to_it_and_nothing_once_the_claim_ends(
    visit: Visit,
) -> None:
    visit.enrol()
    visit.work()
    visit.work()
    listed = {one.reference for one in visit.requests()[0].lines}
    assert len(_held(visit)) > 2 * len(listed), "there is more that could leak"
    assert (_seen(visit, "east"), _retrieved(visit, "east")) == (set(), 0)
    kept_back = next(one for one in sorted(listed) if one.startswith("Condition/"))
    claim = visit.disclose(but=[kept_back])
    assert visit.work().disclosed == 1
    assert _seen(visit, "east") == listed - {kept_back}
    assert _retrieved(visit, "east") == len(listed) - 1
    _require_no_other_purpose(visit)
    assert (_seen(visit, "vale"), _retrieved(visit, "vale")) == (set(), 0)

    billing_desk.reverse(visit.node("north"), visit.biller, claim)
    assert (_seen(visit, "east"), _retrieved(visit, "east")) == (set(), 0)


def _require_no_other_purpose(visit: Visit) -> None:
    """What is disclosed for payment opens nothing for the insurer's own operations."""
    node = visit.node("east")
    asking = rights.ask(node, visit.network.session("east", CLERKS["east"]), purpose="HOPERAT")
    grounds = reach(node, asking, vaults=(visit.vault,)).asking.rights.searching.grounds
    assert not any(one.vaults == (visit.vault,) for one in grounds)
