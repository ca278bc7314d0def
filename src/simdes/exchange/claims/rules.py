"""What one organisation does with claims, by its kind and the folder ``claims`` beside its data.

``claims/tariff.txt``: the provider's prices; ``claims/payers/0x….toml``: what insurers declared
that they need (their plans, by their ids); ``claims/plans/*.toml``: an insurer's own plans;
``claims/pairs.txt``: services of which one includes the other (`simdes.claims.signals`).
that they need (their plans, by their ids); ``claims/payers.txt``: by which identifiers feeds name
insurers of the network, ``system|value ; 0x…``; ``claims/plans/*.toml``: an insurer's own plans.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from simdes import typed_numbers
from simdes.claims.plan import Plan, read_plan
from simdes.claims.signals import Pair, read_pairs
from simdes.claims.tariff import Tariff, read_tariff
from simdes.errors import Invalid

FOLDER: Final = "claims"
_ID_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRules:
    """``opens``: a provider that claims; ``pays``: an insurer. ``declared`` by insurers' ids.

    ``named``: insurers of the network by the identifiers (system, value) that feeds use.
    ``publish_hours``: how often fingerprints are published; 0: by command alone.
    """

    opens: bool = False
    pays: bool = False
    currency: str = "EUR"
    tariff: Tariff | None = None
    plans: Mapping[str, Plan] = field(default_factory=dict)
    declared: Mapping[bytes, Plan] = field(default_factory=dict)
    pairs: tuple[Pair, ...] = ()
    named: Mapping[tuple[str, str], bytes] = field(default_factory=dict)
    publish_hours: int = 24

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
        named=_named(folder / "payers.txt"),
    )


def _named(path: Path) -> dict[tuple[str, str], bytes]:
    """The table of identifiers of insurers. Raises Invalid for a line that can't be read."""
    if not path.is_file():
        return {}
    found = {}
    for at, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        identifier, mark, id_ = (part.strip() for part in text.partition(";"))
        system, bar, value = identifier.partition("|")
        if not (mark and bar and value):
            raise Invalid(f"claims/payers.txt, line {at}: write system|value ; 0x….")
        found[(system, value)] = _id(id_)
    return found


def _id(name: str) -> bytes:
    found = typed_numbers.octets(name, _ID_BYTES)
    if found is None:
        raise Invalid("Insurers in claims/payers are named by their ids, 0x and 64 digits.")
    return found
