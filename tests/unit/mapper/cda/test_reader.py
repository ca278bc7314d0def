"""XML that would do harm, or is no CDA document, is refused with a reason."""

import pytest

from simdes.errors import TooLarge
from simdes.mapper import map_bytes
from simdes.mapper.cda.reader import read
from simdes.mapper.model import LIMITS, Limits
from unit.mapper.cda.samples import document, mapped, only


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"<section xmlns='urn:hl7-org:v3'/>", "not-cda"),
        (b"<Bundle xmlns='http://hl7.org/fhir'/>", "not-cda"),
        (b"<ClinicalDocument xmlns='urn:hl7-org:v3'/>", "not-cda"),
        (b"", "invalid-xml"),
        (b"rubbish", "invalid-xml"),
        (document()[:-30], "invalid-xml"),
        (document()[:400], "invalid-xml"),
        (document().replace(b"Example", b"\xff\xfe"), "invalid-xml"),
        (b"<!DOCTYPE x><ClinicalDocument/>", "forbidden-xml"),
        (
            b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><ClinicalDocument>&a;'
            b"</ClinicalDocument>",
            "forbidden-xml",
        ),
        ("<!DOCTYPE x><ClinicalDocument/>".encode("utf-16"), "forbidden-xml"),
        (b"<ClinicalDocument>&undeclared;</ClinicalDocument>", "invalid-xml"),
        (
            b"<ClinicalDocument>" + b"<a>" * 150 + b"</a>" * 150 + b"</ClinicalDocument>",
            "too-large",
        ),
        (b"<ClinicalDocument>" + b"<a/>" * 500_000 + b"</ClinicalDocument>", "too-large"),
        (b"<ClinicalDocument>" + b"x" * 11_000_000 + b"</ClinicalDocument>", "too-large"),
        (b"<ClinicalDocument " + b"a=''" * 1_000_001 + b"/>", "too-large"),
        (
            b"<ClinicalDocument %s/>" % b" ".join(b"a%d=''" % at for at in range(50_000)),
            "too-large",
        ),
    ],
)
def test_what_cannot_be_read_is_quarantined(data: bytes, code: str) -> None:
    (item,) = map_bytes("x.xml", data, kind="cda").quarantined
    assert item.reason_code == code
    assert item.advice or code == "too-large"
    assert item.source == data


def test_the_reason_never_quotes_the_document() -> None:
    (item,) = map_bytes("x.xml", b"<ClinicalDocument><secret></other>", kind="cda").quarantined
    assert "secret" not in item.reason + item.advice


def test_a_document_over_the_limit_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(TooLarge):
        read(document(), limits=Limits(message_bytes=100))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "utf-8-sig"])
def test_any_declared_encoding_is_read(encoding: str) -> None:
    declared = encoding.removesuffix("-sig")
    text = document().decode().replace("Example", "Müller").replace("UTF-8", declared)
    found = mapped(text.encode(encoding))
    assert only(found, "Patient")["name"][0]["family"] == "Müller"


def test_prefixes_may_be_any_and_may_be_missing() -> None:
    plain = document().replace(b' xmlns="urn:hl7-org:v3"', b"")
    prefixed = b"""<h:ClinicalDocument xmlns:h="urn:hl7-org:v3"><h:id root="1.2.3" extension="d1"/>
        </h:ClinicalDocument>"""
    undeclared = (
        document()
        .replace(b' xmlns:sdtc="urn:hl7-org:sdtc"', b"")
        .replace(b"</name>", b'</name><sdtc:deceasedInd value="true"/>')
    )
    assert only(mapped(plain), "Patient")["id"] == only(mapped(document()), "Patient")["id"]
    assert read(prefixed, limits=LIMITS).root.inner["id"][0].inner["@root"][0].value == "1.2.3"
    assert only(mapped(undeclared), "Patient")["deceasedBoolean"] is True


def test_comments_and_instructions_are_no_content() -> None:
    source = document().replace(b"<given>", b"<?x y?><given><!-- no -->")
    assert only(mapped(source), "Patient")["name"][0]["given"] == ["Ann"]
