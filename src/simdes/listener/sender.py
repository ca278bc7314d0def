"""Send one HL7 v2 message over MLLP and wait for what it is answered.

HL7's MLLP (see `frame`) and v2.5.1, section 2.9: the answer is the message whose MSA-2 names ours
(MSH-10); MSA-1 says what became of it. Where no answer comes, the same bytes are sent again over a
new connection: the receiver knows them by MSH-10, so that nothing is dispensed or ordered twice.
A refusal is final and is never sent again.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from simdes.errors import Conflict, Forbidden, Invalid, SimdesError, Unavailable
from simdes.listener.frame import ACCEPTED, REFUSED, Frames, enclose

ATTEMPTS: Final = 5
FIRST_PAUSE_SECONDS: Final = 1.0
ANSWER_SECONDS: Final = 30.0
_MOST_BYTES: Final = 1 << 20
_CHUNK_BYTES: Final = 65_536
_SCHEMES: Final = {"mllps": True, "mllp": False}
_LOCAL: Final = frozenset(("127.0.0.1", "::1", "localhost"))
_TAKEN: Final = frozenset(("AA", "CA"))
_NOT_TAKEN: Final = frozenset(("AE", "AR", "CE", "CR"))
_CODE: Final = re.compile(r"[A-Z]{2}")
_SEGMENTS: Final = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where to: ``tls`` None sends in clear text."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None


def destination(
    url: str,
    *,
    authority: Path | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
    clear_text: bool = False,
) -> Destination:
    """The destination that ``mllps://host:port`` (TLS) or ``mllp://host:port`` names.

    ``authority`` is who vouches for it (default the system's), ``certificate`` and ``key`` what we
    show. Raises Invalid for no such address, Forbidden for clear text to another machine unless
    ``clear_text`` allows it.
    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme not in _SCHEMES or not parts.hostname or port is None or parts.path:
        raise Invalid("Write where it goes as mllps://host:port.")
    if not _SCHEMES[parts.scheme]:
        if parts.hostname not in _LOCAL and not clear_text:
            raise Forbidden(
                "Patients' data go to other machines over TLS alone.",
                advice="Use mllps://, or --clear-text where something else encrypts.",
            )
        return Destination(host=parts.hostname, port=port)
    try:
        context = ssl.create_default_context(cafile=None if authority is None else str(authority))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if certificate is not None:
            context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError):
        raise Invalid("The certificates can't be read.") from None
    return Destination(host=parts.hostname, port=port, tls=context)


def send(
    message: bytes,
    to: Destination,
    *,
    attempts: int = ATTEMPTS,
    answer_seconds: float = ANSWER_SECONDS,
    pause: Callable[[float], None] = time.sleep,
) -> str:
    """Send a message until it is answered; MSA-1 of the answer (``AA`` or ``CA``).

    Raises Invalid for what is no message, Conflict where the receiver refuses it, Unavailable where
    no attempt was answered: it may have arrived, and can be sent again as it is.
    """
    control = control_of(message)
    for attempt in range(attempts):
        if attempt:
            pause(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
        try:
            return _attempt(message, control, to, answer_seconds)
        except Unavailable:
            continue
        except (OSError, ssl.SSLError):
            continue
    raise Unavailable(
        f"{to.host}:{to.port} did not answer, {attempts} times.",
        advice="It may have arrived. Run the command again: the same message is sent.",
    )


def control_of(message: bytes) -> str:
    """MSH-10 of a message. Raises Invalid where there is none."""
    separator = message[3:4] or b"|"
    fields = _SEGMENTS.split(message, maxsplit=1)[0].split(separator)
    if message[:3] != b"MSH" or len(fields) < 10 or not fields[9]:
        raise Invalid("This is no HL7 v2 message with a number (MSH-10).")
    return fields[9].decode("utf-8", "replace")


def _attempt(message: bytes, control: str, to: Destination, answer_seconds: float) -> str:
    """One connection: send, and read frames until one answers."""
    deadline = time.monotonic() + answer_seconds
    with socket.create_connection((to.host, to.port), timeout=answer_seconds) as plain:
        wire = plain if to.tls is None else to.tls.wrap_socket(plain, server_hostname=to.host)
        with wire:
            wire.sendall(enclose(message))
            frames = Frames(frame_bytes=_MOST_BYTES, stray_bytes=_MOST_BYTES)
            while (left := deadline - time.monotonic()) > 0:
                wire.settimeout(left)
                data = wire.recv(_CHUNK_BYTES)
                if not data:
                    break
                for answer in frames.feed(data):
                    if answer == REFUSED:
                        raise Unavailable("It was not stored there.")
                    if answer != ACCEPTED and (said := _said(answer, control)):
                        return said
                _check(frames)
    raise Unavailable("No answer came.")


def _check(frames: Frames) -> None:
    """What never ends is no answer."""
    try:
        frames.check()
    except SimdesError:
        raise Unavailable("What came back is no answer.") from None


def _said(answer: bytes, control: str) -> str:
    """MSA-1 where the answer is ours, "" where it is another's. Raises Conflict for a refusal."""
    separator = answer[3:4]
    for segment in _SEGMENTS.split(answer):
        fields = segment.split(separator) if separator else []
        if fields[:1] != [b"MSA"] or len(fields) < 3:
            continue
        code = fields[1].decode("ascii", "replace")
        if fields[2].decode("utf-8", "replace") != control:
            return ""
        if code in _TAKEN:
            return code
        named = code if code in _NOT_TAKEN and _CODE.fullmatch(code) else "an unknown code"
        raise Conflict(
            f"The receiver did not take the message: {named}.",
            advice="Its answer's ERR segments say why, in the receiver's log.",
        )
    return ""
