"""Access tokens: a table of changed tokens, every one of them refused."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
import os
from collections.abc import Callable

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from simdes.access.app_context import Context
from simdes.access.authentication import Authentication
from simdes.access.categories import Role
from simdes.access.requests import b64, hexed, unb64
from simdes.access.tokens import Issuer, check, mint, mint_agent, revoke, session_of, unlock
from simdes.crypto.keys import SigningKey
from simdes.errors import Forbidden, Invalid, Unauthenticated
from simdes.index import sessions
from simdes.index.transaction import Transaction
from unit.access.network import PASSPHRASE, Network, Organisation

Claims = dict[str, object]


@pytest.fixture
def issuer(network: Network) -> Issuer:
    return network.issuer(network.members[4])


@pytest.fixture
def doctor(network: Network) -> Organisation:
    return network.members[4]


def signed_in(issuer: Issuer, user: str = "doctor", **options: object) -> str:
    person = issuer.keystore.person(user)
    key = issuer.keystore.unlock_person(user, PASSPHRASE)
    return mint(issuer, person, key, **options)  # type: ignore[arg-type]


def parts(token: str) -> tuple[Claims, Claims, str]:
    head, payload, signature = token.split(".")
    return json.loads(unb64(head)), json.loads(unb64(payload)), signature


def signed(issuer: Issuer, header: Claims, claims: Claims, key: ECKey | None = None) -> str:
    return jwt.encode(
        header,
        claims,
        key or issuer.keystore.token_key,
        algorithms=["ES256"],
    )


def test_a_token_names_the_person_and_unlocks_their_key(
    issuer: Issuer, doctor: Organisation
) -> None:
    token = signed_in(issuer)
    actor = check(issuer, doctor.contracts, token)
    person, key = doctor.people["doctor"]
    assert (actor.user, actor.account, actor.address) == ("doctor", person.account, key.address)
    assert (actor.role, actor.organisation) == (Role.DOCTOR, doctor.id)
    assert unlock(issuer, token).to_bytes() == key.to_bytes()
    header, claims, _ = parts(token)
    assert header == {"alg": "ES256", "typ": "at+jwt"}
    assert {"iss", "exp", "aud", "sub", "client_id", "iat", "jti"} <= set(claims)  # RFC 9068 §2.2
    assert "doctor" not in json.dumps(claims).replace('"role"', "")


CHANGED_CLAIMS: dict[str, Callable[[Claims], Claims]] = {
    "other issuer": lambda c: c | {"iss": "urn:simdes:elsewhere"},
    "other audience": lambda c: c | {"aud": "https://elsewhere.invalid"},
    "list of audiences": lambda c: c | {"aud": [c["aud"]]},
    "other subject": lambda c: c | {"sub": hexed(os.urandom(32))},
    "other organisation": lambda c: c | {"org": hexed(os.urandom(32))},
    "administrator": lambda c: c | {"role": 7},
    "fresh jti": lambda c: c | {"jti": hexed(os.urandom(32))},
    "odd jti": lambda c: c | {"jti": "1"},
    "longer": lambda c: c | {"exp": int(str(c["exp"])) + 60},
    "text exp": lambda c: c | {"exp": str(c["exp"])},
    "fractional exp": lambda c: c | {"exp": float(str(c["exp"])) + 0.5},
    "born later": lambda c: c | {"iat": int(str(c["iat"])) + 100},
    "extra claim": lambda c: c | {"admin": True},
    "null scope": lambda c: c | {"scope": None},
    "wider scope": lambda c: c | {"scope": "user/*.cruds"},
    "another app": lambda c: c | {"client_id": "growth-chart"},
    "another patient": lambda c: c | {"patient": "p1"},
    "null patient": lambda c: c | {"patient": None},
    "another encounter": lambda c: c | {"encounter": "e1"},
    "another user": lambda c: c | {"fhirUser": "Practitioner/1"},
    "a second factor": lambda c: c | {"amr": ["pwd", "otp", "mfa"], "auth_time": c["iat"]},
    "a stronger sign-in": lambda c: c | {"acr": "urn:simdes:acr:multiple"},
    "a later sign-in": lambda c: c | {"auth_time": int(str(c["iat"])) + 1},
    "a key": lambda c: c | {"cnf": {"jkt": "A" * 43}},
    "an empty key": lambda c: c | {"cnf": {}},
    "a service": lambda c: c | {"sub": c["client_id"], "role": 8},
    **{
        f"no {name}": lambda c, name=name: {k: v for k, v in c.items() if k != name}  # type: ignore[misc]
        for name in ("iss", "aud", "sub", "client_id", "iat", "exp", "jti", "scope", "org", "role")
    },
}


@pytest.mark.parametrize("name", CHANGED_CLAIMS)
def test_a_token_with_other_claims_is_refused_even_if_we_signed_it(
    name: str, issuer: Issuer, doctor: Organisation
) -> None:
    header, claims, _ = parts(signed_in(issuer))
    forged = signed(issuer, header, CHANGED_CLAIMS[name](claims))
    with pytest.raises(Unauthenticated):
        check(issuer, doctor.contracts, forged)
    with pytest.raises(Unauthenticated):
        unlock(issuer, forged)


def public_as_secret(issuer: Issuer, claims: Claims) -> str:
    """The oldest confusion: our public key as an HMAC secret."""
    public = issuer.keystore.token_key.as_pem(private=False)
    signing = f"{b64(json.dumps({'alg': 'HS256', 'typ': 'at+jwt'}).encode())}." + b64(
        json.dumps(claims).encode()
    )
    return f"{signing}.{b64(hmac.new(public, signing.encode(), hashlib.sha256).digest())}"


def with_header(header: Claims) -> Callable[[Issuer, Claims], str]:
    return lambda issuer, claims: signed(issuer, header, claims)


def unsigned(header: Claims) -> Callable[[Issuer, Claims], str]:
    def make(_: Issuer, claims: Claims) -> str:
        return f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}."

    return make


FORGERIES: dict[str, Callable[[Issuer, Claims], str]] = {
    "an ID token": with_header({"alg": "ES256", "typ": "JWT"}),
    "no type": with_header({"alg": "ES256"}),
    "application/at+jwt": with_header({"alg": "ES256", "typ": "application/at+jwt"}),
    "key by reference": with_header(
        {"alg": "ES256", "typ": "at+jwt", "jku": "https://elsewhere.invalid"}
    ),
    "a key of one's own": lambda issuer, claims: signed(
        issuer,
        {"alg": "ES256", "typ": "at+jwt"},
        claims,
        ECKey.generate_key("P-256", private=True),
    ),
    "key in header": lambda issuer, claims: signed(
        issuer,
        {
            "alg": "ES256",
            "typ": "at+jwt",
            "jwk": ECKey.generate_key("P-256", private=True).as_dict(private=False),
        },
        claims,
    ),
    "none": unsigned({"alg": "none", "typ": "at+jwt"}),
    "None": unsigned({"alg": "None", "typ": "at+jwt"}),
    "empty signature": unsigned({"alg": "ES256", "typ": "at+jwt"}),
    "public key as secret": public_as_secret,
    "the same claims signed again": with_header({"alg": "ES256", "typ": "at+jwt"}),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_token_is_refused(name: str, issuer: Issuer, doctor: Organisation) -> None:
    _, claims, _ = parts(signed_in(issuer))
    forged = FORGERIES[name](issuer, claims)
    with pytest.raises(Unauthenticated):
        check(issuer, doctor.contracts, forged)
    with pytest.raises(Unauthenticated):
        unlock(issuer, forged)


# A token that we never gave out has no session and is refused for that alone. Had it one, say
# because it was given out under another address of ours, it would have to be refused just as well.

NOT_OF_A_SESSION = frozenset(
    (
        *("administrator", "fresh jti", "wider scope", "another app", "another patient"),
        *("another encounter", "another user", "a second factor", "a stronger sign-in"),
        "a later sign-in",
    )
)
"""Claims that nothing but our signature vouches for, or that `check` does not believe."""
OLD: dict[str, Callable[[Claims], Claims]] = {
    "over": lambda c: c | {"iat": int(str(c["iat"])) - 300, "exp": int(str(c["iat"]))},
    "over before it began": lambda c: c | {"exp": int(str(c["iat"])) - 1},
}
REFUSED = {name: how for name, how in CHANGED_CLAIMS.items() if name not in NOT_OF_A_SESSION} | OLD


def admitted(issuer: Issuer, token: str, forged: str) -> None:
    """Give a forged token a session as the token has one."""

    def write(tx: Transaction) -> None:
        row = sessions.get(tx, session_of(token), now_ms=0)
        assert row is not None
        sessions.add(tx, dataclasses.replace(row, id=session_of(forged), expires_ms=1 << 52))

    issuer.database.write(write)


@pytest.mark.parametrize("name", REFUSED)
def test_claims_count_by_themselves(name: str, issuer: Issuer, doctor: Organisation) -> None:
    token = signed_in(issuer)
    header, claims, _ = parts(token)
    forged = signed(issuer, header, REFUSED[name](claims))
    admitted(issuer, token, forged)
    with pytest.raises(Unauthenticated):
        check(issuer, doctor.contracts, forged)


@pytest.mark.parametrize("name", sorted(FORGERIES.keys() - {"the same claims signed again"}))
def test_headers_and_signatures_count_by_themselves(
    name: str, issuer: Issuer, doctor: Organisation
) -> None:
    token = signed_in(issuer)
    forged = FORGERIES[name](issuer, parts(token)[1])
    admitted(issuer, token, forged)
    with pytest.raises(Unauthenticated):
        check(issuer, doctor.contracts, forged)


def test_what_has_a_session_and_our_signature_is_admitted(
    issuer: Issuer, doctor: Organisation
) -> None:
    token = signed_in(issuer)
    header, claims, _ = parts(token)
    again = signed(issuer, header, claims)
    admitted(issuer, token, again)
    assert check(issuer, doctor.contracts, again).user == "doctor"


def test_a_services_session_admits_no_person(issuer: Issuer, doctor: Organisation) -> None:
    lane = issuer.keystore.lanes[0]
    standing = doctor.contracts.accounts.standing(lane.address)
    assert standing is not None
    token = mint_agent(issuer, standing.account, context=Context(client="a", scope="system/*.rs"))
    header, claims, _ = parts(token)
    for changed in ({"sub": hexed(standing.account)}, {"role": int(Role.DOCTOR)}):
        forged = signed(issuer, header, claims | changed)
        admitted(issuer, token, forged)
        with pytest.raises(Unauthenticated):
            check(issuer, doctor.contracts, forged)


def test_every_character_of_a_token_counts(issuer: Issuer, doctor: Organisation) -> None:
    token = signed_in(issuer)
    for at, letter in enumerate(token):
        changed = token[:at] + ("A" if letter != "A" else "B") + token[at + 1 :]
        with pytest.raises(Unauthenticated):
            check(issuer, doctor.contracts, changed)
    assert check(issuer, doctor.contracts, token)


@pytest.mark.parametrize(
    "rubbish", ["", ".", "..", "a.b.c", "a.b.c.d", "é.é.é", "x" * 5000, "\0" * 10, " "]
)
def test_rubbish_is_refused(rubbish: str, issuer: Issuer, doctor: Organisation) -> None:
    with pytest.raises(Unauthenticated):
        check(issuer, doctor.contracts, rubbish)


def test_the_second_form_of_a_signature_is_another_token(
    issuer: Issuer, doctor: Organisation
) -> None:
    """ECDSA: (r, s) and (r, n - s) both verify; only one of them names a session."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    token = signed_in(issuer)
    head, payload, signature = token.split(".")
    raw = unb64(signature)
    other = raw[:32] + (order - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    with pytest.raises(Unauthenticated):
        check(issuer, doctor.contracts, f"{head}.{payload}.{b64(other)}")


def test_a_token_expires_and_a_session_can_be_ended(
    network: Network, issuer: Issuer, doctor: Organisation
) -> None:
    token, other = signed_in(issuer), signed_in(issuer)
    revoke(issuer, check(issuer, doctor.contracts, token).session)
    with pytest.raises(Unauthenticated):
        check(issuer, doctor.contracts, token)
    assert check(issuer, doctor.contracts, other)
    network.clock.advance(301)
    with pytest.raises(Unauthenticated):
        check(issuer, doctor.contracts, other)
    with pytest.raises(Unauthenticated):
        unlock(issuer, other)


def test_nobody_gets_more_than_five_minutes(issuer: Issuer) -> None:
    for seconds in (301, 0, -1):
        with pytest.raises(Invalid):
            signed_in(issuer, valid_seconds=seconds)
    with pytest.raises(Invalid):
        mint(issuer, issuer.keystore.person("doctor"), SigningKey.generate(os.urandom))


def test_another_organisations_token_is_refused(network: Network, doctor: Organisation) -> None:
    home = network.issuer(network.members[0])
    token = signed_in(home, "ada")
    with pytest.raises(Unauthenticated):
        check(network.issuer(doctor), doctor.contracts, token)
    same_names = dataclasses.replace(home, keystore=doctor.keystore)
    with pytest.raises(Unauthenticated):
        check(same_names, doctor.contracts, token)


def test_a_suspended_account_is_told_so_whatever_its_token_says(
    network: Network, doctor: Organisation
) -> None:
    user = f"dr-{os.urandom(4).hex()}"
    person = doctor.enrol(user, Role.DOCTOR)
    issuer = network.issuer(doctor)
    token = signed_in(issuer, user)
    assert check(issuer, doctor.contracts, token).account == person.account  # remembered from now
    administrator = network.lane(doctor.administrator)
    administrator.transact(doctor.contracts.accounts.suspend(person.account))
    with pytest.raises(Forbidden, match="suspended"):
        check(issuer, doctor.contracts, token)


def test_the_disk_and_the_organisations_passphrase_do_not_unlock_a_hosted_key(
    issuer: Issuer, doctor: Organisation
) -> None:
    """Everything at rest: session row, token key, claims. Only the token itself opens the key."""
    token = signed_in(issuer)
    header, claims, _ = parts(token)
    session = check(issuer, doctor.contracts, token).session
    with issuer.database.read() as tx:
        row = sessions.get(tx, session, now_ms=0)
    assert row is not None
    key = doctor.people["doctor"][1].to_bytes()
    for guess in {signed(issuer, header, claims) for _ in range(20)}:
        assert guess != token
        with pytest.raises(Unauthenticated):
            unlock(issuer, guess)
    assert key not in row.key_wrapped
    assert base64.b64encode(key) not in row.key_wrapped


def test_a_token_bound_to_a_key_is_good_with_it_alone(issuer: Issuer, doctor: Organisation) -> None:
    thumbprint = "A" * 43
    token = signed_in(issuer, context=Context(thumbprint=thumbprint))
    actor = check(issuer, doctor.contracts, token, thumbprint=thumbprint)
    assert actor.context.thumbprint == thumbprint
    assert check(issuer, doctor.contracts, token, thumbprint=None)
    for other in ("", "B" * 43):
        with pytest.raises(Unauthenticated):
            check(issuer, doctor.contracts, token, thumbprint=other)
    with pytest.raises(Unauthenticated):
        check(issuer, doctor.contracts, signed_in(issuer), thumbprint=thumbprint)


def test_a_token_says_what_an_app_was_allowed(issuer: Issuer, doctor: Organisation) -> None:
    context = Context(
        client="growth-chart",
        scope="patient/*.rs",
        vault=b"\1" * 32,
        patient="p1",
        encounter="e1",
        fhir_user="Practitioner/1",
    )
    authentication = Authentication(("pwd", "otp"), int(issuer.clock()) - 60)
    token = signed_in(issuer, context=context, authentication=authentication)
    actor = check(issuer, doctor.contracts, token)
    assert (actor.context, actor.authentication) == (context, authentication)
    assert not actor.context.unrestricted
    _, claims, _ = parts(token)
    assert (claims["patient"], claims["fhirUser"]) == ("p1", "Practitioner/1")
    assert claims["amr"] == ["pwd", "otp", "mfa"]
    assert "01" * 32 not in json.dumps(claims)


def test_a_services_token_opens_no_persons_account(issuer: Issuer, doctor: Organisation) -> None:
    lane = issuer.keystore.lanes[0]
    standing = doctor.contracts.accounts.standing(lane.address)
    assert standing is not None
    context = Context(client="night-export", scope="system/*.rs")
    token = mint_agent(issuer, standing.account, context=context)
    actor = check(issuer, doctor.contracts, token)
    assert (actor.user, actor.role, actor.address) == ("night-export", Role.AGENT, lane.address)
    assert unlock(issuer, token).address == lane.address
    person = issuer.keystore.person("doctor")
    forged = mint_agent(issuer, person.account, context=context)
    with pytest.raises(Unauthenticated):
        check(issuer, doctor.contracts, forged)
