"""What a browser gets: a page with its own policy, or the address of another page.

Each page names what it needs beyond styles and forms of its own; all else the
Content-Security-Policy (https://www.w3.org/TR/CSP3/) forbids. Referrers stay within the gateway: a
browser that sends none says "null" for where a form came from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import RedirectResponse, Response

from simdes.exchange.credentials import Visit
from simdes.gateway.pages.asking import (
    DEVICE,
    LANGUAGE,
    SESSION,
    START,
    VISITOR,
    Asked,
    cookie_name,
    secure,
)
from simdes.gateway.pages.languages import COLONS, LANGUAGES, catalogue
from simdes.gateway.pages.navigation import links_of
from simdes.gateway.pages.patient.own import name_of
from simdes.gateway.pages.static_files import address_of
from simdes.gateway.pages.wording import WORDS, browser_of

_YEAR_SECONDS: Final = 365 * 86_400
_LASTING: Final[Mapping[str, int | None]] = {
    SESSION: None,
    VISITOR: None,
    DEVICE: _YEAR_SECONDS,
    LANGUAGE: _YEAR_SECONDS,
}
"""How many seconds a browser keeps a cookie; None until it is closed."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A page. ``leads_to`` are addresses elsewhere that its form may end at.

    ``here`` is where the page is found with GET, for pages that answer a form. ``script`` names
    what it runs, one script or several in order; True: that of passkeys.
    """

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    here: str = ""
    status: int = 200
    script: bool | str | Sequence[str] = False
    leads_to: Sequence[str] = ()
    cookies: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Moved:
    """Another address, to be fetched with GET. A cookie "" is taken back."""

    to: str
    cookies: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sent:
    """A file to keep, under a name of ours. Browsers save it and run nothing of it."""

    content: bytes = field(repr=False)
    media_type: str
    name: str


Answer = Shown | Moved | Sent


def respond(asked: Asked, answer: Answer) -> Response:
    """The HTTP response of a page's answer."""
    if isinstance(answer, Moved):
        response: Response = RedirectResponse(answer.to, 303)
    elif isinstance(answer, Sent):
        response = Response(answer.content, media_type=answer.media_type)
        response.headers["Content-Disposition"] = f'attachment; filename="{answer.name}"'
        response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    else:
        response = Response(render(asked, answer), answer.status, media_type="text/html")
        response.headers["Content-Security-Policy"] = policy(answer)
        response.headers["Content-Language"] = asked.reader.language
        response.headers.update(answer.headers)
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Vary"] = "Accept-Language, Cookie"
    given = {VISITOR: asked.visitor} if asked.cookies[VISITOR] != asked.visitor else {}
    kept = {} if isinstance(answer, Sent) else dict(answer.cookies)
    for name, value in (given | kept).items():
        _set_cookie(asked, response, name, value)
    return response


def render(asked: Asked, page: Shown) -> str:
    """The page's HTML."""
    environment = _environment(asked.reader.language)
    visit = asked.state if isinstance(asked.state, Visit) else None
    return environment.get_template(page.template).render(
        asked=asked,
        reader=asked.reader,
        organisation=asked.node.name,
        languages=LANGUAGES,
        visit=visit,
        links=links_of(asked.role, bills=asked.node.claims.opens) if visit else (),
        whose=f"?{urlencode({'patient': asked.whose})}" if asked.whose else "",
        whose_name=name_of(asked) if asked.whose else "",
        here=page.here or _address(asked),
        scripts=_scripts(page),
        **page.values,
    )


def policy(page: Shown) -> str:
    """The Content-Security-Policy of a page."""
    targets = " ".join(["'self'", *dict.fromkeys(map(_source, page.leads_to))])
    rules = [
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self' data:",
        *(["script-src 'self'"] if page.script else []),
        f"form-action {targets}",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
    return "; ".join(rules)


def _scripts(page: Shown) -> Sequence[str]:
    """The names of what a page runs."""
    if isinstance(page.script, bool):
        return ("passkeys.js",) if page.script else ()
    return (page.script,) if isinstance(page.script, str) else page.script


def _source(address: str) -> str:
    """What stands for an address in a policy: its origin, or the scheme of an app's own."""
    parts = urlsplit(address)
    plain = parts.scheme in ("http", "https")
    return f"{parts.scheme}://{parts.netloc}" if plain else f"{parts.scheme}:"


def _address(asked: Asked) -> str:
    """Where this page is found again, for the language switch; what was done is not said twice."""
    if asked.method != "GET":
        return START
    kept = {name: values for name, values in asked.query.items() if name != "done"}
    return f"{asked.path}?{urlencode(kept, doseq=True)}".rstrip("?")


def _set_cookie(asked: Asked, response: Response, name: str, value: str) -> None:
    response.set_cookie(
        cookie_name(asked.node, name),
        value,
        max_age=_LASTING[name] if value else 0,
        path="/",
        secure=secure(asked.node),
        httponly=True,
        # An app elsewhere sends the browser here to authorise it, so Strict would lose the session.
        samesite="lax",
    )


@cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_translations(catalogue(language), newstyle=True)  # type: ignore[attr-defined]
    environment.globals["static"] = address_of
    environment.globals["words"] = WORDS
    environment.globals["browser_of"] = browser_of
    environment.globals["colon"] = COLONS.get(language, ": ")
    for name in ("parts", "records"):
        environment.globals[name] = environment.get_template(f"{name}.html").module
    return environment
