"""What a running worker is called, so that leases say who holds them."""

from __future__ import annotations

import os
import threading


def worker_name() -> str:
    """A name for this running worker: process and thread."""
    return f"{os.uname().nodename}:{os.getpid()}:{threading.get_ident()}"
