"""Which way an organisation's mails go, by its settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from simdes.config import Settings, data_path
from simdes.exchange.mail.port import Mail, NoMail
from simdes.mail_file import FileMail
from simdes.mail_smtp import SECONDS, SmtpMail
from simdes.secret_files import secret_of

PASSWORD: Final = "SIMDES_MAIL_PASSWORD"  # noqa: S105 (a variable's name)


def own_mail(
    data: Path,
    settings: Settings,
    *,
    environment: Mapping[str, str] = os.environ,
    seconds: float = SECONDS,
) -> Mail:
    """The adapter that ``mail_url`` names.

    Raises Invalid for settings that don't fit together, Unauthenticated for a password's file that
    can't be used. Nothing is asked of a server yet.
    """
    url = settings.mail_url
    if not url:
        return NoMail()
    if url.startswith("file:"):
        folder = Path(data_path(url, data).partition(":")[2])
        return FileMail(folder, sender=settings.mail_from)
    password = environment.get(PASSWORD) or secret_of(data, settings.mail_password_file)
    return SmtpMail(url, sender=settings.mail_from, password=password, seconds=seconds)
