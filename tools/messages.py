"""Collect the texts of the pages into the French catalogue: new ones empty, unused ones gone.

Run ``python tools/messages.py`` after a text changed, then translate what is empty in
``src/simdes/gateway/pages/locale/fr.po``. A test compares the catalogue with the texts. Texts of
errors that pages show stand in `simdes.gateway.pages.said`.
"""

from __future__ import annotations

import io
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

PAGES = Path(__file__).parents[1] / "src/simdes/gateway/pages"
FRENCH = PAGES / "locale/fr.po"
HEADER = "# The pages' texts in French. Part of SIMDES, under the same licence."
VOLATILE = tuple(
    f'"{name}' for name in ("Project", "Report", "POT", "PO-", "Last", "Language-Team", "Generated")
)
# A template that can't be read must not pass for one without texts.
LOUD = {"**/templates/**.html": {"silent": "false"}}
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]


def collect() -> Catalog:
    """Every text that the pages may show, with where it stands."""
    catalogue = Catalog(project="simdes", charset="utf-8")
    for name, _, text, _, _ in extract_from_dir(str(PAGES), METHODS, LOUD):
        catalogue.add(text, locations=[(name, 0)])
    return catalogue


def french() -> Catalog:
    """The French catalogue as it is."""
    with FRENCH.open("rb") as file:
        return read_po(file, locale="fr")


def main() -> None:
    """Bring the French catalogue up to date."""
    kept = (
        french()
        if FRENCH.exists()
        else Catalog(locale="fr", charset="utf-8", header_comment=HEADER)
    )
    kept.update(collect(), no_fuzzy_matching=True)
    kept.obsolete.clear()
    write(kept)


def write(catalogue: Catalog) -> None:
    """Write the French catalogue, without the dates and names that change nothing."""
    text = io.BytesIO()
    write_po(
        text, catalogue, ignore_obsolete=True, include_lineno=False, width=100, sort_output=True
    )
    lines = text.getvalue().decode().splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(VOLATILE)]
    FRENCH.write_text("".join(kept), encoding="utf-8")


if __name__ == "__main__":
    main()
