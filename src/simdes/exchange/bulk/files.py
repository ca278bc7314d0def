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

    def begin(self, url: str, *, credential: str = "", seconds: float) -> str:
        """Begin an export at a kick-off address; the address at which its state is asked.

        https://hl7.org/fhir/uv/bulkdata/export.html#bulk-data-kick-off-request. Raises as `read`.
        """

    def state(
        self, url: str, *, credential: str = "", most_bytes: int, seconds: float
    ) -> bytes | float:
        """The manifest of an export, or in how many seconds to ask again. Raises as `read`."""

    def end(self, url: str, *, credential: str = "", seconds: float) -> None:
        """Say that an export's files are not needed any more. Raises as `read`."""


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

    def begin(self, url: str, *, credential: str = "", seconds: float) -> str:
        """Begin nothing."""
        self.check(url)
        return url

    def state(
        self, url: str, *, credential: str = "", most_bytes: int, seconds: float
    ) -> bytes | float:
        """Ask nobody."""
        self.check(url)
        return b""

    def end(self, url: str, *, credential: str = "", seconds: float) -> None:
        """End nothing."""
        self.check(url)
