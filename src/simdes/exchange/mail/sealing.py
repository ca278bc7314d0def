"""How addresses are kept, what codes follow from, and what signs the link that stops mails.

An address lies under its patient's vault's local key, so that it is erased with it, in backups too;
of people without a vault under the organisation's, as names are. A code is not kept in any form: it
is what a keyed digest of a random number says. The link in a mail names no account.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from simdes.access.keystore import KeyStore
from simdes.access.local_keys import vault_key
from simdes.crypto.digest import hkdf
from simdes.crypto.keys import unwrap, wrap
from simdes.errors import NotFound
from simdes.exchange.node import Node
from simdes.index import mail as rows
from simdes.index import vaults
from simdes.index.transaction import Transaction

DIGITS: Final = 8
STOP_BYTES: Final = 16
_ADDRESS: Final = b"simdes/mail-address/v1"
_KEYS: Final = {
    name: f"simdes/mail-{name}/v1".encode() for name in ("code", "stop", "subject", "passing")
}


def seal(node: Node, tx: Transaction, account: bytes, address: str) -> tuple[bytes | None, bytes]:
    """An account's address as it is kept, and whose vault's key it is under (None: nobody's)."""
    own = next((one for one in vaults.controlled_by(tx, account) if not one.is_closed), None)
    keystore = node.desk.keystore
    key = keystore.database_key if own is None else vault_key(keystore, own)
    wrapped = wrap(key, address.encode(), aad=_ADDRESS + account, random=node.random)
    return (None if own is None else own.tag), wrapped


def open_(node: Node, tx: Transaction, row: rows.Address) -> str:
    """An account's address. Raises NotFound where its vault is erased here."""
    keystore = node.desk.keystore
    key = keystore.database_key
    if row.vault is not None:
        vault = vaults.get(tx, row.vault)
        if vault is None:
            raise NotFound("The vault is not known here any more.")
        key = vault_key(keystore, vault)
    return unwrap(key, row.address_wrapped, aad=_ADDRESS + row.account).decode()


def seal_passing(node: Node, account: bytes, address: str) -> bytes:
    """An address that is kept for as long as one mail is on its way, or one code waits."""
    key = _key(node.desk.keystore, "passing")
    return wrap(key, address.encode(), aad=_ADDRESS + account, random=node.random)


def open_passing(node: Node, account: bytes, wrapped: bytes) -> str:
    """Undo `seal_passing`."""
    return unwrap(_key(node.desk.keystore, "passing"), wrapped, aad=_ADDRESS + account).decode()


def code_of(keystore: KeyStore, account: bytes, nonce: bytes) -> str:
    """The digits that an address's owner types."""
    digest = hmac.digest(_key(keystore, "code"), account + nonce, "sha256")
    return f"{int.from_bytes(digest) % 10**DIGITS:0{DIGITS}d}"


def is_code(keystore: KeyStore, row: rows.Code, text: str) -> bool:
    """Whether somebody typed the code of an address that waits; blanks and hyphens don't count."""
    typed = "".join(text.split()).replace("-", "")
    right = code_of(keystore, row.account, row.nonce)
    return hmac.compare_digest(typed.encode(), right.encode())


def stop_token(keystore: KeyStore, stop: bytes) -> str:
    """What a mail carries to say that no more shall come."""
    signed = hmac.digest(_key(keystore, "stop"), stop, "sha256")[:STOP_BYTES]
    return urlsafe_b64encode(stop + signed).decode().rstrip("=")


def read_stop(keystore: KeyStore, token: str) -> bytes:
    """Whose mails a token stops. Raises NotFound for one that we did not sign."""
    try:
        said = urlsafe_b64decode(token + "=" * (-len(token) % 4)) if len(token) < 64 else b""
    except ValueError:
        said = b""
    stop = said[:STOP_BYTES]
    if len(said) != 2 * STOP_BYTES or not hmac.compare_digest(
        stop_token(keystore, stop).encode(), token.encode()
    ):
        raise NotFound("This link stops no mails.", advice="Take it whole from the mail.")
    return stop


def subject(node: Node, kind: str, *of: bytes) -> bytes:
    """What mails are counted for, which tells nothing of it."""
    content = b"\0".join((kind.encode(), *of))
    return hmac.digest(_key(node.desk.keystore, "subject"), content, "sha256")


def _key(keystore: KeyStore, name: str) -> bytes:
    return hkdf(keystore.database_key, salt=b"", info=_KEYS[name])
