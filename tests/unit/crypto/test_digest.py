"""Published vectors: Keccak (Ethereum), SHA-256 (FIPS 180-4), HKDF (RFC 5869 appendix A)."""

from __future__ import annotations

import pytest

from simdes.crypto.digest import hkdf, hkdf_expand, hkdf_extract, keccak256, sha256


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
        (
            b"The quick brown fox jumps over the lazy dog",
            "4d741b6f1eb29cb2a9b9911c82f56fa8d73b04959d3d9d222895df6c0b28aa15",
        ),
    ],
)
def test_keccak_is_the_one_of_ethereum(data: bytes, digest: str) -> None:
    assert keccak256(data).hex() == digest


# https://eips.ethereum.org/EIPS/eip-55#test-cases
EIP_55 = (
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
)


@pytest.mark.parametrize("address", EIP_55)
def test_keccak_gives_the_published_address_checksums(address: str) -> None:
    lower = address[2:].lower()
    nibbles = keccak256(lower.encode()).hex()
    checked = "".join(
        c.upper() if int(x, 16) > 7 else c for c, x in zip(lower, nibbles, strict=False)
    )
    assert "0x" + checked == address


def test_sha256_matches_its_standard() -> None:
    assert sha256(b"abc").hex() == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


RFC_5869 = [
    (
        b"\x0b" * 22,
        bytes(range(13)),
        bytes(range(0xF0, 0xFA)),
        42,
        "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    (
        bytes(range(0x50)),
        bytes(range(0x60, 0xB0)),
        bytes(range(0xB0, 0x100)),
        82,
        "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
        "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
        "cc30c58179ec3e87c14c01d5c1f3434f1d87",
    ),
    (
        b"\x0b" * 22,
        b"",
        b"",
        42,
        "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
]


@pytest.mark.parametrize(("secret", "salt", "info", "length", "key", "output"), RFC_5869)
def test_hkdf_matches_the_vectors_of_its_rfc(
    secret: bytes, salt: bytes, info: bytes, length: int, key: str, output: str
) -> None:
    assert hkdf_extract(secret, salt=salt).hex() == key
    assert hkdf_expand(bytes.fromhex(key), info=info, length=length).hex() == output
    assert hkdf(secret, salt=salt, info=info, length=length).hex() == output
