"""Pictures of pages are there for every page, are looked at somewhere, and weigh little."""

from __future__ import annotations

import re
from pathlib import Path

from tools import screenshots

from simdes.gateway.pages.places import PLACES

DOCS = Path(__file__).parents[3] / "docs"
LARGEST = 200_000
ALL = 4_000_000


def test_every_page_is_pictured_for_somebody() -> None:
    seen = {path for role in screenshots.ROLES for path in screenshots.paths_of(role)}
    pages = {one.path for one in PLACES if one.method == "GET"}
    assert seen | set(screenshots.OUTSIDE) | screenshots.NO_PAGES >= pages


def test_every_picture_is_shown_and_every_shown_one_is_there() -> None:
    text = (DOCS / "dapp.md").read_text() + (DOCS / "dapp/pages.md").read_text()
    shown = {name.rpartition("/")[2] for name in re.findall(r"[\w/-]+\.(?:png|webp)", text)}
    there = {path.name for path in (DOCS / "dapp").iterdir() if path.suffix in (".png", ".webp")}
    assert shown == there
    assert len(there) > 60


def test_pictures_weigh_little() -> None:
    sizes = [path.stat().st_size for path in (DOCS / "dapp").iterdir()]
    assert max(sizes) < LARGEST
    assert sum(sizes) < ALL


def test_the_gallery_is_by_role(tmp_path: Path) -> None:
    for name in ("patient-home", "sign-in", "nurse-home"):
        (tmp_path / f"{name}.webp").touch()
    text = screenshots.gallery(tmp_path)
    assert text.index("## Before signing in") < text.index("## Patient") < text.index("## Nurse")
    assert 'alt="patient home"' in text and "## Doctor" not in text
