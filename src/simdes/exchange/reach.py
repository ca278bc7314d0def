"""Bring here what other organisations hold and a consent opens, before something is looked up.

Records of other organisations appear in every search and read like local ones: they are listed and
opened with the custodians' help (each opening on record there), kept as copies under the vault's
key for minutes, and indexed like everything else. What can't be reached is said, not hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simdes.access.asking import Because
from simdes.access.categories import Purpose, categories_of
from simdes.access.rights import EVERY_CATEGORY
from simdes.errors import Forbidden, NotFound, SimdesError
from simdes.exchange.node import Node
from simdes.exchange.opening import read_under
from simdes.exchange.rights import Asking, again
from simdes.exchange.standing import Stands
from simdes.index.visible import PATIENT
from simdes.tracing import step

MOST_VAULTS = 16
"""Of how many patients' records elsewhere are fetched for one request that names nobody."""


@dataclass(frozen=True, slots=True)
class Reached:
    """The caller with what was opened for them, and what could not be reached, for people."""

    asking: Asking
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Source:
    vault: bytes
    handle: bytes
    categories: int
    because: Because


@step("exchange.reach.reach")
def reach(
    node: Node,
    asking: Asking,
    *,
    vaults: Sequence[bytes] | None,
    categories: int = EVERY_CATEGORY,
) -> Reached:
    """Open what is elsewhere of these vaults (None: of whoever consented) in these categories.

    Never raises for what others do or fail to do: it is in ``warnings``, without patient data.
    """
    categories &= allowed(asking)
    sources, are_more = _sources(node, asking, let_at(asking, vaults))
    warnings = []
    opened = False
    for one in sources:
        wanted = node.recent.missing(
            (asking.session.actor.account, one.vault, one.handle, int(asking.purpose)),
            categories & one.categories,
            now_seconds=node.now_seconds(),
        )
        if not wanted:
            continue
        warning = _open(node, asking, one, wanted)
        opened = opened or not warning
        warnings += [warning] if warning else []
    if are_more:
        warnings.append(
            "Records of more patients at other organisations were not looked through. "
            "Name the patient to have them."
        )
    if opened:
        with node.database.read() as tx:
            asking = again(node, asking, tx)
    return Reached(asking, tuple(dict.fromkeys(warnings)))


def allowed(asking: Asking) -> int:
    """The categories of what the app was allowed to see at all: nothing else is opened for it."""
    found = 0
    for type_ in asking.rights.reading.scopes.keys() | asking.rights.searching.scopes.keys():
        found |= categories_of(type_)
    return found


def let_at(asking: Asking, vaults: Sequence[bytes] | None) -> Sequence[bytes] | None:
    """Of the vaults meant (None: any) those of patients whom the app was let at."""
    rights = asking.rights
    scopes = [
        one
        for visible in (rights.reading, rights.searching)
        for its in visible.scopes.values()
        for one in its
    ]
    if any(one.vaults is None for one in scopes):
        return vaults
    tags = {tag for one in scopes for tag in one.vaults or ()}
    return [one for one in sorted(tags) if vaults is None or one in vaults]


def _open(node: Node, asking: Asking, source: _Source, wanted: int) -> str:
    """Open one source; what to tell people where it can't be."""
    account = asking.session.actor.account
    try:
        read_under(node, asking.session, source.vault, wanted, source.because)
    except (Forbidden, NotFound):
        return ""  # refused, and on record at the custodians; the caller has no right to more
    except SimdesError as error:
        return f"Records at other organisations could not be opened: {error.message}"
    node.recent.answered(
        (account, source.vault, source.handle, int(asking.purpose)),
        wanted,
        now_seconds=node.now_seconds(),
    )
    return ""


def _sources(
    node: Node, asking: Asking, vaults: Sequence[bytes] | None
) -> tuple[list[_Source], bool]:
    """What to open, and whether there is more than is opened for one request."""
    own = asking.facts.vaults
    found = [
        _Source(vault, PATIENT, EVERY_CATEGORY, Because(int(Purpose.PATRQT)))
        for vault in own
        if asking.purpose is Purpose.PATRQT and (vaults is None or vault in vaults)
    ]
    if asking.emergency is not None and (vaults is None or asking.emergency[0] in vaults):
        vault, handle = asking.emergency
        found.append(
            _Source(
                vault,
                handle,
                EVERY_CATEGORY,
                Because(int(Purpose.ETREAT), emergency=handle),
            )
        )
    if asking.session.by is not None:
        return found, False  # a reading pass is good for nothing that others let its account read
    actor, now = asking.session.actor, node.now_seconds()
    standing: dict[bytes, list[Stands]] = {}
    with node.database.read() as tx:
        named = node.standing.vaults(tx, actor)
        # The newest consents first: they are what somebody is waiting for.
        chosen = [one for one in reversed(named) if vaults is None or one in vaults]
        for one in node.standing.of(tx, actor, asking.purpose, chosen, now_seconds=now):
            standing.setdefault(one.consent.vault, []).append(one)
            if vaults is None and len(standing) > MOST_VAULTS:
                break  # enough to know that there are more
    asked = list(standing.values())[: None if vaults is not None else MOST_VAULTS]
    found += [
        _Source(
            one.consent.vault,
            one.consent.handle,
            one.ground.categories,
            Because(int(asking.purpose), consent=one.consent, listed=one.consent.listed),
        )
        for its in asked
        for one in its
    ]
    return found, len(asked) < len(standing)
