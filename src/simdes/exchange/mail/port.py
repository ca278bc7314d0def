"""The port that mails go out by, and what an address is.

`mail_smtp` and `mail_file` are its adapters; an organisation without either writes to nobody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Protocol

from simdes.errors import Invalid, Unavailable

MOST_ADDRESS: Final = 254
"""Characters of an address (RFC 5321, section 4.5.3.1.3, erratum 1690)."""

# A mailbox of RFC 5321 without quotes, comments, address literals and anything beyond ASCII: no
# character of it means something in a header or in the dialogue with a server.
_LOCAL: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_LABEL: Final = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS: Final = re.compile(rf"(?P<local>{_LOCAL})@(?P<domain>{_LABEL}(\.{_LABEL})+)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A mail: plain text to one address.

    ``id`` (hex) is the same however often it is sent, so that a mailbox shows it once; ``stop_url``
    is where its reader says that they want no more, "" where there is no such place.
    """

    id: str
    to: str = field(repr=False)
    subject: str
    text: str = field(repr=False)
    language: str
    made_ms: int
    stop_url: str = field(default="", repr=False)


class Mail(Protocol):
    """The way of mails. Safe for several threads."""

    @property
    def possible(self) -> bool:
        """Whether there is one at all."""

    def send(self, letter: Letter) -> None:
        """Hand a mail over.

        Raises Invalid where this address is refused for good, Unavailable or Unauthenticated where
        it may go later.
        """

    def examine(self) -> None:
        """Do everything that sending does but send. Raises as `send`."""


class NoMail:
    """No way at all: the settings name none."""

    possible: Final = False

    def send(self, letter: Letter) -> None:
        """See `Mail.send`."""
        raise Unavailable("This organisation sends no mails.", advice="Set mail_url.")

    def examine(self) -> None:
        """See `Mail.examine`."""
        raise Unavailable("This organisation sends no mails.", advice="Set mail_url.")


def checked_address(text: str) -> str:
    """An address as it is written to, its domain in lower case; Invalid for anything else."""
    found = _ADDRESS.fullmatch(text.strip()) if len(text) <= MOST_ADDRESS else None
    if found is None or len(found["local"]) > 64:
        raise Invalid(
            "That is no e-mail address.", advice="Type it as it stands in your mail program."
        )
    return f"{found['local']}@{found['domain'].lower()}"


def domain_of(address: str) -> str:
    """What stands behind an address's sign."""
    return address.rpartition("@")[2]
