"""A gateway on a real socket in this process, and a real Chromium to go there with."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from granian.constants import Interfaces
from granian.server.embed import Server
from playwright.sync_api import Browser, sync_playwright

from simdes.app import Opened
from simdes.gateway.app import create_gateway
from support.gateways import wait_for_port

# Read now: an open network keeps the settings in the environment away.
NAMED = os.environ.get("SIMDES_CHROMIUM", "")
CHROMIUM = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
)
"""The shell first: the same Chromium without windows, which a page costs a third of the CPU."""


def chromium() -> str:
    """Where Chromium is: ``SIMDES_CHROMIUM``, else on the PATH."""
    found = NAMED or next((path for name in CHROMIUM if (path := shutil.which(name))), "")
    if not found:
        pytest.fail(
            "The pages are tested in a real Chromium and none is here. Install it (Debian, Ubuntu:"
            " `apt-get install chromium-headless-shell`, or `chromium`) or name one in"
            " SIMDES_CHROMIUM.",
            pytrace=False,
        )
    return found


@contextmanager
def a_browser() -> Iterator[Browser]:
    """A Chromium until the end."""
    # The sandbox needs user namespaces, which root in a container does not have.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=arguments)
        yield started
        started.close()


class serving:
    """Serve an organisation's gateway in a thread until the end."""

    def __init__(self, one: Opened) -> None:
        self.url = one.settings.custody_url
        self.port = int(self.url.rpartition(":")[2])
        self.app = create_gateway(one.custody, node=one.node)
        self.loop = asyncio.new_event_loop()
        self.server: Server | None = None
        self.thread = threading.Thread(target=self._run, name="gateway")

    def __enter__(self) -> str:
        self.thread.start()
        wait_for_port(self.port)
        return self.url

    def __exit__(self, *_: object) -> None:
        assert self.server is not None
        self.loop.call_soon_threadsafe(self.server.stop)
        self.thread.join(30)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.server = Server(
            self.app,
            address="127.0.0.1",
            port=self.port,
            interface=Interfaces.ASGI,
            websockets=False,
            log_enabled=False,
        )
        self.loop.run_until_complete(self.server.serve())
