"""How and when a person proved who they are, in the words of OpenID Connect.

Core, section 2 (``amr``, ``acr``, ``auth_time``: https://openid.net/specs/openid-connect-core-1_0.html)
and the method names of https://www.rfc-editor.org/rfc/rfc8176.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SINGLE_FACTOR: Final = "urn:simdes:acr:single"
MULTIPLE_FACTORS: Final = "urn:simdes:acr:multiple"


@dataclass(frozen=True, slots=True)
class Authentication:
    """How a person proved who they are, and when, in the words of OpenID Connect Core, section 2.

    ``methods`` are values of RFC 8176 in order: ``pwd`` passphrase, ``otp`` one-time or recovery
    code, ``hwk`` or ``swk`` with ``pop`` and ``user`` passkey (bound to a device, or synchronised).
    ``time_seconds`` is when the last of them was shown, in unix seconds.
    """

    methods: tuple[str, ...]
    time_seconds: int

    @property
    def multiple(self) -> bool:
        """Whether two factors were shown; a passkey that verified its user is two in one."""
        return "pop" in self.methods or len(self.methods) > 1

    @property
    def amr(self) -> tuple[str, ...]:
        """The ``amr`` claim."""
        return (*self.methods, "mfa") if self.multiple else self.methods

    @property
    def acr(self) -> str:
        """The ``acr`` claim."""
        return MULTIPLE_FACTORS if self.multiple else SINGLE_FACTOR
