"""Styles and scripts: served under their digest, kept for ever, equal to what npm has."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from simdes.gateway.pages.static_files import address_of, files
from support.pages import Visitor

ROOT = Path(__file__).parents[4]
PICO = ROOT / "node_modules/@picocss/pico/css/pico.classless.min.css"


def test_a_file_is_served_under_its_digest_and_kept(visitor: Visitor) -> None:
    for name, file in files().items():
        address = address_of(name)
        assert hashlib.sha256(file.content).hexdigest()[:16] in address
        answer = visitor.get(address)
        assert answer.content == file.content
        assert answer.headers["content-type"].startswith(file.media_type)
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_a_file_goes_out_compressed_to_who_reads_that_and_a_page_never_does(
    visitor: Visitor,
) -> None:
    for name, file in files().items():
        plain = visitor.get(address_of(name), **{"Accept-Encoding": "identity"})
        packed = visitor.get(address_of(name), **{"Accept-Encoding": "br, gzip"})
        assert plain.content == packed.content == file.content
        assert "content-encoding" not in plain.headers
        assert packed.headers["content-encoding"] == "gzip"
        assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"
    sizes = {name: len(file.packed) for name, file in files().items()}
    assert sum(sizes[name] for name in ("pico.css", "simdes.css", "icon.svg")) < 20_000
    assert sum(sizes.values()) < 50_000
    page = visitor.get("/sign-in", **{"Accept-Encoding": "br, gzip"})
    assert "content-encoding" not in page.headers


def test_no_other_name_is_served(visitor: Visitor) -> None:
    for name in ("pico.css", "simdes.0000000000000000.css", "..%2fplaces.py", "%00"):
        assert visitor.get(f"/static/{name}").status_code == 404


def test_pico_is_what_npm_has() -> None:
    assert files()["pico.css"].content == PICO.read_bytes()


def test_no_template_holds_a_script_or_a_style_of_its_own() -> None:
    import simdes.gateway.pages as pages

    templates = sorted((Path(pages.__file__).parent / "templates").rglob("*.html"))
    assert len(templates) >= 60
    for path in templates:
        text = path.read_text()
        assert "style=" not in text and "<style" not in text, path.name
        assert "javascript:" not in text and " on" + "click" not in text, path.name
        assert text.count("<script") == text.count("<script src="), path.name
        assert "|safe" not in text and "autoescape" not in text, path.name
        forms = text.count('method="post"')
        own = text.count("parts.token(asked)") + text.count("token(asked) }}")
        # Whoever has the link of a mail is not signed in, and may stop mails by it alone.
        assert own >= forms or path.name == "mail_stop.html", path.name


def test_what_opens_sealed_copies_is_what_npm_has() -> None:
    done = subprocess.run(
        ["node", str(ROOT / "tools/bundle_hpke.mjs"), "--print"], capture_output=True, check=True
    )
    assert files()["hpke.js"].content == done.stdout
