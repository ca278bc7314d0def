"""Which organisations keep a copy of a content: the same answer for everybody who asks.

Rendezvous hashing (Thaler and Ravishankar, 1998): each organisation has a score for each CID, and
the highest scores keep it. Who joins or leaves changes nothing but its own share of the contents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from simdes.storage.cid import binary_cid

_TAG: Final = b"simdes/placement/v1"


def ranked(cid: str, organisations: Iterable[bytes]) -> list[bytes]:
    """Return the ids (32 bytes each) in the order in which they are to keep a CID's content.

    Raises `Invalid` for a text that is no CID.
    """
    name = binary_cid(cid)
    return sorted(
        organisations,
        key=lambda one: (hashlib.sha256(_TAG + name + one).digest(), one),
        reverse=True,
    )


def keepers(cid: str, author: bytes, organisations: Iterable[bytes], *, copies: int) -> list[bytes]:
    """Return who keeps the copies beside the author's own: ``copies`` - 1 others, or all of them.

    ``organisations`` are the verified ones; the author among them is passed over.
    """
    return ranked(cid, (one for one in organisations if one != author))[: max(copies - 1, 0)]
