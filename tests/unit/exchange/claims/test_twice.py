"""The same encounter claimed twice, whoever tries and however: it is claimed and paid once.

Two workers are the hospital's gateway and another program of it on the same database, as two
machines behind a balancer are; on both databases. What the ledger refuses of forged claims is in
``tests/adapters/test_ledger_claims.py``, random histories beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from threading import Barrier
from typing import Any, TypeVar

import pytest

from simdes import app
from simdes.access.categories import Category
from simdes.claims.reasons import Group
from simdes.claims.signals import Sign
from simdes.errors import Conflict
from simdes.exchange import rights
from simdes.exchange.claims import (
    advancing,
    billing_desk,
    deciding,
    fingerprint_keys,
    freeing,
    lines,
    opening,
    paying,
)
from simdes.exchange.claims.noticing import notice
from simdes.exchange.node import Node
from simdes.exchange.signin import sign_in
from simdes.index import claims, contents, records, resources
from simdes.ledger.contracts import ClaimState
from simdes.proofs.openings import number
from support import consortium
from support.claim_scene import CLERKS, SYSTEM, Visit, arrive, charge, declare
from support.consortium import Clock, Consortium, passphrase_of
from support.fhir_api import Api, application
from support.insured import make_key
from unit.exchange.claims.conftest import Visiting

_NUMBERS = count(1)
T = TypeVar("T")
WORD = passphrase_of(CLERKS["east"])


@dataclass(frozen=True, slots=True)
class Pair:
    """A network, and a second program of the hospital and of the insurer, each on its database."""

    network: Consortium
    clock: Clock
    doctor: Api
    others: dict[str, Node]

    def visit(self, **others: Any) -> Visit:
        made = Visit.of(self.network, self.clock, self.doctor, f"twice-{next(_NUMBERS)}", **others)
        made.enrol()
        return made

    def work(self) -> list[opening.Worked]:
        """Let a period pass and both of the hospital's workers do their round at once."""
        own, other = self.network["north"].node, self.others["north"]
        self.clock.ahead_seconds += own.rules.batch_seconds
        done = at_once(lambda: opening.work(own), lambda: opening.work(other))
        self.network.settle()
        arrive(self.network)
        return done


def at_once(*acts: Callable[[], T]) -> list[T]:
    """Do all of these at the same time; what each gave."""
    start = Barrier(len(acts))

    def act(one: Callable[[], T]) -> T:
        start.wait(30)
        return one()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(act, acts))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def pair(
    request: pytest.FixtureRequest,
    founded: tuple[Consortium, Clock, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Pair]:
    """Two programs of one hospital and of one insurer, on each kind of database."""
    if request.param == "sqlite":
        network, clock, folder = founded
        with _paired(network, clock, folder) as made:
            yield made
        return
    databases = request.getfixturevalue("postgres_databases")
    folder, clock = tmp_path_factory.mktemp("twice") / "network", Clock()
    names = ("north", "south", "east")
    consortium.found(
        folder, names=names, databases={one: databases.create() for one in ("north", "east")}
    )
    for name in names:
        consortium.let_read(folder / name)
    declare(folder)
    with consortium.opened(folder, clock=clock) as network, _paired(network, clock, folder) as made:
        yield made


@contextmanager
def _paired(network: Consortium, clock: Clock, folder: Path) -> Iterator[Pair]:
    doctor = Api.of(network["north"], "dr.north", app=application(network["north"]))
    with (
        app.opened(folder / "north", clock=clock) as hospital,
        app.opened(folder / "east", clock=clock) as insurer,
    ):
        yield Pair(network, clock, doctor, {"north": hospital.node, "east": insurer.node})


def happened(visit: Visit) -> Counter[str]:
    """What the ledger has of this visit's claims, event by event."""
    contracts = visit.node("north").contracts
    claims = {number(one.claim) for one in visit.mine()}
    logs = contracts.ledger.logs(
        first=contracts.addresses.first_block,
        last=contracts.ledger.head().number,
        addresses=(contracts.addresses.claims, contracts.addresses.claim_book),
    )
    told = map(contracts.decode, logs)
    return Counter(type(one).__name__ for one in told if getattr(one, "claim", 0) in claims)


def written(visit: Visit) -> Counter[str]:
    """How many of each resource that claims leave are in the patient's record at the hospital."""
    node = visit.node("north")
    with node.database.read() as tx:
        rows = resources.of_vault(tx, visit.vault, categories=tuple(Category))
    return Counter(one.type for one in rows if one.type in ("Claim", "List", "DocumentReference"))


def still_sealed(visit: Visit) -> int:
    """How many records for insurers of this patient can still be opened."""
    node = visit.node("north")
    with node.database.read() as tx:
        every = records.of_vault(tx, visit.vault)
        ids = [one.record_id for one in every if one.category == Category.DISCLOSURES]
        return len({one.record_id for one in contents.of_records(tx, ids) if one.state == "kept"})


def offered(pair: Pair, visit: Visit) -> list[opening.Worked]:
    """Go on until the patient is asked."""
    done: list[opening.Worked] = []
    while not visit.requests():
        done += pair.work()
        assert len(done) < 40
    return done


ONCE = ("ClaimOpened", "ClaimDisclosed", "ClaimReceived", "ClaimAdjudicated", "ClaimAccepted")
PAID = Counter([*ONCE, "ClaimPaid", "ClaimFreed"])


# Two workers ----------------------------------------------------------------------------------


def test_two_workers_at_once_claim_a_visit_once(pair: Pair) -> None:
    visit = pair.visit()
    done = offered(pair, visit)
    [asked] = visit.requests()
    assert len({one.reference for one in asked.lines}) == len(asked.lines)
    claim = visit.disclose()
    done += pair.work()
    visit.decide(claim)
    billing_desk.accept(visit.node("north"), visit.biller, claim)
    visit.settle(claim)
    for _ in range(3):
        done += pair.work()
    assert sum(one.opened for one in done) == sum(one.disclosed for one in done) == 1
    assert happened(visit) == PAID
    assert written(visit) == {"Claim": 1, "DocumentReference": 1, "List": 1}
    [own] = visit.mine()
    assert (own.state, own.ended) == (ClaimState.PAID, True)
    assert still_sealed(visit) == 0


def meanwhile(
    patch: pytest.MonkeyPatch, place: Any, name: str, act: Callable[[], object]
) -> list[object]:
    """Have ``act`` done once, when somebody is in the middle of ``name``; what it gave."""
    inner, gave = getattr(place, name), []

    def called(*args: Any, **others: Any) -> Any:
        found = inner(*args, **others)
        if not gave:
            gave.append(None)
            gave[0] = act()
        return found

    patch.setattr(place, name, called)
    return gave


def test_a_worker_whose_step_another_one_did_meanwhile_leaves_it_at_that(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit, other = pair.visit(), pair.others["north"]

    def interrupted(place: Any, name: str) -> list[object]:
        return meanwhile(monkeypatch, place, name, lambda: opening.work(other))

    moments = {
        "it planned to open the claim": interrupted(opening, "_planned"),
        "it sealed what the insurer needs": interrupted(lines, "_seal_alone"),
        "it saw the consent": interrupted(advancing, "_opens"),
    }
    while not visit.requests():
        visit.work()
    claim = visit.disclose()
    visit.work()
    visit.decide(claim)
    billing_desk.accept(visit.node("north"), visit.biller, claim)
    visit.settle(claim)
    moments["it reckoned what is to be given back"] = interrupted(freeing, "total_of")
    for _ in range(3):
        visit.work()
    for moment, gave in moments.items():
        assert isinstance(gave[0], opening.Worked), moment
    assert happened(visit) == PAID
    assert written(visit) == {"Claim": 1, "DocumentReference": 1, "List": 1}
    assert still_sealed(visit) == 0
    with other.database.read() as tx:
        assert claims.begun(tx, now_ms=2**60) == []


def outcomes(*acts: Callable[[], object]) -> list[str]:
    """How acts that are done at once end."""

    def ended(act: Callable[[], object]) -> str:
        try:
            act()
        except Conflict:
            return "refused"
        return "done"

    return sorted(at_once(*(partial(ended, one) for one in acts)))


def test_two_clerks_at_once_decide_and_pay_once(pair: Pair) -> None:
    visit = pair.visit()
    claim = visit.disclosed()
    own, other = visit.node("east"), pair.others["east"]
    one, two = visit.clerk(), rights.ask(other, sign_in(other, "clerk.poe", WORD))
    case = visit.shown(claim)
    assert outcomes(
        lambda: deciding.decide(own, one, case),
        lambda: deciding.decide(other, two, case, deny=(Group.CONTRACT, "50")),
    ) == ["done", "refused"]
    if visit.state(claim) is ClaimState.DENIED:
        billing_desk.appeal(visit.node("north"), visit.biller, claim)
        visit.decide(claim)
    billing_desk.accept(visit.node("north"), visit.biller, claim)
    assert outcomes(
        lambda: paying.settle(own, one, claim), lambda: paying.settle(other, two, claim)
    ) == ["done", "refused"]
    assert happened(visit)["ClaimPaid"] == 1
    with own.database.read() as tx:
        assert len(claims.steps(tx, claim=claim, verb="settle")) == 1
        every = resources.of_vault(tx, visit.vault, categories=tuple(Category))
    assert [one.type for one in every].count("PaymentReconciliation") == 1


# Two providers --------------------------------------------------------------------------------


def test_a_service_that_two_hospitals_claim_is_noticed_before_the_second_one_is_paid(
    visiting: Visiting, network: Consortium, clock: Clock
) -> None:
    """Under one number of the visit, too, each has a tag of its own: the ledger can't tell."""
    first = visiting()
    doctor = Api.of(network["south"], "dr.lee", app=application(network["south"]))
    second = Visit.of(network, clock, doctor, first.number, codes=("80050",), hospital="south")
    second.enrol()
    assert second.vault != first.vault
    east = first.node("east")
    key = make_key(network, custodians=("north", "south"), persons=[SYSTEM])
    fingerprint_keys.adopt(east, key.encode())
    claim = first.disclosed()
    assert notice(east, first.shown(claim)) == ()
    first.decide(claim)
    assert notice(east, first.shown(claim)) == (), "a claim is no sign against itself"

    case = second.shown(second.disclosed())
    [sign] = notice(east, case)
    assert (sign.sign, sign.line, sign.other, sign.own) == (
        Sign.DUPLICATE, 1, east.organisation, True,
    )  # fmt: skip
    assert sign.reason.startswith("Another claim here has a line for the same patient, the same")


# After reversal, with changed lines -----------------------------------------------------------


def reversed_(visit: Visit) -> bytes:
    """A claim that was disclosed and reversed, with everything that follows done."""
    claim = visit.disclosed()
    billing_desk.reverse(visit.node("north"), visit.biller, claim)
    for _ in range(3):
        visit.work()
    assert still_sealed(visit) == 0
    return claim


def test_what_is_claimed_again_after_a_reversal_is_disclosed_whole(visit: Visit) -> None:
    visit.enrol()
    first = visit.disclosed()
    before = Counter(one["resourceType"] for one in visit.shown(first).record)
    billing_desk.reverse(visit.node("north"), visit.biller, first)
    for _ in range(3):
        visit.work()
    billing_desk.again(visit.node("north"), visit.biller, first)
    second = visit.disclosed()
    assert Counter(one["resourceType"] for one in visit.shown(second).record) == before
    assert still_sealed(visit) == len(visit.request().lines), "nothing is offered that was erased"


def test_the_next_insurer_goes_on_seeing_what_the_first_one_is_done_with(
    visiting: Visiting,
) -> None:
    visit = visiting(insurers=("east", "vale"))
    first = visit.disclosed()
    visit.decide(first)
    billing_desk.accept(visit.node("north"), visit.biller, first)
    visit.disclosed()
    lines_of_both = still_sealed(visit)
    visit.settle(first)
    for _ in range(2):
        visit.work()
    assert visit.mine()[-1].ended
    assert len(visit.request().lines) == still_sealed(visit) < lines_of_both


def test_claiming_again_twice_claims_once(visiting: Visiting) -> None:
    visit = visiting()
    north, first = visit.node("north"), reversed_(visit)
    billing_desk.again(north, visit.biller, first)
    billing_desk.again(north, visit.biller, first)
    second = visit.disclosed()
    assert len(visit.mine()) == 2
    with pytest.raises(Conflict):
        billing_desk.again(north, visit.biller, first)
    billing_desk.reverse(north, visit.biller, second)
    for _ in range(4):
        visit.work()
    assert len(visit.mine()) == 2, "what was reversed is claimed again on a word alone"


def test_lines_that_change_while_a_claim_runs_are_claimed_by_nobody_besides(
    visiting: Visiting,
) -> None:
    visit = visiting(insurers=("east", "vale"))
    first = visit.disclosed()
    visit.doctor.create(charge("99213", visit.subject, visit.encounter))
    visit.network.settle()
    for _ in range(3):
        visit.work()
    assert [one.claim for one in visit.mine()] == [first], "neither there nor at the next insurer"
    visit.decide(first)
    billing_desk.accept(visit.node("north"), visit.biller, first)
    visit.settle(first)
    second = visit.disclosed()
    [row] = visit.inbox("vale")
    assert row.claim == second
    assert row.claimed.minor == 40_000 - 15_300, "the cost as it is now, less what is paid"
