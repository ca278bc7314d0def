"""Studies in a browser: what the ledger shows, registering, approving, counting by the document."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import pytest

from simdes.exchange.research import answering, small, studies, taking_part
from simdes.exchange.research.studies import Document
from simdes.gateway.pages.study import releases
from support import consortium, researching
from support.consortium import Clock, Consortium
from support.fhir_api import Api, application
from support.pages import Visitor, undrawn
from support.researching import Patient, document
from support.two_patients import statements


@dataclass(frozen=True, slots=True)
class School:
    """The sponsor's researcher and the approver, each with a browser."""

    network: Consortium
    researcher: Visitor
    approver: Visitor
    patients: list[Patient]

    def study(self, **changed: object) -> tuple[Document, str]:
        """A study's document and its text."""
        made = document(self.network, **changed)
        return made, msgspec.json.encode(made).decode()

    def running(self, made: Document) -> bool:
        return studies.stands(self.network["south"].node, made).running


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    """Hospital and clinic, opened."""
    folder, clock = tmp_path_factory.mktemp("school") / "network", Clock()
    consortium.found(folder, names=("north", "south"))
    for name in ("north", "south"):
        consortium.let_read(folder / name)
    with consortium.cheap_locks(), consortium.opened(folder, clock=clock) as network:
        doctor = Api.of(network["north"], "dr.north", app=application(network["north"]))
        patients = [researching.patient(network, doctor, f"page-{number}") for number in range(2)]
        researcher = Visitor(application(network["south"]))
        approver = Visitor(application(network["north"]))
        researcher.sign_in("prof.ray")
        approver.sign_in("dr.north")
        yield School(network, researcher, approver, patients)


def test_a_study_is_registered_approved_and_taken_back_by_its_document(school: School) -> None:
    made, text = school.study(title="<b>Sugar</b>")
    assert "No study was registered" in school.researcher.get("/studies").text
    shown = school.researcher.post("/studies/study", {"document": text, "step": "show"})
    assert "&lt;b&gt;Sugar&lt;/b&gt;" in shown.text and "not registered" in shown.text
    assert "Register it on the ledger" in shown.text
    done = school.researcher.post("/studies/study", {"document": text, "step": "register"})
    assert done.headers["location"] == "/studies?done=study-registered"
    assert "waits for approvals" in school.researcher.get("/studies").text
    twice = school.researcher.post("/studies/study", {"document": text, "step": "register"})
    assert twice.status_code == 409
    judged = school.approver.post("/studies/study", {"document": text, "step": "show"}).text
    assert "You approve exactly this document." in judged
    assert "About how many patients?" not in judged, "researchers count"
    school.approver.post("/studies/study", {"document": text, "step": "approve"})
    assert school.running(made)
    assert "running" in school.researcher.get("/studies").text
    other = school.researcher.post("/studies/study", {"document": text, "step": "approve"})
    assert other.status_code == 403 and not school.researcher.get("/studies").is_error
    school.approver.post("/studies/study", {"document": text, "step": "retract"})
    assert not school.running(made)


def test_a_changed_document_is_another_study(school: School) -> None:
    made, text = school.study(title="Sleep")
    school.researcher.post("/studies/study", {"document": text, "step": "register"})
    changed = text.replace("Sleep", "Sleeq")
    judged = school.approver.post("/studies/study", {"document": changed, "step": "approve"})
    assert judged.status_code == 404
    assert "not registered" in judged.text
    assert not school.running(made)


def test_researchers_count_with_noise_before_anything_is_registered(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Drawn at random, the noise alone is above the smallest count that is told once in ten tests.
    monkeypatch.setattr(answering.counting, "noisy_count", lambda count, epsilon: count + 3)
    _, text = school.study(title="Counted")
    shown = school.researcher.post("/studies/study", {"document": text, "step": "count"}).text
    assert "Too few patients for a number" in shown and "Hospital North: fewer than" in shown
    assert "≥ 6.5, ≤ 14" in shown
    refused = school.approver.post("/studies/study", {"document": text, "step": "count"})
    assert refused.status_code == 403


@pytest.mark.parametrize("text", ["", "{}", "[" * 10_000, "null", '{"v": 2}', "é" * 5_000])
def test_what_is_no_study_is_asked_for_again(school: School, text: str) -> None:
    refused = school.researcher.post("/studies/study", {"document": text, "step": "show"})
    assert refused.status_code == 400 and 'id="document"' in refused.text
    assert len(refused.content) < 100_000


def test_a_study_is_shown_by_its_title_where_its_document_was_brought(school: School) -> None:
    made, text = school.study(title="Breath & sleep")
    named = studies.id_of(school.network["south"].node, made).hex()
    school.researcher.post("/studies/study", {"document": text, "step": "register"})
    assert "Breath &amp; sleep" in school.researcher.get("/studies").text
    assert "Breath &amp; sleep" in school.researcher.get(f"/studies/study?study={named}").text
    elsewhere = school.approver.get("/studies").text
    assert "Breath" not in undrawn(elsewhere) and "Its document is not known here." in elsewhere
    unknown = school.approver.get(f"/studies/study?study={named}")
    assert unknown.status_code == 404 and 'id="document"' in unknown.text
    school.approver.post("/studies/study", {"document": text, "step": "show"})
    assert "Breath &amp; sleep" in school.approver.get("/studies").text
    assert school.approver.get("/studies/study?study=0x").status_code == 404


def test_patients_find_the_networks_studies_by_their_titles(school: School) -> None:
    made, text = school.study(title="Walking")
    named = studies.id_of(school.network["south"].node, made).hex()
    school.researcher.post("/studies/study", {"document": text, "step": "register"})
    patient = Visitor(school.approver.app)
    patient.sign_in(school.patients[0].user)
    listed = patient.get("/research").text
    assert "Walking" not in undrawn(listed) and "for its description" in listed
    assert patient.get(f"/research/join?study={named}").status_code == 404
    school.approver.post("/studies/study", {"document": text, "step": "approve"})
    listed = patient.get("/research").text
    assert f'href="/research/join?study={named}"' in listed and "Walking" in listed
    described = patient.get(f"/research/join?study={named}").text
    assert "Take part" in described
    joined = patient.post("/research/join", {"document": text, "step": "join"})
    assert joined.headers["location"] == "/research?done=takes-part"
    listed = patient.get("/research").text
    assert "Walking" in listed and f'href="/research/join?study={named}"' not in listed


def test_a_small_release_is_ordered_seen_and_fetched_on_the_studys_page(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = researching.pairs()
    monkeypatch.setattr(releases, "policies", lambda: {"two-alike": pairs})
    monkeypatch.setattr(releases, "policy", lambda name: pairs)
    made = researching.running(school.network, title="Small")
    text, node = researching.written(made).decode(), school.network["south"].node
    for one in school.patients:
        taking_part.opt_in(school.network["north"].node, one.session, made, vault=one.vault)
    whom, form = school.researcher, {"document": text, "policy": "two-alike"}
    refused = whom.post("/studies/study", form | {"policy": "none", "step": "release"})
    assert refused.status_code == 400 and "Choose a policy." in refused.text
    done = whom.post("/studies/study", form | {"step": "release"})
    assert done.headers["location"].endswith("done=release-ordered")
    node.aside.wait(60)
    named = studies.id_of(node, made)
    shown = whom.get(f"/studies/study?study={named.hex()}").text
    assert "Made · Release 1" in shown and "2 of 2 who were read" in shown
    [order] = small.listed(node, named)
    fetch = {"document": text, "step": "fetch", "order": order.id.hex()}
    sealed = whom.post("/studies/study", fetch | {"fetch": "sealed"})
    assert sealed.headers["content-disposition"] == 'attachment; filename="release.zip"'
    assert whom.post("/studies/study", fetch | {"fetch": "opened"}).status_code == 403
    opened = whom.post("/studies/study", fetch | {"fetch": "opened", "accepts": "yes-1"})
    with zipfile.ZipFile(io.BytesIO(opened.content)) as file:
        assert {"accepted-terms.json", "Patient.ndjson"} <= set(file.namelist())
    pictures = whom.post("/studies/study", fetch | {"fetch": "pictures"})
    assert pictures.headers["content-security-policy"] == "default-src 'none'; sandbox"
    for what in ("sealed", "opened", "pictures"):
        refused = school.approver.post("/studies/study", fetch | {"fetch": what, "accepts": "yes"})
        assert refused.status_code == 403
    other = {**fetch, "order": "00" * 32, "fetch": "sealed"}
    assert whom.post("/studies/study", other).status_code == 404
    assert "Make a release" not in school.approver.get(f"/studies/study?study={named.hex()}").text
    school.approver.post("/studies/study", {"document": text, "step": "show"})
    shown = school.approver.get(f"/studies/study?study={named.hex()}").text
    assert "Make a release" not in shown and "Made on this page" not in shown
    assert school.approver.post("/studies/study", form | {"step": "release"}).status_code == 403


def test_studies_are_for_who_asks_and_who_judges(school: School) -> None:
    nurse = Visitor(school.researcher.app)
    nurse.sign_in("nurse.kim")
    assert nurse.get("/studies").status_code == 403
    assert nurse.post("/studies/study", {"document": "{}"}).status_code == 403


def test_the_list_of_studies_asks_the_database_as_often_when_it_is_longer(school: School) -> None:
    def asked() -> tuple[int, int]:
        with statements(school.network["south"].node) as count:
            answer = school.researcher.get("/studies")
        assert answer.status_code == 200
        return count[0], len(answer.content)

    def register(number: int) -> None:
        made, _ = school.study(title=f"Study {number}")
        session = school.network.session("south", "prof.ray")
        studies.register(school.network["south"].node, session, made)

    register(1)
    asked()
    before, _ = asked()
    for number in range(2, 7):
        register(number)
    asked()
    after, size = asked()
    assert after <= before + 1
    assert after < 40
    assert size < 100_000
