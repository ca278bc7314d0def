"""Checks of the organisation's folder and of the machine it lies on."""

from __future__ import annotations

import os
import resource
import shutil
import ssl
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from simdes.app import passphrase_file
from simdes.config import Settings, places
from simdes.doctor.check import Said, good, warning, wrong
from simdes.doctor.place import Place, host_of
from simdes.errors import SimdesError
from simdes.ledger.network import Addresses, Pins

OTHER_FILES: Final = 192
"""Files that are open beside connections: database, store, ledger, custodians, logs."""
ENOUGH_INODES: Final = 10_000
EXPIRES_SOON: Final = timedelta(days=21)
_NETWORK_FILE_SYSTEMS: Final = ("nfs", "cifs", "smb", "fuse.sshfs", "9p")
MOUNTS: Final = Path("/proc/self/mounts")
_OPEN_MODES: Final = stat.S_IRWXG | stat.S_IRWXO


def settings(place: Place) -> Iterator[Said]:
    """What `config.load` accepted; zones and times are looked at here."""
    zone = place.settings.time_zone
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        yield wrong(f"time_zone {zone!r} is no time zone of this machine.")
        return
    yield good(f"{place.data} holds an organisation.")


def key_files(place: Place) -> Iterator[Said]:
    """Secrets are there, and their owner's alone."""
    troubles = 0
    for path, needed in _secrets(place):
        try:
            mode = path.stat().st_mode
        except OSError:
            if needed:
                troubles += 1
                yield wrong(
                    f"{path} is missing.", "Restore it from the backup, or correct its name."
                )
            continue
        if mode & _OPEN_MODES:
            troubles += 1
            yield wrong(f"{path} can be read by others.", f"Run `chmod 600 {path}`.")
        elif not os.access(path, os.R_OK):
            troubles += 1
            yield wrong(f"{path} can't be read by this user.")
    if not troubles:
        yield good("Keys and secrets are there, and this user's alone.")


def _secrets(place: Place) -> Iterator[tuple[Path, bool]]:
    """Files that hold secrets, and whether each has to be there."""
    one, data = place.settings, place.data
    yield data / "keystore.json", True
    yield passphrase_file(data), "SIMDES_PASSPHRASE" not in os.environ
    for name in (
        one.metrics_token_file,
        one.facade_credentials_file,
        one.import_credentials_file,
        one.facade_notify_secret_file,
        one.listen_key,
        one.mail_password_file,
    ):
        if name:
            yield data / name, True
    urls = (one.database_url, one.store_url.removeprefix("ipfs:"), *one.ledger_url.split())
    if any(urlsplit(url).password for url in urls):
        yield data / "simdes.toml", True  # it holds a password
    if one.database_url.startswith("sqlite:"):
        yield Path(one.database_url.removeprefix("sqlite:")), False


def network_files(place: Place) -> Iterator[Said]:
    """`network.json` and `pins.json` are readable and of one network."""
    documents = {name: place.json_file(name) for name in ("network.json", "pins.json")}
    unread = [name for name, document in documents.items() if document is None]
    if unread:
        yield wrong(f"{' and '.join(unread)} can't be read.")
        return
    try:
        network = Addresses.from_dict(documents["network.json"] or {})
        pins = Pins.from_dict(documents["pins.json"] or {})
    except SimdesError as error:
        yield wrong(error.message)
        return
    differing = [name for name, at in pins.addresses.items() if getattr(network, name, None) != at]
    if (network.chain_id, network.genesis) != (pins.chain_id, pins.genesis) or differing:
        named = ", ".join(differing) or "the chain"
        yield wrong(f"network.json is not of the network that was accepted: {named} differ.")
        return
    yield good("network.json describes the network that was accepted.")


def base_url(place: Place) -> Iterator[Said]:
    """The address under which others reach this gateway has the form that works."""
    url = place.settings.custody_url
    parts = urlsplit(url)
    try:
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if parts.scheme not in ("http", "https") or not host:
        yield wrong("custody_url is no http(s) address.")
    elif parts.username or parts.query or parts.fragment:
        yield wrong("custody_url has a user, a query or a fragment; it is a plain address.")
    elif parts.path not in ("", "/"):
        yield wrong("custody_url has a path; the gateway answers at the root of a host alone.")
    elif parts.scheme == "http" and not is_loopback(host):
        yield warning(f"Others reach {host_of(url)} without TLS.")
    elif parts.scheme == "https" and _is_address(host):
        yield warning("custody_url names an IP address; passkeys need a host name.")
    elif port == 0:
        yield wrong("custody_url names port 0.")
    else:
        yield good(f"Others reach this gateway at {parts.scheme}://{host_of(url)}.")


def disk(place: Place) -> Iterator[Said]:
    """There is room where this organisation writes, in bytes and in files."""
    least = place.settings.disk_free_mib << 20
    free_of: list[int] = []
    for folder in dict.fromkeys(places(place.data, place.settings)):
        try:
            free = shutil.disk_usage(folder).free
            inodes = os.statvfs(folder)
        except OSError:
            yield wrong(f"{folder} can't be looked at.")
            return
        free_of.append(free)
        if free < least:
            yield wrong(
                f"{folder} has {free >> 20} MiB free; below {least >> 20} nothing is taken."
            )
        elif free < 4 * least:
            yield warning(
                f"{folder} has {free >> 20} MiB free; below {least >> 20} nothing is taken."
            )
        if inodes.f_files > 0 and inodes.f_favail < ENOUGH_INODES:
            yield warning(f"{folder} has room for {inodes.f_favail} more files.")
    if min(free_of) >= 4 * least:
        yield good(f"{min(free_of) >> 30} GiB are free.")


def file_limit(place: Place) -> Iterator[Said]:
    """As many files may be open as connections are taken."""
    one = place.settings
    needed = max(one.serve_connections, one.listen_connections) + OTHER_FILES
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)  # `serve` raises the other one to it
    if hard != resource.RLIM_INFINITY and hard < needed:
        yield wrong(f"{hard} files may be open at once; {needed} are needed.")
        return
    yield good("Enough files may be open at once.")


def file_system(place: Place) -> Iterator[Said]:
    """SQLite and the embedded ledger lie on a disk of this machine."""
    urls = (place.settings.database_url, place.settings.ledger_url)
    for url in urls:
        scheme, _, rest = url.partition(":")
        if scheme not in ("sqlite", "embedded"):
            continue
        kind = _file_system(Path(rest.partition("?")[0]))
        if kind.startswith(_NETWORK_FILE_SYSTEMS):
            yield wrong(f"{scheme}: lies on a file system of type {kind}.")
        else:
            yield good(f"{scheme}: lies on {kind or 'a disk of this machine'}.")


def _file_system(path: Path) -> str:
    """The type of the file system that a path lies on, "" where the system does not say."""
    try:
        lines = MOUNTS.read_text().splitlines()
    except OSError:
        return ""
    mounts = [line.split()[1:3] for line in lines]
    above = [one for one in mounts if path.resolve().is_relative_to(one[0].replace("\\040", " "))]
    return max(above, key=lambda one: len(one[0]), default=["", ""])[1]


def tls(place: Place) -> Iterator[Said]:
    """The certificates: the listener's files, and what the gateway's own address shows."""
    one = place.settings
    yield from _listener(place.data, one, place.clock())
    if one.custody_url.startswith("https:"):
        yield from _shown(one.custody_url, place.clock())


def _listener(data: Path, one: Settings, now: float) -> Iterator[Said]:
    if not (one.listen_certificate or one.listen_key or one.listen_client_ca):
        if not is_loopback(one.listen_host):
            yield warning("HL7 v2 is listened to beyond this machine, without TLS.")
        return
    if not (one.listen_certificate and one.listen_key):
        yield wrong("Of listen_certificate and listen_key one is not set.")
        return
    try:
        pem = (data / one.listen_certificate).read_bytes()
        certificate = x509.load_pem_x509_certificate(pem)
        key = load_pem_private_key((data / one.listen_key).read_bytes(), password=None)
        if one.listen_client_ca:
            x509.load_pem_x509_certificates((data / one.listen_client_ca).read_bytes())
    except (OSError, ValueError, TypeError) as error:
        yield wrong(f"The listener's TLS files can't be read ({type(error).__name__}).")
        return
    if _public(key.public_key()) != _public(certificate.public_key()):
        yield wrong("The listener's key is not its certificate's.")
        return
    yield _lasting(certificate.not_valid_after_utc, now, "The listener's certificate")


def _public(key: object) -> bytes:
    encoded: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    return encoded


def _lasting(ends: datetime, now: float, whose: str) -> Said:
    left = ends - datetime.fromtimestamp(now, UTC)
    if left < timedelta(0):
        return wrong(f"{whose} ended on {ends:%Y-%m-%d}.")
    if left < EXPIRES_SOON:
        return warning(f"{whose} ends on {ends:%Y-%m-%d}.")
    return good(f"{whose} is valid until {ends:%Y-%m-%d}.")


def _shown(url: str, now: float) -> Iterator[Said]:
    import socket  # noqa: PLC0415 - of this one check

    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    context = ssl.create_default_context()
    try:
        with (
            socket.create_connection((host, port), timeout=3) as plain,
            context.wrap_socket(plain, server_hostname=host) as talk,
        ):
            shown = talk.getpeercert(binary_form=True)
    except ssl.SSLCertVerificationError as error:
        yield wrong(f"The certificate of {host_of(url)} is not good: {error.verify_message}.")
        return
    except OSError as error:  # ssl.SSLError among them
        yield warning(f"{host_of(url)} does not speak TLS now ({type(error).__name__}).")
        return
    if shown:
        certificate = x509.load_der_x509_certificate(shown)
        yield _lasting(certificate.not_valid_after_utc, now, "The gateway's certificate")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its name or address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
