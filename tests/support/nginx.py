"""nginx, which reads the balancer's configuration in the tests.

Where none is on the PATH, tests that carry the marker ``nginx`` are left out, and that is said; on
CI, which installs it, that is a failure.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
HTTP2_OF_ITS_OWN = (1, 25, 1)


def choose(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, not skip, what needs nginx where there is none; on CI fail instead."""
    wanted = [item for item in items if item.get_closest_marker("nginx")]
    if not wanted or NGINX is not None:
        return
    if os.environ.get("CI") == "true":
        raise pytest.UsageError("CI reads the balancer's configuration with nginx: install it.")
    config.hook.pytest_deselected(items=wanted)
    items[:] = [item for item in items if not item.get_closest_marker("nginx")]


def complaint(configuration: str, folder: Path, *, certificate: Path, key: Path) -> str:
    """What nginx says against a configuration; "" where it would start with it.

    Names of other containers mean nothing here, nor do its secrets' places: they are replaced. An
    nginx before 1.25.1 says `http2` where it says where to listen.
    """
    assert NGINX is not None
    text = configuration.replace(" /tmp/", f" {folder}/")
    text = re.sub(r"server gateway[-\w]*:", "server 127.0.0.1:", text)
    text = text.replace("/run/secrets/tls.crt", str(certificate))
    text = text.replace("/run/secrets/tls.key", str(key))
    if _version() < HTTP2_OF_ITS_OWN:
        text = text.replace("        http2 on;\n", "").replace("443 ssl", "443 ssl http2")
    path = folder / "nginx.conf"
    path.write_text(text)
    done = subprocess.run(
        [NGINX, "-t", "-q", "-e", "stderr", "-p", folder, "-c", path],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr if done.returncode else ""


def _version() -> tuple[int, ...]:
    assert NGINX is not None
    said = subprocess.run([NGINX, "-v"], capture_output=True, text=True, check=True).stderr
    [numbers] = re.findall(r"nginx/(\d+)\.(\d+)\.(\d+)", said)
    return tuple(map(int, numbers))
