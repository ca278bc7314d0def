"""Opening a release: by a researcher of the sponsor, who accepts the terms by signature, in time.

docs/formats/studies.md, "Release". Nothing is opened that the ledger doesn't have recorded.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final

import msgspec

from simdes.access.categories import Role
from simdes.crypto.digest import sha256
from simdes.crypto.letter import open_letter
from simdes.decoding import ready
from simdes.errors import Conflict, Forbidden, Invalid, NotFound, Tampered
from simdes.exchange.node import Node
from simdes.exchange.research.releasing import ABOUT, LETTER_INFO, MANIFEST, TERMS, parts_of
from simdes.exchange.research.studies import Document, Id, octets, stands
from simdes.exchange.signin import Session
from simdes.ledger.contracts import members_digest

ACCEPTED: Final = "accepted-terms.json"
_ACCEPTANCE: Final = b"simdes/data-use/v1\0"
_MOST_MANIFEST_BYTES: Final = 64 * 1024 * 1024


class _About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    study: Id
    numbers: Annotated[tuple[int, ...], msgspec.Meta(min_length=1, max_length=10_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What was opened: files, and the manifest that the ledger has the digest of."""

    number: int
    files: tuple[Path, ...]
    manifest: dict[str, Any]


def acceptance_digest(study: bytes, number: int, terms: bytes) -> bytes:
    """What a researcher signs: the terms (their SHA-256) for one release."""
    return sha256(_ACCEPTANCE + study + number.to_bytes(4, "big") + terms)


def open_release(
    node: Node, session: Session, document: Document, package: Path, into: Path, *, accepts: bool
) -> Opened:
    """Open a release into a new folder, with the acceptance of its terms beside the files.

    Raises Forbidden where the terms are not accepted or the session is no researcher of the
    sponsor, Conflict after the release's time, Tampered for what is not as recorded.
    """
    found = stands(node, document)
    if session.actor.role != Role.RESEARCHER or session.actor.organisation != found.sponsor:
        raise Forbidden("Only a researcher of the study's sponsor opens a release.")
    if not accepts:
        raise Forbidden(
            "The data-use terms were not accepted.", advice="Read them, then --accept-terms."
        )
    if into.exists() and any(into.iterdir()):
        raise Conflict(f"{into.name} is not empty.")
    try:
        with zipfile.ZipFile(package) as file:
            return _opened(node, session, file, into, study=found.id)
    except FileNotFoundError:
        raise NotFound(f"{package.name} does not exist.") from None
    except (zipfile.BadZipFile, KeyError, msgspec.DecodeError):
        raise Tampered("This is no package of a release, or it was cut.") from None


def _opened(
    node: Node, session: Session, file: zipfile.ZipFile, into: Path, *, study: bytes
) -> Opened:
    about = msgspec.json.decode(file.read(ABOUT), type=ready(_About))
    if octets(about.study) != study:
        raise Invalid("This release is of another study.")
    if file.getinfo(MANIFEST).file_size > _MOST_MANIFEST_BYTES:
        raise Tampered("The manifest is too large.")
    written, terms = file.read(MANIFEST), sha256(file.read(TERMS))
    manifest: dict[str, Any] = msgspec.json.decode(written)
    until = _recorded(node, study, about.numbers, manifest, hashlib.sha256(written).digest())
    if node.now_seconds() >= until:
        raise Conflict("The release's time is over.", advice="Delete it.")
    number = about.numbers[0]
    signature = session.key.sign(acceptance_digest(study, number, terms))
    into.mkdir(parents=True, exist_ok=True)
    files = tuple(_file(node, file, into, one, written) for one in manifest["files"])
    accepted = {
        "study": about.study,
        "number": number,
        "terms": f"0x{terms.hex()}",
        "account": f"0x{session.actor.account.hex()}",
        "signature": f"0x{signature.hex()}",
    }
    (into / ACCEPTED).write_bytes(msgspec.json.encode(accepted))
    return Opened(number=number, files=files, manifest=manifest)


def _recorded(
    node: Node, study: bytes, numbers: Sequence[int], manifest: Mapping[str, Any], digest: bytes
) -> int:
    """Until when it may be kept; Tampered unless the ledger has all of it, with these members."""
    parts = parts_of([octets(one) for one in manifest["members"]])
    found = [node.contracts.studies.release(study, number) for number in numbers]
    if [None if one is None else (one.manifest, one.members) for one in found] != [
        (digest, members_digest(part)) for part in parts
    ]:
        raise Tampered("The ledger has no such release.", advice="Delete it; ask its sponsor.")
    return min(one.until for one in found if one is not None)


def _file(
    node: Node, file: zipfile.ZipFile, into: Path, said: dict[str, Any], manifest: bytes
) -> Path:
    """Open one file's parts in their order and compare them with the manifest."""
    name = PurePosixPath(said["name"])
    if name.is_absolute() or ".." in name.parts:
        raise Tampered("The manifest names a file outside the release.")
    target = into / name
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size, number = hashlib.sha256(), 0, 0
    with target.open("xb") as out:
        while size < said["bytes"]:
            part = f"{name}.{number:05}"
            info = LETTER_INFO + sha256(manifest) + part.encode()
            letter = file.read(f"sealed/{part}")
            content = open_letter(letter, node.desk.keystore.descriptor_key, info=info)
            if not content:
                raise Tampered("A part of the release is sealed to somebody else.")
            digest.update(content)
            size += out.write(content)
            number += 1
    if size != said["bytes"] or digest.hexdigest() != said["sha256"]:
        raise Tampered("A file is not the one in the manifest.")
    return target
