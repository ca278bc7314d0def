"""A folder as integration engineers meet it: good messages among everything else."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import zipfile
from pathlib import Path

from support.seeds import admission, results

GOOD = {"good.hl7", "sub/folder/results.hl7", "windows.hl7", "framed.hl7", "feed.hl7"}
"""Files of which every message is fine."""

MIXED = {"mixed.hl7"}
"""Files of which one message is fine and another is not."""


def litter(folder: Path) -> dict[str, Path]:
    """Fill a folder and return what must be accounted for, by its name in reports."""
    folder.mkdir(parents=True)
    for name, data in {**_messages(), **_others()}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    os.truncate(_touch(folder / "huge.hl7"), 65 * 1024 * 1024)
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "self").symlink_to(folder / "self")
    (folder / "dangling.hl7").symlink_to(folder / "nowhere.hl7")
    os.mkfifo(folder / "pipe.hl7")
    unreadable = _touch(folder / "unreadable.hl7")
    if os.geteuid() != 0:  # root reads everything; the dangling link stands for it there
        unreadable.chmod(0)
    return {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if not path.is_dir() or path.is_symlink()
    }


def _touch(path: Path) -> Path:
    path.touch()
    return path


def _messages() -> dict[str, bytes]:
    good, report = admission(), results()
    noise = random.Random(7)
    return {
        "good.hl7": good,
        "sub/folder/results.hl7": report,
        "windows.hl7": good.replace(b"\r", b"\r\n"),
        "framed.hl7": b"\x0b" + good + b"\x1c\r",
        "feed.hl7": good + report,
        "mixed.hl7": good + report.replace(b"ORU^R01", b"XXX^X99"),
        "truncated header.hl7": good[:9],
        "truncated identity.hl7": good[: good.index(b"PID") + 6],
        "wrong encoding.hl7": good.replace("Żółć".encode(), b"\xff\xfe\x80\x81"),
        "wrong separators.hl7": b"MSH|||||\rPID|||||\r",
        "same separators.hl7": good.replace(b"MSH|^~\\&|", b"MSH|||||"),
        "letters as separators.hl7": good.replace(b"|", b"A"),
        "no header.hl7": good.partition(b"\r")[2],
        "unknown type.hl7": good.replace(b"ADT^A01", b"ZZZ^Z99"),
        "unknown segments.hl7": good + b"ZZ1|a|b\rQQQ|1\rXYZ\r",
        "megabyte field.hl7": good.replace(b"Plimbertoxa", b"x" * 2_000_000, 1),
        "many repetitions.hl7": good.replace(b"^^^SITE^MR", b"^^^SITE^MR" + b"~1" * 50_000),
        "many segments.hl7": good + b"NTE|1||x\r" * 30_000,
        "zero bytes.hl7": good.replace(b"Plimbertoxa", b"\0\0\0\0"),
        "half noise.hl7": good[:200] + noise.randbytes(2000),
    }


def _others() -> dict[str, bytes]:
    noise = random.Random(8)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../../escape.hl7", admission())
    return {
        "empty.hl7": b"",
        "blank.hl7": b"\r\n \r\n",
        "noise.bin": noise.randbytes(10_000),
        "zeros.bin": bytes(5000),
        "messages.zip": packed.getvalue(),
        "messages.hl7.gz": gzip.compress(admission()),
        "picture.png": b"\x89PNG\r\n\x1a\n" + noise.randbytes(500),
        "letter.pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
        "scan.dcm": bytes(128) + b"DICM" + noise.randbytes(100),
        "claim.x12": b"ISA*00*          *00*          *ZZ*A*ZZ*B*240101*0101*^*00501*1*0*P*:~",
        "list.csv": b"id;name\n1;a\n",
        "document.xml": b"<?xml version='1.0'?><ClinicalDocument xmlns='urn:hl7-org:v3'/>",
        "entities.xml": b"<!DOCTYPE a [<!ENTITY b 'cc'><!ENTITY c '&b;&b;&b;'>]><a>&c;</a>",
        "deep.json": b'{"resourceType":"Bundle","a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "deep objects.json": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        "long number.json": b'{"resourceType":"Observation","x":1' + b"0" * 300_000 + b"}",
        "cut.json": b'{"resourceType":"Bundle","entry":[{"resource":{"resou',
        "not fhir.json": b'{"a": [1, 2, 3]}',
        "other type.json": b'{"resourceType":"Nonsense","id":"1"}',
        "twice.json": b'{"resourceType":"Patient","id":"1","id":"2"}',
        "list.json": json.dumps([1, 2, 3]).encode(),
        "half character.json": b'{"resourceType":"Patient","name":[{"text":"\\ud800"}]}',
        "readme.txt": "Přečti mě.\n".encode(),
        "-rf.hl7": b"not a message",
        "line\nbreak.hl7": b"not a message",
        "\u202eevil.hl7": b"not a message",
    }
