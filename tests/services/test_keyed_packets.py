"""Many keys on one port: whose a packet is, found by trying and by an identity header."""

import asyncio
import base64
import random
import socket
from functools import partial

import pytest

from annotated_shadowsocks.crypto.methods import TABLE, Generation
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.relay.packet_relay import PacketLimits
from annotated_shadowsocks.services.keyed_packets import MAX_SEARCHES
from annotated_shadowsocks.services.runtime import Runtime
from annotated_shadowsocks.services.salts import SharedSalts
from annotated_shadowsocks.services.server import ServerPort
from annotated_shadowsocks.shadowsocks.credentials import client_keys, server_keys
from annotated_shadowsocks.system import entropy
from annotated_shadowsocks.testing.loops import LOOPS, run_on
from annotated_shadowsocks.testing.packet_client import PacketClient
from annotated_shadowsocks.testing.server_harness import password
from annotated_shadowsocks.testing.targets import Datagrams, until

both_loops = pytest.mark.parametrize("loop_name", LOOPS)

rng = random.Random("keys")


class ManyKeys:
    """A port with users, and a socket that it serves."""

    def __init__(self, method: str, count: int) -> None:
        self.method = TABLE[method]
        # In base64, because SIP022 takes keys; to SIP004 it is a password like any other.
        size = self.method.key_size
        self.users = [
            (f"user {n}", base64.b64encode((n + 1).to_bytes(size, "big")).decode())
            for n in range(count)
        ]
        salts = SharedSalts(entropy, shared=False)
        loop = asyncio.get_running_loop()
        self.runtime = Runtime(loop, entropy, salts.streams, salts.packets)
        self.runtime.lookup = lambda host, done: (done([host]), lambda: None)[1]
        keys = server_keys(self.method, password(method), self.users)
        self.port = ServerPort(self.runtime, keys, None, 60.0)

    def __enter__(self) -> "ManyKeys":
        self.sock = socket.socket(type=socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.setblocking(False)
        self.port.relay_packets([self.sock], PacketLimits(per_owner=2))
        (self.relay,) = self.port.packet_relays
        self.endpoint = Endpoint(*self.sock.getsockname())
        return self

    def __exit__(self, *_: object) -> None:
        self.port.stop()
        self.port.abort()
        self.sock.close()
        self.runtime.stop()

    def client(self, number: int) -> PacketClient:
        secret = self.users[number][1]
        if self.method.generation is Generation.AEAD_2022:
            secret = f"{password(self.method.name)}:{secret}"
        return PacketClient(client_keys(self.method, secret))


MANY = ["aes-128-gcm", "chacha20-ietf-poly1305", "2022-blake3-aes-128-gcm"]


@both_loops
@pytest.mark.parametrize("method", MANY)
@pytest.mark.parametrize("count", [3, 400])
def test_each_of_many_users_is_answered_under_their_own_key(
    loop_name: str, method: str, count: int
) -> None:
    async def main() -> None:
        with ManyKeys(method, count) as many:
            async with Datagrams(answer=True) as target, Datagrams() as sender:
                for number in (count - 1, 0, count // 2):
                    client = many.client(number)
                    for _ in range(2):
                        sender.heard.clear()
                        sender.send(client.seal(target.endpoint, b"hello"), many.endpoint)
                        ((answer, _),) = await sender.receive(1)
                        assert client.open(answer)[1] == b"hello"
                assert not many.relay.dropped

    run_on(loop_name, main)


@pytest.mark.parametrize("method", MANY)
@pytest.mark.parametrize("count", [3, 400])
def test_junk_for_many_users(method: str, count: int) -> None:
    async def main() -> None:
        with ManyKeys(method, count) as many:
            async with Datagrams(answer=True) as target, Datagrams() as sender:
                client = many.client(1)
                genuine = client.seal(target.endpoint, b"genuine")
                sender.send(genuine, many.endpoint)
                await sender.receive(1)
                junk = [rng.randbytes(size) for size in (0, 10, 31, 48, 100, 1500)]
                junk += [genuine[:-1], genuine[:40], genuine]
                for number, datagram in enumerate(junk, 1):
                    async with Datagrams("127.0.0.9") as prober:
                        prober.send(datagram, many.endpoint)
                        await until(partial(lambda n: many.relay.dropped.total() == n, number))
                        assert not prober.heard
                assert many.relay.dropped["replay"] == 1
                assert len(many.relay) == 1
                # A recording from elsewhere leaves nothing of itself either.
                assert len(getattr(many.relay.front, "_flows", [0])) == 1

    run_on("asyncio", main)


@pytest.mark.parametrize("method", MANY)
def test_a_user_gives_up_their_own_flows_and_nobody_elses(method: str) -> None:
    async def main() -> None:
        with ManyKeys(method, 3) as many:
            async with Datagrams(answer=True) as target, Datagrams("127.0.0.5") as quiet:
                calm = many.client(0)
                quiet.send(calm.seal(target.endpoint, b"one"), many.endpoint)
                await quiet.receive(1)
                for number in range(10):
                    async with Datagrams(f"127.0.0.{number + 20}") as flood:
                        client = many.client(1)
                        flood.send(client.seal(target.endpoint, b"flood"), many.endpoint)
                        await flood.receive(1)
                assert len(many.relay) == 3
                quiet.send(calm.seal(target.endpoint, b"two"), many.endpoint)
                await quiet.receive(2)
                calm_sources = {source for data, source in target.heard if data != b"flood"}
                assert len(calm_sources) == 1

    run_on("asyncio", main)


def test_only_so_many_packets_wait_for_a_search() -> None:
    async def main() -> None:
        with ManyKeys("aes-128-gcm", 300) as many:
            async with Datagrams() as prober:
                for _ in range(100):
                    prober.send(rng.randbytes(100), many.endpoint)
                await until(lambda: many.relay.dropped.total() == 100)
                assert many.relay.dropped["policy"] > 0
                assert many.relay.dropped["authentication"] >= MAX_SEARCHES

    run_on("asyncio", main)
