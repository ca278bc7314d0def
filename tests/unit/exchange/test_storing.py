"""What submitting leaves: versions by when they were said, sealed sources, few statements."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from simdes.access.categories import Category
from simdes.access.vaults import vault_key
from simdes.crypto.digest import sha256
from simdes.crypto.keys import unwrap
from simdes.exchange.indexing import resource_context
from simdes.exchange.submit import Accepted, Refused, submit_all
from simdes.fhir.json import loads
from simdes.fhir.validate import validate
from simdes.index import resources, sources, vaults
from simdes.index.transaction import Transaction
from simdes.mapper import map_bytes
from support.bundles import bundle
from support.consortium import Consortium
from support.messages import admission, charges, message, pid, pv1, result

T0 = "20260101090000"
T1 = "20260101100000"
T2 = "20260101110000"


def accepted(network: Consortium, *inputs: bytes) -> list[Accepted]:
    """Each input by itself, in this order."""
    answers = [
        one for at, data in enumerate(inputs) for one in network.submit("north", f"{at}", data)
    ]
    assert all(isinstance(one, Accepted) for one in answers), answers
    return [one for one in answers if isinstance(one, Accepted)]


def content(network: Consortium, row: resources.Resource) -> dict[str, Any]:
    node = network["north"].node
    with node.database.read() as tx:
        vault = vaults.get(tx, row.vault)
    assert vault is not None
    context = resource_context(row.vault, row.type, row.logical_id)
    found: dict[str, Any] = loads(
        unwrap(vault_key(node.desk.keystore, vault), row.content_wrapped, aad=context)
    )
    return found


def latest(network: Consortium, vault: bytes, type_: str) -> list[dict[str, Any]]:
    with network["north"].node.database.read() as tx:
        rows = resources.of_vault(tx, vault, categories=range(64), types=[type_])
    return [content(network, row) for row in rows]


def mapping_provenances(network: Consortium, vault: bytes) -> list[dict[str, Any]]:
    return [one for one in latest(network, vault, "Provenance") if "entity" in one]


def versions(network: Consortium) -> int:
    with network["north"].node.database.read() as tx:
        [(count,)] = tx.all("SELECT count(*) FROM resource")
    return int(count)


# Order ----------------------------------------------------------------------------------------


def glucose(network: Consortium, vault: bytes) -> tuple[str, str, str]:
    [report] = latest(network, vault, "DiagnosticReport")
    [observation] = latest(network, vault, "Observation")
    return report["status"], observation["status"], str(observation["valueQuantity"]["value"])


def preliminary(who: str) -> bytes:
    return result("P", "5.0", sent=T0, issued=T0, control="1", number=who)


def final(who: str) -> bytes:
    return result("F", "5.1", sent=T1, issued=T1, control="2", number=who)


def corrected(who: str) -> bytes:
    return result("C", "5.2", sent=T2, issued=T2, control="3", number=who)


VALUES = {preliminary: "5.0", final: "5.1", corrected: "5.2"}


def test_a_result_is_corrected_version_by_version(network: Consortium, who: str) -> None:
    answers = accepted(network, preliminary(who), final(who), corrected(who))
    assert glucose(network, answers[0].vault) == ("corrected", "corrected", "5.2")
    with network["north"].node.database.read() as tx:
        kept = resources.of_vault(tx, answers[0].vault, categories=range(64), types=["Observation"])
    assert [one.version for one in kept] == [3]


@pytest.mark.parametrize(
    "order",
    [
        (final, preliminary),
        (corrected, final),
        (corrected, preliminary, final),
        (final, corrected, preliminary),
    ],
)
@pytest.mark.parametrize("together", [False, True])
def test_a_late_older_result_never_replaces_the_newer(
    network: Consortium, who: str, order: tuple[Callable[[str], bytes], ...], together: bool
) -> None:
    messages = [make(who) for make in order]
    node = network["north"].node
    if together:
        mappings = [map_bytes(f"{at}", data) for at, data in enumerate(messages)]
        answers = [one for found in submit_all(node, mappings) for one in found]
    else:
        answers = list(accepted(network, *messages))
    last = answers[-1]
    assert isinstance(last, Accepted)
    assert glucose(network, last.vault)[2] == max(VALUES[make] for make in order)
    assert last.older >= 2
    outdated = {
        extension["valueReference"]["reference"].partition("/")[0]
        for one in mapping_provenances(network, last.vault)
        for extension in one.get("extension", [])
    }
    assert outdated >= {"DiagnosticReport", "Observation"}


def test_a_resent_final_with_a_new_message_time_does_not_undo_the_correction(
    network: Consortium, who: str
) -> None:
    resent = result("F", "5.1", sent="20260101120000", issued=T1, control="9", number=who)
    answers = accepted(network, final(who), corrected(who), resent)
    assert glucose(network, answers[0].vault) == ("corrected", "corrected", "5.2")


def test_a_final_result_does_not_become_preliminary_again(network: Consortium, who: str) -> None:
    answers = accepted(
        network,
        result("F", "5.1", sent=T0, control="1", number=who),
        result("P", "4.0", sent=T1, control="2", number=who),
    )
    assert glucose(network, answers[0].vault) == ("final", "final", "5.1")


def test_an_update_makes_a_new_version_and_an_older_one_does_not_undo_it(
    network: Consortium, who: str
) -> None:
    answers = accepted(
        network,
        admission("A01", sent=T0, control="1", number=who),
        admission("A08", sent=T2, control="2", city="Lyon", number=who),
        admission("A08", sent="20260101113000", recorded=T1, control="3", city="Rome", number=who),
    )
    [patient] = latest(network, answers[0].vault, "Patient")
    assert patient["address"][0]["city"] == "Lyon"
    assert answers[2].older >= 1


def test_what_was_restated_later_is_not_undone_by_something_in_between(
    network: Consortium, who: str
) -> None:
    answers = accepted(
        network,
        admission("A01", sent=T0, control="1", number=who),
        admission("A08", sent=T2, control="3", number=who),
        admission("A08", sent=T1, control="2", city="Lyon", number=who),
    )
    [patient] = latest(network, answers[0].vault, "Patient")
    assert patient["address"][0]["city"] == "Paris"


def test_a_result_does_not_change_what_patient_administration_said(
    network: Consortium, who: str
) -> None:
    answers = accepted(
        network, admission("A01", sent=T0, number=who), result("F", "5", sent=T2, number=who)
    )
    [patient] = latest(network, answers[0].vault, "Patient")
    assert patient["address"][0]["city"] == "Paris"
    assert answers[1].older == 0


def discharged(who: str) -> list[bytes]:
    """A stay from its admission to its discharge."""
    return [
        admission("A01", sent=T0, control="1", number=who, stay=pv1(who)),
        admission("A03", sent=T1, control="2", number=who, stay=pv1(who, ended=T1)),
    ]


def visit(network: Consortium, vault: bytes) -> dict[str, Any]:
    [found] = latest(network, vault, "Encounter")
    return found


def document(who: str, *, sent: str) -> bytes:
    """A discharge letter, written when the patient has long left."""
    text = ("OBX|1|TX|18842-5^Letter^LN||Home and well||||||F", "TXA|1|DS|TX||||||||D1||||||AU")
    parts = (f"EVN|T02|{sent}", pid(who), pv1(who), *reversed(text))
    return message("MDM^T02^MDM_T02", *parts, control="m", sent=sent)


def update(who: str, *, sent: str) -> bytes:
    return admission("A08", sent=sent, control="4", number=who, city="Lyon", stay=pv1(who))


@pytest.mark.parametrize(
    "later",
    [lambda who, sent: charges(who, pv1(who), sent=sent), document, update],
    ids=["charges", "a letter", "an update of the patient"],
)
def test_what_comes_after_the_discharge_does_not_reopen_the_visit(
    network: Consortium, who: str, later: Callable[..., bytes]
) -> None:
    answers = accepted(network, *discharged(who), later(who, sent=T2))
    found = visit(network, answers[0].vault)
    assert (found["status"], found["period"]["end"][:10]) == ("finished", "2026-01-01")
    [patient] = latest(network, answers[0].vault, "Patient")
    assert patient["address"][0]["city"] == ("Lyon" if later is update else "Paris")


def test_charges_are_taken_whatever_their_message_says_of_the_visit(
    network: Consortium, who: str
) -> None:
    answers = accepted(network, *discharged(who), charges(who, pv1(who), sent=T2))
    [charge] = latest(network, answers[0].vault, "ChargeItem")
    encounter = visit(network, answers[0].vault)
    assert charge["context"]["reference"] == f"Encounter/{encounter['id']}"
    assert answers[2].older == 0


@pytest.mark.parametrize("together", [False, True])
def test_charges_that_overtake_the_admission_do_not_keep_the_visit_open(
    network: Consortium, who: str, *, together: bool
) -> None:
    """What a charge carries along is no statement of its time: whoever says it is believed."""
    sent = [charges(who, pv1(who), sent=T2), *discharged(who)]
    if together:
        mapped = [map_bytes("x", one) for one in sent]
        answers = [one for found in submit_all(network["north"].node, mapped) for one in found]
        vault = answers[0].vault  # type: ignore[union-attr]
    else:
        vault = accepted(network, *sent)[0].vault
    assert visit(network, vault)["status"] == "finished"
    [patient] = latest(network, vault, "Patient")
    assert patient["address"][0]["city"] == "Paris"


def test_a_cancelled_discharge_reopens_the_visit_whenever_it_comes(
    network: Consortium, who: str
) -> None:
    first, last = discharged(who)
    again = admission("A13", sent=T2, control="3", number=who, stay=pv1(who))
    answers = accepted(network, first, again, last)
    assert visit(network, answers[0].vault)["status"] == "in-progress"
    answers = accepted(network, update(who, sent="20260101113000"))
    assert visit(network, answers[0].vault)["status"] == "in-progress"


def test_a_clock_years_ahead_does_not_win_for_years(network: Consortium, who: str) -> None:
    answers = accepted(
        network,
        admission("A01", sent="20990101000000", control="1", number=who),
        admission("A08", sent="20990101000000", control="2", city="Lyon", number=who),
    )
    [patient] = latest(network, answers[0].vault, "Patient")
    assert patient["address"][0]["city"] == "Lyon"


# Duplicates -----------------------------------------------------------------------------------


def test_the_same_bytes_twice_change_nothing(network: Consortium, who: str) -> None:
    first, second = accepted(network, final(who), final(who))
    assert (second.resources, second.unchanged) == (0, first.resources + first.unchanged)
    before = versions(network)
    node = network["north"].node
    submit_all(node, [map_bytes("a", final(who)), map_bytes("b", final(who))])
    assert versions(network) == before


def test_the_same_message_in_other_bytes_changes_nothing(network: Consortium, who: str) -> None:
    accepted(network, final(who))
    before = versions(network)
    [again] = accepted(network, final(who).replace(b"\r", b"\r\n"))
    assert again.resources == again.older == 0
    assert versions(network) == before


# Provenance and the sealed source -------------------------------------------------------------


def test_each_message_leaves_its_bytes_and_the_provenance_of_its_mapping(
    network: Consortium, who: str
) -> None:
    [answer] = accepted(network, final(who))
    [document] = latest(network, answer.vault, "DocumentReference")
    [provenance] = mapping_provenances(network, answer.vault)
    attachment = document["content"][0]["attachment"]
    assert base64.b64decode(attachment["data"]) == final(who)
    assert attachment["size"] == len(final(who))
    assert base64.b64decode(attachment["hash"]) == hashlib.sha1(final(who)).digest()
    assert provenance["entity"][0]["what"]["reference"] == f"DocumentReference/{document['id']}"
    with network["north"].node.database.read() as tx:
        kept = [
            (one.type, one.logical_id)
            for one in resources.of_vault(tx, answer.vault, categories=range(64))
        ]
    told = {tuple(one["reference"].split("/")[:2]) for one in provenance["target"]}
    assert told == set(kept) - {
        ("DocumentReference", document["id"]),
        ("Provenance", provenance["id"]),
    }
    assert all(one["reference"].endswith("/_history/1") for one in provenance["target"])
    for one in (document, provenance):
        assert [problem for problem in validate(one) if problem.severity == "error"] == []


def test_provenance_names_the_versions_that_its_message_made(network: Consortium, who: str) -> None:
    answers = accepted(network, preliminary(who), final(who))
    second = mapping_provenances(network, answers[0].vault)[-1]
    told = {one["reference"].split("/")[0]: one["reference"] for one in second["target"]}
    assert told["Observation"].endswith("/_history/2")
    assert told["Patient"].endswith("/_history/1")


def test_the_source_is_of_a_category_of_its_own(network: Consortium, who: str) -> None:
    [answer] = accepted(network, final(who))
    with network["north"].node.database.read() as tx:
        others = resources.of_vault(tx, answer.vault, categories=set(Category) - {Category.SOURCES})
        [source] = resources.of_vault(tx, answer.vault, categories=[Category.SOURCES])
        row = sources.find(tx, sha256(final(who)))
    assert source.type == "DocumentReference"
    assert "DocumentReference" not in {one.type for one in others}
    assert row is not None
    assert row.content_wrapped == b"", "the bytes are not kept a second time"


def test_fhir_r4_is_stored_as_it_is_and_needs_no_copy(network: Consortium, who: str) -> None:
    [answer] = accepted(network, bundle(who))
    assert latest(network, answer.vault, "DocumentReference") == []
    assert latest(network, answer.vault, "Provenance") == []


def test_an_empty_group_is_harmless(network: Consortium) -> None:
    assert submit_all(network["north"].node, []) == []


# Several patients -----------------------------------------------------------------------------


def two(who: str) -> bytes:
    return message(
        "ORU^R01^ORU_R01",
        pid(who),
        "OBR|1|P1|F1|2345-7^Glucose^LN|||20260101080000|||||||||||||||||||F",
        "OBX|1|NM|2345-7^Glucose^LN||5|mmol/L|||||F",
        pid(f"{who}-2", "Roe^Bob"),
        "OBR|2|P2|F2|2345-7^Glucose^LN|||20260101080000|||||||||||||||||||F",
        "OBX|1|NM|2345-7^Glucose^LN||9|mmol/L|||||F",
        control=f"two-{who}",
        sent=T0,
    )


def test_a_message_of_two_patients_goes_to_two_vaults_and_nothing_is_mixed(
    network: Consortium, who: str
) -> None:
    [answer] = accepted(network, two(who))
    assert len(answer.vaults) == 2
    values = []
    for vault, name in zip(answer.vaults, ("Doe", "Roe"), strict=True):
        [patient] = latest(network, vault, "Patient")
        assert patient["name"][0]["family"] == name
        [observation] = latest(network, vault, "Observation")
        assert observation["subject"]["reference"] == f"Patient/{patient['id']}"
        values.append(str(observation["valueQuantity"]["value"]))
        [header] = latest(network, vault, "MessageHeader")
        with network["north"].node.database.read() as tx:
            here = {
                f"{one.type}/{one.logical_id}"
                for one in resources.of_vault(tx, vault, categories=range(64))
            }
        assert {one["reference"] for one in header["focus"]} <= here
        [provenance] = mapping_provenances(network, vault)
        assert {one["reference"].partition("/_history")[0] for one in provenance["target"]} <= here
        assert latest(network, vault, "DocumentReference") == [], "its bytes are of both"
    assert values == ["5", "9"]


def test_the_bytes_about_two_patients_open_with_both_keys_alone(
    network: Consortium, who: str
) -> None:
    [answer] = accepted(network, two(who))
    node = network["north"].node
    with node.database.read() as tx:
        row = sources.find(tx, sha256(two(who)))
        held = vaults.get_many(tx, sorted(answer.vaults))
    assert row is not None
    assert row.vault is None
    keys = [vault_key(node.desk.keystore, held[tag]) for tag in sorted(answer.vaults)]
    opened = row.content_wrapped
    for key in reversed(keys):
        opened = unwrap(key, opened, aad=b"simdes/source/v1" + row.digest)
    assert opened == two(who)


# Speed ----------------------------------------------------------------------------------------


def _statements(network: Consortium, count: int, monkeypatch: pytest.MonkeyPatch) -> int:
    node = network["north"].node
    seen: list[Transaction] = []
    run = node.database.write

    def watch(body: Any, **options: Any) -> Any:
        def counted(tx: Transaction) -> Any:
            seen.append(tx)
            return body(tx)

        return run(counted, **options)

    feeds = [
        map_bytes(
            f"{at}",
            result("F", f"{at}", sent=T0, control=f"{count}-{at}", number=f"{count}{at:03}"),
        )
        for at in range(count)
    ]
    with monkeypatch.context() as patch:
        patch.setattr(
            type(node.database), "write", lambda _, body, **options: watch(body, **options)
        )
        answers = submit_all(node, feeds)
    assert all(isinstance(one, Accepted) for found in answers for one in found)
    assert len(seen) == 1
    return seen[0].statements


def test_a_group_costs_as_many_statements_as_one_message(
    network: Consortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, thirty = (_statements(network, count, monkeypatch) for count in (1, 30))
    assert one == thirty
    assert thirty <= 24  # eight of them make what was stored findable


def test_an_erased_patient_is_not_written_to_and_nobody_else_is_held_up(
    network: Consortium, who: str
) -> None:
    [answer] = accepted(network, final(who))
    node = network["north"].node
    with node.database.transaction() as tx:
        vaults.erase(tx, answer.vault)
    found = submit_all(
        node,
        [
            map_bytes("a", corrected(who)),
            map_bytes("b", result("F", "1", sent=T0, number=f"{who}-2")),
        ],
    )
    [erased], [other] = found
    assert isinstance(erased, Refused)
    assert erased.code == "vault-erased"
    assert isinstance(other, Accepted)
