"""A recording is refused by whoever serves the key next: after ``kill -9``, and on another port."""

import asyncio
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.testing.commands import Command, children
from annotated_shadowsocks.testing.packet_client import PacketClient
from annotated_shadowsocks.testing.probes import End, Probe, Reaction, When, reactions
from annotated_shadowsocks.testing.programs import free_port
from annotated_shadowsocks.testing.server_harness import TunnelClient, client_key, password
from annotated_shadowsocks.testing.targets import Datagrams, Target, until

SHORT = 0.5
SILENCE = Reaction(0, End.FIN, When.AT_DEADLINE)


def server(folder: Path, state: Path, method: str, ports: list[int], workers: int) -> Command:
    document = {
        "server": "127.0.0.1",
        "server_port": ports,
        "method": method,
        "password": password(method),
        "mode": "tcp_and_udp",
        "allow_private_targets": True,
        "workers": workers,
        "timeout": SHORT,
        "state_directory": str(state),
    }
    return Command("ssserver", folder, document, [("tcp", port) for port in ports])


async def kill_all(command: Command) -> None:
    """``kill -9`` of every process of it at once; none can tell another."""
    workers = children(command.pid)
    for pid in (command.pid, *workers):
        os.kill(pid, signal.SIGKILL)
    assert await command.ended() == -signal.SIGKILL
    await until(lambda: not workers & children(1) | workers & children(os.getpid()))


@pytest.mark.parametrize(
    ("method", "workers"),
    [
        *(("aes-256-gcm", workers) for workers in (1, 2, 3, 4)),
        ("2022-blake3-aes-128-gcm", 1),
        ("2022-blake3-aes-256-gcm", 2),
        ("2022-blake3-chacha20-poly1305", 3),
        ("2022-blake3-aes-256-gcm", 4),
    ],
)
def test_what_was_accepted_before_is_refused(method: str, workers: int, tmp_path: Path) -> None:
    async def main() -> None:
        ports, keys = [free_port(), free_port()], client_key(method)
        recorded = []
        async with Target() as target, Datagrams(answer=True) as answering:
            with server(tmp_path, tmp_path / "state", method, ports, workers) as command:
                for _ in range(5):
                    async with TunnelClient(at(ports[0]), keys, target.endpoint) as client:
                        octets = client.seal(b"hello")
                        await asyncio.get_running_loop().sock_sendall(client.sock, octets)
                        assert await client.receive() == b"hello"
                    recorded.append(octets)
                # Not before the memory began, which would be refused.
                packet = PacketClient(keys).seal(answering.endpoint, b"a datagram")
                async with Datagrams() as sender:
                    sender.send(packet, at(ports[0]))
                    await sender.receive(1)
                await kill_all(command)
            with server(tmp_path, tmp_path / "state", method, ports, workers) as command:
                replays = {str(number): Probe((octets,)) for number, octets in enumerate(recorded)}
                for port in ports:
                    assert await reactions(at(port), replays, SHORT) == {SILENCE: list(replays)}
                for port in ports:
                    async with Datagrams() as sender:
                        sender.send(packet, at(port))
                        # The genuine one behind it is answered: the replay had its chance.
                        fresh = PacketClient(keys)
                        sender.send(fresh.seal(answering.endpoint, b"another"), at(port))
                        ((answer, _),) = await sender.receive(1)
                        assert fresh.open(answer)[1] == b"another"
            assert target.accepts == len(recorded)
            assert [data for data, _ in answering.heard] == [b"a datagram", b"another", b"another"]

    asyncio.run(main())


@pytest.mark.parametrize("method", ["aes-256-gcm", "2022-blake3-aes-256-gcm"])
def test_without_the_memory_of_before_it_is_accepted(method: str, tmp_path: Path) -> None:
    # The positive control: the recording is good, and only the memory refuses it. Where a request
    # says when it was made, this one comes from a clock that is ahead, so that a memory which is
    # new does not refuse it for being from before.
    async def main() -> None:
        ports, keys = [free_port()], client_key(method)
        async with Target() as target:
            early = TunnelClient(at(ports[0]), keys, target.endpoint, wall=lambda: time.time() + 25)
            octets = early.seal(b"hello")
            for state in ("one", "two"):
                with server(tmp_path, tmp_path / state, method, ports, 1) as command:
                    with socket.create_connection(("127.0.0.1", ports[0]), timeout=20) as sock:
                        sock.sendall(octets)
                        assert await asyncio.to_thread(sock.recv, 1 << 16)
                    await kill_all(command)

    asyncio.run(main())


def at(port: int) -> Endpoint:
    return Endpoint("127.0.0.1", port)
