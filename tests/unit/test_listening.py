"""What a listener is refused before anything listens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from simdes.app import Opened
from simdes.errors import Invalid, SimdesError, Unavailable
from simdes.listener.limits import LIMITS
from simdes.listening import Address, listen
from support import consortium

PLAIN = Address(
    host="127.0.0.1",
    port=0,
    certificate=None,
    key=None,
    client_authority=None,
    clear_text=False,
    release=1,
)
PEM = Path("missing.pem")


@pytest.fixture(scope="module")
def north(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    folder = tmp_path_factory.mktemp("listening") / "network"
    consortium.found(folder)
    with consortium.opened(folder) as network:
        yield network["north"]


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        ({"host": "0.0.0.0"}, Invalid, "Without TLS the listener answers on this machine alone"),
        ({"certificate": PEM}, Invalid, "TLS needs a certificate and its key"),
        ({"key": PEM}, Invalid, "TLS needs a certificate and its key"),
        ({"client_authority": PEM}, Invalid, "TLS needs a certificate and its key"),
        ({"certificate": PEM, "key": PEM}, Invalid, "can't be used"),
        ({"host": "192.0.2.1"}, Unavailable, "Address 192.0.2.1"),
        ({"host": "no such name"}, Unavailable, "can't be used"),
        ({"port": 70_000}, Unavailable, "can't be used"),
    ],
)
def test_what_can_not_be_is_said_with_advice(
    north: Opened, change: dict[str, Any], kind: type[SimdesError], said: str
) -> None:
    with pytest.raises(kind, match=said) as caught:
        listen(north, replace(PLAIN, **change), LIMITS, lambda _: pytest.fail("it listens"))
    assert caught.value.advice


def test_more_connections_than_the_system_allows_are_refused(north: Opened) -> None:
    with pytest.raises(Invalid, match="more than this system allows"):
        listen(north, PLAIN, replace(LIMITS, connections=1 << 40), lambda _: None)
