"""Keys that apps publish, fetched: from a real server on loopback, with limits."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx
import pytest

from simdes.app_keys_http import HttpKeySource
from simdes.errors import Unavailable
from support.key_sites import Site, key_site


@dataclass(slots=True)
class Clock:
    seconds: float = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def site() -> Iterator[Site]:
    with key_site() as one:
        yield one


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(clock: Clock) -> Iterator[HttpKeySource]:
    source = HttpKeySource(clock)
    yield source
    source.close()


def test_keys_are_fetched_once_in_five_minutes(
    site: Site, keys: HttpKeySource, clock: Clock
) -> None:
    assert keys.fetch(site.url) == '{"keys": []}'
    site.body = b'{"keys": [1]}'
    clock.seconds += 299
    assert keys.fetch(site.url) == '{"keys": []}'
    clock.seconds += 2
    assert keys.fetch(site.url) == '{"keys": [1]}'
    assert site.asked == 2


def test_keys_are_fetched_anew_at_most_twice_a_minute(
    site: Site, keys: HttpKeySource, clock: Clock
) -> None:
    for _ in range(50):
        keys.fetch(site.url, anew=True)
    assert site.asked == 1
    clock.seconds += 31
    keys.fetch(site.url, anew=True)
    assert site.asked == 2


def test_a_site_that_fails_is_left_alone_for_a_while(
    site: Site, keys: HttpKeySource, clock: Clock
) -> None:
    site.status = 500
    for anew in (False, True) * 20:
        with pytest.raises(Unavailable):
            keys.fetch(site.url, anew=anew)
    assert site.asked == 1
    site.status, clock.seconds = 200, clock.seconds + 31
    assert keys.fetch(site.url) == '{"keys": []}'
    site.status, clock.seconds = 500, clock.seconds + 31
    with pytest.raises(Unavailable):
        keys.fetch(site.url, anew=True)
    assert keys.fetch(site.url) == '{"keys": []}'
    assert site.asked == 3


def test_of_many_at_once_one_asks(site: Site, keys: HttpKeySource) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: keys.fetch(site.url), range(64)))
    assert set(found) == {'{"keys": []}'} and site.asked == 1


def test_redirects_errors_and_floods_are_refused(site: Site, keys: HttpKeySource) -> None:
    site.status, site.headers = 302, {"Location": site.url + "?again"}
    with pytest.raises(Unavailable):
        keys.fetch(site.url)
    assert site.asked == 1
    for status, body in ((404, b""), (500, b""), (200, b"x" * 70_000), (200, b"\xff\xfe")):
        site.status, site.headers, site.body = status, {}, body
        with pytest.raises(Unavailable):
            keys.fetch(f"{site.url}?{status}{len(body)}")


@pytest.mark.parametrize(
    "url",
    [
        "http://elsewhere.example/jwks",
        "file:///etc/passwd",
        "https://user@elsewhere.example/",
        "gopher://127.0.0.1/",
        "",
        "https://elsewhere.example/#x",
        "http://169.254.169.254/latest",
    ],
)
def test_only_https_and_this_machine_are_asked(url: str, clock: Clock) -> None:
    def never(_: httpx.Request) -> httpx.Response:
        raise AssertionError("asked")

    source = HttpKeySource(clock, transport=httpx.MockTransport(never))
    with pytest.raises(Unavailable):
        source.fetch(url)
    source.close()


def test_nobody_there_is_unavailable(keys: HttpKeySource, site: Site) -> None:
    with pytest.raises(Unavailable):
        keys.fetch("http://127.0.0.1:9/jwks")
