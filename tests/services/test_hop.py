"""A relay between a client and two servers, which opens nothing of what it passes on."""

import socket
from typing import Any

import pytest

from annotated_shadowsocks.config.model import Config, Destination
from annotated_shadowsocks.config.secret import Secret
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.testing.loops import LOOPS, run_on
from annotated_shadowsocks.testing.packet_client import PacketClient
from annotated_shadowsocks.testing.server_harness import (
    TunnelClient,
    client_key,
    exchange,
    local_config,
    password,
    rested,
    serve,
    server_config,
)
from annotated_shadowsocks.testing.targets import Datagrams, Target

both_loops = pytest.mark.parametrize("loop_name", LOOPS)
methods = pytest.mark.parametrize("method", ["2022-blake3-aes-128-gcm", "2022-blake3-aes-256-gcm"])

#: The numbers of the passwords of the hop, of the server behind it, and of that server's user.
HOP, NEAR, USER = 0, 1, 3


def behind(method: str, **more: Any) -> Config:
    """A server behind the hop."""
    return server_config(method, of=password(method, NEAR), **more)


def joined(method: str, *numbers: int) -> str:
    return ":".join(password(method, number) for number in numbers)


@both_loops
@methods
def test_a_stream_goes_on_to_the_server_that_it_names(loop_name: str, method: str) -> None:
    async def main() -> None:
        with serve(behind(method)) as near, serve(behind(method)) as other:
            destination = (Destination("near", near.endpoint, Secret(password(method, NEAR))),)
            with serve(server_config(method, destinations=destination)) as hop:
                async with Target() as target:
                    key = client_key(method, joined(method, HOP, NEAR))
                    async with TunnelClient(hop.endpoint, key, target.endpoint) as client:
                        for text in (b"hello", bytes(100_000)):
                            await client.send(text)
                            heard = b""
                            while len(heard) < len(text):
                                heard += await client.receive()
                            assert heard == text
                assert hop.port.runtime.counters.relayed == 1
                await rested(hop, near, other)
                assert hop.port.runtime.counters.users.keys() == {"near"}
                assert near.port.runtime.counters.relayed == 1
                assert other.port.runtime.counters.accepted == 0

    run_on(loop_name, main)


@both_loops
@methods
def test_a_server_behind_a_hop_may_have_users(loop_name: str, method: str) -> None:
    async def main() -> None:
        users = {"bob": password(method, USER)}
        with serve(behind(method, users=users)) as server:
            destination = (Destination("it", server.endpoint, Secret(password(method, NEAR))),)
            with serve(server_config(method, destinations=destination)) as hop:
                async with Target() as target:
                    key = client_key(method, joined(method, HOP, NEAR, USER))
                    async with TunnelClient(hop.endpoint, key, target.endpoint) as client:
                        await client.send(b"hello")
                        assert await client.receive() == b"hello"
                await rested(hop, server)
                assert server.port.runtime.counters.users.keys() == {"bob"}

    run_on(loop_name, main)


@both_loops
def test_what_names_nobody_meets_silence(loop_name: str) -> None:
    async def main() -> None:
        method = "2022-blake3-aes-128-gcm"
        with serve(behind(method)) as server:
            destination = (Destination("it", server.endpoint, Secret(password(method, NEAR))),)
            with serve(server_config(method, destinations=destination, timeout=0.2)) as hop:
                async with Target() as target:
                    for text in (joined(method, HOP, 9), joined(method, 9, NEAR)):
                        key = client_key(method, text)
                        async with TunnelClient(hop.endpoint, key, target.endpoint) as client:
                            await client.send(b"hello")
                            assert await client.receive() == b""
                assert hop.port.runtime.counters.failures == {"authentication": 2}
                assert server.port.runtime.counters.accepted == 0

    run_on(loop_name, main)


@both_loops
def test_a_server_that_is_not_there_is_a_fin(loop_name: str) -> None:
    async def main() -> None:
        method = "2022-blake3-aes-128-gcm"
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            nowhere = Endpoint(*unused.getsockname())
            destination = (Destination("it", nowhere, Secret(password(method, NEAR))),)
            with serve(server_config(method, destinations=destination)) as hop:
                key = client_key(method, joined(method, HOP, NEAR))
                async with TunnelClient(hop.endpoint, key, nowhere) as client:
                    await client.send(b"hello")
                    assert await client.receive() == b""
                await rested(hop)

    run_on(loop_name, main)


@both_loops
def test_datagrams_go_on_too(loop_name: str) -> None:
    async def main() -> None:
        method = "2022-blake3-aes-128-gcm"
        with serve(behind(method, udp=True)) as server:
            at = server.udp_endpoint
            destination = (Destination("it", at, Secret(password(method, NEAR))),)
            with serve(server_config(method, destinations=destination, udp=True)) as hop:
                async with Datagrams(answer=True) as target, Datagrams() as sock:
                    client = PacketClient(client_key(method, joined(method, HOP, NEAR)))
                    sock.send(client.seal(target.endpoint, b"ping"), hop.udp_endpoint)
                    ((answer, source),) = await sock.receive()
                    assert source == hop.udp_endpoint
                    assert client.open(answer)[1] == b"ping"

    run_on(loop_name, main)


@both_loops
def test_sslocal_may_have_a_hop_for_a_server(loop_name: str) -> None:
    async def main() -> None:
        method = "2022-blake3-aes-128-gcm"
        with serve(behind(method)) as server:
            destination = (Destination("it", server.endpoint, Secret(password(method, NEAR))),)
            chain = joined(method, HOP, NEAR)
            with (
                serve(server_config(method, destinations=destination)) as hop,
                serve(local_config(hop.endpoint, method=method, of=chain)) as local,
            ):
                async with Target() as target:
                    sent = bytes(range(256)) * 1000
                    assert await exchange(local.endpoint, target.endpoint, sent) == sent
                await rested(local, hop, server)

    run_on(loop_name, main)
