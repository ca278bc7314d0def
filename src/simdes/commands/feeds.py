"""Commands for feeds: listen, pharmacy-message."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from simdes import app, console, listening
from simdes.commands.common import AsJson, Data, Purpose, Token, User, organisation, signed_in
from simdes.config import Settings
from simdes.errors import Invalid
from simdes.exchange.admitting import asking_of
from simdes.exchange.attempting import Trying, attempting
from simdes.exchange.interactions.pharmacy import pharmacy_message as written
from simdes.listener import sender
from simdes.listener.limits import LIMITS, ListenerLimits


def add_commands(cli: typer.Typer) -> None:
    """Add this module's commands."""
    cli.command("listen")(listen)
    cli.command("pharmacy-message")(pharmacy_message)


def listen(
    data: Data,
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on; default this machine's own.")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", help="Default 2575; 0 takes any free one.")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option("--tls-certificate", help="Certificate chain (PEM) for TLS.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--tls-key", help="Key (PEM) of the certificate.")
    ] = None,
    client_ca: Annotated[
        Path | None,
        typer.Option("--client-ca", help="Senders must show a certificate of this authority."),
    ] = None,
    clear_text: Annotated[
        bool,
        typer.Option("--clear-text", help="Allow an address beyond this machine without TLS."),
    ] = False,
    connections: Annotated[
        int | None, typer.Option("--max-connections", min=1, help="At once; default 256.")
    ] = None,
    frame_bytes: Annotated[
        int,
        typer.Option("--max-frame-bytes", min=1, max=64 * 1024 * 1024, help="Longest frame."),
    ] = LIMITS.frame_bytes,
    idle_seconds: Annotated[
        float,
        typer.Option("--idle-seconds", min=1, help="How long a silent connection stays open."),
    ] = LIMITS.idle_seconds,
    release: Annotated[
        int,
        typer.Option("--mllp-release", min=1, max=2, help="2 adds MLLP's commit acknowledgments."),
    ] = 1,
    as_json: AsJson = False,
) -> None:
    """Take HL7 v2 messages over MLLP and acknowledge each once it is durable, until stopped.

    `simdes serve` seals and anchors what is taken in. What can't be accepted is kept in quarantine
    and answered AE or AR with the reason. --json prints the counts at the end.
    """
    with app.opened(data) as one:
        settings = one.settings
        address = listening.Address(
            host=settings.listen_host if host is None else host,
            port=settings.listen_port if port is None else port,
            certificate=certificate or _file(data, settings.listen_certificate),
            key=key or _file(data, settings.listen_key),
            client_authority=client_ca or _file(data, settings.listen_client_ca),
            clear_text=clear_text,
            release=release,
        )
        limits = ListenerLimits(
            connections=_connections(settings, connections),
            frame_bytes=frame_bytes,
            idle_seconds=idle_seconds,
        )

        def ready(where: str) -> None:
            if not as_json:
                how = "TLS" if address.certificate else "clear text"
                console.say(f"{settings.name} takes HL7 v2 over MLLP on {where} ({how})")
                sys.stdout.flush()

        counts = listening.listen(one, address, limits, ready)
    if as_json:
        console.print_json(counts)


def pharmacy_message(
    resource: Annotated[
        str,
        typer.Argument(help="MedicationRequest/ID (RDE) or MedicationDispense/ID (RDS)."),
    ],
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="Write the message here.")],
    user: User = None,
    token: Token = None,
    purpose: Purpose = "TREAT",
    application: Annotated[
        str, typer.Option("--application", help="Whom it is for: MSH-5.")
    ] = "PHARMACY",
    facility: Annotated[str, typer.Option("--facility", help="Where that is: MSH-6.")] = "",
    send: Annotated[
        str,
        typer.Option("--send", help="Send it there: mllps://host:port, mllp:// on this machine."),
    ] = "",
    authority: Annotated[
        Path | None, typer.Option("--ca", help="Who vouches for the receiver (PEM).")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", help="What we show to it (PEM).")
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Its key (PEM).")] = None,
    clear_text: Annotated[
        bool, typer.Option("--clear-text", help="Send in clear text to another machine.")
    ] = False,
) -> None:
    """Write an order or a dispense as HL7 v2.5.1 for a pharmacy that speaks it; and send it.

    The message holds what this user may read, and the reading is on record. With --send it goes
    out over MLLP until it is acknowledged, which FILE.ack then says. A message that was written
    and not acknowledged is sent again as it is, one that was acknowledged is not sent any more.
    """
    type_, _, logical_id = resource.partition("/")
    to = None
    if send:
        to = sender.destination(
            send, authority=authority, certificate=certificate, key=key, clear_text=clear_text
        )
        if _acknowledged(out):
            console.say(f"{out} was acknowledged before: {_receipt(out).read_text().strip()}")
            return
        if out.exists():
            _send(out, to)
            return
    with organisation(data) as one:
        asking = asking_of(one.node, signed_in(one, user, token), purpose=purpose)
        with attempting(one.node, asking, Trying("read", type_, type_, logical_id)):
            message = written(one.node, asking, type_, logical_id, receiver=(application, facility))
    _keep(out, message)
    console.say(f"{message[:3].decode()} of {len(message)} bytes in {out}")
    if to is not None:
        _send(out, to)


def _send(out: Path, to: sender.Destination) -> None:
    """Send what was written, and keep what it was answered."""
    message = out.read_bytes()
    code = sender.send(message, to)
    _keep(_receipt(out), f"{code} {sender.control_of(message)}\n".encode())
    console.say(f"Acknowledged by {to.host}:{to.port}: {code}")


def _receipt(out: Path) -> Path:
    return out.with_name(f"{out.name}.ack")


def _acknowledged(out: Path) -> bool:
    """Whether the very message that lies there was acknowledged."""
    try:
        return _receipt(out).read_text().split()[1:] == [sender.control_of(out.read_bytes())]
    except FileNotFoundError:
        return False


def _keep(path: Path, content: bytes) -> None:
    """Write a file that is whole or not there, and that its owner alone reads."""
    new = path.with_name(f".{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        os.fsync(file.fileno())
    new.replace(path)


def _file(data: Path, name: str) -> Path | None:
    """A file that a setting names, relative to the organisation's folder."""
    return data / name if name else None


def _connections(settings: Settings, given: int | None) -> int:
    count = settings.listen_connections if given is None else given
    if count < 1:
        raise Invalid("Setting listen_connections must be at least 1.")
    return count
