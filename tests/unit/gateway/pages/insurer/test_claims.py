"""A claim in two browsers: the patient discloses line by line, the insurer decides and pays."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest

from simdes.exchange.claims import appealing, billing_desk, disclosing, fingerprint_keys
from simdes.index import fingerprints
from simdes.ledger.contracts import ClaimState
from support.claim_scene import SYSTEM, Visit
from support.insured import make_key
from support.pages import Visitor
from support.two_patients import statements
from unit.gateway.pages.insurer.conftest import Desk

LARGEST = 100_000


def fields_of(text: str) -> dict[str, str]:
    """The hidden fields of the page's last form."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', text)
    return {name: html.unescape(value) for name, value in found if name != "token"}


def disclosed(desk: Desk, visit: Visit) -> bytes:
    """Let the patient disclose everything on their page; the claim's id."""
    patient = desk.patient(visit)
    claim = visit.request().claim
    lines = [one.reference for one in visit.request().lines]
    token = patient.token("/account")
    body = {"claim": claim.hex(), "answers": "yes", "token": token, "line": lines}
    done = patient.send("POST", "/claims/disclose", data=body)
    assert done.headers["location"] == "/claims?done=disclosed", done.text
    desk.network.settle()
    visit.work()
    return claim


def test_a_patient_sees_what_is_asked_and_why_and_keeps_a_line_back(desk: Desk) -> None:
    visit = desk.visit()
    patient = desk.patient(visit)
    listed = patient.get("/claims").text
    assert "Hospital North → Insurer East" in listed and "waits for its disclosure" in listed
    request = visit.request()
    form = patient.get(f"/claims/disclose?claim={request.claim.hex()}").text
    assert "What may Insurer East see?" in form
    assert form.count('name="line"') == len(request.lines)
    assert html.unescape(form).count(request.lines[0].why)
    french = patient.get("/claims", **{"Accept-Language": "fr"}).text
    assert "Regarder et divulguer" in french
    nothing = patient.post("/claims/disclose", {"claim": request.claim.hex()})
    assert nothing.status_code == 400 and "Nothing is left to disclose" in nothing.text
    kept, *others = [one.reference for one in request.lines]
    body = {"claim": request.claim.hex(), "line": others, "token": patient.token("/account")}
    done = patient.send("POST", "/claims/disclose", data=body)
    assert done.headers["location"] == "/claims?done=disclosed"
    assert kept
    back = patient.post("/claims/withdraw", {"claim": request.claim.hex()})
    assert back.headers["location"] == "/claims?done=undisclosed"


def test_a_clerk_looks_previews_decides_and_pays_once(desk: Desk) -> None:
    visit = desk.visit()
    claim = disclosed(desk, visit)
    clerk = desk.clerk()
    address = f"/inbox/claim?claim={claim.hex()}"
    listed = clerk.get("/inbox").text
    assert html.unescape(address) in html.unescape(listed)
    assert f"Okafor-{visit.number}" in listed, "whose it is"
    page = clerk.get(address)
    assert "The plan pays" in page.text and "What the patient disclosed" in page.text
    assert "Nothing that an insurer has to know" not in page.text
    assert len(page.content) < LARGEST
    preview = clerk.post("/inbox/decide", {"claim": claim.hex(), "step": "preview"})
    assert "Decide so?" in preview.text
    assert visit.state(claim) is ClaimState.DISCLOSED, "to look at it decides nothing"
    done = clerk.post("/inbox/decide", {"claim": claim.hex(), "step": "decide"})
    assert done.status_code == 303, done.text
    assert visit.state(claim) in (ClaimState.APPROVED, ClaimState.PARTLY)
    again = clerk.post("/inbox/decide", {"claim": claim.hex(), "step": "decide"})
    assert again.status_code == 409
    if visit.state(claim) is ClaimState.PARTLY:
        early = clerk.post("/inbox/settle", {"claim": claim.hex()})
        assert early.status_code == 409 and "can still be appealed" in early.text
        billing_desk.accept(desk.network["north"].node, visit.biller, claim)
    paid = clerk.post("/inbox/settle", {"claim": claim.hex()})
    assert paid.headers["location"].endswith("done=paid")
    assert visit.state(claim) is ClaimState.PAID
    told = clerk.get(paid.headers["location"]).text
    assert "move the money now, once" in told
    assert "<dt>Decision</dt>" in told and "<dt>Due</dt>" not in told
    twice = clerk.post("/inbox/settle", {"claim": claim.hex()})
    assert twice.status_code == 409
    undone = clerk.post("/inbox/reverse", {"claim": claim.hex()})
    assert undone.headers["location"].endswith("done=reversed")
    assert visit.state(claim) is ClaimState.REVERSED
    for path in (address, "/inbox?only=all"):
        void = clerk.get(path).text
        assert claim.hex()[:12] in void and "taken back" in void
        assert "<dt>Decision</dt>" not in void and "<dt>Due</dt>" not in void


def test_a_line_is_paid_otherwise_with_a_reason_and_a_claim_denied_whole(desk: Desk) -> None:
    visit = desk.visit()
    claim = disclosed(desk, visit)
    clerk = desk.clerk()
    text = clerk.get(f"/inbox/claim?claim={claim.hex()}").text
    offered = re.findall(r'Claimed €([\d.]+);.*?name="pay-(\d+)"', text, re.DOTALL)
    line = dict(offered)["240.00"]
    pay, why = f"pay-{line}", f"reason-{line}"
    fields = {"claim": claim.hex(), "step": "preview", pay: "10,00"}
    for wrong in ("ten", "NaN", "1e-99999999", "0e99999999", "1e1"):
        refused = clerk.post("/inbox/decide", fields | {pay: wrong, why: "CO-50"})
        assert refused.status_code == 400 and "is a decimal number" in refused.text
    bare = clerk.post("/inbox/decide", fields)
    assert bare.status_code == 400 and "without a reason" in bare.text
    assert 'value="10,00"' in bare.text, "what was typed is kept"
    shown = clerk.post("/inbox/decide", fields | {why: "CO-50", "note": "<b>sorry</b>"})
    assert "€10.00 of €240.00" in shown.text
    assert "Not found necessary" in shown.text
    assert "&lt;b&gt;sorry&lt;/b&gt;" in shown.text
    kept = fields_of(shown.text)
    assert kept[pay] == "10,00" and kept[why] == "CO-50"
    wrong = clerk.post("/inbox/decide", fields | {pay: "1000", why: "CO-50"})
    assert wrong.status_code == 400
    for typed in ("NaN", "1e9", "-5", "x"):
        refused = clerk.post("/inbox/decide", fields | {pay: typed, why: "CO-50"})
        assert refused.status_code == 400, typed
    assert visit.state(claim) is ClaimState.DISCLOSED
    denied = {"claim": claim.hex(), "step": "decide", "deny": "CO-96"}
    assert clerk.post("/inbox/decide", denied | {"deny": "CO-0"}).status_code == 400
    clerk.post("/inbox/decide", denied)
    assert visit.state(claim) is ClaimState.DENIED
    assert "denied" in clerk.get("/inbox?only=decided").text


def test_more_is_asked_for_in_words(desk: Desk) -> None:
    visit = desk.visit()
    claim = disclosed(desk, visit)
    clerk = desk.clerk()
    empty = clerk.post("/inbox/ask", {"claim": claim.hex(), "missing": " \r\n "})
    assert empty.status_code == 400 and "Say what is missing." in empty.text
    done = clerk.post("/inbox/ask", {"claim": claim.hex(), "missing": "The laboratory's report"})
    assert done.headers["location"].endswith("done=asked")
    assert visit.state(claim) is ClaimState.ASKED


def test_an_insurer_is_preferred_and_given_up(desk: Desk) -> None:
    visit = desk.visit()
    patient = desk.patient(visit)
    east = f"0x{desk.network['east'].node.organisation.hex()}"
    assert "Insurer East" in patient.get("/claims/insurer").text
    done = patient.post("/claims/insurer", {"insurer": east})
    assert done.headers["location"] == "/claims?done=insurer-preferred"
    assert "goes to Insurer East by itself" in patient.get("/claims").text
    north = f"0x{desk.network['north'].node.organisation.hex()}"
    refused = patient.post("/claims/insurer", {"insurer": north})
    assert refused.status_code == 400 and "insures nobody" in refused.text
    assert patient.post("/claims/insurer", {}).status_code == 400
    done = patient.post("/claims/insurer", {"insurer": "none"})
    assert done.headers["location"] == "/claims?done=insurer-not-preferred"
    node = desk.network["north"].node
    assert disclosing.preferred(node, visit.patient, visit.vault) is None


@pytest.mark.parametrize("claim", ["ab" * 32, "zz", ""])
def test_what_is_no_claim_of_theirs_is_not_found(desk: Desk, claim: str) -> None:
    clerk = desk.clerk()
    assert clerk.get(f"/inbox/claim?claim={claim}").status_code == 404
    for path in ("decide", "ask", "settle", "reverse"):
        refused = clerk.post(f"/inbox/{path}", {"claim": claim, "missing": "x"})
        assert refused.status_code == 404, path


def test_another_patients_claim_is_not_to_be_disclosed(desk: Desk) -> None:
    one, other = desk.visit(), desk.visit()
    stranger: Visitor = desk.patient(other)
    claim = one.request().claim.hex()
    assert stranger.get(f"/claims/disclose?claim={claim}").status_code == 404
    for path in ("disclose", "withdraw"):
        refused = stranger.post(f"/claims/{path}", {"claim": claim, "line": "x"})
        assert refused.status_code == 404


def test_doing_something_with_a_claim_needs_a_fresh_proof(desk: Desk) -> None:
    visit = desk.visit()
    claim = disclosed(desk, visit)
    clerk = desk.clerk()
    desk.clock.ahead_seconds += 901
    asked = clerk.get(f"/inbox/claim?claim={claim.hex()}")
    assert asked.headers["location"].startswith("/sign-in/confirm?next=")
    refused = clerk.post("/inbox/decide", {"claim": claim.hex(), "step": "decide"})
    assert refused.headers["location"].startswith("/sign-in/confirm?next=")
    assert visit.state(claim) is ClaimState.DISCLOSED


def test_signals_stand_beside_the_claim_before_it_is_decided(desk: Desk) -> None:
    visit = desk.visit()
    claim = disclosed(desk, visit)
    clerk, east = desk.clerk(), desk.network["east"].node
    address = f"/inbox/claim?claim={claim.hex()}"
    assert 'id="signals"' not in clerk.get(address).text, "without a key nothing is compared"
    key = make_key(desk.network, custodians=("north", "south"), persons=[SYSTEM])
    fingerprint_keys.adopt(east, key.encode())

    desk.network.down("south")
    silent = clerk.get(address)
    assert "can't be compared just now" in html.unescape(silent.text)
    assert "Show the decision" in silent.text, "the claim waits for nobody"
    desk.network.up("south")
    assert 'id="signals"' not in clerk.get(address).text, "nobody else was asked for it"

    other = desk.network["south"].node.organisation
    with east.database.read() as tx:
        [line] = [
            one for one in fingerprints.of_claim(tx, key.public, claim.hex()) if one.line == 2
        ]
    batch = fingerprints.Batch(1, line.fingerprint)
    east.database.write(lambda tx: fingerprints.see(tx, key.public, other, batch, size=16))
    page = clerk.get(address).text
    assert page.index('id="signals"') < page.index('action="/inbox/decide"')
    for part in ("Line 2", "Clinic South", "the same service and day", "decides nothing"):
        assert part in page, part
    french = html.unescape(clerk.get(address, **{"Accept-Language": "fr"}).text)
    assert "Ligne 2" in french and "le même jour" in french

    own = replace(line, claim="another", accepted=1, line=7)
    east.database.write(lambda tx: fingerprints.add_lines(tx, [own]))
    page = clerk.get(address).text
    assert "Another claim here has a line for the same patient" in page
    french = html.unescape(clerk.get(address, **{"Accept-Language": "fr"}).text)
    assert "Une autre demande présentée ici" in french


def test_the_inbox_asks_the_database_little_for_one_more_patient(desk: Desk) -> None:
    """What judges the consents of a page is read for all of them together."""

    def asked() -> tuple[int, int, int]:
        clerk = desk.clerk()  # the clock went on, and a session has its end
        clerk.get("/inbox?only=all")  # what is disclosed is fetched once
        with statements(desk.network["east"].node) as count:
            answer = clerk.get("/inbox?only=all")
        assert answer.status_code == 200
        return count[0], answer.text.count("/inbox/claim?"), len(answer.content)

    disclosed(desk, desk.visit())
    before, fewer, _ = asked()
    disclosed(desk, desk.visit())
    after, more, size = asked()
    assert more == fewer + 1
    assert after <= before + 2
    assert after < 80
    assert size < LARGEST


def news(home: str) -> list[str]:
    """What the start page says is new."""
    found = re.findall(r'<li><a href="[^"]*claim=[^"]*">([^<]+)</a>', home)
    return [html.unescape(one) for one in found]


def test_a_patient_is_told_what_is_new_about_a_claim_and_led_to_it(desk: Desk) -> None:
    visit = desk.visit()
    patient = desk.patient(visit)
    visit.work()
    assert news(patient.get("/home").text) == ["A claim was opened for you"]
    claim = disclosed(desk, visit)
    visit.work()
    assert news(patient.get("/home").text) == [], "it is the insurer's turn"

    clerk = desk.clerk()
    told = {"claim": claim.hex(), "missing": "The laboratory's report"}
    assert clerk.post("/inbox/ask", told).status_code == 303
    desk.network.settle()
    visit.work()
    home = patient.get("/home").text
    assert news(home) == ["Your insurer asks for more about a claim"] and "Insurer East" in home
    [link] = re.findall(r'href="(/claims/claim[?][^"]+)"', home)
    page = html.unescape(patient.get(html.unescape(link)).text)
    assert "Hospital North → Insurer East" in page and "more was asked for" in page
    assert "It asks for: The laboratory's report" in page
    french = html.unescape(patient.get("/home", **{"Accept-Language": "fr"}).text)
    assert "Votre assureur demande" in french

    billing_desk.answer(desk.network["north"].node, visit.biller, claim)
    clerk.post("/inbox/decide", {"claim": claim.hex(), "step": "decide", "note": "Get well soon."})
    desk.network.settle()
    visit.work()
    assert news(patient.get("/home").text) == ["Your insurer approved a claim in part"]
    page = html.unescape(patient.get(html.unescape(link)).text)
    assert "€320.00" in page and "€153.00" in page and "Get well soon." in page
    billing_desk.accept(desk.network["north"].node, visit.biller, claim)
    visit.settle(claim)
    visit.work()
    assert news(patient.get("/home").text) == ["A claim was paid"]
    assert 'action="/claims/withdraw"' not in patient.get(html.unescape(link)).text
    desk.clock.ahead_seconds += 31 * 86_400
    assert news(desk.patient(visit).get("/home").text) == []


def test_nobody_is_told_of_or_shown_another_patients_claim(desk: Desk) -> None:
    one, other = desk.visit(), desk.visit()
    stranger = desk.patient(other)
    claim = one.request().claim.hex()
    assert claim not in stranger.get("/home").text
    assert stranger.get(f"/claims/claim?claim={claim}").status_code == 404
    assert stranger.get("/claims/claim?claim=zz").status_code == 404


def test_a_patient_appeals_on_their_page_and_the_clerk_reads_why(desk: Desk) -> None:
    visit = desk.visit()
    claim = disclosed(desk, visit)
    clerk, patient, named = desk.clerk(), desk.patient(visit), {"claim": claim.hex()}
    about = f"?claim={claim.hex()}"
    early = patient.post("/claims/appeal", named | {"why": "Now"})
    assert early.status_code == 409 and "not decided yet" in early.text
    clerk.post("/inbox/decide", named | {"step": "decide", "deny": "CO-50"})
    desk.network.settle()
    page = patient.get(f"/claims/claim{about}").text
    assert "You can have it decided again until" in page and f"/claims/appeal{about}" in page
    assert "Have Insurer East decide again?" in patient.get(f"/claims/appeal{about}").text
    silent = patient.post("/claims/appeal", named | {"why": "  "})
    assert silent.status_code == 400 and "Say why" in silent.text
    why = "My doctor ordered it. <b>Look</b>" + " again" * 100
    done = patient.post("/claims/appeal", named | {"why": why})
    assert done.headers["location"].endswith("done=appealed"), done.text
    assert "You appealed." in patient.get(done.headers["location"]).text
    again = patient.post("/claims/appeal", named | {"why": why})
    assert again.status_code == 409 and "appealed already" in again.text
    desk.network.settle()
    assert "appealed once" in clerk.get("/inbox").text
    shown = clerk.get(f"/inbox/claim{about}").text
    assert shown.index('id="appeals"') < shown.index('action="/inbox/decide"')
    assert shown.count(html.escape(why)) == 1 and "<b>Look" not in shown
    clerk.post("/inbox/decide", named | {"step": "decide", "deny": "CO-50"})
    billing_desk.accept(desk.network["north"].node, visit.biller, claim)
    final = patient.get(f"/claims/claim{about}").text
    assert "The provider accepted the decision" in final and "/claims/appeal" not in final


def test_the_copy_of_a_claim_is_its_patients_alone_and_appeals_anywhere(desk: Desk) -> None:
    visit, other = desk.visit(), desk.visit()
    claim = disclosed(desk, visit)
    about = f"?claim={claim.hex()}"
    stranger, patient, clerk = desk.patient(other), desk.patient(visit), desk.clerk()
    for path in ("appeal", "copy"):
        assert stranger.get(f"/claims/{path}{about}").status_code == 404, path
        assert clerk.get(f"/claims/{path}{about}").status_code == 403, path
    refused = stranger.post("/claims/appeal", {"claim": claim.hex(), "why": "Mine"})
    assert refused.status_code == 404
    file = patient.get(f"/claims/copy{about}")
    assert file.headers["content-disposition"].startswith("attachment")
    clerk.post("/inbox/decide", {"claim": claim.hex(), "step": "decide", "deny": "CO-50"})
    appealing.appeal_with(desk.network["south"].node, file.content)
    assert visit.state(claim) is ClaimState.APPEALED
    desk.clock.ahead_seconds += 901
    for path in ("appeal", "copy"):
        asked = patient.get(f"/claims/{path}{about}")
        assert asked.headers["location"].startswith("/sign-in/confirm?next="), path


def test_a_record_names_insurers_and_never_by_a_number_of_the_network(desk: Desk) -> None:
    visit = desk.visit()
    insurer = desk.network["east"].node.organisation.hex()
    page = desk.patient(visit).get("/record?part=insurance").text
    assert "Insurer East" in page
    assert insurer not in page
