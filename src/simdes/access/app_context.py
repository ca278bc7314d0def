"""Through which app somebody acts (http://hl7.org/fhir/smart-app-launch/): scopes and context."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

OWN_CLIENT: Final = "simdes"
"""The client id of this program itself; no app is registered under it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Through which app somebody acts, and what it was allowed.

    ``scope`` is as granted; ``grant`` names what a person allowed, None without one. ``vault`` is
    the patient in context, ``patient`` and ``encounter`` their FHIR ids, ``fhir_user`` a relative
    reference to the person. ``thumbprint`` is that of the DPoP key the token is bound to.
    """

    client: str = OWN_CLIENT
    scope: str = ""
    grant: bytes | None = None
    vault: bytes | None = None
    patient: str = ""
    encounter: str = ""
    fhir_user: str = ""
    thumbprint: str = ""

    @property
    def unrestricted(self) -> bool:
        """Whether no app and no scope stands between the person and their account."""
        return self.client == OWN_CLIENT and not self.scope


OWN: Final = Context()
