"""What OAuth calls a refusal, and the numbers that bound what is handed out.

Codes of https://www.rfc-editor.org/rfc/rfc6749 (sections 4.1.2.1 and 5.2) and of the standards that
add to it: RFC 8707, RFC 9449, RFC 9470 and OpenID Connect Core.
"""

from __future__ import annotations

from typing import Final

from simdes.errors import Invalid

REQUEST_SECONDS: Final = 600
CODE_SECONDS: Final = 60
ACCESS_SECONDS: Final = 300
LAUNCH_SECONDS: Final = 300
ONLINE_SECONDS: Final = 12 * 3_600
OFFLINE_SECONDS: Final = 90 * 86_400
IDLE_SECONDS: Final = 30 * 86_400
"""A refresh token that nobody uses for so long is refused."""
READING_MS: Final = 86_400_000
"""How long it is remembered whose records somebody read."""
REUSED_SECRET: Final = "REUSED_SECRET"  # noqa: S105 (a reason's name)
"""Why what a person allowed an app ended by itself, as the audit trail names it."""
APP_REFUSED: Final = "APP_REFUSED"
"""Why an app got no token of what a person allowed, or a person could not allow it."""


class OAuthRefusal(Invalid):
    """A request of an app that is refused; ``error`` is OAuth's code for the reason.

    ``redirect`` is where the person's browser may be sent with it: set only once the app and its
    redirect URI are known to belong together, so that nobody is sent to a stranger's address.
    """

    default_reason = APP_REFUSED

    def __init__(
        self, error: str, message: str, *, redirect: str | None = None, reason: str | None = None
    ) -> None:
        super().__init__(message, reason=reason)
        self.error = error
        self.redirect = redirect
