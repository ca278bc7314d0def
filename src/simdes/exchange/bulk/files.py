"""The port through which the files of imports come: an adapter reads them, `app` chooses it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from simdes.errors import Invalid


class Files(Protocol):
    """Reads files at addresses that whoever imports named. Safe for several threads."""

    def check(self, url: str) -> None:
        """Raise Invalid for an address from which nothing may ever be fetched."""

    def read(
        self, url: str, *, credential: str = "", most_bytes: int, seconds: float
    ) -> Iterator[bytes]:
        """Yield a file's bytes, unpacked, within so many bytes and seconds.

        ``credential`` is ``user:password``. Raises Invalid as `check` and for what can't be
        unpacked, NotFound where there is no such file, TooLarge beyond a limit, Unsupported for an
        encoding that is not known, Unavailable for what may work later.
        """


class NoFiles:
    """For programs that fetch nothing."""

    def check(self, url: str) -> None:
        """Take no address."""
        raise Invalid("This server fetches no files.")

    def read(
        self, url: str, *, credential: str = "", most_bytes: int, seconds: float
    ) -> Iterator[bytes]:
        """Read nothing."""
        self.check(url)
        return iter(())
