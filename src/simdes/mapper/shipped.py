"""The maps of a format as they ship, with a site's sheets in front."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import PurePosixPath

from simdes.errors import Invalid
from simdes.mapper.making import Function
from simdes.mapper.model import Sheet
from simdes.mapper.rows import Maps
from simdes.mapper.sheets import BadSheet


def shipped_maps(
    package: str, functions: Mapping[str, Function], own: tuple[Sheet, ...] = ()
) -> Maps:
    """Read ``package``'s folder ``sheets`` and a site's ``own``; sheets named codes… have codes.

    Raises Invalid naming the line of a site's sheet that can't be followed.
    """
    texts = {
        entry.name: entry.read_text(encoding="utf-8")
        for entry in sorted((files(package) / "sheets").iterdir(), key=lambda one: one.name)
        if entry.name.endswith(".psv")
    }
    texts |= {sheet.name: sheet.text for sheet in own}
    codes = {name: text for name, text in texts.items() if _has_codes(name)}
    sheets = {name: text for name, text in texts.items() if not _has_codes(name)}
    try:
        maps = Maps(sheets, functions=functions, codes=codes)
        if own:
            maps.check()
    except BadSheet as error:
        raise Invalid(str(error), advice="Correct that line of the site's sheet.") from error
    return maps


def _has_codes(name: str) -> bool:
    return PurePosixPath(name).name.startswith("codes")
