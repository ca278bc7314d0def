"""Histories of a resource, a type or everything (https://hl7.org/fhir/R4/http.html#history)."""

from __future__ import annotations

from collections.abc import Sequence

from simdes.access.rights import Interaction
from simdes.errors import NotFound
from simdes.exchange.interactions import cursors, finding
from simdes.exchange.interactions.auditing import audit_found
from simdes.exchange.interactions.found import Found
from simdes.exchange.interactions.read import read_any
from simdes.exchange.interactions.search import MOST, PAGE, Page
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.index import histories, resources
from simdes.index.histories import LAST, WHENEVER, During, sizes
from simdes.index.transaction import Transaction
from simdes.tracing import step

__all__ = ["During", "of_instance", "of_types"]


@step("exchange.interactions.history.of_instance")
def of_instance(
    node: Node,
    asking: Asking,
    type_: str,
    logical_id: str,
    *,
    during: During = WHENEVER,
    count: int | None = None,
    cursor: str = "",
) -> Page:
    """Every version of a resource that the caller may see, newest first.

    Of a record of another organisation this is the one version that its author released. Raises
    NotFound as `read` does.
    """
    present = read_any(node, asking, type_, logical_id)
    if present.source != finding.own_source(node):
        audit_found(node, asking, [present])
        shown = (present,) if _is_within(present.updated_ms, during) else ()
        return Page(() if count == 0 else shown, total=len(shown))
    return _page(
        node,
        asking,
        (type_,),
        logical_id=logical_id,
        vaults=(present.vault,),
        during=during,
        count=count,
        cursor=cursor,
        interaction=Interaction.READ,
    )


def _is_within(updated_ms: int, during: During) -> bool:
    """Whether a version that still stands is one of those that are meant."""
    is_since = during.since_ms is None or updated_ms >= during.since_ms
    return is_since and (during.at is None or updated_ms < during.at[1])


@step("exchange.interactions.history.of_types")
def of_types(
    node: Node,
    asking: Asking,
    types: tuple[str, ...],
    *,
    during: During = WHENEVER,
    count: int | None = None,
    cursor: str = "",
) -> Page:
    """Every version of resources of some types that this organisation wrote, newest first."""
    for type_ in types:
        asking.rights.require(Interaction.SEARCH, type_)
    return _page(
        node,
        asking,
        types,
        logical_id=None,
        vaults=None,
        during=during,
        count=count,
        cursor=cursor,
        interaction=Interaction.SEARCH,
    )


def _page(
    node: Node,
    asking: Asking,
    types: tuple[str, ...],
    *,
    logical_id: str | None,
    vaults: tuple[bytes, ...] | None,
    during: During,
    count: int | None,
    cursor: str,
    interaction: Interaction,
) -> Page:
    pages = ("history", types, logical_id)
    visible = asking.rights.visible(interaction)
    if count == 0:
        with node.database.read() as tx:
            total = histories.count(
                tx, visible, types=types, logical_id=logical_id, vaults=vaults, during=during
            )
        audit_found(node, asking, ())
        return Page((), total=total)
    size = min(PAGE if count is None else count, MOST)
    with node.database.read() as tx:
        listed = sizes(
            tx,
            visible,
            types=types,
            logical_id=logical_id,
            vaults=vaults,
            during=during,
            before=_before(node, asking, pages, cursor),
            limit=size + 1,
        )
        shown = finding.fitting_rows(dict(list(listed.items())[:size]))
        more = len(listed) > len(shown)
        found = _load(node, tx, shown)
    if logical_id is not None and not found and during == WHENEVER:
        raise NotFound("There is no such resource, or not for you.")
    audit_found(node, asking, found)
    return Page(tuple(found), next=cursors.seal(node, asking, pages, shown[-1]) if more else "")


def _load(node: Node, tx: Transaction, shown: Sequence[int]) -> list[Found]:
    rows = {row.id: row for row in resources.get_many(tx, shown)}
    keys = finding.keys_of(node, tx, {row.vault for row in rows.values()})
    its = (rows[one] for one in shown if one in rows)
    return [finding.version_of(node, row, keys[row.vault]) for row in its]


def _before(node: Node, asking: Asking, pages: object, cursor: str) -> int:
    return int(cursors.unseal(node, asking, pages, cursor)) if cursor else LAST
