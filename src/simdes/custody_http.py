"""The custody client over HTTP and inside one process: adapters of `access.asking.CustodyClient`.

Both carry the same signed bytes; the one inside a process is what a demo of several organisations
in one program uses, and it hands them to the same `answer` that the gateway's routes call.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx

from simdes import errors, tracing
from simdes.access.asking import CustodyClient
from simdes.access.directory import Directory
from simdes.access.requests import MAX_ANSWER_BYTES
from simdes.budget import left
from simdes.tls import trusted

MEDIA_TYPE: Final = "application/jose"
CONNECT_SECONDS: Final = 3.0
ANSWER_SECONDS: Final = 9.0
"""A custodian's own waits end a second before (`budget.CALL_SECONDS`), so that it can say so."""
BLOCKS_SECONDS: Final = 3.0
"""For `blocks`: a reader waits for it, and others have the block, too."""
BELIEVED_SECONDS: Final = 2.0
"""How long an address is believed before the chain is asked again, unless nobody answers there.

Who answers there can only fail to: an answer counts by its signature, whose key the chain is asked
about each time.
"""
_PATIENCE: Final[Mapping[str, tuple[float, float]]] = {"blocks": (BLOCKS_SECONDS, 1.0)}
"""How long a verb's answer may take, and a connection to whom is asked; others take longer."""

_OF_ISSUE: Final[Mapping[str, type[errors.SimdesError]]] = {
    kind.issue: kind
    for kind in (
        errors.Invalid,
        errors.Unauthenticated,
        errors.Forbidden,
        errors.NotFound,
        errors.Conflict,
        errors.Tampered,
        errors.Unavailable,
        errors.TooLarge,
        errors.Unsupported,
    )
}
_OF_STATUS: Final[Mapping[int, type[errors.SimdesError]]] = {
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.Unavailable,  # no such address: not a custodian, or one behind a wrong URL
    413: errors.TooLarge,
}


class HttpCustody:
    """Posts to the URL that an organisation's descriptor names. Safe for several threads."""

    def __init__(
        self,
        directory: Directory,
        *,
        transport: httpx.BaseTransport | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ):
        self._directory = directory
        self._monotonic = monotonic
        self._urls: dict[bytes, tuple[str, float]] = {}
        self._client = httpx.Client(
            timeout=ANSWER_SECONDS,
            follow_redirects=False,
            trust_env=False,
            verify=trusted(),
            transport=transport,
        )

    def post(self, organisation: bytes, method: str, token: bytes) -> bytes:
        """Hand in a question over HTTP; see `CustodyClient.post`."""
        with tracing.span("custody ask", kind=tracing.CLIENT, rpc_method=method):
            return self._post(organisation, method, token)

    def _post(self, organisation: bytes, method: str, token: bytes) -> bytes:
        url = f"{self._url(organisation)}/custody/v1/{method}"
        answer, connect = _PATIENCE.get(method, (ANSWER_SECONDS, CONNECT_SECONDS))
        seconds = left(answer)
        if seconds <= 0:
            raise errors.Unavailable("No time is left to ask a custodian.")
        try:
            with self._client.stream(
                "POST",
                url,
                content=token,
                headers={"Content-Type": MEDIA_TYPE, **tracing.headers()},
                timeout=httpx.Timeout(seconds, connect=min(connect, seconds)),
            ) as response:
                body = _bounded(response, time.monotonic() + seconds)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._urls.pop(organisation, None)
            raise errors.Unavailable("A custodian does not answer.") from error
        if response.status_code == 200:
            return body
        raise _error(response.status_code, body)

    def reachable(self, organisation: bytes) -> bool:
        """Whether ``/readyz`` says yes within a few seconds."""
        try:
            url = f"{self._url(organisation)}/readyz"
            seconds = left(CONNECT_SECONDS)
            if seconds > 0 and self._client.get(url, timeout=seconds).status_code == 200:
                return True
        except (httpx.HTTPError, httpx.InvalidURL, errors.SimdesError):
            pass
        self._urls.pop(organisation, None)
        return False

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def _url(self, organisation: bytes) -> str:
        now = self._monotonic()
        url, until = self._urls.get(organisation, ("", now))
        if now >= until:
            url = self._directory.organisation(organisation).url.rstrip("/")
            self._urls[organisation] = (url, now + BELIEVED_SECONDS)
        return url


class LocalCustody:
    """Custodians in this process, by organisation id; others are out of reach."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answer: dict[bytes, Callable[[str, bytes], bytes]] = {}

    def open(
        self, organisation: bytes, answer: Callable[[str, bytes], bytes]
    ) -> Callable[[str, bytes], bytes] | None:
        """Let an organisation's custodian be asked; `answer` is `CustodyDesk.answer`.

        Returns what answered for it until now, if anything did.
        """
        with self._lock:
            before = self._answer.get(organisation)
            self._answer[organisation] = answer
            return before

    def shut(self, organisation: bytes) -> None:
        """Take a custodian away, as if its server were down."""
        with self._lock:
            self._answer.pop(organisation, None)

    def post(self, organisation: bytes, method: str, token: bytes) -> bytes:
        """Hand in a question; see `CustodyClient.post`."""
        with self._lock:
            answer = self._answer.get(organisation)
        if answer is None:
            raise errors.Unavailable("A custodian does not answer.")
        return answer(method, token)

    def reachable(self, organisation: bytes) -> bool:
        """Whether the organisation's custodian is open here."""
        with self._lock:
            return organisation in self._answer


class EitherCustody:
    """Custodians in this process where they are, all others over HTTP."""

    def __init__(self, here: CustodyClient, elsewhere: CustodyClient) -> None:
        self._here, self._elsewhere = here, elsewhere

    def post(self, organisation: bytes, method: str, token: bytes) -> bytes:
        """Hand in a question; see `CustodyClient.post`."""
        client = self._here if self._here.reachable(organisation) else self._elsewhere
        return client.post(organisation, method, token)

    def reachable(self, organisation: bytes) -> bool:
        """Whether the custodian answers here or there."""
        return self._here.reachable(organisation) or self._elsewhere.reachable(organisation)


def _bounded(response: httpx.Response, deadline: float) -> bytes:
    received = bytearray()
    for piece in response.iter_bytes():
        received += piece
        if time.monotonic() > deadline:  # the connection's limit is for each piece
            raise errors.Unavailable("A custodian answers too slowly.")
        if len(received) > MAX_ANSWER_BYTES:
            raise errors.TooLarge("A custodian's answer is above 16 MiB.")
    return bytes(received)


def _error(status: int, body: bytes) -> errors.SimdesError:
    """The error that an OperationOutcome stands for; another organisation wrote its text."""
    issue = _issue(body)
    kind = _OF_ISSUE.get(str(issue.get("code")), _OF_STATUS.get(status, errors.Unavailable))
    text = str((issue.get("details") or {}).get("text") or f"A custodian answered {status}.")
    advice = issue.get("diagnostics")
    return kind(text[:500], advice=str(advice)[:500] if advice else None)


def _issue(body: bytes) -> dict[str, Any]:
    try:
        document = httpx.Response(200, content=body).json()
        issue = document["issue"][0]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return {}
    return issue if isinstance(issue, dict) else {}
