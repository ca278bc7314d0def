"""The maps of a format as they ship, with a site's sheets in front."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from importlib.resources import files
from pathlib import PurePosixPath

from simdes.errors import Invalid
from simdes.mapper.common import COMMON
from simdes.mapper.making import Function
from simdes.mapper.model import Sheet, Site
from simdes.mapper.rows import Maps
from simdes.mapper.sheets import BadSheet, rows


class Shipped:
    """What a package ships for the ``kind`` of input it maps: sheets, functions, what to ignore."""

    def __init__(self, package: str, kind: str, functions: Mapping[str, Function]) -> None:
        self._package = package
        self._kind = kind
        self._functions = {**COMMON, **functions}
        self._built = lru_cache(maxsize=64)(self._build)

    def maps_of(self, site: Site) -> Maps:
        """Give the maps with a site's in front. Raises Invalid where one can't be followed."""
        return self._built(site.sheets_of(self._kind))

    @cached_property
    def ignored(self) -> dict[str, str]:
        """The reasons for what holds no content, by name (``ignored.psv``, where there is one)."""
        sheet = files(self._package) / "ignored.psv"
        text = sheet.read_text(encoding="utf-8") if sheet.is_file() else ""
        return {
            name: line.cell("reason")
            for line in rows("ignored.psv", text)
            for name in line.cell("names").split()
        }

    def _build(self, own: tuple[Sheet, ...]) -> Maps:
        """Read the folder ``sheets`` and a site's ``own``; sheets named codes… have codes."""
        texts = {
            entry.name: entry.read_text(encoding="utf-8")
            for entry in sorted(
                (files(self._package) / "sheets").iterdir(), key=lambda one: one.name
            )
            if entry.name.endswith(".psv")
        }
        texts |= {sheet.name: sheet.text for sheet in own}
        codes = {name: text for name, text in texts.items() if _has_codes(name)}
        sheets = {name: text for name, text in texts.items() if not _has_codes(name)}
        try:
            maps = Maps(sheets, functions=self._functions, codes=codes)
            if own:
                maps.check()
        except BadSheet as error:
            raise Invalid(str(error), advice="Correct that line of the site's sheet.") from error
        return maps


def _has_codes(name: str) -> bool:
    return PurePosixPath(name).name.startswith("codes")
