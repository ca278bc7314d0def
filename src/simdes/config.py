"""Settings of one organisation: a folder with `simdes.toml`, `network.json` and its keys.

The choice between the embedded parts and a consortium's servers is a URL each (ARCHITECTURE.md),
here or in the environment:

=========================  ==========================================  ==========================
setting                    environment                                 values
=========================  ==========================================  ==========================
``ledger_url``             ``SIMDES_LEDGER_URL``                       ``embedded:PATH`` ``http://…``
``store_url``              ``SIMDES_IPFS_URL``                         ``file:PATH`` ``ipfs:http://…``
``database_url``           ``SIMDES_DATABASE_URL``                     ``sqlite:PATH`` ``postgresql://…``
``log_level``              ``SIMDES_LOG_LEVEL``                        one of `LOG_LEVELS`
=========================  ==========================================  ==========================
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from simdes.errors import Conflict, Invalid, NotFound

KINDS = ("hospital", "pharmacy", "insurer", "research")

_ENVIRONMENT = {
    "ledger_url": "SIMDES_LEDGER_URL",
    "store_url": "SIMDES_IPFS_URL",
    "database_url": "SIMDES_DATABASE_URL",
    "log_level": "SIMDES_LOG_LEVEL",
}
_FILES = ("file:", "sqlite:", "embedded:")
LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("json", "text")
PROFILE_ERRORS = ("refuse", "warn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `simdes init` writes down. Ids are 0x-hex; relative paths are relative to the folder.

    ``shares_needed`` (m) and ``custodians`` (n) are for vaults this organisation opens.
    ``stale_after_seconds`` is the age of the ledger's head beyond which custodians refuse;
    0 means that the ledger makes blocks on demand, so that the head has no meaningful age.
    ``ledger_url`` may list several nodes of one network, the preferred one first;
    ``ledger_agree`` of them must say the same of a contract's state before it is believed.
    ``strangers_per_hour``, ``patients_per_hour`` and ``patients_per_day`` are how many patients
    (not in treatment here; any) somebody reads before a second factor is asked for; 0: never.
    ``listen_…`` is where `simdes listen` takes HL7 v2, with how many connections at once, and its
    TLS files (PEM); empty names no file.
    ``log_…`` is what goes to standard error, and how. ``metrics_token_file`` names the file with
    the bearer token of ``/metrics``; empty leaves ``/metrics`` to this machine alone.
    ``traces_url`` is the OTLP/HTTP collector that ``traces_percent`` of the traces go to; empty:
    none are made.
    ``serve_connections`` is how many connections `simdes serve` takes at once; when it is told to
    stop, ``/readyz`` says so for ``leave_seconds``, then what is under way has ``stop_seconds``.
    ``facade_…`` names a FHIR R4 server whose records are read into this organisation's; empty
    reads none. See docs/guide.md, "Keep your FHIR server".
    ``subscription_hosts`` lists hosts of our own network (``host`` or ``host:port``) to which
    notifications of subscriptions may go, http included; anywhere else only https to public
    addresses.
    ``profile_errors`` says what becomes of a resource written over FHIR that breaks a profile it
    claims: ``refuse``, or ``warn`` and store it.
    ``import_hosts`` lists the hosts (``host`` or ``host:port``) from which bulk imports may fetch
    files, and the addresses or networks of our own where these may be; empty: none.
    ``import_credentials_file`` names what is shown to these hosts where exports are begun there.
    ``nurses_prescribe`` 1 lets a hospital's nurses write prescriptions (0: doctors alone).
    ``prescription_batch_seconds`` is the period in which a hospital issues a batch of statements,
    ``prescription_valid_days`` how long a prescription is good that names no end,
    ``offline_hours`` by how old a state a pharmacy hands out while the ledger is away (0: never),
    ``proofs_per_minute`` how many proofs one account has this organisation make,
    ``proving_keys`` the folder with the ceremony's keys; ``development`` takes the shipped ones,
    whose proofs anybody can forge. See docs/prescriptions.md.
    ``cds_clients_file`` names the JSON list of clinical systems that may ask for decision support
    (CDS Hooks), with their keys; empty: none.
    ``fingerprints_per_day`` is how many fingerprints each insurer may have this organisation, as a
    custodian, evaluate in a day, ``fingerprint_hours`` how often an insurer publishes its own
    (0: by command alone). See docs/formats/fingerprints.md.
    ``reconcile_at`` is the time of day (``time_zone``) at which audit trails are held against other
    organisations'; empty: never. See docs/audit.md.
    ``disk_free_mib`` is the free space below which ``/readyz`` says that it is not ready.
    ``copies`` is at how many organisations what is stored lies, this one included; all is read
    again every ``verify_hours``, ``verify_mib_per_second`` at most; ``keep_gib`` is how much each
    other organisation may have kept here, 0 without limit. See docs/storage.md.
    ``backup_folder`` is where `simdes backup` writes, and where `simdes serve` keeps the keys
    beside the backups those of now; empty: nowhere. Backups go after ``backup_days``.
    ``chart_duty`` names the law by which this organisation keeps what it wrote of a patient whose
    vault is erased, as the receipt of the erasure says; empty: it keeps nothing.
    ``counts_of_researcher`` and ``counts_of_organisation`` are how many noisy counts of patients a
    researcher, and all of another organisation's, get here in all; 0: none. See docs/research.md.
    ``mail_url`` is the server that takes notices by e-mail (``smtp://USER@HOST:587``,
    ``smtps://USER@HOST:465``, ``plain://localhost:25``, ``file:PATH`` for a folder; empty: nobody
    is written to), ``mail_from`` the address that they come from, ``mail_password_file`` the
    login's password, unless ``SIMDES_MAIL_PASSWORD`` is. See docs/operations/mail.md.
    """

    name: str
    kind: str
    organisation: str
    ledger_url: str
    store_url: str
    database_url: str
    custody_url: str = "http://127.0.0.1:8400"
    shares_needed: int = 2
    custodians: int = 3
    stale_after_seconds: int = 0
    ledger_agree: int = 1
    strangers_per_hour: int = 10
    patients_per_hour: int = 60
    patients_per_day: int = 200
    time_zone: str = "UTC"
    listen_host: str = "127.0.0.1"
    listen_port: int = 2575
    listen_connections: int = 256
    listen_certificate: str = ""
    listen_key: str = ""
    listen_client_ca: str = ""
    log_level: str = "info"
    log_format: str = "json"
    metrics_token_file: str = ""
    traces_url: str = ""
    traces_percent: int = 100
    serve_connections: int = 1024
    leave_seconds: int = 0
    stop_seconds: int = 20
    disk_free_mib: int = 256
    copies: int = 3
    verify_hours: int = 24
    verify_mib_per_second: int = 8
    keep_gib: int = 0
    backup_folder: str = ""
    backup_days: int = 30
    chart_duty: str = ""
    counts_of_researcher: int = 20
    counts_of_organisation: int = 100
    facade_url: str = ""
    facade_types: str = ""
    facade_mode: str = ""
    facade_page_size: int = 200
    facade_poll_seconds: int = 30
    facade_overlap_seconds: int = 60
    facade_credentials_file: str = ""
    facade_ca_file: str = ""
    facade_notify_secret_file: str = ""
    facade_notify_url: str = ""
    subscription_hosts: str = ""
    profile_errors: str = "refuse"
    import_hosts: str = ""
    import_credentials_file: str = ""
    reconcile_at: str = "02:30"
    nurses_prescribe: int = 0
    prescription_batch_seconds: int = 300
    prescription_valid_days: int = 365
    offline_hours: int = 24
    proofs_per_minute: int = 20
    proving_keys: str = ""
    cds_clients_file: str = ""
    fingerprints_per_day: int = 20_000
    fingerprint_hours: int = 24
    mail_url: str = ""
    mail_from: str = ""
    mail_password_file: str = ""


def with_limits_of_kind(settings: Settings) -> Settings:
    """Settings of a new organisation, with the limits of its kind.

    A pharmacy's queue and an insurer's list are patients one after the other: sixty an hour would
    stop a counter at noon.
    """
    if settings.kind not in ("pharmacy", "insurer"):
        return settings
    return replace(settings, patients_per_hour=240, patients_per_day=1_000)


def data_path(url: str, data: Path) -> str:
    """Make the path in ``file:``, ``sqlite:`` or ``embedded:`` URLs absolute, below ``data``."""
    scheme, _, rest = url.partition(":")
    if scheme not in ("file", "sqlite", "embedded") or rest.startswith("/"):
        return url
    return f"{scheme}:{(data / rest).resolve()}"


def places(data: Path, settings: Settings) -> tuple[Path, ...]:
    """The folders that an organisation writes into itself."""
    urls = (settings.ledger_url, settings.store_url, settings.database_url)
    named = [
        Path(url.partition(":")[2].partition("?")[0]) for url in urls if url.startswith(_FILES)
    ]
    return (data, *(one if one.is_dir() else one.parent for one in named))


def load(data: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the folder's settings, the environment taking precedence.

    Raises NotFound where the folder is no organisation, Invalid where a setting is not known.
    """
    path = data / "simdes.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFound(
            f"{data} holds no organisation (no simdes.toml).",
            advice="Make one with `simdes init --data DIR --name N --kind hospital`.",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} is not readable as TOML: {error}") from error
    known = {field.name for field in fields(Settings)}
    if unknown := sorted(set(table) - known):
        raise Invalid(f"{path} has unknown settings: {', '.join(unknown)}.")
    try:
        settings = Settings(**table)
    except TypeError as error:
        raise Invalid(f"{path} is incomplete: {error}.") from error
    overrides = {name: environment[key] for name, key in _ENVIRONMENT.items() if key in environment}
    settings = replace(settings, log_level=overrides.get("log_level", settings.log_level))
    _check(settings)
    return replace(
        settings,
        ledger_url=data_path(overrides.get("ledger_url", settings.ledger_url), data),
        store_url=data_path(overrides.get("store_url", settings.store_url), data),
        database_url=data_path(overrides.get("database_url", settings.database_url), data),
    )


def save(data: Path, settings: Settings) -> None:
    """Write the settings of a new organisation; Conflict where the folder already holds one."""
    _check(settings)
    data.mkdir(parents=True, exist_ok=True)
    lines = [
        f"{name} = {json.dumps(value, ensure_ascii=False)}"
        for name, value in asdict(settings).items()
    ]
    try:
        # Its owner's alone: URLs in it may hold passwords.
        with open(data / "simdes.toml", "x", encoding="utf-8", opener=_own) as file:
            file.write("# Settings of one SIMDES organisation; see `simdes init --help`.\n")
            file.write("\n".join(lines) + "\n")
    except FileExistsError:
        raise Conflict(
            f"{data} already holds an organisation.", advice="Choose another folder."
        ) from None


def _own(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _check(settings: Settings) -> None:
    for field in fields(Settings):
        value = getattr(settings, field.name)
        wanted = int if field.type == "int" else str
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise Invalid(f"Setting {field.name} must be {wanted.__name__}.")
    if settings.kind not in KINDS:
        raise Invalid(f"Kind must be one of {', '.join(KINDS)}.")
    if settings.log_level not in LOG_LEVELS or settings.log_format not in LOG_FORMATS:
        raise Invalid(
            f"The log's level is one of {', '.join(LOG_LEVELS)}, its format one of "
            f"{', '.join(LOG_FORMATS)}."
        )
    if settings.serve_connections < 1 or min(settings.leave_seconds, settings.stop_seconds) < 0:
        raise Invalid("serve_connections is at least 1; no number of seconds is below 0.")
    nodes = settings.ledger_url.replace(",", " ").split()
    if not 1 <= settings.ledger_agree <= max(1, len(nodes)):
        raise Invalid("ledger_agree is at least 1 and at most the number of nodes in ledger_url.")
    if settings.facade_page_size not in range(1, 5001) or settings.facade_poll_seconds < 1:
        raise Invalid("facade_page_size is 1 to 5000, facade_poll_seconds at least 1.")
    if settings.facade_mode not in ("", "history-system", "history-type", "search"):
        raise Invalid("facade_mode is empty, history-system, history-type or search.")
    _check_copies(settings)
    _check_reconciling(settings)
    _check_counts(settings)
    _check_prescriptions(settings)
    hours, of_day = settings.fingerprint_hours, settings.fingerprints_per_day
    lowest = min(settings.facade_overlap_seconds, of_day, hours)
    if lowest < 0 or settings.backup_days < 1:
        raise Invalid(
            "facade_overlap_seconds, fingerprints_per_day and fingerprint_hours are at least 0, "
            "backup_days at least 1."
        )
    if not 0 <= settings.traces_percent <= 100:
        raise Invalid("traces_percent is 0 to 100.")
    if settings.profile_errors not in PROFILE_ERRORS:
        raise Invalid(f"profile_errors is one of {', '.join(PROFILE_ERRORS)}.")
    if not 2 <= settings.shares_needed <= settings.custodians <= 255:
        raise Invalid("Shares needed (m) and custodians (n) must obey 2 ≤ m ≤ n ≤ 255.")


def _check_reconciling(settings: Settings) -> None:
    if not re.fullmatch(r"(([01]\d|2[0-3]):[0-5]\d)?", settings.reconcile_at, re.ASCII):
        raise Invalid("reconcile_at is a time of day like 02:30, or empty.")


def _check_counts(settings: Settings) -> None:
    counts = (settings.counts_of_researcher, settings.counts_of_organisation)
    if not all(0 <= most <= 10_000 for most in counts):
        raise Invalid("counts_of_researcher and counts_of_organisation are 0 to 10000.")


def _check_copies(settings: Settings) -> None:
    if not 1 <= settings.copies <= 16:
        raise Invalid("copies is 1 to 16.")
    if min(settings.verify_hours, settings.verify_mib_per_second) < 1 or settings.keep_gib < 0:
        raise Invalid(
            "verify_hours and verify_mib_per_second are at least 1, keep_gib is at least 0."
        )


def _check_prescriptions(settings: Settings) -> None:
    if settings.nurses_prescribe not in (0, 1) or settings.offline_hours < 0:
        raise Invalid("nurses_prescribe is 0 or 1, offline_hours at least 0.")
    if settings.prescription_batch_seconds < 1 or settings.prescription_valid_days < 1:
        raise Invalid("prescription_batch_seconds and prescription_valid_days are at least 1.")
    if settings.proofs_per_minute < 1:
        raise Invalid("proofs_per_minute is at least 1.")
