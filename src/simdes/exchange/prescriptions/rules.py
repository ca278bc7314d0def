"""What one organisation does with prescriptions: its part in Fig. 4, by its kind and settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

PROOFS_AT_ONCE: Final = 2
"""How many proofs are made for one account at the same time."""
DEVELOPMENT: Final = "development"
"""The setting that asks for the shipped keys, whose proofs anybody can forge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """``issues`` and ``dispenses`` follow from the organisation's kind.

    A batch of statements is issued every ``batch_seconds``. A prescription that names no end is
    good for ``valid_days``. ``keys`` is the folder of the ceremony's keys, None for the shipped
    ones where ``development`` allows them. Without the ledger a pharmacy hands out by what it knew
    ``offline_hours`` ago at most. One account has ``proofs_per_minute`` made here,
    ``PROOFS_AT_ONCE`` at the same time.
    """

    issues: bool = False
    dispenses: bool = False
    nurses_prescribe: bool = False
    batch_seconds: int = 300
    valid_days: int = 365
    keys: Path | None = None
    development: bool = False
    offline_hours: int = 24
    proofs_per_minute: int = 20


class Told(Protocol):
    """The settings that they are made from (`simdes.config.Settings`)."""

    @property
    def kind(self) -> str:
        """What the organisation is."""

    @property
    def nurses_prescribe(self) -> int:
        """1: nurses prescribe."""

    @property
    def prescription_batch_seconds(self) -> int:
        """The timetable's period."""

    @property
    def prescription_valid_days(self) -> int:
        """How long without an end."""

    @property
    def offline_hours(self) -> int:
        """How old what is known may be."""

    @property
    def proofs_per_minute(self) -> int:
        """How many proofs one account may ask for."""

    @property
    def proving_keys(self) -> str:
        """A folder's name, `DEVELOPMENT` or nothing."""


def rules_of(told: Told, data: Path) -> Rules:
    """The rules of an organisation; ``proving_keys`` is a folder's name below ``data``."""
    development = told.proving_keys == DEVELOPMENT
    return Rules(
        issues=told.kind == "hospital",
        dispenses=told.kind in ("hospital", "pharmacy"),
        nurses_prescribe=bool(told.nurses_prescribe),
        batch_seconds=told.prescription_batch_seconds,
        valid_days=told.prescription_valid_days,
        keys=data / told.proving_keys if told.proving_keys and not development else None,
        development=development,
        offline_hours=told.offline_hours,
        proofs_per_minute=told.proofs_per_minute,
    )
