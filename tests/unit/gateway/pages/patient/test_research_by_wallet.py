"""A patient with a wallet takes part in studies on their pages, and leaves them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html import unescape
from typing import Any

import httpx
import pytest

from simdes.errors import Forbidden
from simdes.exchange import consents, retrieve, wallets
from simdes.exchange.node import Node
from simdes.exchange.research import documents, studies, taking_part
from simdes.exchange.research.studies import Document
from simdes.exchange.research.taking_part import Participation
from support import consortium, researching
from support.consortium import Clock, Consortium
from support.fhir_api import Api, application
from support.pages import Visitor
from support.researching import AREA
from support.wallet_owner import Owner

PATH = "/research"


@dataclass(frozen=True, slots=True)
class School:
    """A hospital, a clinic that sponsors studies, and a patient with a wallet at the hospital."""

    network: Consortium
    vault: bytes
    owner: Owner
    browser: Visitor

    @property
    def node(self) -> Node:
        return self.network["north"].node

    def joins(self, made: Document) -> httpx.Response:
        """What a study's page leads to."""
        text = researching.written(made).decode()
        return self.browser.post(f"{PATH}/join", {"document": text, "step": "join"})

    def sign(self, asked: httpx.Response) -> str:
        """Sign what a page asks for; what is said then."""
        answer = self.owner.agree(self.browser, asked)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"].partition("done=")[2]

    def part(self, made: Document) -> list[Participation]:
        group = studies.id_of(self.node, made)
        return [one for one in taking_part.listed(self.node, self.vault) if one.group == group]

    def reads(self) -> int:
        """How much the sponsor's researcher reads of the patient."""
        south = self.network["south"].node
        session = self.network.session("south", "prof.ray")
        try:
            found = retrieve.retrieve(south, session, vault=self.vault, purpose="HRESCH")
        except Forbidden:
            return 0
        return len(found.resources)


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    folder, clock = tmp_path_factory.mktemp("research") / "network", Clock()
    consortium.found(folder, names=("north", "south"))
    with consortium.cheap_locks(), consortium.opened(folder, clock=clock) as network:
        app, owner = application(network["north"]), Owner()
        doctor = Api.of(network["north"], "dr.north", app=app)
        with ThreadPoolExecutor(max_workers=1) as pool:
            who = pool.submit(researching.patient, network, doctor, "wallet-1").result()
        owner.take_over(network["north"].node, who.session, clock)
        network.sessions.clear()
        browser = owner.sign_in(network["north"].node, app)
        yield School(network, who.vault, owner, browser)


def test_a_study_is_joined_and_left_by_what_the_wallet_signed(school: School) -> None:
    made = researching.running(school.network, title="Sugar & sleep")
    asked = school.joins(made)
    for words in (
        *("Let them read?", "Researchers, Clinic South", "Sugar &amp; sleep", "research"),
        *("Measurements and test results", "Only as long as this study runs and you take part"),
    ):
        assert words in asked.text, words
    assert school.part(made) == [] and school.reads() == 0
    assert Owner().agree(school.browser, asked).status_code == 403
    assert school.part(made) == []
    assert school.sign(asked) == "takes-part"
    [mine] = school.part(made)
    assert mine.open and school.reads() == 2
    assert "Sugar &amp; sleep" in school.browser.get(PATH).text
    assert school.owner.agree(school.browser, asked).status_code == 409, "signed once, sent once"
    assert school.joins(made).status_code == 409, "you take part already"

    asked = school.browser.post(f"{PATH}/leave", {"study": mine.group.hex()})
    assert "Stop sharing this?" in asked.text and "a study runs that you take part in" in asked.text
    assert school.reads() == 2
    assert school.sign(asked) == "left-study"
    [left] = school.part(made)
    assert left.withdrawn and school.reads() == 0
    assert school.browser.post(f"{PATH}/leave", {"study": mine.group.hex()}).status_code == 404


def test_who_stops_between_signature_and_ledger_goes_on_without_signing_again(
    school: School,
) -> None:
    made = researching.running(school.network, title="Stopped between")
    asked = school.joins(made)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(taking_part, "enter", _dies)
        answer = school.owner.agree(school.browser, asked)
    assert answer.status_code == 500
    assert school.part(made) == [] and school.reads() == 0
    done = school.joins(made)
    assert done.headers["location"] == f"{PATH}?done=takes-part"
    [mine] = school.part(made)
    assert mine.open and school.reads() == 2

    asked = school.browser.post(f"{PATH}/leave", {"study": mine.group.hex()})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(taking_part, "leave", _dies)
        assert school.owner.agree(school.browser, asked).status_code == 500
    assert school.reads() == 0 and not school.part(made)[0].withdrawn
    again = school.browser.post(f"{PATH}/leave", {"study": mine.group.hex()})
    assert again.headers["location"] == f"{PATH}?done=left-study"
    assert school.part(made)[0].withdrawn


def test_an_area_is_stood_by_for_and_one_of_its_studies_left(school: School) -> None:
    south = f"0x{school.network['south'].node.organisation.hex()}"
    wanted = {"sponsor": south, "area": AREA, "category": "observations"}
    asked = school.browser.post(f"{PATH}/prefer", wanted)
    assert "Only for approved studies of this organisation in the area" in asked.text
    assert f"<strong>{AREA}</strong>" in asked.text
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(taking_part, "stand_by", _dies)
        assert school.owner.agree(school.browser, asked).status_code == 500
    other = school.browser.post(f"{PATH}/prefer", wanted | {"category": "conditions"})
    assert other.status_code == 200, "other categories take another signature"
    again = school.browser.post(f"{PATH}/prefer", wanted)
    assert again.headers["location"] == f"{PATH}?done=stands-by"
    made = researching.running(school.network, title="By preference")
    assert school.reads() == 1
    study = studies.id_of(school.node, made).hex()
    done = school.browser.post(f"{PATH}/leave", {"study": study})
    assert done.headers["location"] == f"{PATH}?done=left-study", "no consent ends: no key signs"
    group = taking_part.group_of(school.node, school.network["south"].node.organisation, AREA)
    asked = school.browser.post(f"{PATH}/leave", {"study": group.hex()})
    assert school.sign(asked) == "left-study"
    assert school.reads() == 0


def test_who_leaves_ends_what_never_came_among_those_who_stand_by_as_well(school: School) -> None:
    south = school.network["south"].node.organisation
    wanted = {"sponsor": f"0x{south.hex()}", "area": "Asthma"}
    asked = school.browser.post(f"{PATH}/prefer", wanted | {"category": "observations"})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(taking_part, "stand_by", _dies)
        assert school.owner.agree(school.browser, asked).status_code == 500
    asked = school.browser.post(f"{PATH}/prefer", wanted | {"category": "conditions"})
    assert school.sign(asked) == "stands-by"
    group = taking_part.group_of(school.node, south, "Asthma")
    asked = school.browser.post(f"{PATH}/leave", {"study": group.hex()})
    asked = school.owner.agree(school.browser, asked)
    assert asked.status_code == 200 and "Stop sharing this?" in asked.text
    assert school.sign(asked) == "left-study"
    asked = school.browser.post(f"{PATH}/leave", {"study": group.hex()})
    assert asked.status_code == 404, "nothing is left to be ended"


def written_in(page: httpx.Response) -> str:
    """The request that a page asks the wallet to sign."""
    return unescape(page.text.split('name="request" value="')[1].split('"')[0])


@pytest.fixture(scope="module")
def told(school: School) -> tuple[Document, str]:
    """A study, and the id of another whose document is known as well."""
    one, other = (researching.running(school.network, title=title) for title in ("One", "Other"))
    documents.keep(school.node, other)
    return one, studies.id_of(school.node, other).hex()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda it, other: it.update(hangsOn=["study", other]),
        lambda it, other: it.update(hangsOn=["study", "00" * 32]),
        lambda it, other: it.update(hangsOn=["study", "no number"]),
        lambda it, other: it.update(hangsOn=["area", AREA]),
        lambda it, other: it.update(hangsOn=["prescription", it["hangsOn"][1]]),
        lambda it, other: it.pop("hangsOn"),
        lambda it, other: it["terms"].update(condition_id="0x" + "11" * 32),
    ],
    ids=range(7),
)
def test_a_request_for_another_study_than_it_says_is_not_relayed(
    school: School, told: tuple[Document, str], spoil: Callable[[dict[str, Any], str], object]
) -> None:
    asked = school.joins(told[0])
    before = len(consents.listed(school.node, school.vault))
    spoilt = json.loads(written_in(asked))
    spoil(spoilt, told[1])
    signature = school.owner.sign(school.owner.asked(asked.text))
    fields = {"request": json.dumps(spoilt), "signature": signature}
    refused = school.browser.post(f"{PATH}/sign", fields)
    assert refused.status_code == 400 or "not those" in refused.text
    assert len(consents.listed(school.node, school.vault)) == before


def test_what_is_no_request_for_a_study_is_not_sent_from_here(school: School) -> None:
    stop = wallets.revoke_all(school.node, vault=school.vault)
    signature = f"0x{school.owner.key.sign(stop.data.digest).hex()}"
    fields = {"request": wallets.written(stop), "signature": signature}
    assert school.browser.post(f"{PATH}/sign", fields).status_code == 404
    stranger = Visitor(school.browser.app)
    assert stranger.post(f"{PATH}/sign", fields).headers["location"].startswith("/sign-in")


def _dies(*_: object, **__: object) -> None:
    raise RuntimeError
