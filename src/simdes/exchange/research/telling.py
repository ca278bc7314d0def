"""Tell the custodians of who is in a release, so that each patient's log has it from all of them.

One question for some hundred patients, after the ledger took the release and before anybody has
the package: there is none that as many custodians as a reading takes have not entered.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from simdes.access.asking import Because, ask
from simdes.access.categories import Purpose
from simdes.access.consent import Consent
from simdes.access.messages import MAX_RELEASED, ReleasedBody
from simdes.access.requests import hexed
from simdes.errors import SimdesError, TooLarge, Unavailable
from simdes.exchange.node import Node
from simdes.exchange.signin import Session

T = TypeVar("T")

TRIES: Final = 60
WAIT_SECONDS: Final = 5.0
"""How often, and after how long, custodians are asked again that were busy or away."""


def patiently(work: Callable[[], T], *, tries: int = TRIES) -> T:
    """Do something that custodians may be too busy for now; raises what they end with."""
    for _ in range(tries - 1):
        try:
            return work()
        except (TooLarge, Unavailable):
            time.sleep(WAIT_SECONDS)
    return work()


def tell(
    node: Node,
    session: Session,
    *,
    study: bytes,
    parts: Mapping[int, Sequence[bytes]],
    released: Mapping[bytes, Consent],
) -> None:
    """Have every custodian enter a release that the ledger has.

    ``parts`` are its numbers with their tags, ``released`` each tag with the consent behind it.
    Raises Unavailable where fewer custodians entered a patient than it takes to read them.
    """
    entered: Counter[bytes] = Counter()
    needed: dict[bytes, int] = {}
    for number, tags in parts.items():
        asked: defaultdict[bytes, list[Consent]] = defaultdict(list)
        for tag in tags:
            vault = node.desk.directory.vault(released[tag].vault)
            needed[vault.tag] = vault.m
            for one in vault.custodians:
                asked[one.organisation].append(released[tag])
        for custodian, consents in sorted(asked.items()):
            for at in range(0, len(consents), MAX_RELEASED):
                some = consents[at : at + MAX_RELEASED]
                if _tell(node, session, custodian, study, number, tags, some):
                    entered.update(one.vault for one in some)
    if any(entered[vault] < least for vault, least in needed.items()):
        raise Unavailable(
            "Too few custodians entered the release into their trails: nobody was given it.",
            advice="Make the release again when they answer.",
        )


def _tell(
    node: Node,
    session: Session,
    custodian: bytes,
    study: bytes,
    number: int,
    tags: Sequence[bytes],
    consents: Sequence[Consent],
) -> bool:
    """Whether a custodian entered these; our own trail has them already."""
    if custodian == node.organisation:
        return True
    body = ReleasedBody(
        study=hexed(study),
        number=number,
        members=[hexed(tag) for tag in tags],
        patients=[Because(Purpose.HRESCH, one).basis(one.vault) for one in consents],
    )
    caller = node.caller(session.key)
    try:
        patiently(lambda: ask(caller, custodian, "released", body), tries=3)
    except SimdesError:
        return False
    return True
