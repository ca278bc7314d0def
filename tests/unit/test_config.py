"""Settings: what init writes, load reads; mistakes are named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from simdes import config
from simdes.errors import Conflict, Invalid, NotFound

SETTINGS = config.Settings(
    name='Hôpital "Saint-Jean"',
    kind="hospital",
    organisation="0x" + "11" * 32,
    ledger_url="embedded:ledger.sqlite",
    store_url="file:blocks",
    database_url="sqlite:simdes.sqlite",
)


def test_what_was_saved_is_loaded_with_paths_below_the_folder(tmp_path: Path) -> None:
    config.save(tmp_path, SETTINGS)
    loaded = config.load(tmp_path, {})
    assert loaded.name == SETTINGS.name
    assert loaded.ledger_url == f"embedded:{tmp_path / 'ledger.sqlite'}"
    assert loaded.store_url == f"file:{tmp_path / 'blocks'}"


@pytest.mark.parametrize("kind", config.KINDS)
def test_a_queue_of_patients_is_usual_where_people_queue(kind: str) -> None:
    made = config.with_limits_of_kind(replace(SETTINGS, kind=kind))
    limits = (made.strangers_per_hour, made.patients_per_hour, made.patients_per_day)
    assert limits == ((10, 240, 1_000) if kind in ("pharmacy", "insurer") else (10, 60, 200))


def test_environment_points_at_real_services(tmp_path: Path) -> None:
    config.save(tmp_path, SETTINGS)
    loaded = config.load(
        tmp_path,
        {
            "SIMDES_LEDGER_URL": "http://127.0.0.1:8545",
            "SIMDES_IPFS_URL": "ipfs:http://127.0.0.1:5001",
            "SIMDES_DATABASE_URL": "postgresql://127.0.0.1/simdes",
        },
    )
    assert loaded.ledger_url == "http://127.0.0.1:8545"
    assert loaded.store_url == "ipfs:http://127.0.0.1:5001"
    assert loaded.database_url == "postgresql://127.0.0.1/simdes"


def test_a_folder_without_an_organisation_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as failure:
        config.load(tmp_path, {})
    assert "simdes init" in failure.value.advice


def test_an_organisation_is_never_overwritten(tmp_path: Path) -> None:
    config.save(tmp_path, SETTINGS)
    with pytest.raises(Conflict):
        config.save(tmp_path, SETTINGS)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("nonsense", "TOML"),
        ('name = "x"', "incomplete"),
        ('nome = "x"', "nome"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, text: str, names: str) -> None:
    (tmp_path / "simdes.toml").write_text(text)
    with pytest.raises(Invalid, match=names):
        config.load(tmp_path, {})


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "bakery"},
        {"shares_needed": 1},
        {"shares_needed": 4},
        {"custodians": 300},
        {"shares_needed": "2"},
    ],
)
def test_settings_outside_their_limits_are_refused(
    tmp_path: Path, change: dict[str, object]
) -> None:
    with pytest.raises(Invalid):
        config.save(tmp_path, replace(SETTINGS, **change))  # type: ignore[arg-type]
