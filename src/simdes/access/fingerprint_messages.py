"""The bodies of the custody verbs of fingerprints (docs/formats/fingerprints.md)."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from simdes.access.requests import Hex32

MAX_DEALINGS = 16
MAX_DEALING_TEXT = 48 << 10
MAX_EVALUATED = 256


class ContributeBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`contribute`: deal towards the key of a plan that your operator agreed to."""

    plan: Hex32


class ConcludeBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`conclude`: take your share of a plan's key from what all dealt (base64url each)."""

    plan: Hex32
    dealings: Annotated[
        list[Annotated[str, Meta(max_length=MAX_DEALING_TEXT)]],
        Meta(min_length=2, max_length=MAX_DEALINGS),
    ]


class EvaluateBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`evaluate`: these blinded inputs under your share of a key; asked by insurers."""

    key: Hex32
    elements: Annotated[list[Hex32], Meta(min_length=1, max_length=MAX_EVALUATED)]


class FingerprintsBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`fingerprints`: what you published behind batch ``after``; asked by insurers."""

    function: Hex32
    after: Annotated[int, Meta(ge=0, lt=1 << 53)] = 0
