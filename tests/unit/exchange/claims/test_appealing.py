"""The patient's own appeal on the real contracts, and everybody who may not make it."""

from __future__ import annotations

from base64 import b64decode

import msgspec
import pytest

from simdes.claims.reasons import Group
from simdes.errors import Conflict, Forbidden, Invalid, NotFound, Tampered
from simdes.exchange.claims import appealing, billing_desk, steps
from simdes.fhir.json import loads
from simdes.index import claims
from simdes.ledger.claims import next_shown, voice_of
from simdes.ledger.contracts import ClaimState
from simdes.proofs.claim_openings import decode, encode
from simdes.proofs.openings import number
from support.claim_scene import Visit
from unit.exchange.claims.conftest import Visiting

WHY = "The panel was ordered by my doctor."
DENIED = (Group.CONTRACT, "50")


@pytest.fixture
def denied(visiting: Visiting) -> tuple[Visit, bytes]:
    """A visit whose claim was denied, and the claim."""
    visit = visiting(codes=("99213",))
    claim = visit.disclosed()
    visit.decide(claim, deny=DENIED)
    return visit, claim


def opened(resource: bytes) -> bytes:
    """A resource with what is attached to it."""
    attached = loads(resource).get("content") or [{"attachment": {"data": ""}}]
    return resource + b64decode(attached[0]["attachment"]["data"])


def appeal(visit: Visit, claim: bytes, why: str = WHY) -> None:
    appealing.appeal(visit.node("north"), visit.patient, claim, why)
    visit.network.settle()


def test_a_patient_appeals_and_the_insurer_reads_why(denied: tuple[Visit, bytes]) -> None:
    visit, claim = denied
    appeal(visit, claim)
    assert visit.state(claim) is ClaimState.APPEALED
    [row] = visit.inbox()
    assert (row.appeals, row.readable) == (1, True)
    [message] = visit.shown(claim).appeals
    assert message["payload"] == [{"contentString": WHY}]
    visit.decide(claim)
    assert visit.state(claim) is not ClaimState.APPEALED


def test_a_patient_appeals_three_times_each_with_a_secret_of_its_own(
    denied: tuple[Visit, bytes],
) -> None:
    visit, claim = denied
    contract = visit.node("north").contracts.claims
    voices = [contract.claim(number(claim)).voice]
    for at in range(3):
        appeal(visit, claim, f"{WHY} {at}")
        visit.decide(claim, deny=DENIED)
        voices.append(contract.claim(number(claim)).voice)
    assert len(set(voices)) == 4
    assert len(visit.shown(claim).appeals) == 3
    with pytest.raises(Conflict, match="as often as it can be"):
        appeal(visit, claim)


def test_refusals_say_why_and_write_nothing(visit: Visit) -> None:
    visit.enrol()
    claim = visit.disclosed()
    with pytest.raises(Conflict, match="not decided yet"):
        appeal(visit, claim)
    visit.decide(claim)
    assert visit.state(claim) is ClaimState.PARTLY
    for words in ("", "  ", "x" * 2_001):
        with pytest.raises(Invalid, match="Say why"):
            appeal(visit, claim, words)
    before = len(visit.request().lines)
    billing_desk.accept(visit.node("north"), visit.biller, claim)
    with pytest.raises(Conflict, match="provider accepted"):
        appeal(visit, claim)
    visit.settle(claim)
    with pytest.raises(Conflict, match="is paid"):
        appeal(visit, claim)
    assert len(visit.requests()) == 1 and len(visit.request().lines) == before


def test_too_late_is_said_and_so_is_what_is_appealed_already(
    denied: tuple[Visit, bytes],
) -> None:
    visit, claim = denied
    appeal(visit, claim)
    with pytest.raises(Conflict, match="appealed already"):
        appeal(visit, claim)
    visit.decide(claim, deny=DENIED)
    visit.clock.ahead_seconds += 61 * 86_400
    with pytest.raises(Conflict, match="time to appeal is over"):
        appeal(visit, claim)


def test_a_claim_without_a_secret_is_the_providers_to_appeal(
    visiting: Visiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appealing, "voice", lambda node, claim: bytes(32))
    visit = visiting(codes=("99213",))
    claim = visit.disclosed()
    visit.decide(claim, deny=DENIED)
    with pytest.raises(Conflict, match="without a secret"):
        appeal(visit, claim)
    billing_desk.appeal(visit.node("north"), visit.biller, claim)


def test_with_the_patients_copy_any_organisation_sends_the_appeal(
    denied: tuple[Visit, bytes],
) -> None:
    visit, claim = denied
    copy = appealing.own_copy(visit.node("north"), visit.patient, claim)
    assert appealing.appeal_with(visit.node("south"), copy) == claim
    assert visit.state(claim) is ClaimState.APPEALED
    visit.decide(claim, deny=DENIED)
    appeal(visit, claim)
    visit.decide(claim, deny=DENIED)
    appealing.appeal_with(visit.node("vale"), copy)
    assert visit.state(claim) is ClaimState.APPEALED


# Abuse ------------------------------------------------------------------------------------------


def test_nobody_but_the_patient_appeals_for_them_or_gets_their_copy(
    denied: tuple[Visit, bytes], visiting: Visiting
) -> None:
    visit, claim = denied
    other, north = visiting(), visit.node("north")
    for verb in (lambda who: appealing.appeal(north, who, claim, WHY),
                 lambda who: appealing.own_copy(north, who, claim)):  # fmt: skip
        with pytest.raises(NotFound):
            verb(other.patient)
        for somebody in (visit.biller, visit.clerk()):
            with pytest.raises(Forbidden):
                verb(somebody)
    assert visit.state(claim) is ClaimState.DENIED
    payers = visit.shown(claim).opening
    assert payers.voice == b"", "the payer's copy has no secret"
    with pytest.raises(Invalid, match="no patient's copy"):
        appealing.appeal_with(visit.node("east"), encode(payers))


def test_a_secret_is_no_good_for_another_claim_or_twice(
    denied: tuple[Visit, bytes], visiting: Visiting
) -> None:
    visit, claim = denied
    other = visiting(codes=("99213",))
    theirs = other.disclosed()
    other.decide(theirs, deny=DENIED)
    south, contract = visit.node("south"), visit.node("south").contracts.claims
    mine = decode(appealing.own_copy(visit.node("north"), visit.patient, claim))
    copy = decode(appealing.own_copy(visit.node("north"), other.patient, theirs))
    with pytest.raises(Forbidden, match="secret"):
        appealing.appeal_with(south, encode(msgspec.structs.replace(copy, voice=mine.voice)))
    with pytest.raises(Tampered):
        appealing.appeal_with(south, encode(msgspec.structs.replace(copy, claim=mine.claim)))

    shown = next_shown(mine.voice, contract.claim(number(claim)).voice)
    for secret in (bytes(32), mine.voice, voice_of(mine.voice)):
        with pytest.raises(Forbidden):
            south.agent.transact(contract.appeal_for(number(claim), secret))
    with pytest.raises(Forbidden):
        south.agent.transact(contract.appeal_for(number(theirs), shown))
    south.agent.transact(contract.appeal_for(number(claim), shown))
    visit.decide(claim, deny=DENIED)
    with pytest.raises(Forbidden):
        south.agent.transact(contract.appeal_for(number(claim), shown))
    assert visit.state(claim) is ClaimState.DENIED


def test_the_secret_is_nowhere_but_follows_from_what_backups_keep(
    denied: tuple[Visit, bytes],
) -> None:
    visit, claim = denied
    north = visit.node("north")
    secret = appealing.secret_of(north, number(claim))
    assert decode(appealing.own_copy(north, visit.patient, claim)).voice == secret
    assert appealing.secret_of(visit.node("south"), number(claim)) != secret
    known = north.contracts.claims.claim(number(claim))
    assert known.voice == voice_of(secret) and secret != known.voice
    with north.database.read() as tx:
        [step] = claims.steps(tx, claim=claim, verb="open")
    assert all(secret not in opened(one) for one in steps.content_of(north, step).made)


def test_the_words_of_one_claim_are_not_shown_with_another(visiting: Visiting) -> None:
    visit = visiting(codes=("99213",))
    first = visit.disclosed()
    visit.decide(first, deny=DENIED)
    appeal(visit, first)
    visit.once_more(("80050",))
    second = visit.disclosed()
    assert second != first
    assert visit.shown(second).appeals == []
    assert len(visit.shown(first).appeals) == 1
