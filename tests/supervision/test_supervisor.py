"""A supervisor and its workers: nobody is refused while any of them dies or is replaced."""

import asyncio
import errno
import json
import logging
import os
import signal
import socket
from collections.abc import Iterator, Set
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from annotated_shadowsocks.config.model import Config
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.services.bindings import Bindings
from annotated_shadowsocks.services.salts import SharedSalts
from annotated_shadowsocks.shadowsocks.aead_packet import open_packet, seal_packet
from annotated_shadowsocks.supervision.process import EXIT_INTERRUPTED
from annotated_shadowsocks.supervision.supervisor import Supervisor
from annotated_shadowsocks.system import entropy
from annotated_shadowsocks.testing.commands import Command, children, is_running
from annotated_shadowsocks.testing.loops import LOOPS, run_on
from annotated_shadowsocks.testing.open_tunnels import at, opened, ping, until_refused
from annotated_shadowsocks.testing.probes import End, Probe, Reaction, When, reactions
from annotated_shadowsocks.testing.programs import free_port
from annotated_shadowsocks.testing.server_harness import (
    NO_NAMES,
    PASSWORD,
    TunnelClient,
    master_key,
)
from annotated_shadowsocks.testing.targets import Datagrams, Target, until
from annotated_shadowsocks.wire import address

both_loops = pytest.mark.parametrize("loop_name", LOOPS)

KEY = master_key()
TRACES = ("Traceback", "internal error", "Exception")
SHORT = 0.5
SILENCE = Reaction(0, End.FIN, When.AT_DEADLINE)


def document(*ports: int, workers: int = 2, **changes: object) -> dict[str, object]:
    return {
        "server": "127.0.0.1",
        "server_port": list(ports),
        "method": KEY.method.name,
        "password": PASSWORD,
        "mode": "tcp_and_udp",
        "allow_private_targets": True,
        "nameserver": str(NO_NAMES[0]),
        "workers": workers,
        "verbose": 2,
        **changes,
    }


@contextmanager
def server(folder: Path, loop_name: str, *ports: int, **changes: object) -> Iterator[Command]:
    """``ssserver`` with workers; none of them is left at the end."""
    settings = document(*ports, **changes)  # type: ignore[arg-type]
    sockets = [(transport, port) for port in ports for transport in ("tcp", "udp")]
    workers: set[int] = set()
    try:
        with Command("ssserver", folder, settings, sockets, loop_name) as command:
            yield command
            workers = children(command.pid)
        assert not [word for word in TRACES if word in command.output()], command.output()
        assert not workers & alive(workers)
    finally:
        for pid in alive(workers):
            os.kill(pid, signal.SIGKILL)


def alive(pids: set[int]) -> set[int]:
    return set(filter(is_running, pids))


async def workers_of(command: Command, count: int = 2, but: Set[int] = frozenset()) -> set[int]:
    """The workers, once there are ``count`` that are none of ``but``."""
    await until(lambda: len(children(command.pid) - but) >= count)
    return children(command.pid)


class Load:
    """Clients that come one after the other, several at a time, and what became of them."""

    def __init__(self, port: int, target: Target) -> None:
        self.served = 0
        self.refused = 0
        self.broken = 0
        self._at = at(port)
        self._target = target

    async def __aenter__(self) -> "Load":
        self._tasks = [asyncio.create_task(self._come()) for _ in range(8)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            assert isinstance(result, asyncio.CancelledError), result

    async def more(self, count: int) -> None:
        """Wait until so many more were served."""
        aim = self.served + count
        await until(lambda: self.served >= aim)

    async def _come(self) -> None:
        while True:
            try:
                async with TunnelClient(self._at, KEY, self._target.endpoint) as client:
                    await client.send(b"hello")
                    if await client.receive() == b"hello":
                        self.served += 1
                    else:
                        self.broken += 1
            except ConnectionRefusedError:
                self.refused += 1
            except ConnectionError:
                self.broken += 1


@both_loops
def test_a_killed_worker_is_replaced_and_nobody_is_refused(loop_name: str, tmp_path: Path) -> None:
    async def main() -> None:
        port = free_port()
        with server(tmp_path, loop_name, port) as command:
            async with Target() as target, Load(port, target) as load:
                await load.more(50)
                before = await workers_of(command)
                killed = min(before)
                os.kill(killed, signal.SIGKILL)
                after = await workers_of(command, 2, but={killed})
                assert len(after - before) == 1
                await load.more(100)
                # The other one, and not the newcomer.
                os.kill(max(before), signal.SIGKILL)
                await workers_of(command, 2, but=before)
                await load.more(100)
                assert load.refused == 0
                # Each killed worker takes at most those along that it was serving.
                assert load.broken <= 2 * 8
                said = command.output()
                assert said.count("was killed by SIGKILL") == 2
                # At once, or after a tenth of a second for one that lived shorter than one.
                assert said.count("and is replaced") + said.count("the next try is in 0.1 s") == 2

    run_on("asyncio", main)


@both_loops
def test_all_workers_killed_at_once_are_replaced(loop_name: str, tmp_path: Path) -> None:
    async def main() -> None:
        port = free_port()
        with server(tmp_path, loop_name, port, workers=4) as command:
            async with Target() as target:
                before = await workers_of(command, 4)
                for pid in before:
                    os.kill(pid, signal.SIGKILL)
                # Whoever comes while there is no worker at all waits in the accept queue.
                (await opened(port, target)).sock.close()
                assert len(await workers_of(command, 4, but=before)) == 4

    run_on("asyncio", main)


@both_loops
def test_what_one_worker_saw_none_accepts(loop_name: str, tmp_path: Path) -> None:
    async def main() -> None:
        port = free_port()
        with server(tmp_path, loop_name, port, workers=3, timeout=SHORT) as command:
            async with Target() as target:
                octets = TunnelClient(at(port), KEY, target.endpoint).seal(b"hello")
                async with TunnelClient(at(port), KEY, None) as client:
                    await asyncio.get_running_loop().sock_sendall(client.sock, octets)
                    assert await client.receive() == b"hello"
                # Many at a time, so that all workers get some.
                again = {str(number): Probe((octets,)) for number in range(30)}
                assert await reactions(at(port), again, SHORT) == {SILENCE: list(again)}
                before = await workers_of(command, 3)
                for pid in before:
                    os.kill(pid, signal.SIGKILL)
                await workers_of(command, 3, but=before)
                # The new ones know it too: the memory outlives them all.
                assert await reactions(at(port), again, SHORT) == {SILENCE: list(again)}
                assert target.accepts == 1

    run_on("asyncio", main)


@both_loops
def test_datagrams_stay_with_their_worker(loop_name: str, tmp_path: Path) -> None:
    async def main() -> None:
        port = free_port()
        out = memoryview(bytearray(4096))

        def packet(dst: Endpoint, data: bytes) -> bytes:
            return bytes(out[: seal_packet(KEY, entropy(32), address.encode(dst) + data, out)])

        with server(tmp_path, loop_name, port) as command:
            await workers_of(command)
            async with Datagrams(answer=True) as target:
                for number in range(20):
                    async with Datagrams() as client:
                        sent = packet(target.endpoint, b"%d" % number)
                        # The second is a replay, whichever worker would see it.
                        for _ in range(2):
                            client.send(sent, at(port))
                        client.send(packet(target.endpoint, b"and again"), at(port))
                        answers = await client.receive(2)
                        data = [
                            bytes(open_packet(KEY, memoryview(octets), out)[1])
                            for octets, _ in answers
                        ]
                        assert data == [b"%d" % number, b"and again"]
                # Two datagrams from one source each: one association for one client.
                sources = [source for _, source in target.heard]
                assert len(sources) == 2 * len(set(sources)) == 40

    run_on("asyncio", main)


@both_loops
def test_sigterm_lets_connections_end(loop_name: str, tmp_path: Path) -> None:
    async def main() -> None:
        port = free_port()
        with server(tmp_path, loop_name, port) as command:
            async with Target() as target:
                clients = [await opened(port, target) for _ in range(6)]
                ended = asyncio.create_task(command.ended())
                await until_refused(port)
                for client in clients:
                    await ping(client)
                    client.sock.shutdown(socket.SHUT_WR)
                    assert await client.receive() == b""
                    client.sock.close()
                assert await ended == 0

    run_on("asyncio", main)


@both_loops
def test_a_second_sigterm_ends_at_once(loop_name: str, tmp_path: Path) -> None:
    async def main() -> None:
        port = free_port()
        with server(tmp_path, loop_name, port, shutdown_grace=3600) as command:
            async with Target() as target:
                client = await opened(port, target)
                command.send(signal.SIGTERM)
                await command.said("once more ends them at once")
                await until_refused(port)
                await ping(client)
                assert await command.ended() == 0
                # A FIN would pass what came so far off as the whole.
                with pytest.raises(ConnectionResetError):
                    await client.receive()
                client.sock.close()

    run_on("asyncio", main)


@both_loops
def test_sigquit_waits_as_long_as_it_takes(loop_name: str, tmp_path: Path) -> None:
    async def main() -> None:
        port = free_port()
        with server(tmp_path, loop_name, port, shutdown_grace=0) as command:
            async with Target() as target:
                client = await opened(port, target)
                ended = asyncio.create_task(command.ended(signal.SIGQUIT))
                await until_refused(port)
                await ping(client)
                client.sock.close()
                assert await ended == 0

    run_on("asyncio", main)


@both_loops
def test_what_a_terminal_sends_to_all_only_the_supervisor_hears(
    loop_name: str, tmp_path: Path
) -> None:
    async def main() -> None:
        port = free_port()
        with server(tmp_path, loop_name, port) as command:
            async with Target() as target:
                clients = [await opened(port, target) for _ in range(4)]
                before = await workers_of(command)
                for pid in before:
                    os.kill(pid, signal.SIGINT)
                    os.kill(pid, signal.SIGHUP)
                for client in clients:
                    await ping(client)
                    client.sock.close()
                assert children(command.pid) == before
            assert await command.ended(signal.SIGINT) == EXIT_INTERRUPTED

    run_on("asyncio", main)


@both_loops
def test_a_reload_replaces_workers_and_their_connections_go_on(
    loop_name: str, tmp_path: Path
) -> None:
    async def main() -> None:
        kept, removed, added = free_port(), free_port(), free_port()
        with server(tmp_path, loop_name, kept, removed) as command:
            async with Target() as target, Load(kept, target) as load:
                client = await opened(removed, target)
                before = await workers_of(command)
                command.write(document(kept, added))
                command.send(signal.SIGHUP)
                await command.said(": reloaded")
                await until_refused(removed)
                (await opened(added, target)).sock.close()
                await load.more(50)
                await ping(client)
                # The one that serves it is the only one left of the old.
                await until(lambda: len(children(command.pid) & before) == 1)
                client.sock.close()
                await until(lambda: not children(command.pid) & before)
                assert len(children(command.pid)) == 2
                assert load.refused == load.broken == 0

    run_on("asyncio", main)


@both_loops
def test_a_worker_that_a_reload_replaced_has_its_grace_too(loop_name: str, tmp_path: Path) -> None:
    async def main() -> None:
        port = free_port()
        with server(tmp_path, loop_name, port, shutdown_grace=3600) as command:
            async with Target() as target:
                client = await opened(port, target)
                before = await workers_of(command)
                command.send(signal.SIGHUP)
                await command.said(": reloaded")
                await until(lambda: len(children(command.pid) & before) == 1)
                ended = asyncio.create_task(command.ended())
                await command.said("once more ends them at once")
                await ping(client)
                client.sock.close()
                assert await ended == 0

    run_on("asyncio", main)


@both_loops
def test_a_bad_reload_leaves_the_workers_alone(loop_name: str, tmp_path: Path) -> None:
    async def main() -> None:
        port, taken = free_port(), free_port()
        with server(tmp_path, loop_name, port) as command, socket.create_server(at(taken)):
            async with Target() as target:
                client = await opened(port, target)
                before = await workers_of(command)
                bad = ("{", json.dumps(document(port, taken)))
                for number, text in enumerate(bad, 1):
                    command.write(text)
                    command.send(signal.SIGHUP)
                    await command.said("not reloaded, the old configuration goes on", number)
                await ping(client)
                client.sock.close()
                assert children(command.pid) == before

    run_on("asyncio", main)


@both_loops
def test_reloads_while_workers_die(loop_name: str, tmp_path: Path) -> None:
    async def main() -> None:
        port = free_port()
        with server(tmp_path, loop_name, port) as command:
            async with Target() as target, Load(port, target) as load:
                await workers_of(command)
                descriptors = command.descriptors()
                for _ in range(10):
                    for pid in children(command.pid):
                        with suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)
                    command.send(signal.SIGHUP)
                    command.send(signal.SIGHUP)
                    await load.more(1)
                await load.more(50)
                assert load.refused == 0
                await until(lambda: len(children(command.pid)) == 2)
                assert command.descriptors() == descriptors

    run_on("asyncio", main)


@both_loops
def test_workers_end_with_their_connections_when_their_supervisor_is_killed(
    loop_name: str, tmp_path: Path
) -> None:
    async def main() -> None:
        port = free_port()
        with server(tmp_path, loop_name, port) as command:
            async with Target() as target:
                client = await opened(port, target)
                orphans = await workers_of(command)
                command.kill()
                # The port is free for the next supervisor, and what was open goes on.
                await until_refused(port)
                await ping(client)
                client.sock.close()
                await until(lambda: not alive(orphans))

    run_on("asyncio", main)


@both_loops
def test_no_signal_is_lost_after_the_port_is_open(loop_name: str, tmp_path: Path) -> None:
    with server(tmp_path, loop_name, free_port()) as command:
        command.send(signal.SIGHUP)
        assert command.end() == 0


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    """One that is not run."""
    bindings = Bindings(2)
    salts = SharedSalts(entropy, shared=False)
    one = Supervisor(Config((), workers=2), bindings, salts, lambda: Config(()))
    yield one
    bindings.close()
    for descriptor in one._lifeline:
        os.close(descriptor)


def test_a_fork_that_fails_is_tried_again(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fork() -> int:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "fork", fork)
    supervisor._start(1)
    assert supervisor._due.keys() == {1}
    assert "worker 1 could not be started" in caplog.text
    assert "0.1 s" in caplog.text


def test_short_lives_make_longer_pauses(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(
        "annotated_shadowsocks.supervision.supervisor.time.monotonic", lambda: 100.0
    )
    dues = []
    for _ in range(12):
        supervisor._replace(0, 99.5, signal.SIGSEGV)
        dues.append(supervisor._due.pop(0) - 100.0)
    assert dues[:4] == pytest.approx([0.1, 0.2, 0.4, 0.8])
    assert dues[-2:] == [30.0, 30.0]
    assert "worker 0 was killed by SIGSEGV" in caplog.text
    # Whoever has lived long is replaced at once, and the pauses begin anew.
    supervisor._replace(0, 98.0, 1 << 8)
    assert supervisor._due.pop(0) == 100.0
    assert "worker 0 ended with status 1" in caplog.text
    supervisor._replace(0, 99.5, signal.SIGSEGV)
    assert supervisor._due.pop(0) == pytest.approx(100.1)
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
