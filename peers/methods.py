"""Methods in groups, by the names that we give them."""

__all__ = ["AEAD", "AEAD_EXTRA", "AES_2022", "AES_GCM", "ALL_2022", "sized"]

AES_GCM = frozenset({"aes-128-gcm", "aes-192-gcm", "aes-256-gcm"})

AEAD = AES_GCM | {"chacha20-ietf-poly1305", "xchacha20-ietf-poly1305"}

#: In no specification, and in one peer.
AEAD_EXTRA = frozenset(
    {"aes-128-ccm", "aes-256-ccm", "aes-128-gcm-siv", "aes-256-gcm-siv", "sm4-gcm"}
)

#: Those that can have users, since an identity header is a block of AES.
AES_2022 = frozenset({"2022-blake3-aes-128-gcm", "2022-blake3-aes-256-gcm"})

ALL_2022 = AES_2022 | {"2022-blake3-chacha20-poly1305"}


def sized(cipher: str, *modes: str) -> frozenset[str]:
    """A cipher with keys of 128, 192 and 256 bits, in these modes."""
    return frozenset(f"{cipher}-{bits}-{mode}" for bits in (128, 192, 256) for mode in modes)
