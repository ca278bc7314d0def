"""Why an input or message goes to quarantine: one vocabulary of reason codes for all formats."""

from __future__ import annotations

from collections.abc import Callable

from simdes.errors import Invalid, SimdesError, TooLarge, Unsupported
from simdes.fhir.markup import BadMarkup
from simdes.mapper.model import Mapped, Mapping, Quarantined

_FAULTS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class Unreadable(Invalid):
    """Input that cannot be mapped as a whole; ``code`` is the quarantine's reason code."""

    def __init__(self, code: str, message: str, advice: str) -> None:
        super().__init__(message, advice=advice)
        self.code = code


def refused(name: str, kind: str, data: bytes, code: str, reason: str, advice: str) -> Mapping:
    """Quarantine a whole input."""
    item = Quarantined(index=0, reason_code=code, reason=reason, advice=advice, source=data)
    return Mapping(name=name, kind=kind, quarantined=(item,))


def quarantine(
    index: int, source: bytes, error: SimdesError, code: str = "mapper-fault"
) -> Quarantined:
    """Quarantine one message for ``error``; ``code`` where the error names none."""
    if isinstance(error, Unreadable | BadMarkup):
        code = error.code
    elif isinstance(error, TooLarge):
        code = "too-large"
    return Quarantined(
        index=index,
        reason_code=code,
        reason=error.message,
        advice=error.advice,
        source=source,
    )


def attempt(
    index: int, source: bytes, mapping: Callable[[], Mapped], code: str = "mapper-fault"
) -> Mapped | Quarantined:
    """Map one message; whatever goes wrong quarantines it and it alone."""
    try:
        return mapping()
    except SimdesError as error:
        return quarantine(index, source, error, code)
    except _FAULTS as fault:
        # A fault of ours in one message must not cost the input its other messages.
        unknown = Unsupported(
            f"the mapper failed on it ({type(fault).__name__})",
            advice="Report this with the message's structure; it can be replayed later.",
        )
        return quarantine(index, source, unknown)


def gathered(name: str, kind: str, found: list[Mapped | Quarantined]) -> Mapping:
    """Sort what came of an input's messages."""
    return Mapping(
        name=name,
        kind=kind,
        messages=tuple(one for one in found if isinstance(one, Mapped)),
        quarantined=tuple(one for one in found if isinstance(one, Quarantined)),
    )
