import pytest

from annotated_shadowsocks.crypto.kdf import evp_bytes_to_key, session_subkey


# HMBSbige/Shadowsocks.Net UnitTest/DeriveKeyTest.cs
@pytest.mark.parametrize(
    ("password", "key"),
    [
        (
            "123中1文da18测)试abc!#$@(",
            "8c5ea5e7ade3b3133a479e6aff0506dd7952bf75984a26722070cd9e44a09353",
        ),
        (
            "Imakethis_LongPassPhraseFor_safety_2019_0928@_@!",
            "4b01a2d762fada9ede4d1034a13dc69c3b528b738236b99cd3a472d2933580d6",
        ),
        ("password", "5f4dcc3b5aa765d61d8327deb882cf992b95990a9151374abd8ff8c5a7a0fe08"),
        ("Julia", "2344521e389d6897ae7af9abf16e7ccc2470ab4741a3147a1706d1f4fe28e827"),
    ],
)
@pytest.mark.parametrize("size", [16, 24, 32])
def test_evp_bytes_to_key(password: str, key: str, size: int) -> None:
    assert evp_bytes_to_key(password.encode(), size) == bytes.fromhex(key)[:size]


def test_session_subkey_of_a_captured_stream() -> None:
    # The capture of the Great Firewall Report, shadowsocks-org issue 184: aes-256-gcm.
    key = evp_bytes_to_key(b"mypassword", 32)
    salt = bytes.fromhex("b0cee48154f678d86bb11ef35c4a069fedd6c7748ceca018702f104a6f52b22b")
    subkey = "ea26c5ffb8a1588aafe0bda1f5e52a681cf6954c85c4a00863cf7d320748aed2"
    assert session_subkey(key, salt).hex() == subkey


def test_session_subkey_is_as_long_as_the_key() -> None:
    # HKDF expands in blocks that do not depend on how much is asked for [RFC5869 §2.3], but the
    # key is input as well: 16 octets of it do not give the front of what 32 give.
    salt = bytes(32)
    subkeys = [session_subkey(bytes(range(size)), salt) for size in (16, 24, 32)]
    assert [len(subkey) for subkey in subkeys] == [16, 24, 32]
    assert not subkeys[2].startswith(subkeys[0])
