"""What one organisation does with claims, by its kind and the folder ``claims`` beside its data.

``claims/tariff.txt``: the provider's prices; ``claims/payers/0x….toml``: what insurers declared
that they need (their plans, by their ids); ``claims/plans/*.toml``: an insurer's own plans;
``claims/pairs.txt``: services of which one includes the other (`simdes.claims.signals`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from simdes.claims.plan import Plan, read_plan
from simdes.claims.signals import Pair, read_pairs
from simdes.claims.tariff import Tariff, read_tariff
from simdes.errors import Invalid

FOLDER: Final = "claims"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRules:
    """``opens``: a provider that claims; ``pays``: an insurer. ``declared`` by insurers' ids."""

    opens: bool = False
    pays: bool = False
    currency: str = "EUR"
    tariff: Tariff | None = None
    plans: Mapping[str, Plan] = field(default_factory=dict)
    declared: Mapping[bytes, Plan] = field(default_factory=dict)
    pairs: tuple[Pair, ...] = ()

    def plan(self, id_: str) -> Plan:
        """The plan of an id, or the only one. Raises Invalid where it can't be told."""
        if id_ in self.plans:
            return self.plans[id_]
        if len(self.plans) == 1:
            return next(iter(self.plans.values()))
        raise Invalid("Which plan? The Coverage names none of ours.", advice="Name it.")


def claim_rules(kind: str, data: Path) -> ClaimRules:
    """The rules of an organisation of a kind. Raises Invalid for a table that can't be read."""
    folder = data / FOLDER
    tariff = folder / "tariff.txt"
    prices = read_tariff(tariff.read_text(encoding="utf-8")) if tariff.is_file() else None
    plans = [read_plan(one.read_text("utf-8")) for one in sorted(folder.glob("plans/*.toml"))]
    pairs = folder / "pairs.txt"
    return ClaimRules(
        opens=kind == "hospital",
        pays=kind == "insurer",
        currency=prices.currency if prices is not None else "EUR",
        tariff=prices,
        plans={one.id: one for one in plans},
        pairs=read_pairs(pairs.read_text("utf-8")) if pairs.is_file() else (),
        declared={
            _id(one.stem): read_plan(one.read_text("utf-8"))
            for one in sorted(folder.glob("payers/*.toml"))
        },
    )


def _id(name: str) -> bytes:
    try:
        return bytes.fromhex(name.removeprefix("0x"))
    except ValueError:
        raise Invalid("A file of claims/payers is named by the insurer's id, 0x….toml.") from None
