"""Lists that a filter of their own narrows and that are shown a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from simdes.gateway.pages.asking import Asked

T = TypeVar("T")


def narrowed(
    asked: Asked,
    path: str,
    found: Sequence[T],
    *,
    filters: Sequence[str],
    is_wanted: Callable[[T, str], bool],
    rows: int,
    kept: Mapping[str, str] | None = None,
) -> tuple[list[T], dict[str, Any]]:
    """What the page that was asked for shows of a list, and what its template says of the rest.

    The filter is the address's ``only``, the first one where it names none; a page behind the last
    is the last. ``kept``: what every address of the list says as well.
    """
    only = asked.asked("only", most=16)
    only = only if only in filters else filters[0]
    chosen = [one for one in found if is_wanted(one, only)]
    pages = max(1, -(-len(chosen) // rows))
    page = min(asked.page, pages) or 1

    def address(only: str = only, page: int = 1) -> str:
        said = {**(kept or {}), "only": only, "page": str(page) if page > 1 else ""}
        return f"{path}?{urlencode({name: one for name, one in said.items() if one})}".rstrip("?")

    told = {"filters": filters, "only": only, "page": page, "pages": pages, "address": address}
    return chosen[(page - 1) * rows : page * rows], told | {"total": len(chosen)}
