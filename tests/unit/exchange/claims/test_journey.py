"""A claim from a finished encounter to its payment, in one process; each refusal on the way."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.message import Message

import pytest

from simdes.claims.reasons import Group
from simdes.claims.responses import Outcome
from simdes.errors import Conflict, Forbidden, NotFound
from simdes.exchange import notices
from simdes.exchange.claims import billing_desk, cases, deciding, disclosing, paying
from simdes.exchange.mail import news, sealing, sending, words
from simdes.exchange.mail.kinds import CLAIM
from simdes.exchange.submit import Accepted
from simdes.index import mail as rows
from simdes.index import vaults
from simdes.ledger.contracts import ClaimState
from simdes.proofs.openings import number as number_of
from support.claim_scene import Visit, charge, today
from support.consortium import Clock, Consortium
from support.fhir_api import Api
from support.messages import admission, charges, pv1
from unit.exchange.claims.conftest import Visiting


def write_to(visit: Visit) -> None:
    """Let the patient have an address, for mails about claims."""
    node = visit.node("north")
    with node.database.transaction() as tx:
        known = vaults.get(tx, visit.vault)
        assert known is not None and known.control is not None
        account = known.control
        vault, wrapped = sealing.seal(node, tx, account, "patient@example.net")
        rows.put(
            tx,
            rows.Address(
                account=account,
                vault=vault,
                address_wrapped=wrapped,
                stop=bytes(16),
                language="en",
                kinds=CLAIM,
                most=3,
                digest=0,
                confirmed_ms=node.now_ms(),
            ),
        )


def mails(visit: Visit) -> list[Message]:
    """The mails that arrived, once what is new has gathered."""
    node = visit.node("north")
    visit.clock.ahead_seconds += news.GATHER_MS / 1000 + 1
    while sending.work(node, name="test"):
        pass
    files = sorted((visit.network["north"].data / "mails").glob("*.eml"))
    return [message_from_bytes(one.read_bytes()) for one in files]


def test_a_claim_opens_by_itself_is_disclosed_decided_and_paid(visit: Visit) -> None:
    north, east = visit.network["north"].node, visit.network["east"].node
    visit.enrol()
    write_to(visit)
    first = visit.work()
    assert (first.stated, first.opened) == (2, 1)
    assert visit.work().offered == 1
    assert visit.work().opened == 0
    [asked] = visit.requests()
    kinds = [one.reference.partition("/")[0] for one in asked.lines]
    assert sorted(kinds) == sorted(
        ["Claim", "Patient", "Coverage", "Encounter", "DocumentReference", "Condition"]
    )
    assert asked.insurer == east.organisation
    assert visit.inbox() == []

    claim = visit.disclose()
    assert visit.work().disclosed == 1
    [row] = visit.inbox()
    assert (row.claim, str(row.claimed), row.approved) == (claim, "320.00 EUR", None)
    case = visit.shown(claim)
    assert sorted(one["resourceType"] for one in case.record) == sorted(kinds)
    assert case.known.state is ClaimState.DISCLOSED

    clerk = visit.clerk()
    assert deciding.decide(east, clerk, case, dry_run=True).outcome is Outcome.PARTLY
    assert visit.state(claim) is ClaimState.DISCLOSED
    decision = deciding.decide(east, clerk, case)
    assert [str(one["amount"]["value"]) for one in decision.response["total"]] == [
        "320.00",
        "153.00",
        "167.00",
    ]
    with pytest.raises(Conflict, match="appealed"):
        paying.settle(east, clerk, claim)
    billing_desk.accept(north, visit.biller, claim)
    payment = paying.settle(east, clerk, claim)
    assert str(payment.amount) == "153.00 EUR"
    assert visit.state(claim) is ClaimState.PAID

    visit.network.settle()
    assert mails(visit) == []
    assert visit.work().ended == 1
    [told] = mails(visit)
    assert told["Subject"] == words.subject(words.NEWS, "en"), "the patient is told, once"
    drawn = r"https?://\S+|(?m:^(?:Message-ID|Date):.*$)"  # digits of which some may be an amount's
    said = re.sub(drawn, "", told.as_string())
    assert all(one not in said for one in ("320", "153", "claim", "Claim"))
    [row] = visit.inbox()
    assert (row.readable, str(row.approved)) == (False, "153.00 EUR")
    with pytest.raises(NotFound):
        visit.shown(claim)
    [own] = visit.mine()
    assert (own.state, own.ended) == (ClaimState.PAID, True)
    the_payment_is_taken_back(visit, claim)


def the_payment_is_taken_back(visit: Visit, claim: bytes) -> None:
    """The patient hears of it, and the cost can be claimed again."""
    east, north = visit.node("east"), visit.node("north")
    before = len(mails(visit))
    paying.reverse(east, visit.clerk(), claim)
    north.following.catch_up()
    assert visit.work().ended == 1
    [newest] = [one for one in notices.listed(north, visit.patient.session) if one.claim == claim]
    assert newest.kind == notices.CLAIMS[ClaimState.REVERSED]
    assert len(mails(visit)) == before + 1
    assert north.contracts.claims.claim(number_of(claim)).counted == 0
    assert visit.work().ended == 0, "once"


def test_a_stay_that_patient_administration_and_charges_tell_of_is_paid(
    network: Consortium, clock: Clock, doctor: Api
) -> None:
    """HL7 v2: admission and discharge (ADT), the charges (DFT) when the patient has long left."""
    number, day = "adt-dft", today(clock).replace("-", "")
    over = pv1(number, ended=f"{day}000200")
    insured = ("IN1|1|BASIC|east^^^NAIC|Insurer East||||||||20200101",)
    for at, one in enumerate(
        (
            admission("A01", sent=f"{day}000100", number=number, stay=pv1(number), more=insured),
            admission("A03", sent=f"{day}000200", number=number, stay=over, control="a2"),
            charges(number, pv1(number), sent=f"{day}000300", day=day, amount="400&EUR"),
        )
    ):
        [answer] = network.submit("north", f"{at}.hl7", one)
        assert isinstance(answer, Accepted)
    network.settle()
    visit = Visit(network, clock, doctor, number, answer.vaults[0], {}, {}, {})
    visit.enrol()
    claim = visit.disclosed()
    assert [str(one.claimed) for one in visit.inbox()] == ["400.00 EUR"]
    visit.decide(claim)
    billing_desk.accept(visit.node("north"), visit.biller, claim)
    assert visit.settle(claim) == "225.00 EUR"
    assert visit.state(claim) is ClaimState.PAID


def test_the_next_insurer_is_asked_for_what_the_first_one_leaves(visiting: Visiting) -> None:
    visit = visiting(insurers=("east", "vale"))
    first = visit.disclosed()
    visit.decide(first)
    for _ in range(2):
        visit.work()
    assert len(visit.mine()) == 1, "the first one can still be appealed"
    billing_desk.accept(visit.node("north"), visit.biller, first)
    while len(visit.mine()) == 1:
        visit.work()
    second = visit.disclosed()
    assert second != first
    assert visit.inbox("vale")[0].claimed.minor == 32_000 - 15_300
    shown = visit.shown(second, "vale")
    assert [one.get("claimResponse") is not None for one in shown.claim["insurance"]] == [
        True,
        False,
    ]
    visit.decide(second, "vale")
    billing_desk.accept(visit.node("north"), visit.biller, second)
    # 167.00 left, less the deductible of 150.00 and a tenth.
    assert (visit.settle(first), visit.settle(second, "vale")) == ("153.00 EUR", "15.30 EUR")
    visit.work()
    visit.work()
    assert all(one.ended for one in visit.mine())


def test_a_denied_claim_is_appealed_then_denied_for_good_and_asked_of_the_next(
    visiting: Visiting,
) -> None:
    visit = visiting(insurers=("east", "vale"), codes=("99213",))
    first = visit.disclosed()
    visit.decide(first, deny=(Group.CONTRACT, "50"))
    assert visit.state(first) is ClaimState.DENIED
    with pytest.raises(Conflict):
        visit.settle(first)
    billing_desk.appeal(visit.node("north"), visit.biller, first)
    assert visit.state(first) is ClaimState.APPEALED
    visit.decide(first, deny=(Group.CONTRACT, "50"), note="Still not necessary")
    visit.clock.ahead_seconds += 61 * 86_400
    visit.work()
    visit.work()
    assert visit.mine()[-1].ended
    second = visit.disclosed()
    assert visit.inbox("vale")[0].claimed.minor == 8_000
    assert visit.state(second) is ClaimState.DISCLOSED


def test_what_is_asked_for_besides_is_seen_once_the_patient_lets_it(visit: Visit) -> None:
    visit.enrol()
    claim = visit.disclosed()
    report = visit.doctor.create(
        {
            "resourceType": "Observation",
            "status": "final",
            "code": {"text": "What the insurer asked for"},
            "subject": visit.subject,
        }
    )
    visit.network.settle()
    east, north = visit.node("east"), visit.node("north")
    response = deciding.ask(east, visit.clerk(), visit.shown(claim), ["The measurement"])
    assert response["outcome"] == "queued"
    assert visit.work().disclosed == 0, "what was let before is not what was asked for"
    name = f"Observation/{report['id']}"
    billing_desk.answer(north, visit.biller, claim, [name])
    assert visit.work().disclosed == 0
    assert name in [one.reference for one in visit.requests()[0].lines]
    visit.disclose()
    assert visit.work().disclosed == 1
    types = [one["resourceType"] for one in visit.shown(claim).record]
    assert types.count("Observation") == 1
    deciding.ask(east, visit.clerk(), visit.shown(claim), ["Anything else"])
    billing_desk.answer(north, visit.biller, claim)
    assert visit.state(claim) is ClaimState.DISCLOSED


def test_a_reversed_claim_is_closed_freed_and_claimed_again_on_a_word(visit: Visit) -> None:
    visit.enrol()
    claim = visit.disclosed()
    north = visit.node("north")
    with pytest.raises(Conflict, match="Reverse"):
        billing_desk.again(north, visit.biller, claim)
    billing_desk.reverse(north, visit.biller, claim)
    with pytest.raises(NotFound):
        visit.shown(claim)
    visit.work()
    visit.work()
    [own] = visit.mine()
    assert (own.state, own.ended) == (ClaimState.REVERSED, True)
    assert north.contracts.claims.claim(number_of(claim)).counted == 0
    billing_desk.again(north, visit.biller, claim)
    assert visit.disclosed() != claim
    assert [str(one.claimed) for one in visit.inbox()] == ["320.00 EUR"]


def test_a_changed_cost_is_not_claimed_until_the_old_claim_ends(visit: Visit) -> None:
    visit.enrol()
    claim = visit.disclosed()
    visit.doctor.create(charge("99213", visit.subject, visit.encounter))
    visit.network.settle()
    for _ in range(2):
        visit.work()
    assert len(visit.mine()) == 1, "one claim of an encounter at a payer"
    billing_desk.reverse(visit.node("north"), visit.biller, claim)
    again = visit.disclosed()
    assert again != claim
    assert [str(one.claimed) for one in visit.inbox()] == ["400.00 EUR"]
    assert str(visit.shown(again).claim["total"]["value"]) == "400.00"


def test_by_preference_nothing_is_asked_of_the_patient(visit: Visit) -> None:
    visit.enrol()
    east = visit.node("east")
    disclosing.prefer(visit.node("north"), visit.patient, visit.vault, east.organisation)
    assert any(visit.work().disclosed for _ in range(4))
    [row] = visit.inbox()
    visit.decide(row.claim, deny=(Group.CONTRACT, "50"))
    disclosing.prefer(visit.node("north"), visit.patient, visit.vault, None)
    with pytest.raises(NotFound):
        visit.shown(row.claim)


def test_who_may_not_act_is_refused_and_changes_nothing(visit: Visit) -> None:
    visit.enrol()
    claim = visit.disclosed()
    north, east = visit.node("north"), visit.node("east")
    case, clerk, biller = visit.shown(claim), visit.clerk(), visit.biller
    for act in (
        lambda: deciding.decide(north, biller, case),
        lambda: cases.inbox(north, biller),
        lambda: paying.settle(north, biller, claim),
        lambda: billing_desk.accept(east, clerk, claim),
        lambda: billing_desk.mine(north, visit.patient),
        lambda: disclosing.disclose(north, biller, claim),
        lambda: disclosing.prefer(north, biller, visit.vault, east.organisation),
    ):
        with pytest.raises(Forbidden):
            act()
    assert visit.state(claim) is ClaimState.DISCLOSED
    with pytest.raises(NotFound):
        paying.settle(east, clerk, claim)
    with pytest.raises(NotFound):
        billing_desk.reverse(north, biller, bytes(32))


def test_what_was_used_up_and_paid_before_counts_in_the_next_claim(visit: Visit) -> None:
    visit.enrol()
    visit.decide(visit.disclosed())
    visit.once_more(("99213", "80050"))
    proposal = deciding.proposed(visit.node("east"), visit.shown(visit.disclosed())).proposal
    first, second = proposal.lines
    assert first.benefit == 7_200, "the deductible was used up before"
    assert [one.reason for one in second.adjustments] == ["18"], "it was paid on that day already"
