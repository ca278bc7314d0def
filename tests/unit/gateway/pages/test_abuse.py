"""What attackers try on the pages: forged forms, planted sessions, guesses, hostile texts."""

from __future__ import annotations

import re

import pytest

from simdes.access import browser
from simdes.access.audit_event import Verb
from simdes.access.one_time_codes import code_at
from simdes.exchange import credentials, second_factors
from simdes.gateway.pages.asking import local
from simdes.gateway.pages.places import PLACES, Needs
from simdes.index import credentials as rows
from support.consortium import passphrase_of
from support.pages import ORIGIN, Visitor
from unit.gateway.pages.conftest import Place

POSTS = [one.path for one in PLACES if one.method == "POST" and not one.signed]


def signed_in(place: Place, display: str = "") -> tuple[Visitor, str]:
    person = place.person(display=display)
    visitor = place.visitor()
    assert visitor.sign_in(person.user).headers["location"] == "/home"
    return visitor, person.user


# Forged forms -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two(founded_pages: Place) -> tuple[Visitor, Visitor]:
    """Two people's browsers, signed in; tests share them, for what is refused changes nothing."""
    return signed_in(founded_pages)[0], signed_in(founded_pages)[0]


@pytest.mark.parametrize("path", POSTS)
def test_a_form_without_this_browsers_token_is_refused(
    two: tuple[Visitor, Visitor], path: str
) -> None:
    visitor, other = two
    for token in ("", "x" * 43, other.token("/account"), visitor.token("/account")[:-1]):
        assert visitor.post(path, {}, token=token).status_code == 403
    assert visitor.get("/account").status_code == 200, "nothing was ended"


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=lambda one: next(f"{name}={value}" for name, value in one.items()),
)
def test_a_form_from_elsewhere_is_refused_even_with_the_token(
    two: tuple[Visitor, Visitor], path: str, headers: dict[str, str]
) -> None:
    visitor, _ = two
    token = visitor.token("/account")
    assert visitor.post(path, {}, token=token, **headers).status_code == 403
    assert visitor.get("/account").status_code == 200


def test_a_form_that_says_it_came_from_here_is_taken(place: Place) -> None:
    visitor, _ = signed_in(place)
    taken = visitor.post("/language", {"language": "fr"}, Origin=ORIGIN)
    assert (taken.status_code, taken.headers["location"]) == (303, "/home")


def test_what_is_no_form_is_refused(place: Place) -> None:
    visitor, _ = signed_in(place)
    token = visitor.token("/account")
    assert visitor.send("POST", "/sign-out", json={"token": token}).status_code == 400
    many = "&".join(f"a{n}=1" for n in range(201)).encode()
    for body in (b"token=%ff%fe", b"token=a%00b", many, b"token=" + b"a" * 70_000):
        refused = visitor.send("POST", "/sign-out", content=body, headers=FORM)
        assert refused.status_code == 400, body[:20]
    assert visitor.get("/account").status_code == 200


FORM = {"content-type": "application/x-www-form-urlencoded"}


# Planted and stolen sessions ----------------------------------------------------------------------


def test_a_planted_cookie_is_not_taken_over_at_sign_in(place: Place) -> None:
    person, visitor = place.person(), place.visitor()
    planted = "A" * 43
    for name in ("session", "visitor"):
        visitor.plant(name, planted)
    assert visitor.sign_in(person.user).status_code == 303
    assert visitor.cookie("session") not in ("", planted)
    assert visitor.cookie("visitor") != planted
    attacker = place.visitor()
    attacker.plant("session", planted)
    assert attacker.get("/account").headers["location"].startswith("/sign-in")


def test_every_proof_gives_another_cookie_and_ends_the_one_before(place: Place) -> None:
    visitor, _ = signed_in(place)
    before = visitor.cookie("session")
    with place.north.node.database.transaction() as tx:
        assert rows.session(tx, browser.session_id(before), now_ms=0, idle_ms=10**15)
    user = re.search(r"person\.\d+", visitor.get("/account").text)
    assert user
    done = visitor.post("/sign-in/confirm", {"passphrase": passphrase_of(user.group())})
    assert done.headers["location"] == "/home"
    assert visitor.cookie("session") != before
    thief = place.visitor()
    thief.plant("session", before)
    assert thief.get("/account").status_code == 303


def test_a_session_ends_by_sign_out_by_rest_and_by_age(place: Place) -> None:
    visitor, user = signed_in(place)
    stolen = visitor.cookie("session")
    visitor.post("/sign-out", {})
    thief = place.visitor()
    thief.plant("session", stolen)
    assert thief.get("/account").status_code == 303
    visitor.sign_in(user)
    place.clock.ahead_seconds += 1_801
    assert visitor.get("/account").status_code == 303, "it rested for half an hour"
    visitor.sign_in(user)
    for _ in range(24):
        place.clock.ahead_seconds += 1_780
        assert visitor.get("/account").status_code == 200
    place.clock.ahead_seconds += 1_780
    assert visitor.get("/account").status_code == 303, "it lasted for twelve hours"


def test_the_database_alone_unlocks_no_session(place: Place) -> None:
    visitor, _ = signed_in(place)
    cookie = visitor.cookie("session")
    row = browser.find(place.north.node.issuer, cookie)
    assert browser.unlock(row, cookie) is not None
    for wrong in ("B" * 43, row.id.hex()[:43]):
        with pytest.raises(Exception, match="not signed in"):
            browser.unlock(row, wrong)
    stored = repr(row)
    assert cookie not in stored


def test_a_suspended_account_is_out_at_once(place: Place) -> None:
    from simdes.app import ADMINISTRATOR
    from simdes.exchange import enrolment

    visitor, user = signed_in(place)
    administrator = place.network.session("north", ADMINISTRATOR)
    enrolment.suspend_person(place.north.node, administrator, user)
    refused = visitor.get("/account")
    assert refused.status_code == 403
    assert "The account is suspended." in refused.text
    assert place.visitor().sign_in(user).status_code == 403


def test_a_half_session_opens_nothing(place: Place) -> None:
    visitor, user = signed_in(place)
    visit = credentials.resume(place.north.node, visitor.cookie("session"))
    assert isinstance(visit, credentials.Visit)
    second_factors.begin_codes(place.north.node, visit)
    waiting = second_factors.waiting_codes(place.north.node, visit)
    assert waiting is not None
    secret = _secret(waiting.readable)
    second_factors.confirm_codes(place.north.node, visit, code_at(secret, int(place.clock())))
    half = place.visitor()
    assert half.sign_in(user).headers["location"] == "/sign-in/second"
    for one in PLACES:
        if one.needs is Needs.NOBODY:
            continue
        answer = half.get(one.path) if one.method == "GET" else half.post(one.path, {})
        assert answer.status_code == 303, one
        assert answer.headers["location"].startswith("/sign-in/second?next="), one
    again = half.post("/sign-in/second", {"passphrase": passphrase_of(user)})
    assert again.status_code == 403, "the same factor twice is one factor"


def _secret(readable: str) -> bytes:
    import base64

    return base64.b32decode(readable.replace(" ", ""))


# Guesses ------------------------------------------------------------------------------------------


def test_guesses_wait_longer_and_longer_but_a_known_browser_and_its_owner_do_not(
    place: Place,
) -> None:
    owner, user = signed_in(place)
    owner.post("/sign-out", {})
    stranger = place.visitor()
    answers = [stranger.sign_in(user, f"guess {n}").status_code for n in range(8)]
    assert answers[:6] == [401] * 6 and answers[6:] == [429] * 2
    assert stranger.sign_in(user).status_code == 429, "the right one waits, too"
    assert owner.sign_in(user).status_code == 303, "a browser that signed in before does not"
    place.clock.ahead_seconds += 3
    assert place.visitor().sign_in(user).status_code == 303
    assert [stranger.sign_in(user, "x").status_code for _ in range(2)] == [401, 401]


def test_waiting_has_an_end_whatever_strangers_do(place: Place) -> None:
    user = place.person().user
    for number in range(60):
        stranger = place.visitor()
        place.clock.ahead_seconds += 61
        stranger.post(
            "/sign-in",
            {"user": user, "passphrase": "x"},
            **{"X-Forwarded-For": f"198.51.100.{number}"},
        )
    place.clock.ahead_seconds += 61
    late = place.visitor()
    fields = {"user": user, "passphrase": passphrase_of(user)}
    assert late.post("/sign-in", fields, **{"X-Forwarded-For": "192.0.2.1"}).status_code == 303


def test_an_unknown_user_is_slowed_down_and_answered_as_a_known_one(place: Place) -> None:
    known, pages = place.person().user, []
    for user in (known, "nobody.at.all"):
        visitor = place.visitor()
        answers = []
        for number in range(8):
            answer = visitor.sign_in(user, f"guess {number}")
            plain = answer.text.replace(user, "USER")
            plain = re.sub(r'(token" value|data-options)="[^"]*"', "", plain)
            answers.append((answer.status_code, plain, sorted(answer.headers)))
        pages.append(answers)
    assert pages[0] == pages[1]


def test_codes_can_not_be_guessed_and_are_good_once(place: Place) -> None:
    visitor, user = signed_in(place)
    visit = credentials.resume(place.north.node, visitor.cookie("session"))
    assert isinstance(visit, credentials.Visit)
    second_factors.begin_codes(place.north.node, visit)
    waiting = second_factors.waiting_codes(place.north.node, visit)
    assert waiting is not None
    secret = _secret(waiting.readable)
    first = code_at(secret, int(place.clock()))
    second_factors.confirm_codes(place.north.node, visit, first)
    half = place.visitor()
    half.sign_in(user)
    assert half.post("/sign-in/second", {"code": first}).status_code == 401, "used before"
    good = {code_at(secret, int(place.clock()) + 30 * step) for step in range(-1, 4)}
    guesses = [code for n in range(12) if (code := f"{n:06}") not in good][:7]
    answers = [half.post("/sign-in/second", {"code": code}).status_code for code in guesses]
    assert answers[:5] == [401] * 5 and answers[5:] == [429] * 2
    place.clock.ahead_seconds += 60
    right = code_at(secret, int(place.clock()))
    assert half.post("/sign-in/second", {"code": right}).headers["location"] == "/home"


# Hostile texts ------------------------------------------------------------------------------------

ELSEWHERE = [
    "https://evil.example",
    "//evil.example",
    "/\\evil.example",
    "/\t/evil.example",
    "\\\\evil.example",
    "javascript:alert(1)",
    "http:/evil.example",
    "account",
    "/%0d%0aSet-Cookie:a=b\r\nX: y",
    "/ account",
    "/" + "a" * 5_000,
    "",
]


@pytest.mark.parametrize("address", ELSEWHERE, ids=range(len(ELSEWHERE)))
def test_next_leads_nowhere_but_here(place: Place, address: str) -> None:
    assert local(address) == ""
    person, visitor = place.person(), place.visitor()
    answer = visitor.sign_in(person.user, next=address)
    assert answer.headers["location"] == "/home"


def test_next_leads_on_to_pages_of_ours(place: Place) -> None:
    person, visitor = place.person(), place.visitor()
    answer = visitor.sign_in(person.user, next="/authorize?request=a-b_c&x=%2F")
    assert answer.headers["location"] == "/authorize?request=a-b_c&x=%2F"


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 'z' * 9 }}"


def test_names_are_text_and_nothing_else(place: Place) -> None:
    visitor, _ = signed_in(place, display=HOSTILE)
    visitor.client.headers["user-agent"] = HOSTILE
    text = visitor.get("/account").text
    assert "<script>alert" not in text and "<img" not in text and "z" * 9 not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    refused = place.visitor().sign_in(HOSTILE[:64], "x")
    assert "<script>alert" not in refused.text


def test_every_page_has_a_strict_policy_and_is_not_kept(place: Place) -> None:
    visitor, _ = signed_in(place)
    for one in PLACES:
        if one.method != "GET" or one.path == "/":
            continue
        headers = visitor.get(one.path).headers
        if headers.get("location"):
            continue
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'; "), one
        assert "unsafe" not in policy and "*" not in policy
        assert "frame-ancestors 'none'" in policy and "base-uri 'none'" in policy
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"


def test_cookies_are_kept_from_scripts_and_other_sites(place: Place) -> None:
    person, visitor = place.person(), place.visitor()
    given = visitor.sign_in(person.user).headers.get_list("set-cookie")
    assert len(given) == 3
    for cookie in given:
        assert "httponly" in cookie.lower() and "samesite=lax" in cookie.lower()
        assert "path=/" in cookie.lower() and "domain" not in cookie.lower()


def test_behind_tls_cookies_are_bound_to_the_host(place: Place) -> None:
    import dataclasses

    from simdes.gateway.app import create_gateway

    node = place.north.node
    issuer = dataclasses.replace(node.issuer, name="https://north.example")
    app = create_gateway(place.north.custody, node=dataclasses.replace(node, issuer=issuer))
    visitor = Visitor(app, "https://north.example")
    given = visitor.get("/sign-in").headers.get_list("set-cookie")
    assert given and all(one.startswith("__Host-simdes-") for one in given)
    assert all("secure" in one.lower() for one in given)


def test_others_sessions_and_passkeys_are_out_of_reach(place: Place) -> None:
    visitor, _ = signed_in(place)
    other, _ = signed_in(place)
    id = browser.session_id(other.cookie("session")).hex()
    assert visitor.post("/account/sessions/end", {"session": id}).status_code == 404
    assert other.get("/account").status_code == 200
    for path in ("rename", "remove"):
        fields = {"passkey": id, "label": "mine"}
        assert visitor.post(f"/account/passkeys/{path}", fields).status_code == 404
    assert visitor.post("/account/apps/revoke", {"app": id}).status_code == 404


@pytest.mark.parametrize(
    "answer",
    ["", "{}", "[]", "null", "{" * 5_000, '{"response": {}}', '{"response": {"clientDataJSON": 1}}',
     '{"rawId": "AA", "response": {"clientDataJSON": "e30"}}', "\ud7ff" * 100],
    ids=range(9),
)  # fmt: skip
def test_rubbish_instead_of_a_passkey_is_refused(place: Place, answer: str) -> None:
    visitor = place.visitor()
    refused = visitor.post("/sign-in/passkey", {"answer": answer, "prf": ""})
    assert refused.status_code == 401
    assert visitor.post("/sign-in/passkey", {"answer": "{}", "prf": "AAAA"}).status_code in (
        400,
        401,
    )


def test_a_person_at_a_wrong_address_gets_a_page_and_a_program_an_outcome(place: Place) -> None:
    visitor, _ = signed_in(place)
    french = {"accept": "text/html,*/*", "accept-language": "fr"}
    page = visitor.get("/nowhere", **french)
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "Il n’y a rien à cette adresse." in page.text
    assert "Se déconnecter" in page.text, "the person is still signed in"
    assert visitor.get("/nowhere").json()["resourceType"] == "OperationOutcome"
    assert visitor.get("/custody/v1/nowhere", **french).json()["issue"][0]["code"] == "not-found"


def test_guesses_at_the_same_time_gain_nothing(place: Place) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from simdes.errors import TooLarge, Unauthenticated
    from simdes.exchange.credentials import Client

    user, node = place.person().user, place.north.node

    def guess(number: int) -> str:
        try:
            credentials.sign_in(node, user, f"guess {number}", client=Client("203.0.113.9", ""))
        except (TooLarge, Unauthenticated) as error:
            return type(error).__name__
        return "in"

    with ThreadPoolExecutor(12) as pool:
        answers = sorted(pool.map(guess, range(24)))
    assert answers == ["TooLarge"] * 18 + ["Unauthenticated"] * 6


def test_sign_ins_and_changes_leave_their_entries(place: Place) -> None:
    node = place.north.node

    def tried(account: bytes) -> list[tuple[str, str]]:
        entries = node.desk.trail.entries(node.database, limit=100_000)
        return [
            (one.attempt.verb.value, one.attempt.reason)
            for _, one in entries
            if one.attempt.account == account
            and one.attempt.verb in (Verb.SIGN_IN, Verb.CREDENTIALS)
        ]

    person, visitor = place.person(), place.visitor()
    visitor.sign_in(person.user, "wrong")
    visitor.sign_in(person.user)
    fields = {"passphrase": "another passphrase", "again": "another passphrase"}
    visitor.post("/account/passphrase", fields)
    assert tried(person.account) == [
        ("sign-in", "WRONG_PASSPHRASE"),
        ("sign-in", ""),
        ("credentials", ""),
    ]
