"""The check of the mail server: everything that sending does but send."""

from __future__ import annotations

from collections.abc import Iterator

from simdes.doctor.check import Said, good, warning, wrong
from simdes.doctor.place import ASK_SECONDS, Place
from simdes.mail_file import FileMail
from simdes.mail_smtp import SmtpMail
from simdes.own_mail import own_mail


def taken(place: Place) -> Iterator[Said]:
    """The server is reached, proves its name, takes the login and the sender."""
    one = place.settings
    if not one.mail_url:
        if one.mail_from or one.mail_password_file:
            yield wrong("mail_from or mail_password_file is set, and no mail_url.")
        return
    mail = own_mail(place.data, one, seconds=ASK_SECONDS)
    mail.examine()
    if isinstance(mail, FileMail):
        yield warning("Mails are kept in a folder: nobody gets them.", "Name a mail server.")
    elif isinstance(mail, SmtpMail):
        yield good(f"{mail.server.place} takes mails of this sender.")
