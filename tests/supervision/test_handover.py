"""SIGUSR2 under load: a new process takes the sockets over, and no client notices."""

import asyncio
import os
import re
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import ListenError
from annotated_shadowsocks.shadowsocks.aead_packet import open_packet, seal_packet
from annotated_shadowsocks.supervision import handover
from annotated_shadowsocks.supervision.heritage import HANDOVER_VARIABLE
from annotated_shadowsocks.system import entropy
from annotated_shadowsocks.testing.commands import Command, is_running
from annotated_shadowsocks.testing.loops import LOOPS, run_on
from annotated_shadowsocks.testing.programs import free_port, listening
from annotated_shadowsocks.testing.server_harness import PASSWORD, TunnelClient, master_key
from annotated_shadowsocks.testing.targets import Datagrams, Target, until
from annotated_shadowsocks.wire import address

KEY = master_key()

#: Clients in a second, and seconds before and after.
RATE, LEAD = 500, 0.5


class Load:
    """A client every 1/RATE seconds, whatever became of those before."""

    def __init__(self, port: int, target: Target) -> None:
        self.served = 0
        self.failed: list[BaseException] = []
        self._at = Endpoint("127.0.0.1", port)
        self._target = target
        self._clients: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Load":
        self._coming = asyncio.create_task(self._come())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._coming.cancel()
        await asyncio.wait({self._coming, *self._clients})

    async def _come(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            task = asyncio.create_task(self._client())
            self._clients.add(task)
            task.add_done_callback(self._clients.discard)
            # Where this machine is too slow for it, the rate is what it is.
            due = max(due + 1 / RATE, loop.time() - 0.1)
            await asyncio.sleep(due - loop.time())

    async def _client(self) -> None:
        try:
            async with TunnelClient(self._at, KEY, self._target.endpoint) as client:
                await client.send(b"hello")
                assert await client.receive() == b"hello"
                self.served += 1
        except (OSError, AssertionError) as error:
            self.failed.append(error)


def document(port: int, **changes: object) -> dict[str, object]:
    return {
        "server": "127.0.0.1",
        "server_port": port,
        "method": KEY.method.name,
        "password": PASSWORD,
        "mode": "tcp_and_udp",
        "allow_private_targets": True,
        "shutdown_grace": 0,
        **changes,
    }


@asynccontextmanager
async def successor_of(command: Command) -> AsyncIterator[int]:
    """The process that takes over from ``command`` now; it ends with the block."""
    before = command.output().count(" takes over")
    command.send(signal.SIGUSR2)
    await command.said(" takes over", before + 1)
    pid = int(re.findall(r"process (\d+) takes over", command.output())[-1])
    try:
        yield pid
    finally:
        if is_running(pid):
            os.kill(pid, signal.SIGTERM)
            await until(lambda: not is_running(pid))


async def datagram_goes_through(port: int, target: Datagrams) -> None:
    out = memoryview(bytearray(4096))
    data = address.encode(target.endpoint) + b"datagram"
    async with Datagrams() as client:
        client.send(
            bytes(out[: seal_packet(KEY, entropy(32), data, out)]), Endpoint("127.0.0.1", port)
        )
        [(octets, _)] = await client.receive(1)
        assert bytes(open_packet(KEY, memoryview(octets), out)[1]) == b"datagram"


@pytest.mark.parametrize("loop_name", LOOPS)
@pytest.mark.parametrize("workers", [1, 2])
def test_nobody_is_refused_and_nobody_is_reset(
    workers: int, loop_name: str, tmp_path: Path
) -> None:
    async def main() -> None:
        port = free_port()
        sockets = [("tcp", port), ("udp", port)]
        with Command(
            "ssserver", tmp_path, document(port, workers=workers), sockets, loop_name
        ) as old:
            async with Target() as target, Datagrams(answer=True) as echo:
                await datagram_goes_through(port, echo)
                # One that is open all the while stays with the process that accepted it.
                async with TunnelClient(Endpoint("127.0.0.1", port), KEY, target.endpoint) as kept:
                    await kept.send(b"before")
                    assert await kept.receive() == b"before"
                    async with Load(port, target) as load:
                        await asyncio.sleep(LEAD)
                        async with successor_of(old) as new:
                            await until(lambda: listening(old.pid) == set())
                            await asyncio.sleep(LEAD)
                            before = load.served
                            await until(lambda: load.served > before + 20)
                            await datagram_goes_through(port, echo)
                            assert is_running(old.pid) and is_running(new)
                            await kept.send(b"after")
                            assert await kept.receive() == b"after"
                            kept.sock.close()
                            # It ends with its last connection.
                            await until(lambda: not is_running(old.pid))
                            await load.__aexit__()
                            assert load.failed == [] and load.served > 100
            assert old.end() == 0
            assert "Traceback" not in old.output() and "ERROR" not in old.output()

    run_on("asyncio", main)


def test_a_successor_that_cannot_start_changes_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        for workers in (1, 2):
            port = free_port()
            good = document(port, workers=workers)
            with Command("ssserver", tmp_path, good, [("tcp", port)]) as old:
                old.write("{")
                async with successor_of(old):
                    await old.said("this one goes on")
                assert ("tcp", port) in listening(old.pid)
                old.write(good)
                # It may be asked again.
                async with successor_of(old) as new:
                    await until(lambda: not is_running(old.pid))
                    assert is_running(new)

    run_on("asyncio", main)


def test_a_successor_of_a_successor(tmp_path: Path) -> None:
    async def main() -> None:
        port = free_port()
        with Command("ssserver", tmp_path, document(port), [("tcp", port)]) as old:
            async with successor_of(old) as first:
                await until(lambda: not is_running(old.pid))
                os.kill(first, signal.SIGUSR2)
                await old.said(" takes over", 2)
                second = int(re.findall(r"process (\d+) takes over", old.output())[-1])
                await until(lambda: not is_running(first))
                assert ("tcp", port) in listening(second)
                os.kill(second, signal.SIGTERM)
                await until(lambda: not is_running(second))

    run_on("asyncio", main)


def test_only_what_is_left_is_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[list[str], dict[str, str], bool]] = []

    def spawn(path: str, words: list[str], environment: dict[str, str], **_: object) -> int:
        called.append((words, environment, sock.get_inheritable()))
        return 42

    monkeypatch.setattr(os, "posix_spawn", spawn)
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    with socket.socket() as sock:
        assert handover.start_successor([sock.fileno()]) == 42
        assert not sock.get_inheritable()
        [(_, environment, inheritable)] = called
        assert inheritable
        assert environment[HANDOVER_VARIABLE] == f"{os.getpid()}:{sock.fileno()}"
        assert "WATCHDOG_PID" not in environment


def test_a_program_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nonexistent/python")
    with pytest.raises(ListenError, match="No such file"):
        handover.start_successor([])
