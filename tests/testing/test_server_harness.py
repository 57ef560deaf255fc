"""The harness of services: what it starts works, and what its targets run into is not lost."""

import asyncio
import socket

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.socks5.messages import RequestRefused
from annotated_shadowsocks.testing.loops import LOOPS, run_on
from annotated_shadowsocks.testing.server_harness import (
    TunnelClient,
    local_config,
    master_key,
    open_socks,
    serve,
    server_config,
)
from annotated_shadowsocks.testing.targets import Target, read_all


@pytest.mark.parametrize("loop_name", LOOPS)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_tunnel_client_reaches_a_target_through_a_server(loop_name: str, host: str) -> None:
    async def main() -> None:
        with serve(server_config()) as server:
            async with (
                Target(host=host) as target,
                TunnelClient(server.endpoint, master_key(), target.endpoint) as client,
            ):
                await client.send(b"ping")
                assert await client.receive() == b"ping"
                client.sock.shutdown(socket.SHUT_WR)
                assert await client.receive() == b""
                assert target.accepts == 1

    run_on(loop_name, main)


@pytest.mark.parametrize("loop_name", LOOPS)
def test_a_program_reaches_a_target_through_both(loop_name: str) -> None:
    async def main() -> None:
        with serve(server_config()) as server, serve(local_config(server.endpoint)) as local:
            async with Target() as target:
                sock, _ = await open_socks(local.endpoint, target.endpoint)
                with sock:
                    await asyncio.get_running_loop().sock_sendall(sock, b"ping")
                    sock.shutdown(socket.SHUT_WR)
                    assert await read_all(sock) == b"ping"

    run_on(loop_name, main)


def test_a_refusal_is_raised() -> None:
    async def main() -> None:
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            config = local_config(Endpoint(*nobody.getsockname()))
            with serve(config) as local, pytest.raises(RequestRefused):
                await open_socks(local.endpoint, local.endpoint)

    run_on("asyncio", main)
