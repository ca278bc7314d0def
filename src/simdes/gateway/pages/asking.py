"""What a browser asks: its form, cookies and session, read within limits and checked for forgery.

Every form carries a token that follows from a secret only this browser holds: the session's cookie,
before sign-in that of a visitor (OWASP Cross-Site Request Forgery Prevention). Origin and
Fetch-Metadata are looked at besides. Cookies carry ``__Host-`` where the gateway is reached by TLS
(RFC 6265bis, section 4.1.3.2).
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, urlsplit

import anyio
from starlette.requests import ClientDisconnect, Request

from simdes.errors import Forbidden, Invalid, NotFound, Unauthenticated
from simdes.exchange import credentials
from simdes.exchange.credentials import Client, Half, Visit
from simdes.exchange.node import Node
from simdes.gateway.bodies import read_body
from simdes.gateway.pages.languages import Reader, reader

FORM: Final = "application/x-www-form-urlencoded"
FORM_BYTES: Final = 64 * 1024
FORM_FIELDS: Final = 200
FORM_SECONDS: Final = 15.0
MAX_TEXT: Final = 4096
START: Final = "/home"
"""Where people begin, and go on where nothing better is known."""
SESSION, VISITOR, DEVICE, LANGUAGE = "session", "visitor", "device", "language"
_ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_SECRET: Final = re.compile("[A-Za-z0-9_-]{43}")
# A path of ours with a query: no authority, no backslash (browsers read it as a slash), no space.
_LOCAL: Final = re.compile(r"/(?![/\\])[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]*")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for a page. ``state`` is who signed in, wholly, half or not at all."""

    node: Node
    method: str
    path: str
    query: Mapping[str, list[str]]
    form: Mapping[str, list[str]]
    cookies: Mapping[str, str]
    client: Client
    visitor: str
    state: Visit | Half | None
    reader: Reader

    @property
    def cookie(self) -> str:
        """The session's secret, "" without a session."""
        return "" if self.state is None else self.cookies.get(SESSION, "")

    @property
    def binding(self) -> str:
        """The secret of this browser: its session's, before sign-in its visitor cookie's."""
        return self.cookie or self.visitor

    @property
    def token(self) -> str:
        """What this browser's forms carry."""
        digest = hmac.digest(self.binding.encode(), b"simdes/form/v1", "sha256")
        return urlsafe_b64encode(digest).decode().rstrip("=")

    @property
    def visit(self) -> Visit:
        """The signed-in person; Unauthenticated without one."""
        if not isinstance(self.state, Visit):
            raise Unauthenticated("You are not signed in, or your session ended.")
        return self.state

    @property
    def role(self) -> str:
        """The signed-in person's role, as `wording` names it."""
        return self.visit.person.role.name.lower()

    @property
    def whose(self) -> str:
        """Whose record a patient's page is about, where the form or the address says it."""
        named = _first(self.form, "patient") or _first(self.query, "patient")
        of_patient = isinstance(self.state, Visit) and self.role == "patient"
        return named if of_patient and _ID.fullmatch(named) else ""

    @property
    def next(self) -> str:
        """Where to go on: a local address that the page was asked with, "" for none."""
        return local(_first(self.form, "next") or _first(self.query, "next"))

    @property
    def page(self) -> int:
        """The page of a list that was asked for, the first where that is no number."""
        text = self.asked("page")
        return int(text) if text.isdecimal() and len(text) < 6 else 1

    def field(self, name: str, *, most: int = MAX_TEXT) -> str:
        """A form field's text, "" where it is missing; Invalid where it is too long."""
        value = _first(self.form, name)
        if len(value) > most:
            raise Invalid("A field is longer than it may be.")
        return value

    def chosen(self, name: str) -> tuple[str, ...]:
        """Every value of a form field, as check boxes send them."""
        return tuple(self.form.get(name, ()))

    def asked(self, name: str, *, most: int = MAX_TEXT) -> str:
        """A query parameter's text, "" where it is missing; Invalid where it is too long."""
        value = _first(self.query, name)
        if len(value) > most:
            raise Invalid("A field is longer than it may be.")
        return value


def cookie_name(node: Node, name: str) -> str:
    """What a cookie is called at this gateway."""
    return f"__Host-simdes-{name}" if secure(node) else f"simdes-{name}"


def secure(node: Node) -> bool:
    """Whether people reach the gateway by TLS."""
    return node.issuer.name.startswith("https:")


def id_of(text: str) -> bytes:
    """The 32 bytes that a form or an address of ours names in hex; NotFound for anything else."""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != 32:
        raise NotFound("There is nothing like that.")
    return found


def local(address: str) -> str:
    """The address where it leads nowhere but here, else ""."""
    return address if len(address) <= MAX_TEXT and _LOCAL.fullmatch(address) else ""


async def read_form(request: Request) -> Mapping[str, list[str]]:
    """The fields of a form; Invalid for anything that is none, or larger than a form may be."""
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != FORM:
        raise Invalid("Send this address an ordinary form.")
    try:
        with anyio.fail_after(FORM_SECONDS):
            body = await read_body(request, FORM_BYTES)
    except (TimeoutError, ClientDisconnect) as error:
        raise Invalid("The form did not arrive in time.") from error
    if body is None:
        raise Invalid("The form is larger than this page takes.")
    return _fields(body.decode("latin-1"))


def read_request(node: Node, request: Request, form: Mapping[str, list[str]]) -> Asked:
    """What a request asks, and who signed in; Forbidden where their account may not act."""
    cookies = {
        name: request.cookies.get(cookie_name(node, name), "")
        for name in (SESSION, VISITOR, DEVICE, LANGUAGE)
    }
    visitor = cookies[VISITOR] if _SECRET.fullmatch(cookies[VISITOR]) else ""
    return Asked(
        node=node,
        method="GET" if request.method == "HEAD" else request.method,
        path=request.url.path,
        query=_fields(request.url.query),
        form=form,
        cookies=cookies,
        client=Client(
            address=address_of(request),
            name=request.headers.get("user-agent", "")[:256],
            device=cookies[DEVICE],
        ),
        visitor=visitor or urlsafe_b64encode(node.random(32)).decode().rstrip("="),
        state=_state(node, cookies[SESSION]),
        reader=reader(
            chosen=cookies[LANGUAGE],
            accepted=request.headers.get("accept-language", ""),
            zone=node.site.time_zone,
        ),
    )


def require_own_form(asked: Asked, request: Request) -> None:
    """Raise Forbidden unless the form came from a page that this browser got from us."""
    given = asked.field("token", most=64)
    same = hmac.compare_digest(given.encode(), asked.token.encode())
    if not same or _foreign(asked.node, request):
        raise Forbidden(
            "This form was not sent from a page of ours, or the page was too old.",
            advice="Load the page again and repeat what you did; cookies must be allowed.",
        )


def _foreign(node: Node, request: Request) -> bool:
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = request.headers.get("origin")
    if origin is None:
        return False
    ours = {urlsplit(node.issuer.name).netloc, request.headers.get("host", "")}
    return urlsplit(origin).netloc not in ours - {""}


def address_of(request: Request) -> str:
    """The client's network address; a proxy on this machine names it last in X-Forwarded-For."""
    peer = request.client.host if request.client else ""
    if peer in ("127.0.0.1", "::1", ""):
        named = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
        return named[:64] or peer
    return peer


def _state(node: Node, cookie: str) -> Visit | Half | None:
    if not cookie:
        return None
    try:
        return credentials.resume(node, cookie)
    except Unauthenticated:
        return None


def _fields(text: str) -> dict[str, list[str]]:
    try:
        fields = parse_qs(text, keep_blank_values=True, max_num_fields=FORM_FIELDS, errors="strict")
    except ValueError as error:
        raise Invalid("The form can't be read.") from error
    if any("\0" in value for values in fields.values() for value in values):
        raise Invalid("The form can't be read.")
    return fields


def _first(fields: Mapping[str, list[str]], name: str) -> str:
    return fields.get(name, [""])[0]
