"""The key store's file: JSON, read whole, replaced atomically, readable by its owner alone."""

from __future__ import annotations

import base64
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from simdes.errors import Invalid, NotFound, Unsupported

VERSION = 1


def text_of(data: bytes) -> str:
    """Bytes as the file spells them."""
    return base64.b64encode(data).decode()


def bytes_of(text: str) -> bytes:
    """What `text_of` spelled; `Invalid` for anything else."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Invalid("The key store is damaged.") from error


def read(path: Path) -> dict[str, Any]:
    """The document; `NotFound` without a file, `Invalid` for a damaged one, `Unsupported` for a
    later version."""
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise NotFound(f"{path} does not exist.", advice="Run `simdes init` first.") from error
    except ValueError as error:
        raise Invalid(f"{path} is damaged.", advice="Restore it from a backup.") from error
    if not isinstance(document, dict) or not {"v", "organisation", "master", "secrets"} <= set(
        document
    ):
        raise Invalid(f"{path} is damaged.", advice="Restore it from a backup.")
    if document["v"] != VERSION:
        raise Unsupported(f"{path} was written by a later release.")
    return document


def write(path: Path, document: dict[str, Any]) -> None:
    """Write beside and rename over, so that a crash leaves the old file or the new one."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".keystore-")  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(document, file)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
