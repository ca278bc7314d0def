"""Servers are believed by the authorities of this machine, or by those that it is told of."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from simdes.tls import trusted
from support.certificates import Authority

ASK = """
import socket, ssl, sys
from simdes.tls import trusted
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=10) as plain:
    try:
        trusted().wrap_socket(plain, server_hostname=sys.argv[2]).close()
    except ssl.SSLCertVerificationError:
        sys.exit(3)
"""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority that no machine knows."""
    return Authority(tmp_path, "hospitals")


@pytest.fixture
def port(authority: Authority) -> int:
    """Where a server shows a certificate of that authority."""
    pair = authority.vouch("gateway")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    listening = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        # Who doesn't believe it goes away.
        with listening, listening.accept()[0] as plain, contextlib.suppress(OSError):
            context.wrap_socket(plain, server_side=True).close()

    threading.Thread(target=answer, daemon=True).start()
    return int(listening.getsockname()[1])


@pytest.mark.parametrize(
    ("told", "name", "code"),
    [(True, "localhost", 0), (True, "example.org", 3), (False, "localhost", 3)],
    ids=["known authority", "another name", "unknown authority"],
)
def test_a_server_needs_a_known_authority_and_its_own_name(
    authority: Authority, port: int, told: bool, name: str, code: int
) -> None:
    env = {"SSL_CERT_FILE": str(authority.certificate)} if told else {}
    env["PYTHONPATH"] = ":".join(one for one in sys.path if one)
    command = [sys.executable, "-c", ASK, str(port), name]
    done = subprocess.run(command, env=env, timeout=60, check=False)
    assert done.returncode == code


def test_authorities_are_read_once() -> None:
    assert trusted() is trusted()
