"""About how many would a study find: counted where they are, with noise, within a budget."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from statistics import mean
from unittest import mock

import pytest

from simdes import app
from simdes.access.asking import ask
from simdes.access.audit_event import Verb
from simdes.access.categories import Purpose, Role
from simdes.access.desk import Limits
from simdes.access.messages import CountBody, CriterionBody
from simdes.errors import Forbidden, Invalid, NotFound, TooLarge
from simdes.exchange import enrolment
from simdes.exchange.custody import CustodyDesk
from simdes.exchange.research import answering, feasibility
from simdes.exchange.research.studies import Asked
from simdes.exchange.signin import Session
from simdes.index import counts
from simdes.research.counting import Terms
from support import consortium, researching
from support.consortium import Clock, Consortium
from support.fhir_api import Api
from support.researching import A1C, PERCENT

PLAIN = Terms(smallest=1)
HIGH = (Asked(codes=((A1C, PERCENT),), least=6_500, most=14_000),)
OTHER = ("http://loinc.org", "8302-2")


@pytest.fixture(scope="module")
def people(researched: tuple[Consortium, Clock], doctor: Api) -> None:
    """Five with a high result at the hospital, and two with a low one."""
    for number, value in enumerate((7.1, 7.4, 8.0, 9.0, 9.9, 5.0, 5.5)):
        researching.patient(researched[0], doctor, f"count-{number}", value=value)


@pytest.fixture
def exact() -> Iterator[None]:
    """Without noise and without small cells, to see what is counted."""
    with (
        mock.patch.object(answering.counting, "noisy_count", lambda count, epsilon: count),
        mock.patch.object(answering, "TERMS", PLAIN),
    ):
        yield


def researcher(network: Consortium, user: str, *, member: str = "south") -> Session:
    node = network[member].node
    admin = network.session(member, app.ADMINISTRATOR)
    with consortium.cheap_locks():
        enrolment.add_person(
            node, admin, user, role=Role.RESEARCHER, passphrase=consortium.passphrase_of(user)
        )
    return network.session(member, user)


def limited(network: Consortium, member: str, limits: Limits) -> None:
    """Give a member other limits, as its operator would, and begin anew."""
    one = network[member]
    node = one.node
    again = CustodyDesk(replace(node.desk, limits=limits), node.following)
    app._here.open(node.organisation, again.answer)


def wording(number: int, code: tuple[str, str] = A1C) -> tuple[Asked, ...]:
    """The same people in other words: a code that nobody has, another each time."""
    return (Asked(codes=((code, PERCENT), (("urn:none", str(number)), PERCENT)), least=6_500),)


def counted(
    network: Consortium, session: Session, asked: tuple[Asked, ...], *, at: str = "north"
) -> feasibility.Counted:
    node = network["south"].node
    found = feasibility.feasibility(
        node, session, asked, organisations=[network[at].node.organisation]
    )
    [one] = found.counted
    return one


@pytest.mark.usefixtures("people", "exact")
def test_every_organisation_counts_its_own_patients_once(network: Consortium, doctor: Api) -> None:
    ray = network.session("south", "prof.ray")
    found = feasibility.feasibility(network["south"].node, ray, HIGH)
    told = {one.name: one.count for one in found.counted}
    high = told.pop("Hospital North")
    assert high is not None
    assert high >= 5
    assert set(told.values()) == {None}
    assert (found.total, found.small, found.silent) == (high, 2, 0)
    lower = (Asked(codes=((A1C, PERCENT),), least=0, most=6_499),)
    both = counted(network, ray, HIGH + lower)
    assert both.count is None, "nobody has both a high and a low one"
    born = Asked(codes=((("http://loinc.org", "21112-8"), ("", "")),), least=20_000, most=30_000)
    assert counted(network, ray, (*HIGH, born)).count == high
    late = replace_born(born, least=29_000)
    assert counted(network, ray, (*HIGH, late)).count is None


def replace_born(asked: Asked, *, least: int) -> Asked:
    return Asked(codes=asked.codes, least=least, most=asked.most)


@pytest.mark.usefixtures("people")
def test_small_cells_are_told_as_small_and_noise_is_drawn_once_a_month(
    network: Consortium, clock: Clock
) -> None:
    ray = network.session("south", "prof.ray")
    asked = wording(1)
    with mock.patch.object(answering.counting, "noisy_count", lambda count, epsilon: 19):
        first = counted(network, ray, asked)
    assert first.answered
    assert (first.count, first.fewer_than, first.margin) == (None, 20, 30)
    again = counted(network, ray, asked)
    assert again.left == first.left, "asking again costs nothing"
    friend = researcher(network, "prof.kay")
    same = Asked(codes=asked[0].codes[::-1], least=6_500)
    theirs = counted(network, friend, (same, same))
    assert theirs.left == 20, "another order of the same is the same question, of anybody"
    question = answering.question_of(body(asked), now_seconds=int(clock()))
    with network["north"].node.database.read() as tx:
        kept = counts.answered(tx, question)
    assert kept is not None
    month = int(clock()) + 40 * 86_400
    assert answering.question_of(body(asked), now_seconds=month) != question


def body(asked: tuple[Asked, ...]) -> CountBody:
    return CountBody(
        criteria=tuple(
            CriterionBody(
                codes=one.codes, least=one.least, most=one.most, within_days=one.within_days
            )
            for one in asked
        )
    )


@pytest.mark.usefixtures("people")
def test_a_budget_is_not_passed_by_asking_at_once_nor_after_a_restart(network: Consortium) -> None:
    limited(network, "north", Limits(counts_of_researcher=5, counts_of_organisation=1_000))
    eve = researcher(network, "prof.eve")
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda n: counted(network, eve, wording(100 + n)), range(16)))
    assert sum(one.answered for one in found) == 5
    assert {one.reason for one in found} == {"", "BUDGET"}
    limited(network, "north", Limits(counts_of_researcher=5, counts_of_organisation=1_000))
    assert counted(network, eve, wording(200)).reason == "BUDGET", "it is kept, not remembered"
    answered = next(n for n, one in enumerate(found) if one.answered)
    assert counted(network, eve, wording(100 + answered)).answered, "what was answered stays so"
    node = network["north"].node
    with node.database.read() as tx:
        account = f"account:0x{eve.actor.account.hex()}"
        assert counts.spent(tx, account) == 5 * answering.TERMS.epsilon
    network.up("north")


@pytest.mark.usefixtures("people")
def test_friends_share_their_organisations_budget(network: Consortium) -> None:
    node = network["north"].node
    south = network["south"].node.organisation
    with node.database.read() as tx:
        spent = counts.spent(tx, f"organisation:0x{south.hex()}") // answering.TERMS.epsilon
    limited(network, "north", Limits(counts_of_organisation=spent + 3))
    friends = [researcher(network, f"prof.{one}") for one in ("abe", "ben")]
    told = [counted(network, friends[n % 2], wording(300 + n)) for n in range(6)]
    assert [one.answered for one in told] == [True] * 3 + [False] * 3
    assert told[2].left == 0
    limited(network, "north", Limits(counts_of_organisation=0))
    assert counted(network, friends[0], wording(400)).reason == "BUDGET"
    network.up("north")


@pytest.mark.usefixtures("people")
def test_averaging_over_wordings_and_differences_do_not_tell_one_person(
    network: Consortium,
) -> None:
    """The attacker knows all but one of those counted, and spends a whole budget on that one."""
    right = 0
    rounds = 40
    noise = answering.counting.noisy_count
    for number in range(rounds):
        truth = 100 + number % 2
        answers = [noisy for n in range(20) if (noisy := noise(truth, answering.TERMS.epsilon))]
        right += (mean(answers) > 100.5) == (truth == 101)
    assert right < 0.9 * rounds, "certain without a budget; a guess is right half the time"
    eve = researcher(network, "prof.avi")
    told = [counted(network, eve, wording(500 + n)) for n in range(21)]
    assert [one.answered for one in told] == [True] * 20 + [False]


@pytest.mark.usefixtures("people")
def test_who_is_no_researcher_gets_no_count_and_every_question_is_on_record(
    network: Consortium,
) -> None:
    south, north = network["south"].node, network["north"].node
    lee, ray = network.session("south", "dr.lee"), network.session("south", "prof.ray")
    with pytest.raises(Forbidden):
        feasibility.feasibility(south, lee, HIGH)
    with pytest.raises(Forbidden, match="WRONG_ROLE"):
        ask(south.caller(lee.key), north.organisation, "count", body(HIGH))
    assert counted(network, ray, wording(600)).answered
    entries = north.desk.trail.entries(north.database, limit=100_000)
    ours = [one.attempt for _, one in entries if one.attempt.verb is Verb.COUNT]
    assert [(one.account, one.reason) for one in ours[-2:]] == [
        (lee.actor.account, "WRONG_ROLE"),
        (ray.actor.account, ""),
    ]
    assert {one.purpose for one in ours} == {Purpose.HRESCH}
    assert {one.vault for one in ours} == {None}
    assert {"", "BUDGET"} <= {one.reason for one in ours}


@pytest.mark.usefixtures("people")
def test_who_does_not_answer_is_named_and_the_others_are_told(network: Consortium) -> None:
    ray = network.session("south", "prof.ray")
    network.down("east")
    found = feasibility.feasibility(network["south"].node, ray, wording(700))
    network.up("east")
    silent = [one for one in found.counted if not one.answered]
    assert [(one.name, one.reason, one.left) for one in silent] == [
        ("Insurer East", "UNAVAILABLE", -1)
    ]
    assert found.silent == 1
    assert sum(one.answered for one in found.counted) == 2
    with pytest.raises(NotFound):
        feasibility.feasibility(network["south"].node, ray, HIGH, organisations=[b"x" * 32])


def test_the_margin_of_a_total_grows_as_independent_noise_does() -> None:
    one = feasibility.Counted(organisation=b"", name="", count=100, fewer_than=20, margin=30)
    assert feasibility.Feasibility(counted=(one,)).margin == 30
    four = feasibility.Feasibility(counted=(one,) * 4)
    assert (four.total, four.margin) == (400, 60)


@pytest.mark.parametrize(
    "asked",
    [
        {"criteria": []},
        {"criteria": [{"codes": []}]},
        {"criteria": [{"codes": [[["a", "b"], ["", ""]]], "least": 3, "most": 2}]},
        {"criteria": [{"codes": [[["a", "b"], ["", ""]]]}] * 9},
        {"criteria": [{"codes": [[["a", "b"], ["", ""]]], "where": "1=1"}]},
    ],
    ids=["nothing", "no code", "no bounds", "too many", "unknown member"],
)
def test_questions_that_are_none_are_refused_and_cost_nothing(
    network: Consortium, asked: dict[str, object]
) -> None:
    south, north = network["south"].node, network["north"].node
    ray = network.session("south", "prof.ray")
    account = f"account:0x{ray.actor.account.hex()}"
    with north.database.read() as tx:
        before = counts.spent(tx, account)
    with pytest.raises(Invalid):
        ask(south.caller(ray.key), north.organisation, "count", asked)
    with north.database.read() as tx:
        assert counts.spent(tx, account) == before


def test_questions_have_a_rate_of_their_own(network: Consortium) -> None:
    limited(network, "north", Limits(counts_per_minute=2, counts_of_researcher=0))
    south, ray = network["south"].node, network.session("south", "prof.ray")
    north = network["north"].node.organisation
    for expected in ("BUDGET", "BUDGET", "Too many"):
        with pytest.raises(TooLarge, match=expected):
            ask(
                south.caller(ray.key),
                north,
                "count",
                json.loads(b'{"criteria": [{"codes": [[["x", "y"], ["", ""]]]}]}'),
            )
    network.up("north")
