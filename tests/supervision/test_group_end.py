"""How a supervisor and its workers end, by signals to all of them and to one."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from annotated_shadowsocks.testing.commands import Command, children, is_running
from annotated_shadowsocks.testing.loops import LOOPS, run_on
from annotated_shadowsocks.testing.open_tunnels import opened, ping, until_refused
from annotated_shadowsocks.testing.programs import free_port
from annotated_shadowsocks.testing.server_harness import (
    NO_NAMES,
    PASSWORD,
    master_key,
)
from annotated_shadowsocks.testing.targets import Target, until

both_loops = pytest.mark.parametrize("loop_name", LOOPS)

KEY = master_key()


@contextmanager
def supervised(folder: Path, loop_name: str, port: int) -> Iterator[Command]:
    """``ssserver`` with two workers and an hour of grace; no worker outlives the block."""
    document = {
        "server": "127.0.0.1",
        "server_port": port,
        "method": KEY.method.name,
        "password": PASSWORD,
        "mode": "tcp_and_udp",
        "allow_private_targets": True,
        "nameserver": str(NO_NAMES[0]),
        "workers": 2,
        "shutdown_grace": 3600,
        "verbose": 2,
    }
    folder.mkdir(exist_ok=True)
    workers: set[int] = set()
    try:
        sockets = [("tcp", port), ("udp", port)]
        with Command("ssserver", folder, document, sockets, loop_name) as command:
            yield command
            workers = children(command.pid)
    finally:
        for pid in filter(is_running, workers):
            os.kill(pid, signal.SIGKILL)
    assert "Traceback" not in command.output(), command.output()


async def workers_of(command: Command) -> set[int]:
    await until(lambda: len(children(command.pid)) == 2)
    return children(command.pid)


@both_loops
def test_sigterm_to_the_whole_group_still_drains(loop_name: str, tmp_path: Path) -> None:
    async def main() -> None:
        port = free_port()
        with supervised(tmp_path, loop_name, port) as command:
            async with Target() as target:
                clients = [await opened(port, target) for _ in range(4)]
                for pid in [*await workers_of(command), command.pid]:
                    os.kill(pid, signal.SIGTERM)
                await until_refused(port)
                # A worker hears it from its supervisor too, and no number of times is impatience.
                for pid in children(command.pid):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGTERM)
                for client in clients:
                    for _ in range(20):
                        await ping(client)
                for client in clients:
                    client.sock.close()
                await until(lambda: not is_running(command.pid))
                assert command.end() == 0

    run_on("asyncio", main)


@both_loops
def test_after_a_drain_of_the_group_a_second_sigterm_resets(loop_name: str, tmp_path: Path) -> None:
    async def main() -> None:
        port = free_port()
        with supervised(tmp_path, loop_name, port) as command:
            async with Target() as target:
                client = await opened(port, target)
                for pid in [*await workers_of(command), command.pid]:
                    os.kill(pid, signal.SIGTERM)
                await until_refused(port)
                await ping(client)
                assert await command.ended() == 0
                with pytest.raises(ConnectionResetError):
                    await client.receive()
                client.sock.close()

    run_on("asyncio", main)


@both_loops
def test_the_next_supervisor_takes_over_from_one_that_was_killed(
    loop_name: str, tmp_path: Path
) -> None:
    async def main() -> None:
        port = free_port()
        async with Target() as target:
            with supervised(tmp_path / "first", loop_name, port) as first:
                old = await opened(port, target)
                orphans = await workers_of(first)
                first.kill()
                # TCP and UDP can be bound again, while what was open goes on.
                await until_refused(port)
                with supervised(tmp_path / "second", loop_name, port) as second:
                    new = await opened(port, target)
                    await ping(old)
                    old.sock.close()
                    await until(lambda: not any(map(is_running, orphans)))
                    await ping(new)
                    new.sock.close()
                    assert await second.ended() == 0
                assert first.output().count("the supervisor has died") == 2

    run_on("asyncio", main)
