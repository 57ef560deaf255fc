import pytest

from annotated_shadowsocks.testing.loops import run_on
from annotated_shadowsocks.testing.open_tunnels import opened, ping, refuses, until_refused
from annotated_shadowsocks.testing.programs import free_port
from annotated_shadowsocks.testing.server_harness import serve, server_config
from annotated_shadowsocks.testing.targets import Target


def test_a_tunnel_that_works_and_a_port_that_is_closed() -> None:
    async def main() -> None:
        with serve(server_config()) as server:
            port = server.endpoint.port
            assert not await refuses(port)
            async with Target() as target:
                client = await opened(port, target)
                await ping(client, b"again")
                client.sock.close()
        assert await refuses(port)
        await until_refused(port)

    run_on("asyncio", main)


def test_a_tunnel_that_does_not_work() -> None:
    async def main() -> None:
        with serve(server_config(allow_private_targets=False)) as server:
            async with Target() as target:
                # The server says no by a reset.
                with pytest.raises(ConnectionError):
                    await opened(server.endpoint.port, target)

    run_on("asyncio", main)


def test_nobody_listens_where_nothing_was_started() -> None:
    async def main() -> None:
        assert await refuses(free_port())

    run_on("asyncio", main)
