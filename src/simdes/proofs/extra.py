"""What the optional extra ``proofs`` brings, imported when something is proved."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from simdes.errors import Unavailable


def extra(name: str) -> Any:
    """A module of the extra. Raises Unavailable where it is not installed."""
    try:
        return import_module(name)
    except ImportError:
        raise Unavailable(
            "proving needs the optional extra `proofs`, which is not installed",
            advice="Install simdes[proofs]; a part of it is licensed under GPL-3.0.",
        ) from None
