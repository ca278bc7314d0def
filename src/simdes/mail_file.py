"""Mails into a folder, one ``.eml`` file each, as any mail program opens them.

The other adapter of `exchange.mail.port.Mail`: for the demo, and for trying out what would be sent.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from simdes.errors import Unavailable
from simdes.exchange.mail.port import Letter
from simdes.mail_smtp import checked_sender, message_of


class FileMail:
    """Keeps mails in a folder that only its owner reads."""

    possible: Final = True

    def __init__(self, folder: Path, *, sender: str) -> None:
        """Raises Invalid without a sender."""
        self.folder = folder
        self.sender = checked_sender(sender)

    def send(self, letter: Letter) -> None:
        """See `Mail.send`. A letter that comes again takes its own place."""
        content = message_of(letter, self.sender).as_bytes()
        path = self.folder / f"{letter.made_ms}-{letter.id}.eml"
        try:
            self._make()
            with open(path.with_suffix(".part"), "wb", opener=_own) as file:
                file.write(content)
            path.with_suffix(".part").replace(path)
        except OSError as error:
            raise _broken(error) from None

    def examine(self) -> None:
        """See `Mail.examine`."""
        try:
            self._make()
        except OSError as error:
            raise _broken(error) from None
        if not os.access(self.folder, os.W_OK):
            raise Unavailable("Mails can't be written into their folder.")

    def _make(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _broken(error: OSError) -> Unavailable:
    return Unavailable(f"Mails can't be written into their folder ({type(error).__name__}).")


def _own(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
