"""A small SMTP server on loopback, with TLS and logins, that keeps what it is given.

RFC 5321, RFC 3207 (STARTTLS) and RFC 4954 (AUTH PLAIN and LOGIN), as far as submission goes.
"""

from __future__ import annotations

import base64
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from support.certificates import Pair


@dataclass(frozen=True, slots=True)
class Kept:
    """A mail as it came: envelope, and bytes."""

    sender: str
    to: tuple[str, ...]
    content: bytes

    @property
    def message(self) -> EmailMessage:
        """The mail as its reader's program sees it."""
        found = message_from_bytes(self.content, policy=default)
        assert isinstance(found, EmailMessage)
        return found

    @property
    def text(self) -> str:
        """Its words."""
        return str(self.message.get_content()).replace("\r\n", "\n")


@dataclass
class Mailbox:
    """What the server does, and what it got.

    ``refuses`` gives an address the code and words that it is answered with; ``answers`` does the
    same for a command (``MAIL``, ``DATA`` ...), None: the connection is cut. ``said`` has every
    command as it came.
    """

    scheme: str = "plain"
    pair: Pair | None = None
    starttls: bool = True
    users: dict[str, str] = field(default_factory=dict)
    refuses: dict[str, str] = field(default_factory=dict)
    answers: dict[str, str | None] = field(default_factory=dict)
    kept: list[Kept] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    port: int = 0

    def url(self, user: str = "", *, host: str = "localhost") -> str:
        """What a setting names it."""
        return f"{self.scheme}://{user + '@' if user else ''}{host}:{self.port}"

    def tls(self) -> ssl.SSLContext:
        """Its own side of TLS."""
        assert self.pair is not None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.pair.certificate, self.pair.key)
        return context


@contextmanager
def mailbox(**options: Any) -> Iterator[Mailbox]:
    """A server that runs meanwhile."""
    box = Mailbox(**options)

    class Handler(_Dialogue):
        mailbox = box

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that goes away is none of our troubles."""

    with Server(("127.0.0.1", 0), Handler) as server:
        box.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield box
        finally:
            server.shutdown()
            thread.join()


class _Dialogue(socketserver.BaseRequestHandler):
    mailbox: Mailbox

    def setup(self) -> None:
        self.sender, self.to, self.user = "", (), ""
        self.secret = False
        if self.mailbox.scheme == "smtps":
            self._encrypt()
        self.file = self.request.makefile("rb")

    def _encrypt(self) -> None:
        self.request = self.mailbox.tls().wrap_socket(self.request, server_side=True)
        self.secret = True

    def handle(self) -> None:
        self._say("220 mailbox.test ESMTP")
        while line := self.file.readline(4096):
            text = line.decode().rstrip("\r\n")
            self.mailbox.said.append(text)
            verb = text.partition(" ")[0].upper()
            if verb in self.mailbox.answers:
                answer = self.mailbox.answers[verb]
                if answer is None:
                    return
                self._say(answer)
                continue
            getattr(self, f"_{verb.lower()}", self._unknown)(text)
            if verb == "QUIT":
                return

    def _say(self, *lines: str) -> None:
        for at, line in enumerate(lines):
            code, _, rest = line.partition(" ")
            sign = " " if at == len(lines) - 1 else "-"
            self.request.sendall(f"{code}{sign}{rest}\r\n".encode())

    def _unknown(self, _: str) -> None:
        self._say("500 what?")

    def _ehlo(self, _: str) -> None:
        box = self.mailbox
        offers = ["250 mailbox.test", "250 8BITMIME"]
        if box.scheme == "smtp" and box.starttls and not self.secret:
            offers.append("250 STARTTLS")
        if box.users:
            offers.append("250 AUTH PLAIN LOGIN")
        self._say(*offers)

    def _starttls(self, _: str) -> None:
        self._say("220 go on")
        self._encrypt()
        self.file = self.request.makefile("rb")

    def _auth(self, text: str) -> None:
        _, name, given = text.split(" ", 2)
        if name == "PLAIN":
            _, user, password = base64.b64decode(given).decode().split("\0")
        else:
            self._say("334 UGFzc3dvcmQ6")
            user = base64.b64decode(given).decode()
            password = base64.b64decode(self.file.readline()).decode()
        self.user = user if self.mailbox.users.get(user) == password else ""
        self._say("235 welcome" if self.user else "535 no")

    def _mail(self, text: str) -> None:
        if self.mailbox.users and not self.user:
            self._say("530 log in first")
            return
        self.sender, self.to = text.partition("<")[2].partition(">")[0], ()
        self._say("250 ok")

    def _rcpt(self, text: str) -> None:
        address = text.partition("<")[2].partition(">")[0]
        if address in self.mailbox.refuses:
            self._say(self.mailbox.refuses[address])
            return
        self.to = (*self.to, address)
        self._say("250 ok")

    def _data(self, _: str) -> None:
        self._say("354 go on")
        lines: list[bytes] = []
        while (line := self.file.readline()) != b".\r\n":
            assert line
            lines.append(line.removeprefix(b"."))
        self.mailbox.kept.append(Kept(self.sender, self.to, b"".join(lines)))
        self._say("250 kept")

    def _rset(self, _: str) -> None:
        self._say("250 ok")

    _noop = _rset

    def _quit(self, _: str) -> None:
        self._say("221 bye")
