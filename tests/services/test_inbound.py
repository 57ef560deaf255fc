"""What a server and a hop do alike with a connection that is no relay yet."""

import asyncio
import socket

import pytest

from annotated_shadowsocks.config.model import Destination
from annotated_shadowsocks.config.secret import Secret
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.testing.loops import LOOPS, run_on
from annotated_shadowsocks.testing.server_harness import password, rested, serve, server_config
from annotated_shadowsocks.testing.targets import read_all, reset, until

METHOD = "2022-blake3-aes-128-gcm"
HOP = (Destination("it", Endpoint("127.0.0.1", 1), Secret(password(METHOD, 1))),)

both_loops = pytest.mark.parametrize("loop_name", LOOPS)
server_and_hop = pytest.mark.parametrize("destinations", [(), HOP], ids=["server", "hop"])


@both_loops
@server_and_hop
def test_silence_has_a_deadline(loop_name: str, destinations: tuple[Destination, ...]) -> None:
    async def main() -> None:
        config = server_config(METHOD, destinations=destinations, timeout=0.2)
        with serve(config) as service, socket.socket() as sock:
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, service.endpoint)
            assert await read_all(sock) == b""
            assert service.port.runtime.counters.failures == {"timeout": 1}
            await rested(service)

    run_on(loop_name, main)


@both_loops
@server_and_hop
def test_a_client_may_leave(loop_name: str, destinations: tuple[Destination, ...]) -> None:
    async def main() -> None:
        with serve(server_config(METHOD, destinations=destinations)) as service:
            with socket.socket() as sock:
                sock.setblocking(False)
                await asyncio.get_running_loop().sock_connect(sock, service.endpoint)
                await until(lambda: len(service.port.handshakes) == 1)
                reset(sock)
            await until(lambda: service.port.runtime.counters.failures == {"reset": 1})
            await rested(service)

    run_on(loop_name, main)
