"""Where a page ended, for its caller to hand back: readable by nobody, good for them alone.

Sort values may be names and dates of birth, and row ids count what is written about everybody.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from simdes.access.requests import b64, unb64
from simdes.crypto.digest import hkdf, sha256
from simdes.crypto.keys import unwrap, wrap
from simdes.errors import Invalid, SimdesError
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking

_INFO: Final = b"simdes/search-cursor/v1"


def seal(node: Node, asking: Asking, of: Any, where: Any) -> str:
    """A cursor; ``of`` is what the pages are of, ``where`` the place in it."""
    packed = msgspec.msgpack.encode(where)
    return b64(wrap(_key(node), packed, aad=_bound(asking, of), random=node.random))


def unseal(node: Node, asking: Asking, of: Any, cursor: str) -> Any:
    """The place in a cursor. Raises Invalid for one of other pages or of another account."""
    try:
        packed = unwrap(_key(node), unb64(cursor), aad=_bound(asking, of))
        return msgspec.msgpack.decode(packed)
    except (SimdesError, ValueError) as error:
        raise Invalid("This page is of another search, or of another account.") from error


def _key(node: Node) -> bytes:
    return hkdf(node.desk.keystore.database_key, salt=b"", info=_INFO)


def _bound(asking: Asking, of: Any) -> bytes:
    return asking.session.actor.account + sha256(msgspec.msgpack.encode(of))
