"""How a service ends that nobody lets finish: resets where it must, and never half of it."""

import asyncio
import socket

import pytest

from annotated_shadowsocks.testing.loops import LOOPS, run_on
from annotated_shadowsocks.testing.server_harness import (
    TunnelClient,
    local_config,
    master_key,
    open_socks,
    rested,
    serve,
    server_config,
)
from annotated_shadowsocks.testing.targets import Sink, Target, read_all, until

both_loops = pytest.mark.parametrize("loop_name", LOOPS)

KEY = master_key()


@both_loops
def test_a_forced_end_of_a_server_resets_both_sides(loop_name: str) -> None:
    async def main() -> None:
        sink = Sink()
        async with Target(sink) as target:
            with serve(server_config()) as server:
                client = TunnelClient(server.endpoint, KEY, target.endpoint)
                await client.__aenter__()
                await client.send(b"the first half of ")
                await until(lambda: sink.heard == [b"the first half of "])
            # A FIN would tell either side that this was all.
            with pytest.raises(ConnectionResetError):
                await client.receive()
            await until(lambda: sink.ends == ["RST"])
            client.sock.close()

    run_on(loop_name, main)


@both_loops
def test_a_forced_end_of_a_local_resets_both_sides(loop_name: str) -> None:
    async def main() -> None:
        sink = Sink()
        async with Target(sink) as target:
            with serve(server_config()) as server:
                with serve(local_config(server.endpoint)) as local:
                    sock, _ = await open_socks(local.endpoint, target.endpoint)
                    sock.sendall(b"the first half of ")
                    await until(lambda: sink.heard == [b"the first half of "])
                with pytest.raises(ConnectionResetError):
                    await read_all(sock)
                # The server hop goes on, and passes the reset on.
                await until(lambda: sink.ends == ["RST"])
                await rested(server)
            sock.close()

    run_on(loop_name, main)


@both_loops
def test_a_client_that_has_ended_its_half_is_reset_too(loop_name: str) -> None:
    async def main() -> None:
        ended = asyncio.Event()

        async def think(sock: socket.socket) -> None:
            assert await read_all(sock) == b"a question"
            ended.set()
            await asyncio.Event().wait()

        async with Target(think) as target:
            with serve(server_config()) as server:
                client = TunnelClient(server.endpoint, KEY, target.endpoint)
                await client.__aenter__()
                await client.send(b"a question")
                client.sock.shutdown(socket.SHUT_WR)
                await ended.wait()
            # The answer is still to come: a FIN would be an empty one.
            with pytest.raises(ConnectionResetError):
                await client.receive()
            client.sock.close()

    run_on(loop_name, main)
