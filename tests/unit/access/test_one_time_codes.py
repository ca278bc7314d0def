"""RFC 6238, appendix B; secrets under the account's key; recovery codes."""

from __future__ import annotations

import base64
import os
from urllib.parse import parse_qs, urlsplit

import pytest

from simdes.access import one_time_codes
from simdes.access.one_time_codes import code_at, matching_step
from simdes.crypto.keys import SigningKey
from simdes.errors import Tampered

SECRET = b"12345678901234567890"
# The RFC prints eight digits; six are the last six of them.
VECTORS = {
    59: "94287082",
    1_111_111_109: "07081804",
    1_111_111_111: "14050471",
    1_234_567_890: "89005924",
    2_000_000_000: "69279037",
    20_000_000_000: "65353130",
}


@pytest.mark.parametrize("time", VECTORS)
def test_codes_are_those_of_the_rfc(time: int) -> None:
    assert code_at(SECRET, time) == VECTORS[time][-6:]


def test_a_code_is_taken_one_step_early_or_late_and_no_further() -> None:
    code = code_at(SECRET, 600)
    steps = {now: matching_step(SECRET, code, now_seconds=now) for now in range(480, 750, 30)}
    assert {now for now, step in steps.items() if step is not None} == {570, 600, 630}
    assert {step for step in steps.values() if step is not None} == {20}
    assert matching_step(SECRET, "", now_seconds=600) is None
    assert matching_step(SECRET, "１２３４５６", now_seconds=600) is None


def test_a_secret_opens_with_its_accounts_key_alone() -> None:
    key, other, account = *(SigningKey.generate(os.urandom) for _ in "ab"), os.urandom(32)
    wrapped = one_time_codes.wrap_secret(key, account, SECRET, random=os.urandom)
    assert SECRET not in wrapped
    assert one_time_codes.unwrap_secret(key, account, wrapped) == SECRET
    for wrong_key, wrong_account in ((other, account), (key, os.urandom(32))):
        with pytest.raises(Tampered):
            one_time_codes.unwrap_secret(wrong_key, wrong_account, wrapped)


def test_the_address_holds_what_apps_need() -> None:
    address = one_time_codes.uri(SECRET, issuer="Hôpital: Nord", user="dr.ann@north")
    parts = urlsplit(address)
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    fields = {name: value for name, [value] in parse_qs(parts.query).items()}
    assert base64.b32decode(fields["secret"]) == SECRET
    assert fields | {"secret": ""} == {
        "secret": "",
        "issuer": "Hôpital: Nord",
        "algorithm": "SHA1",
        "digits": "6",
        "period": "30",
    }
    assert one_time_codes.readable(SECRET).replace(" ", "") == fields["secret"]


def test_recovery_codes_are_distinct_and_read_as_people_write_them() -> None:
    codes = one_time_codes.new_recovery_codes(os.urandom)
    assert len(set(codes)) == 10
    account, code = os.urandom(32), codes[0]
    written = [code, code.upper(), code.replace("-", " "), f" {code} "]
    assert len({one_time_codes.recovery_digest(account, one) for one in written}) == 1
    assert one_time_codes.recovery_digest(os.urandom(32), code) != (
        one_time_codes.recovery_digest(account, code)
    )
