"""What came of a message that was handed in: durable, or kept in quarantine with a reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A durable message. ``resources`` were new or changed; ``unchanged`` stay as they are here.

    ``older`` were not taken over, because what is here was said later. ``vaults`` are those of the
    message's patients, usually one; empty where nothing was stored. The source document and the
    Provenance that go with a message are not counted.
    """

    name: str
    index: int
    event: str
    vaults: tuple[bytes, ...]
    resources: int
    unchanged: int
    older: int = 0

    @property
    def vault(self) -> bytes:
        """The vault of the message's patient, the first where it names several, else ""."""
        return self.vaults[0] if self.vaults else b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A message kept in quarantine, with why and what to do; holds no patient data."""

    name: str
    index: int
    code: str
    reason: str
    advice: str
