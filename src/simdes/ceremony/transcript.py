"""What a ceremony's transcript says: what is made, who contributed what, in which order.

One JSON file, which travels with the newest keys. Each entry names the digest of all before it; the
keys themselves hold the same contributions, and both must agree (`steps.verify`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from simdes.errors import Invalid, NotFound, Tampered

FILE: Final = "transcript.json"
_VERSION: Final = 1
Digests = Mapping[str, str]
"""Circuit -> digest (hex)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """One organisation's step, for every circuit: snarkjs' hash of it, and the key after it."""

    name: str
    previous: str
    hashes: Digests
    keys: Digests


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """A ceremony so far. Digests are SHA-256; `beacon` says beforehand which public number ends it.

    `organisations` are those that will contribute, each once. `ended` is the beacon's entry, whose
    name is its number and how often it is hashed (a power of two).
    """

    organisations: tuple[str, ...]
    beacon: str
    phase1: str
    constraints: Digests
    code: Digests
    first: Digests
    contributions: tuple[Contribution, ...] = ()
    ended: Contribution | None = None

    def digest(self) -> str:
        """SHA-256 of the canonical JSON of all of it."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def newest(self) -> Digests:
        """The keys as they are now."""
        if self.ended is not None:
            return self.ended.keys
        return self.contributions[-1].keys if self.contributions else self.first

    def waiting(self) -> list[str]:
        """Who has not contributed yet."""
        done = {one.name for one in self.contributions}
        return [name for name in self.organisations if name not in done]

    def require_chained(self) -> None:
        """Raise Tampered unless each entry follows all before it, by whom was announced, once."""
        at = replace(self, contributions=(), ended=None)
        names: set[str] = set()
        for one in self.contributions:
            if one.previous != at.digest():
                raise Tampered(f"the contribution of {one.name} does not follow those before it")
            if one.name in names or one.name not in self.organisations:
                raise Tampered(f"nobody expected this contribution of {one.name}")
            names.add(one.name)
            at = replace(at, contributions=(*at.contributions, one))
        if self.ended is not None and self.ended.previous != at.digest():
            raise Tampered("the beacon does not follow the contributions")
        if any(one.keys.keys() != self.first.keys() for one in self.contributions):
            raise Tampered("a contribution is not to all circuits")

    def to_dict(self) -> dict[str, Any]:
        """Its JSON form."""
        return {"v": _VERSION, **asdict(self)}

    def write(self, folder: Path) -> None:
        """Write it into the ceremony's folder."""
        text = json.dumps(self.to_dict(), indent=1, ensure_ascii=False)
        (folder / FILE).write_text(text + "\n", encoding="utf-8")


def read(folder: Path) -> Transcript:
    """Read a ceremony's transcript. Raises NotFound, Invalid."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if found.pop("v") != _VERSION:
            raise Invalid("the transcript is of another version")
        ended = found.pop("ended")
        return Transcript(
            organisations=tuple(found.pop("organisations")),
            contributions=tuple(Contribution(**one) for one in found.pop("contributions")),
            ended=None if ended is None else Contribution(**ended),
            **found,
        )
    except FileNotFoundError:
        raise NotFound(f"there is no ceremony in {folder}") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise Invalid("the transcript is malformed") from None
