"""Mails through an SMTP server: the adapter of `exchange.mail.port.Mail`.

``smtp://`` is RFC 6409's submission and goes on after STARTTLS alone, whatever the server offers
(RFC 3207, section 6: who strips the offer must gain nothing); ``smtps://`` is TLS from the first
byte (RFC 8314); ``plain://`` stays on this machine. The certificate is checked for the host's name.
The standard library speaks the protocol; headers are written by `email.message`, which takes no
line ends in them.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final
from urllib.parse import unquote, urlsplit

from simdes.errors import Invalid, SimdesError, Unauthenticated, Unavailable
from simdes.exchange.mail.port import Letter, checked_address, domain_of
from simdes.outward_http import literal
from simdes.tls import trusted

PORTS: Final = {"smtp": 587, "smtps": 465, "plain": 25}
"""Schemes of ``mail_url`` with the port that each has where none is named."""
SECONDS: Final = 10.0
"""How long one step of the dialogue may take."""
# No header of ours is folded: a folded address would be encoded, and lead nowhere.
_POLICY: Final = SMTP.clone(max_line_length=998)
_ADVICE: Final = "mail_url is smtp://USER@HOST:587, smtps://USER@HOST:465 or plain://localhost:25."
_HERE: Final = "plain:// is for this machine alone: use smtp:// or smtps:// for another."


@dataclass(frozen=True, slots=True)
class Server:
    """Where mails are handed over: a key of `PORTS`, and who logs in ("": nobody)."""

    scheme: str
    host: str
    port: int
    user: str

    @classmethod
    def of(cls, url: str) -> Server:
        """Read a ``mail_url``. Raises Invalid."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise Invalid("mail_url can't be read.", advice=_ADVICE) from None
        if parts.password is not None:
            raise Invalid(
                "mail_url holds a password.", advice="Put it into the file of mail_password_file."
            )
        rest = (parts.path.strip("/"), parts.query, parts.fragment)
        if parts.scheme not in PORTS or not host or any(rest) or port == 0:
            raise Invalid("mail_url names no mail server.", advice=_ADVICE)
        if parts.scheme == "plain" and not _is_here(host):
            raise Invalid("mail_url would send mails in plain text.", advice=_HERE)
        user = unquote(parts.username or "")
        return cls(parts.scheme, host, port or PORTS[parts.scheme], user)

    @property
    def place(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}"


class SmtpMail:
    """Hands mails to one server, each over a connection of its own. Safe for several threads."""

    possible: Final = True

    def __init__(
        self,
        url: str,
        *,
        sender: str,
        password: str = "",
        authority: ssl.SSLContext | None = None,
        seconds: float = SECONDS,
    ) -> None:
        """Raises Invalid where these don't fit together.

        ``sender`` is the address that mails come from; ``authority`` says which certificates are
        trusted, None: those that the system trusts; ``seconds`` is for one step of the dialogue.
        """
        self.server = Server.of(url)
        if bool(self.server.user) != bool(password):
            raise Invalid(
                "The mail server's user and password come together, or not at all.",
                advice="Name the user in mail_url, the password's file in mail_password_file.",
            )
        self.sender = checked_sender(sender)
        self._password = password
        self._authority = authority
        self._seconds = seconds

    def send(self, letter: Letter) -> None:
        """See `Mail.send`."""
        content = message_of(letter, self.sender).as_bytes()
        with self._talking() as server:
            try:
                server.sendmail(self.sender, [letter.to], content)
            except smtplib.SMTPRecipientsRefused as error:
                codes = [code for code, _ in error.recipients.values()]
                raise refused(codes[0] if codes else 0) from None

    def examine(self) -> None:
        """See `Mail.examine`: everything up to the sender's address is said, and taken back."""
        with self._talking() as server:
            code, _ = server.mail(self.sender)
            if code != 250:
                raise smtplib.SMTPSenderRefused(code, b"", self.sender)
            server.rset()

    @contextmanager
    def _talking(self) -> Iterator[smtplib.SMTP]:
        """A connection on which the login is done; what it breaks with is one of our errors."""
        server: smtplib.SMTP | None = None
        try:
            server = self._connected()
            self._log_in(server)
            yield server
            # What was handed over is, whatever the server says to a goodbye.
            with suppress(OSError):
                server.quit()
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            raise translated(error) from None
        finally:
            if server is not None:
                server.close()

    def _log_in(self, server: smtplib.SMTP) -> None:
        if not self.server.user:
            return
        try:
            server.login(self.server.user, self._password)
        except smtplib.SMTPServerDisconnected:  # as some do after a wrong password
            raise Unauthenticated(
                "The mail server ends the connection at the login.",
                advice="Check the user in mail_url and the password.",
            ) from None

    def _connected(self) -> smtplib.SMTP:
        one, greets = self.server, domain_of(self.sender)
        if one.scheme == "smtps":
            return smtplib.SMTP_SSL(
                one.host, one.port, greets, timeout=self._seconds, context=self._tls()
            )
        server = smtplib.SMTP(one.host, one.port, greets, timeout=self._seconds)
        try:
            if one.scheme == "smtp":
                server.starttls(context=self._tls())
            elif server.sock is None or not _is_here(str(server.sock.getpeername()[0])):
                raise Invalid("mail_url would send mails in plain text.", advice=_HERE)
        except BaseException:
            server.close()
            raise
        return server

    def _tls(self) -> ssl.SSLContext:
        return self._authority or trusted()


def checked_sender(sender: str) -> str:
    """The address that mails come from. Raises Invalid where it is none."""
    try:
        return checked_address(sender)
    except Invalid:
        raise Invalid(
            "Mails have no sender.", advice="Set mail_from to an address of this organisation."
        ) from None


def message_of(letter: Letter, sender: str) -> EmailMessage:
    """A letter as it goes out. Raises Invalid where a header would hold a line's end."""
    message = EmailMessage(policy=_POLICY)
    message.set_content(letter.text, cte="quoted-printable")
    headers = {
        "From": Address(addr_spec=sender),
        "To": Address(addr_spec=checked_address(letter.to)),
        "Subject": letter.subject,
        "Date": format_datetime(datetime.fromtimestamp(letter.made_ms / 1000, UTC)),
        "Message-ID": f"<{letter.id}@{domain_of(sender)}>",
        "Content-Language": letter.language,
        "Auto-Submitted": "auto-generated",  # RFC 3834: nobody's absence is answered to it
    }
    if letter.stop_url:
        headers["List-Unsubscribe"] = f"<{letter.stop_url}>"
    if letter.stop_url.startswith("https:"):
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
    try:
        for name, value in headers.items():
            message[name] = value
    except ValueError:
        raise Invalid("A mail's header has a line's end in it.") from None
    return message


def refused(code: int) -> SimdesError:
    """What it means that a server does not take an address (RFC 5321, section 4.2.1)."""
    if 500 <= code < 600:
        return Invalid("The mail server refuses the address.", advice="Give another address.")
    return Unavailable("The mail server does not take mails for this address now.")


def translated(error: Exception) -> SimdesError:
    """A failed dialogue as one of our errors; a server's own words may quote addresses."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unavailable(
            f"The mail server's certificate does not hold: {error.verify_message}.",
            advice="Name the host as its certificate does; SSL_CERT_FILE names other authorities.",
        )
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return Unauthenticated(
            f"The mail server refuses the login (code {error.smtp_code}).",
            advice="Check the user in mail_url and the password.",
        )
    if isinstance(error, smtplib.SMTPSenderRefused):
        return Unavailable(
            f"The mail server refuses the sender (code {error.smtp_code}).",
            advice="Set mail_from to an address that this login may send for.",
        )
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return Unavailable(
            "The mail server does not offer STARTTLS or a login.",
            advice="Use its port of submission (587), or smtps:// for TLS from the start (465).",
        )
    if isinstance(error, smtplib.SMTPResponseException):
        return Unavailable(f"The mail server says code {error.smtp_code}.")
    return Unavailable(f"The mail server does not answer ({type(error).__name__}).")


def _is_here(host: str) -> bool:
    address = literal(host)
    return host == "localhost" if address is None else address.is_loopback
