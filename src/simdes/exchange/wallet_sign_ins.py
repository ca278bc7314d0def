"""Sign in with a wallet of one's own: it signs a pass for reading, for a key made just then.

The key that controls the vault stays in the wallet. What is signed names account, organisation, key
and end (`access.passes`), so that a signature made for another gateway, chain, key or time is worth
nothing here; what was prepared for one browser is good for no other, and once.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from typing import Final

from simdes.access import attempts, browser, passes
from simdes.access.browser import Proof
from simdes.access.categories import Role
from simdes.access.keystore import Person
from simdes.access.passes import Carried, Pass
from simdes.crypto.digest import sha256
from simdes.crypto.keys import SigningKey, unwrap, wrap
from simdes.errors import NotFound, SimdesError, Unauthenticated
from simdes.exchange import credentials
from simdes.exchange.credentials import Admitted, Client
from simdes.exchange.node import Node
from simdes.exchange.wallet_signatures import SIGN_SECONDS, signer, with_usual_v
from simdes.index import credentials as rows
from simdes.ledger.typed_data import TypedData

METHODS: Final = ("swk",)
"""RFC 8176: possession of a key that software, or a device of the wallet's, keeps."""
MOST_HELD: Final = 1_024
_HELD: Final = b"simdes/wallet-sign-in/v1"
_STRANGER: Final = "No patient of this organisation has this wallet."


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What the wallet is asked to sign, until when it reads, and what the form brings back."""

    data: TypedData
    until_seconds: int
    held: str = field(repr=False)


def prepare(node: Node, wallet: bytes, *, binding: str) -> Asking:
    """Make a fresh key and ask this wallet for its pass.

    ``binding`` is the secret of the browser that may answer. NotFound for a wallet that is nobody's
    here: whose patient somebody is stands on the ledger for all to see.
    """
    account = _person(node, wallet).account
    key = SigningKey.generate(node.random)
    until = node.now_seconds() + passes.MAX_SECONDS
    one = Pass(
        account=account, organisation=node.organisation, key=key.address, until_seconds=until
    )
    held = wrap(
        node.desk.keystore.database_key,
        Carried(key, replace(one, signature=bytes(65)), wallet).to_bytes(),
        aad=_HELD + binding.encode(),
        random=node.random,
    )
    return _asking(node, one, base64.urlsafe_b64encode(held).decode())


def again(node: Node, held: str, *, binding: str) -> Asking:
    """What was prepared for this browser, once more. Raises Unauthenticated where it was not, or
    too long ago."""
    return _asking(node, _held(node, held, binding).signed, held)


def sign_in(
    node: Node, held: str, signature: bytes, *, binding: str, client: Client, cookie: str = ""
) -> Admitted:
    """A session of the wallet's owner, which reads by the pass that it signed.

    With a cookie it goes on for whoever is signed in, as a fresh proof. Raises Unauthenticated for
    a signature that is not the wallet's, not of this, or was used before, TooLarge where wrong ones
    have to wait, Forbidden where the account may not act.
    """
    made = _held(node, held, binding)
    person = _person(node, made.wallet)
    if person.account != made.signed.account:
        raise Unauthenticated(_STRANGER)
    signed = with_usual_v(signature)
    if signer(passes.typed_data(node.contracts, made.signed).digest, signed) != made.wallet:
        subjects = attempts.address_subject(node.desk.keystore, client.address)
        node.database.write(lambda tx: attempts.count(tx, subjects, now_ms=node.now_ms()))
        credentials.refuse(node, person, attempts.WRONG_SIGNATURE)
        raise Unauthenticated(
            "This is not a signature of that wallet, or not of this.",
            advice="Sign just this, with the wallet of the address.",
        )
    kept = credentials.find(node, cookie) if cookie else None
    if kept is not None and kept.person.account != person.account:
        raise Unauthenticated("The wallet is another person's.")
    _spend(node, made)
    carried = replace(made, signed=replace(made.signed, signature=signed))
    until_ms = made.signed.until_seconds * 1000
    proof = Proof(
        person.account,
        carried,
        METHODS,
        True,
        browser.client_of(node.issuer, kept.row) if kept else client.name,
        started_ms=kept.row.started_ms if kept else None,
        expires_ms=min(kept.row.expires_ms, until_ms) if kept else until_ms,
    )
    return credentials.admit(node, _at(node, person, made.wallet), proof, ended=cookie)


# Steps ----------------------------------------------------------------------------------------


def _asking(node: Node, one: Pass, held: str) -> Asking:
    return Asking(
        data=passes.typed_data(node.contracts, one), until_seconds=one.until_seconds, held=held
    )


def _person(node: Node, wallet: bytes) -> Person:
    """The patient here whose present key the chain says this is, and whose key is not kept here.

    A key store that was restored from before they moved to the wallet still has the old key.
    """
    standing = node.contracts.accounts.standing(wallet)
    person = None if standing is None else node.desk.keystore.person_of(standing.account)
    hosted = person is not None and not person.wallet and person.address == wallet
    if person is None or hosted or person.role is not Role.PATIENT:
        raise NotFound(
            _STRANGER, advice="Choose the wallet that your account here belongs to, in your wallet."
        )
    return person


def _at(node: Node, person: Person, wallet: bytes) -> Person:
    """The person with the wallet that the chain knows now; it was recovered to another one, or
    the key store is of before they moved."""
    if person.address != wallet:
        node.desk.keystore.replace_key(person.account, wallet, b"")
    return replace(person, address=wallet)


def _held(node: Node, held: str, binding: str) -> Carried:
    over = Unauthenticated("What was to be signed is too old.", advice="Begin again.")
    try:
        sealed = base64.urlsafe_b64decode(held[:MOST_HELD])
        key, aad = node.desk.keystore.database_key, _HELD + binding.encode()
        made = Carried.from_bytes(unwrap(key, sealed, aad=aad))
    except (ValueError, SimdesError):
        raise over from None
    if node.now_seconds() > made.signed.until_seconds - passes.MAX_SECONDS + SIGN_SECONDS:
        raise over
    return made


def _spend(node: Node, made: Carried) -> None:
    """Each key is good for one session: what was signed once signs nobody in again."""
    digest, until_ms = sha256(_HELD + made.key.address), made.signed.until_seconds * 1000
    if not node.database.write(lambda tx: rows.spend(tx, digest, expires_ms=until_ms)):
        raise Unauthenticated("This was signed and used before.", advice="Begin again.")
