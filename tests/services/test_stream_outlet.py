"""UDP over TCP from a SOCKS5 client to a target, and what happens to it on the way."""

import dataclasses
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from annotated_shadowsocks.config.model import Config
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.relay.packet_relay import PacketRelay
from annotated_shadowsocks.socks5 import udp
from annotated_shadowsocks.socks5.messages import UNSPECIFIED, Command
from annotated_shadowsocks.testing.loops import LOOPS, run_on
from annotated_shadowsocks.testing.server_harness import (
    ALL_METHODS,
    Service,
    local_config,
    open_socks,
    rested,
    serve,
    server_config,
)
from annotated_shadowsocks.testing.targets import Datagrams, Dead, FullQueue, until

both_loops = pytest.mark.parametrize("loop_name", LOOPS)

rng = random.Random("outlets")


def in_streams(*servers: Endpoint, method: str = "aes-256-gcm", version: int = 2) -> Config:
    """``sslocal`` in front of ``servers``, to which no UDP passes."""
    config = local_config(*servers, method=method, udp=True)
    changed = (dataclasses.replace(one, udp=False, udp_over_tcp=version) for one in config.servers)
    return dataclasses.replace(config, servers=tuple(changed))


def relay_of(service: Service) -> PacketRelay[Any]:
    (relay,) = service.port.packet_relays
    return relay


@asynccontextmanager
async def associated(local: Service) -> AsyncIterator[tuple[Datagrams, Endpoint]]:
    """A SOCKS5 client's socket, and where it sends datagrams to."""
    control, at = await open_socks(local.endpoint, UNSPECIFIED, Command.UDP_ASSOCIATE)
    try:
        async with Datagrams() as client:
            yield client, at
    finally:
        control.close()


async def asked(client: Datagrams, at: Endpoint, target: Endpoint, data: bytes) -> bytes:
    """The next answer, which is from ``target``."""
    client.heard.clear()
    client.send(udp.encode(target, data), at)
    ((datagram, _),) = await client.receive()
    source, plain = udp.decode(datagram)
    assert source == target
    return bytes(plain)


@pytest.mark.parametrize(
    ("loop_name", "method", "version"),
    [("asyncio", method, 2) for method in ALL_METHODS]
    + [("uvloop", "2022-blake3-aes-128-gcm", 2), ("uvloop", "aes-256-gcm", 1)],
)
def test_datagrams_go_both_ways(loop_name: str, method: str, version: int) -> None:
    async def main() -> None:
        # The server takes no UDP at all.
        with (
            serve(server_config(method)) as server,
            serve(in_streams(server.endpoint, method=method, version=version)) as local,
        ):
            async with (
                Datagrams(answer=True) as four,
                Datagrams("::1", answer=True) as six,
                associated(local) as (client, at),
            ):
                for target in (four, six, four):
                    for size in (0, 1, 1200, 50_000):
                        data = rng.randbytes(size)
                        assert await asked(client, at, target.endpoint, data) == data
                assert len(relay_of(local)) == 1
                assert server.assembly.runtime.counters.accepted == 1
                assert len({source for _, source in four.heard}) == 1
            await until(lambda: len(relay_of(local)) == 0)
            await rested(server, local)
            assert not relay_of(local).dropped

    run_on(loop_name, main)


@both_loops
def test_what_comes_before_the_stream_waits_for_it(loop_name: str) -> None:
    async def main() -> None:
        with serve(server_config()) as server, serve(in_streams(server.endpoint)) as local:
            async with Datagrams() as target, associated(local) as (client, at):
                for number in range(20):
                    client.send(udp.encode(target.endpoint, b"%d" % number), at)
                heard = await target.receive(20)
                # A stream keeps their order.
                assert [data for data, _ in heard] == [b"%d" % n for n in range(20)]
            await rested(server, local)

    run_on(loop_name, main)


def test_only_a_few_wait() -> None:
    async def main() -> None:
        with FullQueue() as nowhere, serve(in_streams(nowhere)) as local:
            async with associated(local) as (client, at):
                for _ in range(50):
                    client.send(udp.encode(Endpoint("192.0.2.1", 9), b"x"), at)
                await until(lambda: relay_of(local).dropped == {"waiting": 50 - 32})
                # The client goes, and so does the dial.
            await until(lambda: len(relay_of(local)) == 0)
            await rested(local)

    run_on("asyncio", main)


@both_loops
def test_a_server_that_is_down_is_passed_over(loop_name: str) -> None:
    async def main() -> None:
        with (
            Dead() as dead,
            serve(server_config()) as server,
            serve(in_streams(dead, server.endpoint)) as local,
        ):
            async with Datagrams(answer=True) as target, associated(local) as (_client, at):
                for _ in range(3):
                    async with Datagrams() as another:
                        assert await asked(another, at, target.endpoint, b"hello") == b"hello"
            await rested(server, local)

    run_on(loop_name, main)


@both_loops
def test_where_no_server_is_there_the_association_ends(loop_name: str) -> None:
    async def main() -> None:
        with Dead() as dead, serve(in_streams(dead)) as local:
            async with associated(local) as (client, at):
                for number in (1, 2):
                    client.send(udp.encode(Endpoint("192.0.2.1", 9), b"x"), at)
                    # And the next datagram tries again.
                    await until(partial(lambda n: relay_of(local).dropped["dial"] == n, number))
                    assert len(relay_of(local)) == 0
            await rested(local)

    run_on(loop_name, main)


@both_loops
def test_a_stream_that_ends_ends_its_association_and_the_next_begins_another(
    loop_name: str,
) -> None:
    async def main() -> None:
        with serve(server_config()) as server, serve(in_streams(server.endpoint)) as local:
            async with Datagrams(answer=True) as target, associated(local) as (client, at):
                assert await asked(client, at, target.endpoint, b"one") == b"one"
                server.port.abort()
                await until(lambda: len(relay_of(local)) == 0)
                assert await asked(client, at, target.endpoint, b"two") == b"two"
            await rested(server, local)

    run_on(loop_name, main)


def test_a_server_with_another_key_says_nothing() -> None:
    async def main() -> None:
        other = "2022-blake3-aes-128-gcm"
        with (
            serve(server_config(timeout=0.2)) as server,
            serve(in_streams(server.endpoint, method=other)) as local,
        ):
            async with Datagrams(answer=True) as target, associated(local) as (client, at):
                client.send(udp.encode(target.endpoint, b"hello"), at)
                await until(lambda: server.assembly.runtime.counters.failures.total() == 1)
                await until(lambda: len(relay_of(local)) == 0)
                assert not client.heard
                assert not target.heard
            await rested(server, local)

    run_on("asyncio", main)


def test_silence_ends_both_ends() -> None:
    async def main() -> None:
        with serve(server_config()) as server:
            config = dataclasses.replace(in_streams(server.endpoint), udp_timeout=0.2)
            with serve(config) as local:
                async with Datagrams(answer=True) as target, associated(local) as (client, at):
                    await asked(client, at, target.endpoint, b"hello")
                    await until(lambda: len(relay_of(local)) == 0)
                    await until(lambda: server.assembly.active == 0)
                await rested(server, local)

    run_on("asyncio", main)


def test_nothing_is_left_of_a_dial_that_is_not_wanted_any_more() -> None:
    async def main() -> None:
        with (
            FullQueue() as nowhere,
            serve(in_streams(nowhere)) as local,
            socket.socket(type=socket.SOCK_DGRAM) as client,
        ):
            client.sendto(udp.encode(Endpoint("192.0.2.1", 9), b"x"), local.udp_endpoint)
            await until(lambda: len(relay_of(local)) == 1)
            relay_of(local).close()
            assert len(relay_of(local)) == 0

    run_on("asyncio", main)
