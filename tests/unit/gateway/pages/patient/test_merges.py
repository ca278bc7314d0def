"""Two records that are said to be one person's: what each patient sees, answers, and never sees."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from itertools import count

import pytest

from simdes.exchange import consents, erasure, merge_telling, quarantine
from simdes.exchange.consents import Grantee
from simdes.exchange.quarantine import Selection
from simdes.index import authorization
from simdes.index import mail as mail_rows
from simdes.index import merge_questions as rows
from simdes.index.merge_questions import Answer
from simdes.index.transaction import Transaction
from simdes.index.vaults import Identifier, find
from support.bundles import SYSTEM, bundle
from support.consortium import passphrase_of
from support.pages import Visitor
from support.smart import register
from support.wallet_owner import Owner
from unit.exchange.test_merging import merge
from unit.gateway.pages.conftest import Place
from unit.gateway.pages.patient.test_mail_news import write_to

_numbers = count(7001)


@dataclass(frozen=True, slots=True)
class Two:
    """Two numbers at north that are said to be one person, and the document that says so."""

    old: str
    new: str
    vaults: dict[str, bytes]
    document: int


def vault_of(place: Place, number: str) -> bytes | None:
    with place.north.node.database.read() as tx:
        return find(tx, Identifier(SYSTEM, number))


def two(place: Place, owners: dict[str, str]) -> Two:
    """``owners``: the user of the old and of the new number, where somebody has it."""
    number = next(_numbers)
    old, new = f"{number}-old-00417", f"{number}-new-00932"
    for one in (old, new):
        place.network.submit("north", f"{one}.json", bundle(one))
    place.network.settle()
    vaults = {"old": vault_of(place, old), "new": vault_of(place, new)}
    for which, user in owners.items():
        vault = vaults[which]
        assert vault is not None
        place.network.enrol(vault, user)
    place.network.submit("north", f"merge-{number}", merge(new, old))
    listed = quarantine.listed(place.north.node, None, Selection(), limit=1000).entries
    [entry] = [one for one in listed if one.name == f"merge-{number}"]
    return Two(old, new, {name: one for name, one in vaults.items() if one}, entry.id)


def browser_of(place: Place, user: str) -> Visitor:
    visitor = place.visitor()
    assert visitor.sign_in(user).headers["location"] == "/home"
    return visitor


def address(visitor: Visitor) -> str:
    """Where the newest question is answered."""
    found = re.search(r'href="(/merges/answer\?merge=[0-9a-f]{64})"', visitor.get("/merges").text)
    assert found
    return found.group(1)


def fields(where: str, **others: str) -> dict[str, str]:
    return {"merge": where.rpartition("=")[2], "step": "accept", "understood": "yes"} | others


def test_who_has_both_reads_of_both_accepts_and_the_administrator_replays(place: Place) -> None:
    found = two(place, {"old": "ines", "new": "ines"})
    south = place.network["south"].node
    consents.grant(
        place.north.node,
        place.network.session("north", "ines"),
        vault=found.vaults["new"],
        grantee=Grantee.role_in(south.organisation, "doctor"),
        categories=["observations"],
        purposes=["TREAT"],
        valid_seconds=86_400,
    )
    ines = browser_of(place, "ines")
    assert "You are asked whether two records are both yours" in ines.get("/home").text
    where = address(ines)
    page = ines.get(where).text
    for number in (found.old, found.new):
        assert f"Family of {number}" in page and number in page
    assert "Doctors, Clinic South" in page and "2 entries more than now" in page
    assert f"condition of {found.old}" in page, "what is brought over"
    assert f"condition of {found.new}" not in page
    assert "…" not in page.partition("<main")[2], "nothing of one's own is masked"
    unread = ines.post("/merges/answer", fields(where, understood=""))
    assert unread.status_code == 400 and "Read first what accepting opens." in unread.text
    done = ines.post("/merges/answer", fields(where))
    assert done.headers["location"] == "/merges?done=merge-accepted"
    assert "You are asked whether" not in ines.get("/home").text
    office = browser_of(place, "admin")
    document = office.get(f"/quarantine/document?id={found.document}").text
    assert "merge-accepted" in document and "<code>ines</code>: accepted" in document
    replayed = office.post("/quarantine/decide", {"id": str(found.document), "step": "replay"})
    assert "done=document-replayed" in replayed.headers["location"]
    assert vault_of(place, found.old) == found.vaults["new"]
    assert "They were joined." in ines.get("/merges").text
    assert "They were joined." in ines.get(where).text
    place.network.settle()
    record = ines.get(f"/record?patient={found.new}&part=history").text
    assert f"condition of {found.old}" in record and f"condition of {found.new}" in record
    assert ines.get("/whose?next=/sharing").status_code == 200
    assert "Clinic South" in ines.get(f"/sharing?patient={found.new}").text
    assert "Clinic South" not in ines.get(f"/sharing?patient={found.old}").text


def test_of_a_record_that_is_not_theirs_nobody_sees_more_than_how_its_number_ends(
    place: Place,
) -> None:
    found = two(place, {"old": "jon", "new": "kay"})
    for user, own, other in (("jon", found.old, found.new), ("kay", found.new, found.old)):
        visitor = browser_of(place, user)
        page = visitor.get(address(visitor)).text
        assert f"Family of {own}" in page
        assert other not in page, "no name, no number, no entry of somebody else's"
        assert f"…{other[-3:]}" in page
    jon = browser_of(place, "jon")
    assert "Accept only if that account is yours, too." in jon.get(address(jon)).text
    assert (
        "Accept only if that account is yours, too."
        not in browser_of(place, "kay").get(address(browser_of(place, "kay"))).text
    )


def test_two_people_who_do_not_both_accept_keep_their_records(place: Place) -> None:
    found = two(place, {"old": "lena", "new": "marc"})
    lena, marc = browser_of(place, "lena"), browser_of(place, "marc")
    lena.post("/merges/answer", fields(address(lena)))
    assert "It waits for another account to accept." in lena.get("/merges").text
    done = marc.post("/merges/answer", fields(address(marc), step="decline"))
    assert done.headers["location"] == "/merges?done=merge-declined"
    office = browser_of(place, "admin")
    document = office.get(f"/quarantine/document?id={found.document}").text
    assert "<code>lena</code>: accepted" in document and "<code>marc</code>: declined" in document
    assert "merge-declined" in document
    refused = office.post("/quarantine/decide", {"id": str(found.document), "step": "replay"})
    assert "merge-declined" in refused.text
    assert vault_of(place, found.old) == found.vaults["old"]
    late = marc.post("/merges/answer", fields(address(marc)))
    assert late.status_code == 409


def test_a_question_can_be_looked_at_after_the_records_were_joined_or_erased(
    place: Place,
) -> None:
    found, gone = two(place, {"old": "tess", "new": "ugo"}), two(place, {"old": "vera"})
    tess, ugo, vera = (browser_of(place, user) for user in ("tess", "ugo", "vera"))
    for one in (tess, ugo):
        one.post("/merges/answer", fields(address(one)))
    browser_of(place, "admin").post(
        "/quarantine/decide", {"id": str(found.document), "step": "replay"}
    )
    for one in (tess, ugo):
        page = one.get(address(one))
        assert page.status_code == 200 and "They were joined." in page.text
    assert found.new not in tess.get(address(tess)).text
    node = place.north.node
    erasure.erase(node, gone.vaults["old"], control=place.network.session("north", "vera").key)
    page = vera.get(address(vera))
    assert page.status_code == 200 and "It is not asked any more." in page.text


def test_one_record_that_is_nobodys_comes_into_the_patients_own(place: Place) -> None:
    found = two(place, {"old": "nora"})
    nora = browser_of(place, "nora")
    page = nora.get(address(nora)).text
    assert "Your record, which goes on" in page
    assert found.new not in page and f"condition of {found.old}" not in page
    assert "You share the record that goes on with nobody." in page
    allow(place, "nora", found.vaults["old"], "patient/Observation.c")
    allow(place, "nora", None, "patient/*.rs")
    assert "The app " not in nora.get(address(nora)).text, "they read nothing of it"
    allow(place, "nora", found.vaults["old"], "patient/Observation.rs")
    page = nora.get(address(nora)).text
    assert page.count("The app Growth chart") == 1 and "Measurements and test results" in page


def allow(place: Place, user: str, vault: bytes | None, scope: str) -> None:
    """Let an app have what a scope says of a record, or of another one."""
    node = place.north.node
    registered = register(node, f"merges-{next(_numbers)}")
    now_ms, account = node.now_ms(), node.desk.keystore.person(user).account

    def write(tx: Transaction) -> None:
        made = authorization.Grant(
            id=os.urandom(32),
            client_id=registered.client.id,
            account=account,
            scope=scope,
            vault=vault,
            patient="another" if vault is None else authorization.patient_id(tx, vault) or "",
            encounter="",
            fhir_user="",
            authenticated_ms=now_ms,
            methods="",
            lasting="offline",
            thumbprint="",
            created_ms=now_ms,
            expires_ms=now_ms + 86_400_000,
        )
        authorization.add_grant(tx, made)

    node.database.write(write)


def test_a_stranger_and_staff_find_no_question(place: Place) -> None:
    two(place, {"old": "olga"})
    where = address(browser_of(place, "olga"))
    place.network.submit("north", "pete.json", bundle("merges-pete"))
    place.network.settle()
    other = vault_of(place, "merges-pete")
    assert other is not None
    place.network.enrol(other, "pete")
    pete, doctor = browser_of(place, "pete"), browser_of(place, "dr.north")
    assert "Nobody asked you about two records." in pete.get("/merges").text
    assert pete.get(where).status_code == 404
    for step in ("accept", "decline"):
        assert pete.post("/merges/answer", fields(where, step=step)).status_code == 404
    assert pete.post("/merges/withdraw", fields(where)).status_code == 404
    assert doctor.get("/merges").status_code in (403, 404)
    assert doctor.get(where).status_code in (403, 404)
    for wrong in ("", "zz", "00" * 32):
        assert pete.get(f"/merges/answer?merge={wrong}").status_code == 404


def test_accepting_needs_a_fresh_proof_and_taking_it_back_does_not(place: Place) -> None:
    two(place, {"old": "quin"})
    quin = browser_of(place, "quin")
    where = address(quin)
    place.clock.ahead_seconds += 901
    assert quin.get(where).headers["location"].startswith("/sign-in/confirm")
    later = quin.post("/merges/answer", fields(where))
    assert later.headers["location"].startswith("/sign-in/confirm")
    session = place.network.session("north", "quin")
    assert [one.answer for one in merge_telling.listed(place.north.node, session)] == ["waiting"]
    again = browser_of(place, "quin")
    again.post("/merges/answer", fields(where))
    place.clock.ahead_seconds += 901
    done = again.post("/merges/withdraw", fields(where))
    assert done.headers["location"] == "/merges?done=merge-withdrawn"
    assert "You took your acceptance back." in again.get("/merges").text


def test_who_gave_an_address_is_written_to_that_something_is_new(place: Place) -> None:
    found = two(place, {"old": "rita"})
    session = place.network.session("north", "rita")
    write_to(place, session.actor.account, "rita@example.net")
    again = merge(found.new, found.old, control="2")
    place.north.node.following.catch_up()
    place.network.submit("north", "another", again)
    with place.north.node.database.read() as tx:
        row = mail_rows.get(tx, session.actor.account)
    assert row is not None and row.due_ms is not None, "a mail is due"


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_pages_speak_both_languages(place: Place, language: str) -> None:
    user = f"sam-{language}"
    two(place, {"old": user})
    sam = browser_of(place, user)
    sam.post("/language", {"language": language})
    page = sam.get(address(sam)).text
    assert ("Accept, and sign it" in page) is (language == "en")
    assert passphrase_of(user) not in page


def test_a_wallets_owner_accepts_by_a_signature_and_takes_it_back_without_one(place: Place) -> None:
    found = two(place, {"old": "wanda", "new": "wanda"})
    where, wallet = address(browser_of(place, "wanda")), Owner()
    account = place.network.session("north", "wanda").actor.account
    wallet.take_over(place.north.node, place.network.session("north", "wanda"), place.clock)
    wanda = wallet.sign_in(place.north.node, place.app)
    assert f"Family of {found.new}" in wanda.get(where).text
    unread = wanda.post("/merges/answer", fields(where, understood=""))
    assert unread.status_code == 400 and "Read first what accepting opens." in unread.text
    shown = wanda.post("/merges/answer", fields(where))
    assert shown.status_code == 200 and answer_of(place, where, account) is None
    data = wallet.asked(shown.text)
    assert (data["primaryType"], data["message"]["answer"]) == ("MergeAnswer", "1")
    page, said = shown.text.partition("<details>")[0], data["message"]
    for name, value in said.items():
        told = {
            "priorControl": "your account’s",
            "survivorControl": "your account’s",
            "answer": "one person",
        }
        if name != "until":
            assert told.get(name, value) in page, name
    done = wallet.agree(wanda, shown)
    assert done.headers["location"] == "/merges?done=merge-accepted"
    kept = answer_of(place, where, account)
    assert kept is not None and kept.address == wallet.key.address
    assert wallet.agree(wanda, shown).status_code == 409, "said once"

    place.clock.ahead_seconds += 901
    back = wanda.post("/merges/withdraw", fields(where))
    assert back.headers["location"] == "/merges?done=merge-withdrawn", "it takes no key"


def test_what_a_wallet_declined_or_did_not_sign_joins_nothing(place: Place) -> None:
    two(place, {"old": "xena", "new": "yves"})
    where, wallet = address(browser_of(place, "xena")), Owner()
    account = place.network.session("north", "xena").actor.account
    wallet.take_over(place.north.node, place.network.session("north", "xena"), place.clock)
    xena = wallet.sign_in(place.north.node, place.app)
    shown = xena.post("/merges/answer", fields(where))
    assert "another account:" in shown.text
    assert "You will not find it here any more." in shown.text
    stranger = Owner().agree(xena, shown)
    assert stranger.status_code == 403 and "not a signature of your wallet" in stranger.text
    assert 'name="signature"' in stranger.text, "it can be signed again"
    declining = xena.post("/merges/answer", fields(where, step="decline"))
    no = wallet.sign(wallet.asked(declining.text))
    assert xena.post("/merges/answer", fields(where, signature=no)).status_code == 403, "a no"
    for rubbish in ("0x", "0x" + "00" * 65, "zz" * 66, "0x" + "00" * 66):
        assert xena.post("/merges/answer", fields(where, signature=rubbish)).status_code >= 400
    assert answer_of(place, where, account) is None
    assert wallet.agree(xena, declining).headers["location"] == "/merges?done=merge-declined"
    kept = answer_of(place, where, account)
    assert kept is not None and kept.state == "declined"
    late = xena.post("/merges/answer", fields(where))
    assert late.status_code == 409 and 'name="signature"' not in late.text


def answer_of(place: Place, where: str, account: bytes) -> Answer | None:
    id_ = bytes.fromhex(where.rpartition("=")[2])
    with place.north.node.database.read() as tx:
        return next((one for one in rows.answers(tx, [id_]) if one.account == account), None)
