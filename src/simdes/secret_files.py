"""Secrets in files that a setting names, which only their owner may read."""

from __future__ import annotations

from pathlib import Path

from simdes.errors import Unauthenticated


def secret_of(data: Path, name: str) -> str:
    """A secret in a file that a setting names, "" where it names none.

    Raises Unauthenticated for a file that others can read, or that holds nothing.
    """
    path = named(data, name)
    if path is None:
        return ""
    try:
        if path.stat().st_mode & 0o077:
            raise Unauthenticated(
                f"{path} can be read by others.", advice=f"Run `chmod 600 {path}` and try again."
            )
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        secret = ""
    if not secret:
        raise Unauthenticated(f"{path} holds no secret.", advice="Put one line into it.")
    return secret


def named(data: Path, name: str) -> Path | None:
    """The file that a setting names, None where it names none."""
    return data / name if name else None
