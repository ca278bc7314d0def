"""Share a summary by QR code with somebody who is in no network: SMART Health Links.

https://hl7.org/fhir/uv/smart-health-cards-and-links/STU1/links-specification.html. The patient
makes an International Patient Summary of what their record holds; it is kept encrypted (JWE,
``dir`` and A256GCM) to a key that stands in the QR code, and wrapped under the vault's local key,
so that the patient sees the code again and nobody opens it once the vault is erased. A link ends
by itself, is ended at any time, may ask for a passcode of which ten wrong ones close it for good,
and each opening is written down with what the recipient calls themselves.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jwe
from joserfc.jwk import OctKey

from simdes.access.audit_event import Attempt, Verb
from simdes.access.categories import Purpose, Role
from simdes.access.local_keys import vault_key
from simdes.crypto import cbor
from simdes.crypto.digest import hkdf, sha256
from simdes.crypto.keys import unwrap, wrap
from simdes.errors import Forbidden, Invalid, NotFound
from simdes.exchange.interactions.summary import summary
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.exchange.signin import Session
from simdes.fhir.json import dumps
from simdes.index import health_links as rows
from simdes.index import vaults
from simdes.index.health_links import HealthLink
from simdes.index.transaction import Transaction

PREFIX: Final = "/shl"
MOST_LABEL: Final = 80
MOST_RECIPIENT: Final = 200
MOST_DAYS: Final = 365
MOST_LINKS: Final = 20
TRIES: Final = 10
"""Wrong passcodes in a link's whole life."""
LEAST_PASSCODE: Final = 4
MOST_PASSCODE: Final = 64
TICKET_SECONDS: Final = 600
"""How long a file's address in a manifest is good; the specification allows an hour."""
CONTENT_TYPE: Final = "application/fhir+json"
_DETAILS: Final = b"simdes/health-link/v1"
_USE: Final = b"simdes/health-link-use/v1"
_NAME: Final = b"simdes/health-link-name/v1"


class WrongPasscode(Forbidden):
    """The passcode is missing or wrong; so many tries are left."""

    def __init__(self, left: int) -> None:
        super().__init__("The passcode is missing or wrong.", reason="WRONG_CODE")
        self.left = left


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Somebody opened a link, or tried a wrong passcode; ``recipient`` is their own word."""

    at_ms: int
    recipient: str
    opened: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link as its patient sees it. ``uri`` is what a QR code holds; ``open`` whether it works."""

    id: bytes
    label: str
    uri: str
    long_term: bool
    passcode: bool
    created_ms: int
    changed_ms: int
    expires_ms: int
    tries: int
    open: bool
    openings: tuple[Opening, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of a manifest: embedded, or at an address for a while."""

    ticket: str
    jwe: str
    changed_ms: int


def make(
    node: Node,
    asking: Asking,
    *,
    vault: bytes,
    patient: str,
    label: str,
    days: int,
    passcode: str = "",
    long_term: bool = False,
) -> Link:
    """Make a link to the patient's summary as it is now.

    ``long_term``: whoever has it may look again, and the patient puts newer content in (flag L).
    Without a passcode the file is also had with one GET (flag U). Raises Invalid for a label,
    passcode or time out of bounds or too many links, NotFound where the patient has no record.
    """
    label = label.strip()
    _check(label, days, passcode)
    secret, key = _text(node.random(32)), node.random(32)
    now, id_ = node.now_ms(), sha256(_NAME + secret.encode())
    content = _sealed(node, asking, patient, key)
    flags = "".join(sorted(("L" if long_term else "") + ("P" if passcode else "U")))

    def write(tx: Transaction) -> HealthLink:
        if len(rows.of_vault(tx, vault)) >= MOST_LINKS:
            raise Invalid("There are as many links as there may be.", advice="End one first.")
        details = cbor.encode({"label": label, "secret": secret, "key": key})
        made = HealthLink(
            id=id_,
            vault=vault,
            details_wrapped=wrap(
                _local_key(node, tx, vault), details, aad=_DETAILS + id_, random=node.random
            ),
            flags=flags,
            passcode=_digest(node, id_, passcode) if passcode else None,
            content=content,
            tries=TRIES,
            created_ms=now,
            changed_ms=now,
            expires_ms=now + days * 86_400_000,
        )
        rows.add(tx, made)
        return made

    made = node.database.write(write)
    return _shown(node, made, label, secret, key, ())


def _check(label: str, days: int, passcode: str) -> None:
    if not 0 < len(label) <= MOST_LABEL:
        raise Invalid("A link's name has 1 to 80 characters.")
    if not 0 < days <= MOST_DAYS:
        raise Invalid("Choose for how many days.", advice="A day at least, a year at most.")
    if passcode and not LEAST_PASSCODE <= len(passcode) <= MOST_PASSCODE:
        raise Invalid("A passcode has 4 to 64 characters.")


def listed(node: Node, vault: bytes) -> list[Link]:
    """A vault's links, newest first, those that are over among them."""
    with node.database.read() as tx:
        found = rows.of_vault(tx, vault)
        if not found:
            return []
        local = _local_key(node, tx, vault)
        made: list[Link] = []
        for one in found:
            said = cbor.decode(unwrap(local, one.details_wrapped, aad=_DETAILS + one.id))
            assert isinstance(said, dict)  # noqa: S101 (our own writing)
            openings = tuple(
                Opening(
                    at_ms=use.at_ms,
                    recipient=unwrap(local, use.recipient_wrapped, aad=_USE + one.id).decode(),
                    opened=bool(use.opened),
                )
                for use in rows.uses(tx, one.id)
            )
            made.append(
                _shown(node, one, str(said["label"]), str(said["secret"]), said["key"], openings)  # type: ignore[arg-type]
            )
        return made


def get(node: Node, vault: bytes, id_: bytes) -> Link:
    """One link of a vault; NotFound for any other."""
    found = next((one for one in listed(node, vault) if one.id == id_), None)
    if found is None:
        raise NotFound("There is nothing like that.")
    return found


def renew(node: Node, asking: Asking, *, vault: bytes, patient: str, id_: bytes) -> None:
    """Put the summary as it is now into a long-term link. NotFound for any other."""
    with node.database.read() as tx:
        found = next((one for one in rows.of_vault(tx, vault) if one.id == id_), None)
        if found is None or "L" not in found.flags:
            raise NotFound("There is nothing like that.")
        local = _local_key(node, tx, vault)
    said = cbor.decode(unwrap(local, found.details_wrapped, aad=_DETAILS + id_))
    assert isinstance(said, dict)  # noqa: S101 (our own writing)
    content = _sealed(node, asking, patient, said["key"])  # type: ignore[arg-type]
    node.database.write(lambda tx: rows.put_content(tx, id_, content, now_ms=node.now_ms()))


def end(node: Node, session: Session, *, vault: bytes, id_: bytes) -> None:
    """End a link: from now on its address leads nowhere. NotFound for any other."""
    known = node.contracts.accounts.vault(vault)
    if known is None or known.control != session.actor.account:
        raise Forbidden("This account does not control the vault.")
    get(node, vault, id_)
    node.database.write(lambda tx: rows.drop(tx, id_))


# What recipients ask --------------------------------------------------------------------------


def manifest(node: Node, secret: str, *, recipient: str, passcode: str) -> File:
    """The one file of a link, for whoever has its address; written down.

    Raises NotFound for every address that leads nowhere (any more), Invalid without a recipient,
    WrongPasscode with how many tries are left.
    """
    return _open(node, secret, recipient, passcode, allowed=lambda _: True)


def direct(node: Node, secret: str, *, recipient: str) -> str:
    """The JWE of a link that asks for no passcode (flag U); as `manifest`."""
    return _open(node, secret, recipient, "", allowed=lambda flags: "U" in flags).jwe


def file(node: Node, ticket: str) -> str:
    """The JWE behind a file's address in a manifest. NotFound for one whose time is over."""
    gone = NotFound("There is nothing at this address.")
    try:
        shown = base64.urlsafe_b64decode(ticket + "=" * (-len(ticket) % 4))
    except ValueError:
        raise gone from None
    id_, until, mac = shown[:32], shown[32:40], shown[40:]
    now = node.now_ms()
    if not hmac.compare_digest(mac, _mac(node, id_ + until)):
        raise gone
    if int.from_bytes(until, "big") < now // 1000:
        raise gone
    with node.database.read() as tx:
        found = rows.get(tx, id_, now_ms=now)
        if found is None or not _is_whole(tx, found.vault):
            raise gone
    return found.content.decode()


def _open(
    node: Node, secret: str, recipient: str, passcode: str, *, allowed: Callable[[str], bool]
) -> File:
    recipient = recipient.strip()
    if not 0 < len(recipient) <= MOST_RECIPIENT:
        raise Invalid("Say who you are: a recipient of 1 to 200 characters.")
    id_, now = sha256(_NAME + secret.encode()), node.now_ms()

    def write(tx: Transaction) -> tuple[HealthLink | None, int]:
        tx.lock(f"health link {id_.hex()}")
        found = rows.get(tx, id_, now_ms=now)
        if found is None or not allowed(found.flags) or not _is_whole(tx, found.vault):
            return None, 0
        right = found.passcode is None or hmac.compare_digest(
            found.passcode, _digest(node, id_, passcode)
        )
        # A missing passcode is a question for one, not a guess.
        left = found.tries if right or not passcode else rows.count_try(tx, id_)
        wrapped = wrap(
            _local_key(node, tx, found.vault),
            recipient.encode(),
            aad=_USE + id_,
            random=node.random,
        )
        if right or passcode:
            rows.add_use(tx, id_, wrapped, opened=right, now_ms=now)
            reason = "" if right else "WRONG_CODE"
            node.desk.trail.append(tx, [_attempt(node, found.vault, reason)])
        return found, -1 if right else left

    found, left = node.database.write(write)
    if found is None:
        raise NotFound("There is nothing at this address.")
    if left >= 0:
        raise WrongPasscode(left)
    until = (now // 1000 + TICKET_SECONDS).to_bytes(8, "big")
    return File(
        ticket=_text(id_ + until + _mac(node, id_ + until)),
        jwe=found.content.decode(),
        changed_ms=found.changed_ms,
    )


def _attempt(node: Node, vault: bytes, reason: str) -> Attempt:
    """An opening as the trail has it: by our software, for somebody with the patient's own link."""
    address = node.desk.keystore.lanes[0].address
    standing = node.contracts.accounts.standing(address)
    return Attempt(
        verb=Verb.LINK,
        account=standing.account if standing is not None else bytes(32),
        address=address,
        role=int(Role.AGENT),
        organisation=node.organisation,
        purpose=int(Purpose.PATRQT),
        vault=vault,
        reason=reason,
    )


def _sealed(node: Node, asking: Asking, patient: str, key: bytes) -> bytes:
    """The patient's summary of this moment as a JWE."""
    made = dumps(summary(node, asking, patient))
    header: dict[str, Any] = {
        "alg": "dir",
        "enc": "A256GCM",
        "cty": CONTENT_TYPE,
        "zip": "DEF",
    }
    return jwe.encrypt_compact(header, made, OctKey.import_key(key)).encode()


def _shown(
    node: Node,
    link: HealthLink,
    label: str,
    secret: str,
    key: bytes,
    openings: tuple[Opening, ...],
) -> Link:
    now = node.now_ms()
    payload: dict[str, Any] = {
        "url": f"{node.issuer.name}{PREFIX}/{secret}",
        "key": _text(key),
        "exp": link.expires_ms // 1000,
        "flag": link.flags,
        "label": label,
    }
    text = json.dumps(payload, separators=(",", ":"), ensure_ascii=False)
    return Link(
        id=link.id,
        label=label,
        uri=f"shlink:/{_text(text.encode())}",
        long_term="L" in link.flags,
        passcode=link.passcode is not None,
        created_ms=link.created_ms,
        changed_ms=link.changed_ms,
        expires_ms=link.expires_ms,
        tries=link.tries,
        open=link.expires_ms > now and link.tries > 0,
        openings=openings,
    )


def _is_whole(tx: Transaction, vault: bytes) -> bool:
    row = vaults.get(tx, vault)
    return row is not None and row.key_wrapped is not None and not row.is_closed


def _local_key(node: Node, tx: Transaction, vault: bytes) -> bytes:
    row = vaults.get(tx, vault)
    if row is None:
        raise NotFound("The network knows no such vault.")
    return vault_key(node.desk.keystore, row)


def _digest(node: Node, id_: bytes, passcode: str) -> bytes:
    return _mac(node, b"passcode" + id_ + passcode.encode())


def _mac(node: Node, message: bytes) -> bytes:
    # Keyed: whoever takes the disk can try no passcodes.
    key = hkdf(node.desk.keystore.database_key, salt=b"", info=_NAME)
    return hmac.digest(key, message, "sha256")


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
