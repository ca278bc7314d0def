"""Exports of what a consent opens at other organisations: listed at once, decided at delivery."""

from __future__ import annotations

from simdes.access.consent import Consent, Grantee
from simdes.exchange import consents
from simdes.index import copies
from support.bulk import export, fetch, finished, kick_off
from support.fhir_api import Api
from unit.gateway.fhir import test_elsewhere
from unit.gateway.fhir.test_elsewhere import Shared

shared = test_elsewhere.shared
south = test_elsewhere.south

PATH = "Patient/$export?_type=Patient,Observation"


def reader(shared: Shared) -> Api:
    """A nurse at south through an app that was allowed to read everything."""
    there = shared.network["south"]
    return Api.of(there, "nurse.kim", app=shared.reader.app, scope="user/*.rs")


def grant(shared: Shared, *categories: str) -> Consent:
    """The patient lets nurses at south see these categories."""
    node = shared.network["south"].node
    granted = consents.grant(
        shared.network["north"].node,
        shared.session,
        vault=shared.vault,
        grantee=Grantee.role_in(node.organisation, "nurse"),
        categories=list(categories),
        purposes=["TREAT"],
        valid_seconds=3600,
    )
    node.following.catch_up()
    return granted


def has(shared: Shared, names: list[str]) -> set[str]:
    """Those of the names that are of the patient in question."""
    own = {f"Observation/{shared.observation['id']}", f"Patient/{shared.patient['id']}"}
    return own & set(names)


def test_what_a_consent_opens_is_exported_and_nothing_else(shared: Shared) -> None:
    api = reader(shared)
    assert has(shared, export(api, PATH).names) == set()
    grant(shared, "observations")
    assert has(shared, export(api, PATH).names) == {f"Observation/{shared.observation['id']}"}


def test_a_consent_revoked_between_kick_off_and_download_closes_the_file(shared: Shared) -> None:
    granted = grant(shared, "observations", "demographics")
    api = reader(shared)
    exported = export(api, PATH)
    assert len(has(shared, exported.names)) == 2
    shared.revoke(granted)
    for one in exported.manifest["output"]:
        lines = fetch(api, one["url"])
        assert has(shared, [f"{it['resourceType']}/{it['id']}" for it in lines]) == set()
    second = grant(shared, "observations", "demographics")
    name = kick_off(api, PATH)
    shared.revoke(second)
    assert has(shared, finished(api, name).names) == set()


def test_copies_that_went_meanwhile_are_opened_again_for_a_download(shared: Shared) -> None:
    grant(shared, "observations", "demographics")
    api = reader(shared)
    exported = export(api, PATH)
    node = shared.network["south"].node
    node.database.write(lambda tx: copies.drop_vault(tx, shared.vault))
    node.recent.forget(shared.vault)
    again = [
        f"{it['resourceType']}/{it['id']}"
        for one in exported.manifest["output"]
        for it in fetch(api, one["url"])
    ]
    assert len(has(shared, again)) == 2
