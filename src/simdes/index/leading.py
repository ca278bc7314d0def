"""Where References lead, as SQL.

By type and id to an entry in the same vault; and from or into the organisation's own vault, to a
Patient and to what is nobody's, wherever they lie. The Reference to the patient that a resource is
about leads to whoever is the Patient in its vault, under any id.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from simdes.index.bound import Bound
from simdes.index.seeing import SHARED
from simdes.index.sql import both, either

HOME = "(SELECT i.tag FROM identifier AS i WHERE i.system = 'urn:simdes:organisation')"
"""The organisation's own vault, which holds what is no patient's."""

PATIENTS = frozenset(("Patient",))


@dataclass(frozen=True, slots=True)
class On:
    """An alias of the table ``entry``, and of which types its entries are."""

    alias: str
    types: frozenset[str]


def ways(types: Iterable[str]) -> tuple[bool, ...]:
    """How a Reference may lead to these types: by name, and to the patient it is about."""
    its = frozenset(types)
    return () if not its else (False, True) if "Patient" in its else (False,)


def backwards(row: str, source: On, *, about: bool) -> str:
    """Join what refers to an entry, from that entry on, in the order of the indexes."""
    tables = [f"search_reference AS {row}", f"entry AS {source.alias}"]
    return " ".join(f"CROSS JOIN {one}" for one in (reversed(tables) if about else tables))


def leads(bound: Bound, unled: str, row: str, source: On, target: On, *, about: bool) -> str:
    """The condition that a row of ``source`` leads to ``target``.

    ``about``: because that is the patient it is about; else because it names it, and it lies where
    a name may lead. ``unled`` is the transaction's.
    """
    if about:
        return (
            f"{unled}{row}.subject = 1 AND {target.alias}.vault = {source.alias}.vault"
            f" AND {target.alias}.type = 'Patient'"
        )
    named = f"{target.alias}.type = {row}.type AND {target.alias}.logical_id = {row}.target"
    if target.types <= SHARED:
        return named
    near = [
        f"{target.alias}.vault = {source.alias}.vault",
        f"{source.alias}.vault IN {HOME}",
        f"{target.alias}.vault IN {HOME}",
    ]
    if "Patient" in target.types:
        near.append(f"{target.alias}.type = 'Patient' AND {row}.subject = 0")
    if shared := target.types & SHARED:
        near.append(bound.among(f"{target.alias}.type", shared))
    return both((named, either(near)))
