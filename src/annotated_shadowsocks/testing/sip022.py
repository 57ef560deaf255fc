"""Sessions of AEAD-2022, octet by octet, and the randomness that they were made with.

No specification and no peer publishes octets for SIP022. These were computed from SIP022, SIP023
and the paper on BLAKE3 by a program that shares no code with this package, and sing-shadowsocks
0.2.8 understands what the clients say in them, identity headers included. All of them say the same
with another method each::

    time             1700000000
    target           example.com:443
    PSK              00 01 02 ..          uPSK, behind the PSK as an iPSK    40 41 42 ..
    request salt     80 81 82 ..          response salt                      c0 c1 c2 ..
    client session   0102030405060708     server session                     1112131415161718
    request          padding of 4 zero octets, payload "hello", then a chunk "again"
    response         payload "world"
    datagrams        "ping" to the server, "pong" back: packet 0 of each session, no padding
"""

from collections.abc import Callable
from dataclasses import dataclass

from ..crypto.methods import TABLE, CipherMethod
from ..endpoint import Endpoint
from ..shadowsocks.psk import PreSharedKey
from ..shadowsocks.timestamp import Timestamps

__all__ = [
    "CLIENT_SESSION",
    "SERVER_SESSION",
    "TARGET",
    "TIME",
    "VECTORS",
    "Vector",
    "scripted",
    "timestamps",
]

TIME = 1700000000
TARGET = Endpoint("example.com", 443)
CLIENT_SESSION = bytes.fromhex("0102030405060708")
SERVER_SESSION = bytes.fromhex("1112131415161718")

_hex = bytes.fromhex


@dataclass(frozen=True)
class Vector:
    """One method's octets; of a method without identity headers those are empty."""

    method: CipherMethod
    psk_base64: str
    subkey: bytes
    request: bytes
    response: bytes
    client_packet: bytes
    server_packet: bytes = b""
    upsk_base64: str = ""
    upsk_identity: bytes = b""
    identity_header: bytes = b""
    identity_request: bytes = b""
    identity_packet: bytes = b""

    @property
    def psk(self) -> PreSharedKey:
        """The key, a new object each time."""
        return PreSharedKey(self.method, bytes(range(self.method.key_size)))

    @property
    def upsk(self) -> PreSharedKey:
        """The user's key, where ``psk`` is the identity key."""
        return PreSharedKey(self.method, bytes(range(0x40, 0x40 + self.method.key_size)))

    @property
    def request_salt(self) -> bytes:
        """What the request begins with."""
        return bytes(range(0x80, 0x80 + self.method.salt_size))

    @property
    def response_salt(self) -> bytes:
        """What the response begins with."""
        return bytes(range(0xC0, 0xC0 + self.method.salt_size))


def scripted(*pieces: bytes) -> Callable[[int], bytes]:
    """Entropy that gives ``pieces`` in turn, and is asked for exactly them."""
    left = list(pieces)

    def entropy(size: int) -> bytes:
        assert left, f"{size} octets of entropy more than were scripted"
        piece = left.pop(0)
        assert len(piece) == size, f"asked for {size} octets of entropy, scripted are {len(piece)}"
        return piece

    return entropy


def timestamps(ahead: float = 0.0, since: float = 0.0) -> Timestamps:
    """The time of the vectors, ``ahead`` seconds later."""
    return Timestamps(lambda: TIME + ahead, since)


VECTORS = {
    vector.method.name: vector
    for vector in (
        Vector(
            TABLE["2022-blake3-aes-128-gcm"],
            "AAECAwQFBgcICQoLDA0ODw==",
            subkey=_hex("722b3033c5d021365a8521bfb41157a3"),
            request=_hex(
                "808182838485868788898a8b8c8d8e8fa342d2422f3788104ccf9539faa0ac80e8069f31"
                "bf8d282384653e29d3b0438a29361410a8bd8dcaf41e873fb5bfe10be2c3807f6c01389b"
                "08436461dcd409f1c15300bbfd37c8ce9d7b477a05eb980c9aea635220fa83b404b6271c"
                "b4e941bd0f4c1cb37fcf6b479aee85c0"
            ),
            response=_hex(
                "c0c1c2c3c4c5c6c7c8c9cacbcccdcecfc1b3ab154843fd6fa2e950c251fe1ad3f55010d0"
                "74280fe17a01ea5954361e7541f29b2f9921eb7110bbc7c706bf9b66c0d4064ce0fefc72"
                "37e84a67e38aedee"
            ),
            client_packet=_hex(
                "18ba69bb4661fee5a7cc9ec1a731e2780f887748f59fbaddc74035a8fb9de8217455977a"
                "a47c252c90bc97fbba3a292dca78c1abb63e71eb7ce336c5212a"
            ),
            server_packet=_hex(
                "f5b62a6fb8eef776abf657056c2aa5a95aba22e25f5ebfbc60c0d767f7702020126d3736"
                "10b28fab236ab1cd902f4f629e0b755ac4c2a932d582499d07e8b0a0b4d378c61484"
            ),
            upsk_base64="QEFCQ0RFRkdISUpLTE1OTw==",
            upsk_identity=_hex("bc284c0c970c53f53bc5e4e671a0386b"),
            identity_header=_hex("acf952093ca5db6e11ce8310822221c6"),
            identity_request=_hex(
                "808182838485868788898a8b8c8d8e8facf952093ca5db6e11ce8310822221c6eed8da35"
                "251fdc7706a9c5be89121a476930df56a482616d476c1ec4723a601f8e6b46694711540f"
                "701fab4a9f4e73cf786f64b723bef5fe7a400e3f93f09e83c158f80d09"
            ),
            identity_packet=_hex(
                "18ba69bb4661fee5a7cc9ec1a731e2783b29f7147b1a37dea4f2600ee768edc253953859"
                "998e885500652b3ef9ae5e27b42e9cc5e8800a3ac43bbdb7398045ed41b8190ddac5e3fe"
                "b9a40b073b36"
            ),
        ),
        Vector(
            TABLE["2022-blake3-aes-256-gcm"],
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            subkey=_hex("11289b9d205255930f83932405c2b0a38ec32be703fe33f290ff25ffeff402f9"),
            request=_hex(
                "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f4ee13038"
                "514af6dc2b59030f6ac6a108154a4ab00ffdad9c62765264413f06e7c767427ae7b001d9"
                "2896ef3010c8894e747d0ae9d1443c952eacebfae3063bbc544699fa465ca81007e3c9fc"
                "c284f89e62ff3d1dde75c840dc819e6b913a106c8094e636980107f2317b68fc"
            ),
            response=_hex(
                "c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf56eec0f3"
                "fb5493cea160308ca8f52aa96cc5d2f7c2bfcc451ace93e57f5fb99368a289aec6f8eebf"
                "4bde422ff2223e4b1ed3964ad5c952b5582f43d84fdaa6af25662cdbbc9992fd86440c18"
                "18953b27"
            ),
            client_packet=_hex(
                "65627bd127f455618ff9d0f081df2db47e41c363d48a26c057fcafd4eb348dd067cf7fcb"
                "35c0e4744094b3240389b39a103470715c9e7036d55aeb34620d"
            ),
            server_packet=_hex(
                "7d3e1103b2527fa6684a5dc05e48a16c8c9ab510b51814d34e2704a6b8d679473b89995f"
                "09f9377bc1bae319734757ee5a1fbc348c5bfb60453c19338dcb7afe82c679a4500d"
            ),
            upsk_base64="QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=",
            upsk_identity=_hex("ffd0caca455d9a030add473e8148e3c3"),
            identity_header=_hex("e4f76c68f173681af851ff113c828502"),
            identity_request=_hex(
                "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fe4f76c68"
                "f173681af851ff113c8285025cdacbf5e1cee47b05f978b7a135578efec4d74486fb4ff9"
                "7ed5d2138dff68038e474efb8dc95ffc9e37d5d0dadb4f02acff130f62870ff6e2ee3cef"
                "5bf8cb71c33acfac60"
            ),
            identity_packet=_hex(
                "65627bd127f455618ff9d0f081df2db43d81e3b81ecdd1f2263ab86323dffec51e7d9af3"
                "0e19fb45aa8d60cea24e03964dd786bbe36b25c3e09fd97a7100eca8e815e0a5ecda5b3d"
                "8407b9d3899d"
            ),
        ),
        Vector(
            TABLE["2022-blake3-chacha20-poly1305"],
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            subkey=_hex("11289b9d205255930f83932405c2b0a38ec32be703fe33f290ff25ffeff402f9"),
            request=_hex(
                "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f3b39f128"
                "1acc419b3de8d7038e10a79ea5fc1d898456da22931919141cff65442db1d9c8413e651a"
                "8d2ce808a85bae2fdcf6f08099d1f65ba42acb5555a0ba54d1cdf3be9d9dbe96e2471269"
                "d3840819f5adf0af3ad627c7f316f065fd9c09ac8a2395a5d154888f3d8a5b8d"
            ),
            response=_hex(
                "c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf8b8079a0"
                "5d13664161d72385dee2a5570522ceaba126fe3889714ba015bbbb75d743a75fc07a6beb"
                "7cc309092a0041d17179b5c9d6a1d0625fbd571e3199cba5aafd19cf632d01bee69b285f"
                "7f9f2541"
            ),
            client_packet=_hex(
                "000102030405060708090a0b0c0d0e0f10111213141516179fc00c7b95d48aa6334426ce"
                "cb52a8e84b4728a5fdb34e1a7f1a3fb536c88d383376da816f046609d42ede30a1462b93"
                "b6afa13634aad704fe47445032d1"
            ),
        ),
    )
}
