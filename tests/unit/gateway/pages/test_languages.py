"""Catalogues are whole, readers get their language, what errors say is translated."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

import simdes
from simdes.access.accounts import _ADVICE, HOSTED_ROLES
from simdes.access.attempts import _WAITS
from simdes.access.categories import Category, Label, Purpose
from simdes.access.reasons import _WORDS as REASON_WORDS
from simdes.claims.reasons import REASONS as CLAIM_REASONS
from simdes.claims.reasons import Group
from simdes.claims.signals import Sign
from simdes.exchange import notices
from simdes.exchange.claims import appealing
from simdes.exchange.claims.deciding import WHY
from simdes.exchange.emergencies import OUTCOMES
from simdes.exchange.findings import KINDS
from simdes.exchange.prescriptions.states import _WHY, State
from simdes.exchange.prescriptions.supplying import REASONS as REFUSALS
from simdes.exchange.quarantine import STATES, STEPS
from simdes.exchange.signin import needs_wallet
from simdes.fhir.checks.finding import Text
from simdes.gateway.pages.insurer.words import CLAIM_WORDS
from simdes.gateway.pages.languages import LANGUAGES, catalogue, reader
from simdes.gateway.pages.office.words import OFFICE_WORDS
from simdes.gateway.pages.said import REASONS, SAID
from simdes.gateway.pages.study.words import STUDY_WORDS
from simdes.gateway.pages.wording import WORDS, browser_of
from simdes.ledger.contracts import ClaimState

ROOT = Path(__file__).parents[4]
SOURCE = Path(simdes.__file__).parent
RAISING = (
    "exchange/credentials.py",
    "exchange/wallet_sign_ins.py",
    "exchange/second_factors.py",
    "exchange/apps.py",
    "exchange/authorization.py",
    "access/attempts.py",
    "access/browser.py",
    "access/passkeys.py",
    "gateway/pages/asking.py",
    "gateway/pages/account.py",
    "gateway/pages/applications.py",
    "gateway/pages/trouble.py",
    "gateway/pages/places.py",
    "gateway/pages/patient/own.py",
    "gateway/pages/staff/patients.py",
    "gateway/pages/staff/billing.py",
    "gateway/pages/staff/counter.py",
    "gateway/pages/staff/elsewhere.py",
    "gateway/pages/staff/emergency.py",
    "gateway/pages/staff/newcomer.py",
    "gateway/pages/staff/requesting.py",
    "exchange/newcomers.py",
    "gateway/pages/staff/visit.py",
    "gateway/pages/staff/prescribe.py",
    "fhir/visits.py",
    "fhir/ordering.py",
    "exchange/charting.py",
    "exchange/prescriptions/ordering.py",
    "exchange/access_requests.py",
    "exchange/emergencies.py",
    "gateway/pages/patient/sharing.py",
    "gateway/pages/patient/prescriptions.py",
    "gateway/pages/patient/log.py",
    "gateway/pages/patient/merges.py",
    "exchange/merge_questions.py",
    "gateway/pages/insurer/claim.py",
    "gateway/pages/patient/claims.py",
    "exchange/claims/appealing.py",
    "exchange/claims/cases.py",
    "exchange/claims/disclosing.py",
    "exchange/claims/paying.py",
    "gateway/pages/office/emergencies.py",
    "gateway/pages/office/organisations.py",
    "gateway/pages/office/people.py",
    "gateway/pages/office/quarantine.py",
    "gateway/pages/office/trails.py",
    "gateway/pages/office/upgrades.py",
    "exchange/colleagues.py",
    "exchange/governing.py",
    "exchange/membership.py",
    "gateway/pages/patient/guardians.py",
    "gateway/pages/patient/corrections.py",
    "gateway/pages/patient/erasing.py",
    "gateway/pages/patient/links.py",
    "gateway/pages/patient/research.py",
    "exchange/corrections.py",
    "exchange/attachments.py",
    "fhir/attachments.py",
    "exchange/correcting.py",
    "gateway/pages/staff/correcting.py",
    "exchange/research/taking_part.py",
    "gateway/pages/wards.py",
    "gateway/pages/lost.py",
    "gateway/pages/patient/moving.py",
    "exchange/moving.py",
    "gateway/pages/first.py",
    "gateway/pages/office/patient.py",
    "exchange/first_sign_ins.py",
    "access/guardians.py",
    "exchange/guardians.py",
    "exchange/recovering.py",
    "exchange/consents.py",
    "exchange/logbook.py",
    "exchange/interactions/collecting.py",
    "exchange/interactions/everything.py",
    "exchange/prescriptions/submitting.py",
    "exchange/prescriptions/holding.py",
)
ERRORS = {"Invalid", "Unauthenticated", "Forbidden", "NotFound", "Conflict", "TooLarge"}


@pytest.fixture(scope="module")
def messages() -> ModuleType:
    """The tool that collects texts."""
    spec = importlib.util.spec_from_file_location("messages", ROOT / "tools/messages.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_french_catalogue_has_every_text_and_nothing_else(messages: ModuleType) -> None:
    wanted = {one.id for one in messages.collect() if one.id}
    kept = {one.id: one for one in messages.french() if one.id}
    assert set(kept) == wanted
    for id, one in kept.items():
        strings = one.string if isinstance(one.string, tuple) else (one.string,)
        assert all(strings), id
        assert not one.fuzzy, id
        ids = id if isinstance(id, tuple) else (id,)
        blanks = re.compile(r"%\(\w+\)s")
        asked = {blank for text in ids for blank in blanks.findall(text)}
        for text in strings:
            assert set(blanks.findall(text)) <= asked, id
        assert asked <= {blank for text in strings for blank in blanks.findall(text)}, id


def said_by(path: Path) -> set[str]:
    """The constant texts that a module gives to our errors."""
    tree = ast.parse(path.read_text())
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    found = set()
    for node in ast.walk(tree):
        named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        if not (named and node.func.id in ERRORS):  # type: ignore[attr-defined]
            continue
        for argument in [*node.args, *(one.value for one in node.keywords)]:  # type: ignore[attr-defined]
            if isinstance(argument, ast.Constant):
                found.add(argument.value)
            elif isinstance(argument, ast.Name) and argument.id in constants:
                found.add(constants[argument.id])
    return found


def test_what_errors_say_on_pages_is_marked_for_translation() -> None:
    said = set().union(*(said_by(SOURCE / name) for name in RAISING))
    assert len(said) > 40
    assert said - set(SAID) == set()
    assert {text for pair in _ADVICE.values() for text in pair} <= set(SAID)
    assert {text for _, text in _WAITS} <= set(SAID)
    assert {needs_wallet().message, needs_wallet().advice} <= set(SAID)
    assert set(_WHY.values()) <= set(SAID)
    assert set(REASON_WORDS.values()) == set(REASONS)


def test_every_role_and_category_has_words() -> None:
    assert set(WORDS["role"]) == {role.name.lower() for role in HOSTED_ROLES}
    assert set(WORDS["category"]) == {one.label for one in Category}
    assert set(WORDS["label"]) == {one.name for one in Label}
    assert set(WORDS["purpose"]) == {one.name for one in Purpose}
    assert set(WORDS["reason"]) == set(REFUSALS)
    assert set(WORDS["finding"]) == set(WORDS["advice"]) == set(KINDS)
    assert set(WORDS["step"]) == {*STEPS.values(), "correct"}
    assert set(WORDS["adjustment"]) == set(CLAIM_REASONS)
    assert set(WORDS["bears"]) == set(Group)
    assert set(WORDS["claim"]) == {one.name.lower() for one in ClaimState}
    assert set(WORDS["signal"]) == set(Sign)
    assert set(WORDS["notice"]) == set(notices.KINDS)
    assert {*WHY.values(), *appealing.STATES.values()} <= set(SAID)
    assert set(WORDS["outcome"]) == set(OUTCOMES)
    assert set(WORDS["document"]) >= set(STATES)
    assert set(WORDS["state"]) == {one.value for one in State}


@pytest.mark.parametrize(
    ("chosen", "accepted", "language", "locale"),
    [
        ("", "", "en", "en"),
        ("", "fr-CA,fr;q=0.9,en;q=0.8", "fr", "fr_CA"),
        ("", "de-DE,en-GB;q=0.5,fr;q=0.4", "en", "en_GB"),
        ("fr", "en-GB", "fr", "fr"),
        ("fr", "en-GB,fr-BE;q=0.1", "fr", "fr_BE"),
        ("de", "en-US", "en", "en_US"),
        ("", "fr;q=0, en", "en", "en"),
        ("", "fr;q=many,*;q=0.1", "en", "en"),
        ("", "fr-" + "x" * 5_000, "fr", "fr"),
        ("", "en_US\0,;;,=,fr", "fr", "fr"),
        ("../../x", ",".join(["xx"] * 500), "en", "en"),
    ],
    ids=range(11),
)
def test_a_reader_gets_their_language_and_region(
    chosen: str, accepted: str, language: str, locale: str
) -> None:
    found = reader(chosen=chosen, accepted=accepted, zone="UTC")
    assert (found.language, str(found.locale)) == (language, locale)


def test_dates_are_told_in_the_organisations_time_zone() -> None:
    moment = 1_800_000_000_000  # 2027-01-15T08:00:00Z
    british = reader(chosen="", accepted="en-GB", zone="UTC")
    korean = reader(chosen="fr", accepted="fr-FR", zone="Asia/Seoul")
    assert british.moment(moment) == "15 Jan 2027, 08:00"
    assert korean.moment(moment) == "15 janv. 2027, 17:00"
    assert korean.stamp(moment) == "2027-01-15T08:00:00+00:00"


def test_french_signs_stay_with_their_word_and_no_apostrophe_is_a_typewriters() -> None:
    texts = catalogue("fr")._catalog.items()  # type: ignore[attr-defined]
    said = [text for id, text in texts if id]
    assert len(said) > 1_000
    assert [one for one in said if re.search(r" [:;?!»]|« |'", one)] == []
    assert catalogue("fr").gettext("Is this your wallet?") == "Est-ce votre portefeuille\xa0?"


def test_what_comes_in_both_languages_and_lists_are_printed_as_their_reader_writes() -> None:
    english, french = (reader(chosen=one, accepted="", zone="UTC") for one in ("en", "fr"))
    found = Text("Already in use: A", "Déjà pris, s'il s'y ajoute : A")
    assert english.both(found) == "Already in use: A"
    assert french.both(found) == "Déjà pris, s’il s’y ajoute\xa0: A"
    assert english.apart.join("AB") == "A; B"
    assert french.apart.join("AB") == "A\xa0; B"


def test_english_stands_in_the_code() -> None:
    assert set(LANGUAGES) == {"en", "fr"}
    assert catalogue("en").gettext("Sign in") == "Sign in"
    assert catalogue("fr").gettext("Sign in") == "Se connecter"
    assert (
        catalogue("fr")
        .ngettext("You have one recovery code left.", "You have %(num)s recovery codes left.", 2)
        .startswith("Il vous reste")
    )


@pytest.mark.parametrize(
    ("client", "said"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0", "Firefox · Linux"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537.36", "Chrome · Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Safari/604.1", "Safari · iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140 Safari/537 Edg/140", "Edge · Windows"),
        ("curl/8.0", ""),
        ("", ""),
    ],
    ids=range(6),
)  # fmt: skip
def test_a_browser_is_named_in_two_words(client: str, said: str) -> None:
    assert browser_of(client) == said


def test_no_list_of_words_hides_another_of_the_same_name() -> None:
    tree = ast.parse((SOURCE / "gateway/pages/wording.py").read_text())
    [table] = [
        one.value
        for one in tree.body
        if isinstance(one, ast.AnnAssign) and ast.unparse(one.target) == "WORDS"
    ]
    assert isinstance(table, ast.Dict)
    named = [key.value for key in table.keys if isinstance(key, ast.Constant)]
    named += [*OFFICE_WORDS, *CLAIM_WORDS, *STUDY_WORDS]
    assert sorted(named) == sorted(set(named))
