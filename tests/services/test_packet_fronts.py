"""Which front and which seal follow from which keys; what they do is tested where they are."""

import asyncio

import pytest

from annotated_shadowsocks.crypto.methods import TABLE
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.services.keyed_packets import KeyedPackets
from annotated_shadowsocks.services.packet_fronts import seal_maker, server_front
from annotated_shadowsocks.services.packets import BoxSeal, ServerPackets
from annotated_shadowsocks.services.runtime import Runtime
from annotated_shadowsocks.services.salts import SharedSalts
from annotated_shadowsocks.services.session_packets import ServerSessionPackets, SessionSeal
from annotated_shadowsocks.shadowsocks.credentials import client_keys, server_keys
from annotated_shadowsocks.system import entropy
from annotated_shadowsocks.testing.manual_loop import ManualLoop
from annotated_shadowsocks.testing.server_harness import password

SERVER = Endpoint("192.0.2.1", 8388)
SIP004, SIP022, STREAM = "aes-128-gcm", "2022-blake3-aes-128-gcm", "aes-128-ctr"


def runtime(loop: asyncio.AbstractEventLoop) -> Runtime:
    salts = SharedSalts(entropy, shared=False)
    return Runtime(loop, entropy, salts.streams, salts.packets)


@pytest.mark.parametrize(
    ("method", "users", "front"),
    [
        (SIP004, None, ServerPackets),
        (STREAM, None, ServerPackets),
        (SIP004, 1, ServerPackets),
        (SIP004, 2, KeyedPackets),
        (SIP022, None, ServerSessionPackets),
        (SIP022, 2, ServerSessionPackets),
    ],
)
def test_a_servers_front(method: str, users: int | None, front: type) -> None:
    loop = ManualLoop()
    names = None if users is None else [(f"{n}", password(method, n + 1)) for n in range(users)]
    keys = server_keys(TABLE[method], password(method), names)
    made = runtime(loop)
    assert type(server_front(made, keys)) is front
    made.stop()


@pytest.mark.parametrize(
    ("method", "seal", "shared"),
    [(SIP004, BoxSeal, True), (STREAM, BoxSeal, True), (SIP022, SessionSeal, False)],
)
def test_a_clients_seal(method: str, seal: type, shared: bool) -> None:
    made = runtime(ManualLoop())
    make = seal_maker(made, SERVER, client_keys(TABLE[method], password(method)))
    one, other = make(), make()
    assert type(one) is seal
    assert one.server == SERVER
    # Each flow of SIP022 is a session of its own.
    assert (one is other) == shared
    made.stop()
