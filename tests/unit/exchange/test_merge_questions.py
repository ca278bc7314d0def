"""Patients accept a merge of records that they control, or nothing moves."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from simdes.access.accounts import suspend_account, verify_account
from simdes.access.audit_event import Attempt, Verb
from simdes.access.categories import Role
from simdes.app import ADMINISTRATOR
from simdes.crypto.digest import sha256
from simdes.crypto.keys import recover
from simdes.errors import Conflict, Forbidden, NotFound
from simdes.exchange import merge_questions, quarantine, replay
from simdes.exchange.own_trail import read_entry
from simdes.exchange.signin import Carried, Session
from simdes.exchange.submit import Accepted, Refused
from simdes.fhir.json import dumps, loads
from simdes.index import audit, merges
from simdes.index import merge_questions as rows
from simdes.index.merge_questions import Answer, Question
from simdes.mapper import map_bytes
from support.bundles import SYSTEM
from support.consortium import Clock, Consortium
from unit.exchange.test_merging import feed, held, leads_to, merge


def two(network: Consortium, who: str) -> tuple[bytes, bytes]:
    """Two numbers at north, each with a vault on the network: prior, survivor."""
    found = feed(network, f"{who}-old"), feed(network, f"{who}-new")
    network.settle("north")
    return found


def ask(network: Consortium, who: str, *, control: str = "1") -> Question:
    """Have north say that they are one person; what is asked of whoever has the records."""
    data = merge(f"{who}-new", f"{who}-old", control=control)
    [answer] = network.submit("north", "merge", data)
    assert isinstance(answer, Refused) and answer.code == "merge-needs-patient"
    return question_of(network, data)


def question_of(network: Consortium, data: bytes) -> Question:
    [message] = map_sources(network, data)
    with network["north"].node.database.read() as tx:
        return rows.of_message(tx, message)[0]


def map_sources(network: Consortium, data: bytes) -> list[bytes]:
    found = map_bytes("merge", data, site=network["north"].node.site)
    return [sha256(one.source) for one in found.messages]


def waiting(network: Consortium) -> quarantine.Entry:
    [found] = quarantine.listed(
        network["north"].node, None, quarantine.Selection(state=None)
    ).entries
    return found


def replayed(network: Consortium) -> str:
    node = network["north"].node
    return replay.replay(node, None, waiting(network).id).outcome


def became(network: Consortium, question: Question) -> str:
    node = network["north"].node
    with node.database.read() as tx:
        return merge_questions.became(node, tx, question)


def numbers(network: Consortium, who: str) -> tuple[bytes | None, bytes | None]:
    return leads_to(network, f"{who}-old"), leads_to(network, f"{who}-new")


def test_one_person_with_both_records_accepts_and_a_replay_joins_them(
    network: Consortium, who: str
) -> None:
    prior, survivor = two(network, who)
    session = network.enrol(prior, who)
    network.enrol(survivor, who)
    before = held(network, prior)
    question = ask(network, who)
    assert question.accounts == (session.actor.account,)
    assert (question.kept, question.moved) == (survivor, prior)
    assert replayed(network) == "refused" and numbers(network, who) == (prior, survivor)
    node = network["north"].node
    merge_questions.accept(node, session, question.id)
    assert waiting(network).code == "merge-accepted", "the administrator is told"
    assert numbers(network, who) == (prior, survivor), "nothing moves before the replay"
    assert replayed(network) == "replayed"
    assert numbers(network, who) == (survivor, survivor)
    assert {name for name in before if name[0] != "Patient"} <= set(held(network, survivor))
    assert became(network, question) == merge_questions.MOVED
    for vault in (prior, survivor):  # the answer, and that it was carried out
        by = [
            entry.attempt.role
            for _, entry in node.desk.trail.entries(node.database, vault=vault)
            if entry.attempt.verb is Verb.MERGE
        ]
        assert by == [Role.PATIENT, Role.AGENT]
    network.settle("north")


@pytest.mark.parametrize("controlled", ["old", "new"])
def test_where_one_record_is_nobodys_the_patients_own_is_the_one_that_goes_on(
    network: Consortium, who: str, controlled: str
) -> None:
    pair = dict(zip(("old", "new"), two(network, who), strict=True))
    mine = pair[controlled]
    session = network.enrol(mine, who)
    question = ask(network, who)
    assert question.kept == mine and question.accounts == (session.actor.account,)
    merge_questions.accept(network["north"].node, session, question.id)
    assert replayed(network) == "replayed"
    assert numbers(network, who) == (mine, mine)
    network.settle("north")
    later = feed(network, f"{who}-{'new' if controlled == 'old' else 'old'}", observations=3)
    assert later == mine
    with network["north"].node.database.read() as tx:
        assert [(one.prior, one.survivor, one.state) for one in merges.of(tx, mine)] == [
            (question.moved, mine, merges.MOVED)
        ]


def test_records_of_two_people_are_joined_only_if_both_accept(
    network: Consortium, who: str
) -> None:
    prior, survivor = two(network, who)
    one, other = network.enrol(prior, f"{who}-a"), network.enrol(survivor, f"{who}-b")
    question, node = ask(network, who), network["north"].node
    merge_questions.accept(node, one, question.id)
    assert waiting(network).code == "merge-needs-patient"
    assert replayed(network) == "refused" and numbers(network, who) == (prior, survivor)
    merge_questions.decline(node, other, question.id)
    assert waiting(network).code == "merge-declined"
    assert replayed(network) == "refused" and numbers(network, who) == (prior, survivor)
    assert waiting(network).code == "merge-declined"
    with pytest.raises(Conflict):
        merge_questions.accept(node, other, question.id)
    with pytest.raises(Conflict):
        merge_questions.decline(node, one, question.id)


def test_an_acceptance_is_kept_with_a_signature_of_exactly_what_was_asked(
    network: Consortium, who: str
) -> None:
    prior, _ = two(network, who)
    session, node = network.enrol(prior, who), network["north"].node
    question = ask(network, who)
    merge_questions.accept(node, session, question.id)
    with node.database.read() as tx:
        [kept] = rows.answers(tx, [question.id])
    said = merge_questions.statement(node, question, rows.ACCEPTED)
    assert recover(said, kept.signature) == session.actor.address == kept.address
    for name, value in {
        "message": bytes(32),
        "prior": question.survivor,
        "kept": question.moved,
        "prior_control": None,
        "survivor_control": bytes([7]) * 32,
        "until_seconds": question.until_seconds + 1,
    }.items():
        other = replace(question, **{name: value})
        assert merge_questions.statement(node, other, rows.ACCEPTED) != said, name
    south = network["south"].node
    assert merge_questions.statement(south, question, rows.ACCEPTED) != said
    assert merge_questions.statement(node, question, rows.DECLINED) != said


def test_somebody_elses_merge_is_not_found(network: Consortium, who: str) -> None:
    prior, _ = two(network, who)
    network.enrol(prior, who)
    question, node = ask(network, who), network["north"].node
    stranger = network.enrol(feed_one(network, f"{who}-x"), f"{who}-x")
    for verb in (merge_questions.accept, merge_questions.decline, merge_questions.withdraw):
        with pytest.raises(NotFound):
            verb(node, stranger, question.id)
        with pytest.raises(NotFound):
            verb(node, network.session("north", ADMINISTRATOR), question.id)
    assert became(network, question) == merge_questions.WAITING


def feed_one(network: Consortium, patient: str) -> bytes:
    vault = feed(network, patient)
    network.settle("north")
    return vault


def test_an_acceptance_counts_for_no_other_message(network: Consortium, who: str) -> None:
    prior, survivor = two(network, who)
    session, node = network.enrol(prior, who), network["north"].node
    question = ask(network, who)
    merge_questions.accept(node, session, question.id)
    changed = merge(f"{who}-new", f"{who}-old", control="2")
    [answer] = network.submit("north", "merge", changed)
    assert isinstance(answer, Refused) and answer.code == "merge-needs-patient"
    assert numbers(network, who) == (prior, survivor)
    other = question_of(network, changed)
    with node.database.read() as tx:
        [kept] = rows.answers(tx, [question.id])
    with node.database.transaction() as tx:  # somebody at the hospital copies the signature
        rows.answer(tx, replace(kept, question=other.id))
    with node.database.read() as tx:
        assert not merge_questions.agreed(node, tx, other)


def test_an_answer_that_the_account_did_not_sign_counts_for_nothing(
    network: Consortium, who: str
) -> None:
    prior, survivor = two(network, who)
    session, node = network.enrol(prior, who), network["north"].node
    question = ask(network, who)
    doctor = network.session("north", "dr.north")
    forged = Answer(
        question=question.id,
        account=session.actor.account,
        address=session.actor.address,
        state=rows.ACCEPTED,
        signature=doctor.key.sign(merge_questions.statement(node, question, rows.ACCEPTED)),
        answered_ms=node.now_ms(),
    )
    with node.database.transaction() as tx:
        rows.answer(tx, forged)
    assert replayed(network) == "refused" and numbers(network, who) == (prior, survivor)


def test_a_message_that_was_corrected_after_the_acceptance_is_asked_anew(
    network: Consortium, who: str
) -> None:
    prior, survivor = two(network, who)
    session, node = network.enrol(prior, who), network["north"].node
    question = ask(network, who)
    merge_questions.accept(node, session, question.id)
    corrected = merge(f"{who}-new", f"{who}-old", control="corrected")
    administrator = network.session("north", ADMINISTRATOR)
    quarantine.fix(node, administrator, waiting(network).id, corrected, why="another control id")
    assert became(network, question) == merge_questions.GONE
    assert replayed(network) == "refused" and numbers(network, who) == (prior, survivor)
    assert waiting(network).code == "merge-needs-patient"
    again = question_of(network, corrected)
    merge_questions.accept(node, session, again.id)
    assert replayed(network) == "replayed" and numbers(network, who) == (prior, prior)


def test_after_a_withdrawal_nothing_moves_and_nothing_can_be_accepted(
    network: Consortium, who: str
) -> None:
    prior, survivor = two(network, who)
    session, node = network.enrol(prior, who), network["north"].node
    question = ask(network, who)
    with pytest.raises(Conflict):
        merge_questions.withdraw(node, session, question.id)
    merge_questions.accept(node, session, question.id)
    merge_questions.withdraw(node, session, question.id)
    assert waiting(network).code == "merge-declined"
    assert replayed(network) == "refused" and numbers(network, who) == (prior, survivor)
    with pytest.raises(Conflict):
        merge_questions.accept(node, session, question.id)


def test_what_has_moved_can_not_be_withdrawn(network: Consortium, who: str) -> None:
    prior, _ = two(network, who)
    session, node = network.enrol(prior, who), network["north"].node
    question = ask(network, who)
    merge_questions.accept(node, session, question.id)
    assert replayed(network) == "replayed"
    with pytest.raises(Conflict):
        merge_questions.withdraw(node, session, question.id)


def test_somebody_who_gets_the_other_record_meanwhile_is_asked_too(
    network: Consortium, who: str
) -> None:
    prior, survivor = two(network, who)
    one, node = network.enrol(prior, f"{who}-a"), network["north"].node
    question = ask(network, who)
    merge_questions.accept(node, one, question.id)
    other = network.enrol(survivor, f"{who}-b")
    node.following.catch_up()
    assert became(network, question) == merge_questions.GONE
    assert replayed(network) == "refused" and numbers(network, who) == (prior, survivor)
    with node.database.read() as tx:
        found = rows.of_account(tx, other.actor.account)[0]
    assert (found.kept, set(found.accounts)) == (
        survivor,
        {one.actor.account, other.actor.account},
    )
    assert became(network, found) == merge_questions.WAITING


def test_a_dismissed_message_asks_nobody(network: Consortium, who: str) -> None:
    prior, _ = two(network, who)
    session, node = network.enrol(prior, who), network["north"].node
    question = ask(network, who)
    administrator = network.session("north", ADMINISTRATOR)
    quarantine.dismiss(node, administrator, waiting(network).id, why="two people after all")
    with pytest.raises(Conflict):
        merge_questions.accept(node, session, question.id)


def test_an_account_that_may_not_act_has_not_accepted(network: Consortium, who: str) -> None:
    prior, survivor = two(network, who)
    session, node = network.enrol(prior, who), network["north"].node
    question = ask(network, who)
    merge_questions.accept(node, session, question.id)
    lane = node.lane(network.session("north", ADMINISTRATOR).key)
    suspend_account(node.contracts, lane, session.actor.account)
    node.following.catch_up()
    assert replayed(network) == "refused" and numbers(network, who) == (prior, survivor)
    verify_account(node.contracts, lane, session.actor.account)
    node.following.catch_up()
    assert replayed(network) == "replayed"


def test_several_merges_in_one_message_are_asked_of_nobody(network: Consortium, who: str) -> None:
    """0016: such a message is taken apart by hand, as no answer would say what moves where."""
    prior, _ = two(network, who)
    other = feed_one(network, f"{who}-third")
    network.enrol(prior, who)
    both = loads(merge(f"{who}-new", f"{who}-old"))
    both["entry"] += loads(merge(f"{who}-new", f"{who}-third"))["entry"][1:]
    both["entry"][0]["resource"]["link"] += [
        {
            "other": {"reference": f"https://a.example/fhir/Patient/{who}-third"},
            "type": "replaces",
        }
    ]
    [answer] = network.submit("north", "merges", dumps(both))
    assert isinstance(answer, Refused) and answer.code == "merge-needs-patient"
    with network["north"].node.database.read() as tx:
        assert [one.state for one in merges.of(tx, prior)] == [merges.WAITING]
        assert not [one for one in merges.of(tx, other) if one.state == merges.MOVED]
        row = tx.one("SELECT count(*) FROM merge_question WHERE prior = :tag", tag=prior)
    assert row is not None and row[0] == 0


def chained(*patients: tuple[tuple[str, ...], str]) -> bytes:
    """One message with a Patient for each (its numbers, the number that it replaces)."""
    entries = []
    for place, (here, gone) in enumerate(patients):
        other = {"identifier": {"system": SYSTEM, "value": gone}}
        patient = {
            "resourceType": "Patient",
            "id": f"p{place}",
            "identifier": [{"system": SYSTEM, "value": one} for one in here],
            "link": [{"other": other, "type": "replaces"}],
        }
        url = f"https://a.example/fhir/Patient/p{place}"
        entries.append({"fullUrl": url, "resource": patient})
    return dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})


def test_no_patients_record_is_joined_through_a_number_that_was_unknown(
    network: Consortium, who: str
) -> None:
    """Of one message: the new number replaces an unknown one, which replaces the old one."""
    prior, survivor = two(network, who)
    network.enrol(prior, who)
    data = chained(((f"{who}-new",), f"{who}-x"), ((f"{who}-x",), f"{who}-old"))
    [answer] = network.submit("north", "merge", data)
    assert isinstance(answer, Refused) and answer.code == "merge-needs-patient"
    assert numbers(network, who) == (prior, survivor) and leads_to(network, f"{who}-x") is None
    assert became_moved(network, prior) == []


def test_no_merge_that_was_accepted_brings_a_third_record_along(
    network: Consortium, who: str
) -> None:
    prior, survivor = two(network, who)
    third = feed_one(network, f"{who}-third")
    session = network.enrol(survivor, who)
    network.enrol(third, f"{who}-third")
    data = chained(((f"{who}-new",), f"{who}-old"), ((f"{who}-new", f"{who}-old"), f"{who}-third"))
    [answer] = network.submit("north", "merge", data)
    assert isinstance(answer, Refused) and answer.code == "merge-needs-patient"
    with network["north"].node.database.read() as tx:
        assert rows.of_account(tx, session.actor.account) == [], "as of all that is several merges"
    assert numbers(network, who) == (prior, survivor)
    assert leads_to(network, f"{who}-third") == third and became_moved(network, third) == []


def test_a_message_that_is_refused_behind_its_merge_joins_nothing(
    network: Consortium, who: str
) -> None:
    """0016: it is accepted as a whole or not at all, also where the merge was accepted."""
    prior, survivor = two(network, who)
    for number in ("a", "b"):
        feed_one(network, f"{who}-{number}")
    session, node = network.enrol(prior, who), network["north"].node
    found = loads(chained(((f"{who}-new",), f"{who}-old")))
    mixed = [{"system": SYSTEM, "value": f"{who}-{number}"} for number in ("a", "b")]
    other = {"resourceType": "Patient", "id": "mixed", "identifier": mixed}
    found["entry"].append({"fullUrl": "https://a.example/fhir/Patient/mixed", "resource": other})
    data = dumps(found)
    network.submit("north", "merge", data)
    merge_questions.accept(node, session, question_of(network, data).id)
    assert replayed(network) == "refused"
    assert waiting(network).code == "identifiers-of-two-patients"
    assert numbers(network, who) == (prior, survivor) and became_moved(network, prior) == []


def became_moved(network: Consortium, vault: bytes) -> list[merges.Merge]:
    with network["north"].node.database.read() as tx:
        return [one for one in merges.of(tx, vault) if one.state == merges.MOVED]


def test_a_session_by_a_wallets_pass_answers_nothing(network: Consortium, who: str) -> None:
    prior, _ = two(network, who)
    session, node = network.enrol(prior, who), network["north"].node
    question = ask(network, who)
    by_wallet = replace(session, by=cast(Carried, object()))
    for verb in (merge_questions.accept, merge_questions.decline):
        with pytest.raises(Forbidden, match="wallet"):
            verb(node, by_wallet, question.id)
        with pytest.raises(Forbidden, match="signature"):
            verb(node, by_wallet, question.id, signature=bytes(65))
    assert became(network, question) == merge_questions.WAITING


def test_a_signature_that_a_wallet_made_elsewhere_counts_for_its_answer_alone(
    network: Consortium, who: str
) -> None:
    prior, _ = two(network, who)
    session, node = network.enrol(prior, who), network["north"].node
    question = ask(network, who)
    by_wallet = replace(session, by=cast(Carried, object()))
    no = session.key.sign(merge_questions.to_sign(node, session, question.id, False).digest)
    yes = session.key.sign(merge_questions.to_sign(node, session, question.id, True).digest)
    for wrong in (no, network.session("north", "dr.north").key.sign(bytes(32)), yes[:-1], b""):
        with pytest.raises(Forbidden, match="signature"):
            merge_questions.accept(node, by_wallet, question.id, signature=wrong)
    merge_questions.accept(
        node, by_wallet, question.id, signature=yes[:-1] + bytes((yes[-1] - 27,))
    )
    with pytest.raises(Conflict):
        merge_questions.to_sign(node, session, question.id, True)
    assert replayed(network) == "replayed" and numbers(network, who) == (prior, prior)


A40 = "\r".join(
    (
        r"MSH|^~\&|REG|NORTH|||20260101120000||ADT^A40|m1|P|2.5.1",
        "EVN||20260101120000",
        "PID|1||{new}^^^SITE^MR||Okafor^Rosa||19741130|F",
        "MRG|{old}^^^SITE^MR",
    )
)
A01 = A40.replace("A40", "A01").replace("MRG|{old}^^^SITE^MR", "PV1|1|O")


def test_a_merge_as_hl7_v2_sends_it_is_asked_accepted_and_carried_out(
    network: Consortium, who: str
) -> None:
    vaults = {}
    for one in ("old", "new"):
        data = A01.replace("|m1|", f"|{who}-{one}|").format(new=f"{who}-{one}").encode()
        [answer] = network.submit("north", f"{one}.hl7", data)
        assert isinstance(answer, Accepted)
        vaults[one] = answer.vault
    network.settle("north")
    session, node = network.enrol(vaults["old"], who), network["north"].node
    data = A40.replace("|m1|", f"|{who}-m|").format(new=f"{who}-new", old=f"{who}-old").encode()
    [answer] = network.submit("north", "merge.hl7", data)
    assert isinstance(answer, Refused) and answer.code == "merge-needs-patient"
    merge_questions.accept(node, session, question_of(network, data).id)
    assert replayed(network) == "replayed"
    again = A01.replace("|m1|", f"|{who}-later|").format(new=f"{who}-new").encode()
    [later] = network.submit("north", "later.hl7", again)
    assert isinstance(later, Accepted) and later.vault == vaults["old"], "the patient's own"


def test_an_answer_stands_in_the_trail_of_the_vault(network: Consortium, who: str) -> None:
    prior, _ = two(network, who)
    session, node = network.enrol(prior, who), network["north"].node
    question = ask(network, who)
    merge_questions.accept(node, session, question.id)
    tried = newest(network, session)
    assert (tried.verb, tried.vault, tried.records) == (Verb.MERGE, prior, (question.id,))


def newest(network: Consortium, session: Session) -> Attempt:
    node = network["north"].node
    with node.database.read() as tx:
        for row in audit.newest(tx, limit=5):
            entry = read_entry(node, tx, row)
            if entry is not None and entry.attempt.account == session.actor.account:
                return entry.attempt
    raise AssertionError("no entry")


def test_after_its_time_an_acceptance_counts_no_more_and_it_is_asked_anew(
    network: Consortium, who: str, clock: Clock
) -> None:
    prior, survivor = two(network, who)
    session, node = network.enrol(prior, who), network["north"].node
    question = ask(network, who)
    merge_questions.accept(node, session, question.id)
    clock.ahead_seconds += merge_questions.ASK_SECONDS + 60
    assert became(network, question) == merge_questions.OVER
    assert replayed(network) == "refused" and numbers(network, who) == (prior, survivor)
    session = network.session("north", who)
    with node.database.read() as tx:
        again = rows.of_account(tx, session.actor.account)[0]
    assert again.id != question.id
    merge_questions.accept(node, session, again.id)
    assert replayed(network) == "replayed" and numbers(network, who) == (prior, prior)
    assert isinstance(
        network.submit("north", "again", merge(f"{who}-new", f"{who}-old"))[0], Accepted
    )
