"""What a wallet is asked to sign, carried to it and back as JSON, and checked when it is read.

A request carries the terms that its commitment hides, so that words and typed data can be held
against one another by anybody, the letter that its grant points at, which is stored only once the
wallet has signed, and what its consent hangs on, by name: the patient's own record and the ledger
tell that, to the patient alone (`meanings`).
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final

from simdes.access import consent
from simdes.access.categories import Category, Label, Purpose, mask
from simdes.access.consent import Consent
from simdes.access.fetching import letter_keys
from simdes.crypto.digest import sha256
from simdes.errors import Invalid, NotFound, Tampered, TooLarge
from simdes.exchange import consents, meanings
from simdes.exchange.consents import Given
from simdes.exchange.following import KnownConsent
from simdes.exchange.meanings import Meaning, Named
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.ledger.terms import GranteeKind, Terms
from simdes.ledger.typed_data import TypedData
from simdes.storage.cid import cid_of_digest

MOST_BYTES: Final = 32 * 1024
CLAIM, GRANT, REVOKE, REVOKE_ALL = "ClaimVault", "Grant", "Revoke", "RevokeAll"
_LETTER_BYTES: Final = 256 * 1024
"""Far more than terms take, sealed to all custodians that a vault has."""
_LAST_SECOND: Final = 253_402_300_799
"""Of the year 9999; later ends of a consent can't be told as a day."""
_BROKEN: Final = "That is no request for a wallet."
_ANEW: Final = "Have it prepared anew, by an organisation of this network."
_TYPE, _VERSION, _BEFORE = "wallet-request", 2, 1
"""Version 1 has neither letter nor meaning nor list of records: its letter is stored already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a wallet is asked to sign; ``drafted`` with a grant, ``attestations`` with a claim.

    ``letter``: the sealed terms, b"" where they are stored. ``meaning``: what the consent hangs on,
    found and checked, None where on nothing but time and whom it names. ``listed``: a key of ours
    opened the letter that a grant points at, and it says the same terms, so that the consent will
    stand in the vault's list of consents.
    """

    data: TypedData
    drafted: Consent | None = None
    attestations: tuple[bytes, ...] = ()
    letter: bytes = b""
    meaning: Meaning | None = None
    listed: bool = False

    @property
    def verb(self) -> str:
        """What it does: one of the four names above."""
        return self.data.primary

    @property
    def message(self) -> dict[str, Any]:
        """The signed values by name."""
        names = [name for _, name in self.data.members]
        return dict(zip(names, self.data.values, strict=True))

    @property
    def vault(self) -> bytes:
        """The vault that it is about."""
        return bytes(self.message["tag"])


def written(request: Request) -> str:
    """A request as JSON, for its owner to look at and sign."""
    more: dict[str, Any] = {}
    if request.drafted is not None:
        terms = asdict(request.drafted.terms)
        more = {"terms": {name: _text(one) for name, one in terms.items()}}
        more["salt"] = _text(request.drafted.salt)
        more["letter"] = urlsafe_b64encode(request.letter).decode()
        more["records"] = [_text(one) for one in request.drafted.listed]
    if request.meaning is not None:
        more["hangsOn"] = list(request.meaning.named)
    if request.attestations:
        more["attestations"] = [_text(one) for one in request.attestations]
    head = {"type": _TYPE, "v": _VERSION, "typedData": request.data.document()}
    return json.dumps(head | more)


def read(node: Node, text: str, *, asking: Asking | None = None) -> Request:
    """A request that somebody hands in; ``asking``: the patient, who alone is told what a consent
    hangs on that names records or a condition.

    Raises Invalid for what is none, or is for another chain or contract, or is a grant whose sealed
    terms nobody has, or of which words can't tell all, Tampered where the terms are not those that
    would be signed.
    """
    if len(text) > MOST_BYTES:
        raise Invalid(_BROKEN)
    try:
        handed = json.loads(text)
        request = _read(node, handed)
        named = request.data.document()
        request.data.digest  # noqa: B018 (raises where a value doesn't fit its type)
        _require_sayable(node, request)
        hangs_on = _named(handed)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise Invalid(_BROKEN) from None
    if named != handed["typedData"]:
        raise Invalid(
            "The request is for another network, or was changed.",
            advice=_ANEW,
        )
    if request.drafted is None:
        return request
    meaning = meanings.find(node, asking, request.drafted, hangs_on)
    return replace(request, listed=_is_listed(node, request), meaning=meaning)


def _read(node: Node, handed: Mapping[str, Any]) -> Request:
    if handed["type"] != _TYPE or handed["v"] not in (_BEFORE, _VERSION):
        raise Invalid(_BROKEN)
    document = handed["typedData"]
    message = {name: _value(one) for name, one in document["message"].items()}
    data = _DATA[document["primaryType"]](node)(**message)
    drafted = _drafted(handed, message) if data.primary == GRANT else None
    attestations = tuple(bytes.fromhex(one[2:]) for one in handed.get("attestations", ()))
    # Only a grant points at a letter; beside another signature anybody could have bytes stored.
    letter = b"" if drafted is None else urlsafe_b64decode(handed.get("letter", ""))
    return Request(data=data, drafted=drafted, attestations=attestations, letter=letter)


def _named(handed: Mapping[str, Any]) -> Named | None:
    if "hangsOn" not in handed:
        return None
    kind, name = handed["hangsOn"]
    if not isinstance(kind, str) or not isinstance(name, str):
        raise Invalid(_BROKEN)
    return kind, name


def _require_sayable(node: Node, request: Request) -> None:
    """Raise unless the words for it are those of what is signed, and there are words at all."""
    if request.message["deadline"] > node.now_seconds() + 86_400:
        raise Invalid(_BROKEN)
    if request.drafted is None:
        return
    if request.drafted.commitment != request.message["commitment"]:
        raise Tampered("The terms are not those that would be signed.")
    given(node, request)
    if not _is_plain(request.drafted.terms):
        raise Invalid(_BROKEN)


def _is_listed(node: Node, request: Request) -> bool:
    """Whether a key of ours opens the letter of a grant, to the same terms.

    Without a letter a grant would work for a grantee who holds its terms, and the patient, who
    reads of their consents in letters, would find it in no list.
    """
    if request.drafted is None:
        return False
    said, letter = request.message, request.letter or _stored(node, request.message["pointer"])
    if sha256(letter) != said["pointer"]:
        raise Tampered("The sealed terms are not those that the grant points at.")
    sealed = consent.open_terms(letter, letter_keys(node.desk.keystore, node.database, said["tag"]))
    if sealed is None:
        return False
    consent.check_terms(
        sealed, vault=said["tag"], handle=said["handle"], committed=said["commitment"]
    )
    return True


def _stored(node: Node, pointer: bytes) -> bytes:
    try:
        return node.store.get(cid_of_digest(pointer), most_bytes=_LETTER_BYTES)
    except (NotFound, TooLarge):
        raise Invalid("The sealed terms of the grant are nowhere.", advice=_ANEW) from None


def _is_plain(terms: Terms) -> bool:
    """Whether words tell all of these members: nothing hides in a bit or one that they leave out.

    A role beside a whole organisation, say, would be told and not be so.
    """
    by_role = terms.grantee_kind == GranteeKind.ROLE_IN_ORGANISATION
    known = ((terms.categories, Category), (terms.labels, Label), (terms.purposes, Purpose))
    return (
        terms.grantee_kind in set(GranteeKind)
        and (terms.grantee_role != 0) is by_role
        and not any(bits & ~mask(names) for bits, names in known)
        and terms.not_before < terms.expiry <= _LAST_SECOND
    )


def given(node: Node, request: Request) -> Given:
    """The consent that a request would grant, as its patient reads it. NotFound for other ones."""
    if request.drafted is None:
        raise NotFound("The request grants nothing.")
    return consents.given_as(node, KnownConsent(request.drafted, active=True))


# Steps -------------------------------------------------------------------------------------------

_DATA: Final[Mapping[str, Callable[[Node], Callable[..., TypedData]]]] = {
    CLAIM: lambda node: node.contracts.accounts.claim_vault_data,
    GRANT: lambda node: node.contracts.consents.grant_data,
    REVOKE: lambda node: node.contracts.consents.revoke_data,
    REVOKE_ALL: lambda node: node.contracts.consents.revoke_all_data,
}
"""How each is put together again from its values, for our own chain and contracts."""


def _drafted(given: Mapping[str, Any], message: Mapping[str, Any]) -> Consent:
    names = {field.name for field in fields(Terms)}
    values: dict[str, Any] = {name: _value(one) for name, one in given["terms"].items()}
    if set(values) != names:
        raise Invalid(_BROKEN)
    salt = _value(given["salt"])
    if not isinstance(salt, bytes):
        raise Invalid(_BROKEN)
    listed = tuple(bytes.fromhex(one[2:]) for one in given.get("records", ()))
    return Consent(message["tag"], message["handle"], Terms(**values), salt, listed)


def _text(value: bytes | int) -> str:
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)


def _value(text: str) -> bytes | int:
    return bytes.fromhex(text[2:]) if text.startswith("0x") else int(text)
