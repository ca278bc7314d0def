"""SMART on FHIR's own JavaScript client, unmodified, in a real browser and from another origin.

https://github.com/smart-on-fhir/client-js. The app's pages come from another port of this machine,
so that every request of the app to the gateway crosses origins (CORS).
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from clients.conftest import Gateway, a_patient, a_pulse
from simdes.exchange import authorization
from support.bundles import bundle
from support.consortium import passphrase_of
from support.fhir_api import Json
from support.served import a_browser
from support.smart import register

PAGES = Path(__file__).with_name("smart_app")
LIBRARY = Path(__file__).parents[2] / "node_modules/fhirclient/build/fhir-client.js"
SCOPE = "launch/patient openid fhirUser offline_access patient/*.rs user/*.rs"


class _App(SimpleHTTPRequestHandler):
    """The app's static pages, and the library as npm has it."""

    def translate_path(self, path: str) -> str:
        if path.startswith("/fhir-client.js"):
            return str(LIBRARY)
        return super().translate_path(path)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def app(gateway: Gateway) -> Iterator[str]:
    """The origin of the app, which is registered at the gateway for both ways to start."""
    pages = functools.partial(_App, directory=str(PAGES))
    with ThreadingHTTPServer(("127.0.0.1", 0), pages) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        origin = f"http://127.0.0.1:{server.server_port}"
        node = gateway.network["north"].node
        redirects = [f"{origin}/app.html"]
        register(node, "growth", redirects=redirects)
        register(node, "growth-ehr", redirects=redirects, launch_url=f"{origin}/ehr.html")
        yield origin
        server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with a_browser() as started:
        yield started


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(locale="en-GB")
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def patient(gateway: Gateway, number: str) -> Json:
    """A patient with seven heart rates."""
    made = gateway.create(a_patient(number))
    for value in range(60, 67):
        gateway.create(a_pulse(f"Patient/{made['id']}", value))
    return made


def sign_in(page: Page, user: str) -> None:
    page.locator("#user").fill(user)
    page.locator("#passphrase").fill(passphrase_of(user))
    page.locator("form[action='/sign-in'] button").click()


def start(page: Page, app: str, gateway: Gateway, scope: str = SCOPE) -> None:
    asked = {"client": "growth", "scope": scope, "iss": gateway.base}
    page.goto(f"{app}/launch.html?{urlencode(asked)}")


def allow(page: Page) -> Callable[[str], Any]:
    """Allow all; what runs JavaScript with the library's ``client`` then."""
    page.get_by_role("button", name="Allow what is ticked").click()
    page.wait_for_url("**/app.html**")
    expect(page).to_have_title("ready")
    return lambda script: page.evaluate(f"async () => {{ {script} }}")


def test_a_doctor_starts_the_app_by_itself_reads_refreshes_and_revokes(
    page: Page, app: str, gateway: Gateway, patient: Json
) -> None:
    start(page, app, gateway)
    sign_in(page, "dr.north")
    page.locator("#patient").fill(patient["id"])
    run = allow(page)
    read = run("return client.patient.read()")
    assert read["id"] == run("return client.patient.id") == patient["id"]
    user = run("return client.user.read()")
    assert user["resourceType"] == run("return client.user.resourceType") == "Practitioner"
    assert user["id"] == run("return client.user.id")
    assert user["name"][0]["text"] == "dr.north"
    asked = "Observation?_count=3&patient=" + patient["id"]
    first = run(f"return client.request('{asked}')")
    assert first["resourceType"] == "Bundle" and len(first["entry"]) == 3
    flat = run(f"return client.request('{asked}', {{ pageLimit: 0, flat: true }})")
    assert len({one["id"] for one in flat}) == 7
    pages = run(f"return client.request('{asked}', {{ pageLimit: 2 }})")
    assert [len(one["entry"]) for one in pages] == [3, 3]
    resolved = run(
        "return client.request('Observation?_count=1', { resolveReferences: 'subject', graph: true,"
        " pageLimit: 1 })"
    )
    assert resolved["entry"][0]["resource"]["subject"]["resourceType"] == "Patient"
    mine = run("return client.patient.request('Observation', { pageLimit: 0, flat: true })")
    assert len(mine) == 7
    before = run("return client.state.tokenResponse.access_token")
    state = run("await client.refresh(); return client.state.tokenResponse")
    assert state["access_token"] != before and state["refresh_token"]
    assert run("return client.patient.read()")["id"] == patient["id"]
    revoked = run(
        "const { revocation_endpoint } = await (await fetch(client.state.serverUrl"
        " + '/.well-known/smart-configuration')).json();"
        "const { refresh_token } = client.state.tokenResponse;"
        "const body = new URLSearchParams({ token: refresh_token, client_id: 'growth' });"
        "return (await fetch(revocation_endpoint, { method: 'POST', body })).status"
    )
    assert revoked == 200
    failed = run("return client.patient.read().then(() => 'read', (error) => String(error))")
    assert "401" in failed or "Unauthorized" in failed


def test_the_app_writes_what_it_was_allowed_to(
    page: Page, app: str, gateway: Gateway, patient: Json
) -> None:
    start(page, app, gateway, "launch/patient openid fhirUser patient/Observation.cruds")
    sign_in(page, "dr.north")
    page.locator("#patient").fill(patient["id"])
    run = allow(page)
    pulse = str(a_pulse(f"Patient/{patient['id']}", 71)).replace("'", '"')
    made = run(f"return client.create({pulse})")
    assert made["meta"]["versionId"] == "1"
    changed = run(f"return client.update({{ ...{pulse}, id: '{made['id']}', status: 'amended' }})")
    assert (changed["status"], changed["meta"]["versionId"]) == ("amended", "2")
    operations = "[{ op: 'replace', path: '/status', value: 'final' }]"
    patched = run(f"return client.patch('Observation/{made['id']}', {operations})")
    assert patched["status"] == "final"
    run(f"await client.delete('Observation/{made['id']}')")
    gone = run(f"return client.request('Observation/{made['id']}').catch((error) => error.status)")
    assert gone == 410
    other = run("return client.request('Condition').catch((error) => error.status)")
    assert other == 403


def test_a_patient_starts_the_app_with_their_own_record(
    page: Page, app: str, gateway: Gateway
) -> None:
    network = gateway.network
    [accepted] = network.submit("north", "ada.json", bundle("ada"))
    network.settle()
    session = network.enrol(accepted.vault, "ada")
    start(page, app, gateway, "launch/patient openid fhirUser patient/*.rs")
    sign_in(page, "ada")
    run = allow(page)
    read = run("return client.patient.read()")
    user = run("return client.user.read()")
    assert (user["resourceType"], user["id"]) == ("Patient", read["id"])
    [grant] = authorization.grants(network["north"].node, session)
    assert grant.vault == accepted.vault
    found = run("return client.patient.request('Observation', { pageLimit: 0, flat: true })")
    assert found and {one["resourceType"] for one in found} == {"Observation"}


def test_a_doctor_starts_the_app_from_the_open_record(
    page: Page, app: str, gateway: Gateway, patient: Json
) -> None:
    launched = httpx.post(
        f"{gateway.url}/auth/launch",
        json={"client_id": "growth-ehr", "patient": patient["id"]},
        headers={"Authorization": f"Bearer {gateway.token()}"},
    )
    assert launched.status_code == 200, launched.text
    page.goto(launched.json()["url"])
    sign_in(page, "dr.north")
    run = allow(page)
    assert run("return client.patient.read()")["id"] == patient["id"]
    assert run("return client.user.read()")["resourceType"] == "Practitioner"
    assert run("return client.getState('tokenResponse.need_patient_banner')") is True
