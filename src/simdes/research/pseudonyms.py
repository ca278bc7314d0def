"""What stands for whom in one study: pseudonyms and shifts of dates, keyed by the study's secret.

Everything here is a keyed hash (HMAC-SHA256, RFC 2104) of a name under the study's secret: who has
no secret can neither make nor check one, and two studies' values for one person have nothing in
common. Nothing is kept, so there is no table to steal; who holds the secret can make the same
again, which is what a second release of the study needs.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from simdes.errors import Invalid

SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """A study's names. ``secret``: 32 random bytes or more, of this study alone."""

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) < SECRET_BYTES:
            raise Invalid(f"a study's secret has {SECRET_BYTES} bytes or more")

    def subject(self, subject: str) -> str:
        """Return the pseudonym of a person: 32 hexadecimal digits, a FHIR id."""
        return self._keyed("subject", subject)[:16].hex()

    def resource(self, owner: str, literal: str) -> str:
        """Return the pseudonym of the resource ``Type/id`` among those of ``owner``, a person.

        ``owner`` is "" for what is nobody's, such as an organisation.
        """
        return self._keyed("resource", owner, literal)[:16].hex()

    def shift_days(self, subject: str, most: int) -> int:
        """Return by how many days the dates of ``subject`` move: -most to most, never 0."""
        number = int.from_bytes(self._keyed("shift", subject)[:8], "big") % (2 * most)
        return number - most if number < most else number - most + 1

    def _keyed(self, *parts: str) -> bytes:
        encoded = [p.encode() for p in ("simdes research 1", *parts)]
        framed = b"".join(len(p).to_bytes(4, "big") + p for p in encoded)
        return hmac.digest(self.secret, framed, "sha256")
