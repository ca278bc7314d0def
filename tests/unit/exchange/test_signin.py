"""What a session says about how its person signed in (OpenID Connect Core, RFC 8176)."""

from __future__ import annotations

import pytest

from simdes.exchange.signin import MULTIPLE_FACTORS, SINGLE_FACTOR, Authentication


@pytest.mark.parametrize(
    ("methods", "amr", "acr"),
    [
        (("pwd",), ("pwd",), SINGLE_FACTOR),
        (("pwd", "otp"), ("pwd", "otp", "mfa"), MULTIPLE_FACTORS),
        (("hwk", "pop", "user"), ("hwk", "pop", "user", "mfa"), MULTIPLE_FACTORS),
        (("swk", "pop", "user", "pwd"), ("swk", "pop", "user", "pwd", "mfa"), MULTIPLE_FACTORS),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, tuple) else value.rpartition(":")[2],
)
def test_two_factors_are_said_to_be_two(
    methods: tuple[str, ...], amr: tuple[str, ...], acr: str
) -> None:
    authentication = Authentication(methods, 1_800_000_000)
    assert (authentication.amr, authentication.acr) == (amr, acr)
