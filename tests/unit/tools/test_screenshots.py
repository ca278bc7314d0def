"""Pictures of pages are there for every page, are looked at somewhere, and weigh little."""

from __future__ import annotations

import re
from pathlib import Path

from tools import screenshots

from simdes.gateway.pages.places import PLACES

DOCS = Path(__file__).parents[3] / "docs"
LARGEST = 200_000
ALL = 4_000_000


def test_every_page_has_its_picture_or_a_reason_for_none() -> None:
    pictures = {path.stem for path in (DOCS / "dapp").glob("*.webp")}
    without = {
        one.path
        for one in PLACES
        if one.method == "GET"
        and pictures.isdisjoint(
            f"{role}{one.path}".strip("/").replace("/", "-") for role in ("", *screenshots.ROLES)
        )
    }
    assert without == screenshots.NO_PAGES | set(screenshots.NOT_IN_THE_DEMO)


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
