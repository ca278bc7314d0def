"""Parts of a condition joined; and the condition that nothing meets."""

from __future__ import annotations

from collections.abc import Iterable

NEVER = "1 = 0"


def both(parts: Iterable[str]) -> str:
    """Everything of this."""
    return " AND ".join(f"({one})" if " OR " in one else one for one in parts) or "1 = 1"


def either(parts: Iterable[str]) -> str:
    """Something of this."""
    its = list(parts)
    return NEVER if not its else its[0] if len(its) == 1 else " OR ".join(f"({one})" for one in its)
