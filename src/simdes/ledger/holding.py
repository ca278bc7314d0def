"""Who holds an embedded ledger's journal: one process at a time, and the others ask it.

The holder has an exclusive lock on ``<journal>.lock`` (the system lifts it when the process dies,
however it dies) and writes its JSON-RPC endpoint into ``<journal>.endpoint``. Another process that
opens the same path finds the lock taken, reads that file, and gets a ledger that talks to the
holder. Within one process all openings share one ledger.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO
from urllib.parse import parse_qs

from simdes.errors import Invalid, Unavailable
from simdes.ledger.embedded import EmbeddedLedger
from simdes.ledger.endpoint import Endpoint
from simdes.ledger.journal import Journal
from simdes.ledger.ledger import Clock, Ledger
from simdes.ledger.rpc import RpcFace

DEFAULT_CHAIN_ID = 746_337
"""SIMDES on a telephone's keys; a new journal's unless ``?chain=N`` says otherwise."""
_HOLDER_SECONDS = 15.0
"""How long a holder that just started may take to write its endpoint."""

_held: dict[Path, SharedLedger] = {}
_held_lock = threading.Lock()


class SharedLedger(EmbeddedLedger):
    """The ledger of the process that holds the journal, with its endpoint."""

    def __init__(self, path: Path, *, chain_id: int | None, clock: Clock, lock: IO[str]) -> None:
        """Open the journal, bring up the state, and let other processes ask."""
        self._path = path
        self._lock_file = lock
        self.openings = 1
        journal = Journal(path, chain_id=chain_id, default_chain_id=DEFAULT_CHAIN_ID)
        super().__init__(journal, clock=clock)
        self.endpoint = Endpoint(RpcFace(self), word=secrets.token_urlsafe(24))
        _write_private(_beside(path, "endpoint"), json.dumps({"url": self.endpoint.url}))

    def close(self) -> None:
        """Close when the last of this process's openings closes."""
        with _held_lock:
            self.openings -= 1
            if self.openings:
                return
            _held.pop(self._path, None)
            _beside(self._path, "endpoint").unlink(missing_ok=True)
            self.endpoint.close()
            super().close()
            self._lock_file.close()


def open_embedded(rest: str, *, clock: Clock) -> Ledger:
    """Open ``PATH[?chain=N]``, or ``:memory:`` for a ledger that is gone with its object.

    Raises `Invalid` (malformed, or the journal has another chain id), `Unavailable` when another
    process holds the path and does not answer.
    """
    place, chain_id = _parse(rest)
    if place == ":memory:":
        journal = Journal(None, chain_id=chain_id, default_chain_id=DEFAULT_CHAIN_ID)
        return EmbeddedLedger(journal, clock=clock)
    path = Path(place).expanduser().resolve()
    with _held_lock:
        held = _held.get(path)
        if held is not None:
            _require_chain(held, chain_id)
            held.openings += 1
            return held
        lock = _try_lock(path)
        if lock is not None:
            try:
                held = SharedLedger(path, chain_id=chain_id, clock=clock, lock=lock)
            except BaseException:
                lock.close()
                raise
            _held[path] = held
            return held
    return _ask_holder(path, chain_id)


def _ask_holder(path: Path, chain_id: int | None) -> Ledger:
    from simdes.ledger.jsonrpc import JsonRpcLedger  # noqa: PLC0415 (httpx is slow to load)

    find = _finder(_beside(path, "endpoint"))
    deadline = time.monotonic() + _HOLDER_SECONDS
    while True:
        url = find()
        if url is not None:
            ledger = JsonRpcLedger(url, find=find, watch=False)
            try:
                _require_chain(ledger, chain_id)
            except Unavailable:
                ledger.close()
            else:
                return ledger
        if time.monotonic() >= deadline:
            raise Unavailable(
                "another process holds this ledger and does not answer",
                advice="End that process, or start it again with `simdes serve`.",
            )
        time.sleep(0.05)


def _finder(file: Path) -> Callable[[], str | None]:
    def find() -> str | None:
        try:
            url = json.loads(file.read_text())["url"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return url if isinstance(url, str) and url.startswith("http://127.0.0.1:") else None

    return find


def _require_chain(ledger: Ledger, chain_id: int | None) -> None:
    if chain_id is not None and ledger.chain_id() != chain_id:
        raise Invalid(
            f"the journal holds chain {ledger.chain_id()}, not {chain_id}",
            advice="Use the journal's chain id, or another path.",
        )


def _parse(rest: str) -> tuple[str, int | None]:
    place, _, query = rest.partition("?")
    try:
        options = parse_qs(query, strict_parsing=True) if query else {}
        chain_id = int(options.pop("chain", ["0"])[0]) or None
    except ValueError:
        options = {"": []}
        chain_id = None
    if not place or options or (chain_id is not None and not 0 < chain_id < 1 << 52):
        raise Invalid(
            "the embedded ledger's URL is malformed",
            advice="Use embedded:PATH or embedded:PATH?chain=N.",
        )
    return place, chain_id


def _try_lock(path: Path) -> IO[str] | None:
    """Take the journal's lock, None where another process has it.

    A POSIX record lock: it dies with this process and a forked child does not inherit it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = _beside(path, "lock").open("a")
    except OSError as error:
        raise Unavailable(
            f"the ledger's folder can't be written ({error.strerror})",
            advice="Choose another path, or correct the folder's rights.",
        ) from None
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def _write_private(file: Path, text: str) -> None:
    """Write a file for this user alone, whole or not at all."""
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    draft.replace(file)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}.{suffix}")
