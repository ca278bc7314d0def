"""Another FHIR server over HTTP: whom we speak to, what we show, what we take for an answer."""

from __future__ import annotations

import base64
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from simdes import errors, fhir_http
from simdes.fhir_credentials import read_credentials
from simdes.fhir_http import HttpSource, checked
from support.certificates import Authority
from support.fhir_server import FhirServer, fails, patient, running, sends


@pytest.fixture
def server() -> Iterator[FhirServer]:
    with running(FhirServer()) as one:
        one.put(patient(1))
        yield one


@pytest.mark.parametrize(
    "url",
    ["http://fhir.example/r4", "ftp://fhir.example", "https://", "https://u:p@fhir.example",
     "https://fhir.example/?a=b", "https://fhir.example/#a", "fhir.example", "", "http://[::1",
     "https://fhir.example/a b", "https://fhir.example:99999", "http://127.0.0.1.evil.example"],
)  # fmt: skip
def test_an_address_is_https_or_of_this_machine_and_nothing_more(url: str) -> None:
    with pytest.raises(errors.Invalid):
        checked(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://fhir.example/r4/",
        "http://127.0.0.1:8080/fhir",
        "http://[::1]:80",
        "http://localhost",
    ],
)
def test_usual_addresses_are_taken(url: str) -> None:
    assert checked(url) == url.rstrip("/")


def test_a_resource_and_the_servers_time_come_back(server: FhirServer) -> None:
    answer = HttpSource(server.base).get("Patient/p1")
    assert answer.resource["id"] == "p1"
    assert answer.server_ms == int(server.versions[-1].time.timestamp() * 1000)


STATUSES = {
    400: errors.Invalid,
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    410: errors.NotFound,
    422: errors.Invalid,
    429: errors.Unavailable,
    500: errors.Unavailable,
    503: errors.Unavailable,
    301: errors.Unavailable,
    307: errors.Unavailable,
}


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_is_one_of_our_errors_without_the_servers_words(
    server: FhirServer, status: int
) -> None:
    said = sends(b"Ada Lovelace", status, Location="http://127.0.0.1:1/x")
    server.faults = [said, said]
    with pytest.raises(STATUSES[status]) as caught:
        HttpSource(server.base).get("Patient/p1")
    assert "Ada" not in caught.value.message + caught.value.advice
    assert len(server.asked) == (2 if status == 401 else 1), "no redirect is followed"


def test_a_server_that_is_away_is_unavailable() -> None:
    with pytest.raises(errors.Unavailable):
        HttpSource("http://127.0.0.1:1/fhir").get("metadata")


def test_an_answer_without_end_is_cut_off(
    server: FhirServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fhir_http, "MOST_BYTES", 1000)
    server.faults = [sends(b" " * 1001)]
    with pytest.raises(errors.TooLarge):
        HttpSource(server.base).get("metadata")


def test_an_answer_that_is_squeezed_is_cut_off_where_it_is_large(
    server: FhirServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gzip

    monkeypatch.setattr(fhir_http, "MOST_BYTES", 100_000)
    bomb = gzip.compress(b" " * 50_000_000)
    server.faults = [sends(bomb, **{"Content-Encoding": "gzip"})]
    with pytest.raises(errors.TooLarge):
        HttpSource(server.base).get("metadata")


# TLS ------------------------------------------------------------------------------------------


class _Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None: ...


@contextmanager
def over_tls(context: ssl.SSLContext) -> Iterator[str]:
    listening = ThreadingHTTPServer(("127.0.0.1", 0), _Hello)
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    thread = threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{listening.server_address[1]}"
    finally:
        listening.shutdown()
        listening.server_close()


def test_only_who_the_authority_vouches_for_is_spoken_to(tmp_path: Path) -> None:
    ours, others = Authority(tmp_path, "ours"), Authority(tmp_path, "others")
    pair = ours.vouch("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    with over_tls(context) as url:
        assert HttpSource(url, authority=ours.certificate).get("metadata").resource == {}
        for authority in (others.certificate, None):
            with pytest.raises(errors.Unavailable, match="does not answer"):
                HttpSource(url, authority=authority).get("metadata")
        by_name = url.replace("127.0.0.1", "localhost")
        assert HttpSource(by_name, authority=ours.certificate).get("metadata").resource == {}


def test_a_file_without_certificates_is_named(tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("nothing")
    for name in ("none.pem", "gone.pem"):
        with pytest.raises(errors.Invalid, match=name):
            HttpSource("https://fhir.example", authority=tmp_path / name)


# Credentials ----------------------------------------------------------------------------------


def kept(folder: Path, text: str, name: str = "facade.toml") -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_no_credentials_show_nothing(server: FhirServer) -> None:
    server.authorization = "Bearer wanted"
    with pytest.raises(errors.Unauthenticated):
        HttpSource(server.base, credentials=read_credentials(None, environment={})).get("metadata")


@pytest.mark.parametrize(
    ("text", "header"),
    [
        (
            '[basic]\nuser = "simdes"\npassword = "p\u00e4ss:word"',
            "Basic " + base64.b64encode("simdes:p\u00e4ss:word".encode()).decode(),
        ),
        ('[bearer]\ntoken = "abc.def"', "Bearer abc.def"),
    ],
)
def test_a_password_or_a_token_is_shown(
    server: FhirServer, tmp_path: Path, text: str, header: str
) -> None:
    server.authorization = header
    for credentials in (
        read_credentials(kept(tmp_path, text), environment={}),
        read_credentials(None, environment={"SIMDES_FACADE_CREDENTIALS": text}),
    ):
        source = HttpSource(server.base, credentials=credentials)
        assert source.get("metadata").resource["resourceType"] == "CapabilityStatement"
        assert "abc" not in repr(credentials) and "Basic " not in repr(credentials)


@pytest.mark.parametrize(
    "text",
    ["", "[", "[magic]", "[basic]\nuser = 1", '[bearer]\ntoken = ""', '[bearer]\ntoken = "a\\nb"',
     '[basic]\nuser = "u"\npassword = "p"\n[bearer]\ntoken = "t"', "basic = 1"],
)  # fmt: skip
def test_credentials_that_say_nothing_are_refused(tmp_path: Path, text: str) -> None:
    if not text:
        assert read_credentials(kept(tmp_path, ""), environment={}).authorization() == ""
        return
    with pytest.raises(errors.Invalid, match="credentials"):
        read_credentials(kept(tmp_path, text), environment={})


def test_a_file_that_others_read_is_refused(tmp_path: Path) -> None:
    path = kept(tmp_path, '[bearer]\ntoken = "t"')
    path.chmod(0o644)
    with pytest.raises(errors.Unauthenticated, match="read by others"):
        read_credentials(path, environment={})
    with pytest.raises(errors.Unauthenticated, match="can't be read"):
        read_credentials(tmp_path / "gone", environment={})


KEYS = {
    "ES384": lambda: ECKey.generate_key("P-384", private=True),
    "RS384": lambda: RSAKey.generate_key(2048, private=True),
}


def smart(folder: Path, server: FhirServer, **more: str) -> str:
    values = {
        "client_id": "simdes",
        "token_url": f"{server.base}/token",
        "key_file": "key.pem",
        "scope": "system/*.rs",
    } | more
    return "[smart]\n" + "\n".join(f'{name} = "{worth}"' for name, worth in values.items())


@pytest.mark.parametrize("algorithm", KEYS)
@pytest.mark.parametrize("form", ["pem", "jwk"])
def test_backend_services_buy_a_token_with_a_signed_assertion(
    server: FhirServer, tmp_path: Path, algorithm: str, form: str
) -> None:
    key = KEYS[algorithm]()
    text = key.as_pem(private=True).decode()
    if form == "jwk":
        import json

        text = json.dumps(key.as_dict(private=True))
    kept(tmp_path, text, "key.pem")
    clock = [1_790_000_000.0]
    credentials = read_credentials(
        kept(tmp_path, smart(tmp_path, server, kid="k1")),
        clock=lambda: clock[0],
        environment={},
    )
    server.authorization = "Bearer nothing yet"
    source = HttpSource(server.base, credentials=credentials)
    source.get("metadata")
    source.get("metadata")
    [asked] = server.tokens
    assert asked["grant_type"] == "client_credentials"
    assert asked["scope"] == "system/*.rs"
    assert asked["client_assertion_type"].endswith(":jwt-bearer")
    public = type(key).import_key(key.as_dict(private=False))
    token = jwt.decode(asked["client_assertion"], public, algorithms=[algorithm])
    assert token.header == {"alg": algorithm, "typ": "JWT", "kid": "k1"}
    claims = token.claims
    assert claims["iss"] == claims["sub"] == "simdes"
    assert claims["aud"] == f"{server.base}/token"
    assert claims["exp"] - clock[0] <= 300
    clock[0] += 301  # it has ended
    source.get("metadata")
    assert len(server.tokens) == 2
    server.authorization = "Bearer revoked meanwhile"  # refused once, so another is bought
    source.get("metadata")
    assert len(server.tokens) == 3
    ids = {jwt.decode(one["client_assertion"], public, algorithms=[algorithm]).claims["jti"]
           for one in server.tokens}  # fmt: skip
    assert len(ids) == 3


def test_a_key_of_another_kind_is_refused(server: FhirServer, tmp_path: Path) -> None:
    for key in (
        ECKey.generate_key("P-256", private=True).as_pem(private=True),
        ECKey.generate_key("P-384", private=True).as_pem(private=False),
        b"no key",
    ):
        kept(tmp_path, key.decode(), "key.pem")
        with pytest.raises(errors.Invalid, match="ES384"):
            read_credentials(kept(tmp_path, smart(tmp_path, server)), environment={})


@pytest.mark.parametrize("status", [400, 401, 500])
def test_a_token_endpoint_that_gives_none_is_named(
    tmp_path: Path, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(
        tmp_path, ECKey.generate_key("P-384", private=True).as_pem(private=True).decode(), "key.pem"
    )
    with running(FhirServer()) as server:
        credentials = read_credentials(kept(tmp_path, smart(tmp_path, server)), environment={})
        monkeypatch.setattr(
            "support.fhir_server._Handler.do_POST",
            lambda handler: handler.answer(status, {"error": "invalid_client"}),
        )
        wanted = errors.Unavailable if status == 500 else errors.Unauthenticated
        with pytest.raises(wanted, match="token endpoint"):
            HttpSource(server.base, credentials=credentials).get("metadata")
        assert server.asked == [], "nothing is asked without a token"


def test_the_token_endpoint_is_reached_safely_or_not_at_all(
    server: FhirServer, tmp_path: Path
) -> None:
    kept(
        tmp_path, ECKey.generate_key("P-384", private=True).as_pem(private=True).decode(), "key.pem"
    )
    text = smart(tmp_path, server, token_url="http://login.example/token")
    with pytest.raises(errors.Invalid, match="https"):
        read_credentials(kept(tmp_path, text), environment={})


def test_an_endpoint_that_fails_once_is_asked_again_next_time(server: FhirServer) -> None:
    source = HttpSource(server.base)
    server.faults = [fails()]
    with pytest.raises(errors.Unavailable):
        source.get("metadata")
    assert source.get("metadata").resource
