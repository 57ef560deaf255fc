"""BLAKE3 against its published vectors, in Python and, where it is installed, by the package."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.crypto import blake3
from annotated_shadowsocks.errors import LocalProtocolError

# The package where it is installed; None is the code under test.
IMPLEMENTATIONS: dict[str, Any] = {"python": None}
if blake3._package is not None:
    IMPLEMENTATIONS["package"] = blake3._package

CONTEXT = "BLAKE3 2019-12-27 16:29:52 test vectors context"

# BLAKE3-team/BLAKE3 test_vectors/test_vectors.json: octets of input, then the first 32 octets of
# "hash" and of "derive_key". The input counts 0, 1, ... 250, 0, 1, ...
VECTORS = {
    0: (
        "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
        "2cc39783c223154fea8dfb7c1b1660f2ac2dcbd1c1de8277b0b0dd39b7e50d7d",
    ),
    1: (
        "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
        "b3e2e340a117a499c6cf2398a19ee0d29cca2bb7404c73063382693bf66cb06c",
    ),
    63: (
        "e9bc37a594daad83be9470df7f7b3798297c3d834ce80ba85d6e207627b7db7b",
        "b6451e30b953c206e34644c6803724e9d2725e0893039cfc49584f991f451af3",
    ),
    64: (
        "4eed7141ea4a5cd4b788606bd23f46e212af9cacebacdc7d1f4c6dc7f2511b98",
        "a5c4a7053fa86b64746d4bb688d06ad1f02a18fce9afd3e818fefaa7126bf73e",
    ),
    65: (
        "de1e5fa0be70df6d2be8fffd0e99ceaa8eb6e8c93a63f2d8d1c30ecb6b263dee",
        "51fd05c3c1cfbc8ed67d139ad76f5cf8236cd2acd26627a30c104dfd9d3ff8a8",
    ),
    127: (
        "d81293fda863f008c09e92fc382a81f5a0b4a1251cba1634016a0f86a6bd640d",
        "c91c090ceee3a3ac81902da31838012625bbcd73fcb92e7d7e56f78deba4f0c3",
    ),
    128: (
        "f17e570564b26578c33bb7f44643f539624b05df1a76c81f30acd548c44b45ef",
        "81720f34452f58a0120a58b6b4608384b5c51d11f39ce97161a0c0e442ca0225",
    ),
    129: (
        "683aaae9f3c5ba37eaaf072aed0f9e30bac0865137bae68b1fde4ca2aebdcb12",
        "938d2d4435be30eafdbb2b7031f7857c98b04881227391dc40db3c7b21f41fc1",
    ),
    1023: (
        "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11",
        "74a16c1c3d44368a86e1ca6df64be6a2f64cce8f09220787450722d85725dea5",
    ),
    1024: (
        "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7",
        "7356cd7720d5b66b6d0697eb3177d9f8d73a4a5c5e968896eb6a689684302706",
    ),
}

SESSION = "shadowsocks 2022 session subkey"
IDENTITY = "shadowsocks 2022 identity subkey"


@pytest.fixture(params=[*IMPLEMENTATIONS.values()], ids=[*IMPLEMENTATIONS], autouse=True)
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blake3, "_package", request.param)


@pytest.mark.parametrize("size", VECTORS)
def test_published_vectors(size: int) -> None:
    data = bytes(number % 251 for number in range(size))
    assert blake3.digest(data).hex() == VECTORS[size][0]
    assert blake3.derive_key(CONTEXT, data).hex() == VECTORS[size][1]


# Zmax0/urban-spork, AEAD2022TestCase.java
@pytest.mark.parametrize(
    ("context", "material", "key"),
    [
        (
            IDENTITY,
            b"Personal search-enabled assistant for programmers",
            "nb91ZIjdNzFcPmGRS3Lg7m+muVqat549+RSDluyVN4c=",
        ),
        (
            SESSION,
            base64.b64decode("Lc3tTx0BY6ZJ/fCwOx3JvF0I/anhwJBO5p2+FA5Vce4=")
            + base64.b64decode("3oFO0VyLyGI4nFN0M9P+62vPND/L6v8IingaPJWTbJA="),
            "EdNE+4U8dVnHT0+poAFDK2bdlwfrHT61sUNr9WYPh+E=",
        ),
    ],
)
def test_keys_of_a_peer(context: str, material: bytes, key: str) -> None:
    assert blake3.derive_key(context, material) == base64.b64decode(key)


def test_a_shorter_key_is_the_front_of_a_longer_one() -> None:
    # Section 2.6 of the paper: an output may be cut anywhere.
    assert blake3.derive_key(SESSION, b"key", 16) == blake3.derive_key(SESSION, b"key")[:16]


def test_context_and_mode_separate_keys() -> None:
    keys = {
        blake3.derive_key(SESSION, b"key"),
        blake3.derive_key(IDENTITY, b"key"),
        blake3.digest(b"key"),
    }
    assert len(keys) == 3


def test_more_than_a_chunk_is_refused() -> None:
    for call in (blake3.digest, lambda data: blake3.derive_key(SESSION, data)):
        call(bytes(blake3.MAX_INPUT))
        with pytest.raises(LocalProtocolError, match="1025 octets"):
            call(bytes(blake3.MAX_INPUT + 1))


@given(st.binary(max_size=blake3.MAX_INPUT), st.text(max_size=100))
def test_every_implementation_agrees(data: bytes, context: str) -> None:
    answers = set()
    chosen = blake3._package
    try:
        for package in IMPLEMENTATIONS.values():
            blake3._package = package
            answers.add((blake3.digest(data), blake3.derive_key(context, data)))
    finally:
        blake3._package = chosen
    assert len(answers) == 1
