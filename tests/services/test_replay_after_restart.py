"""A recording is refused by whoever serves the key next: after ``kill -9``, and on another port."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.shadowsocks.aead_packet import open_packet, seal_packet
from annotated_shadowsocks.system import entropy
from annotated_shadowsocks.testing.commands import Command, children
from annotated_shadowsocks.testing.probes import End, Probe, Reaction, When, reactions
from annotated_shadowsocks.testing.programs import free_port
from annotated_shadowsocks.testing.server_harness import PASSWORD, TunnelClient, master_key
from annotated_shadowsocks.testing.targets import Datagrams, Target, until
from annotated_shadowsocks.wire import address

KEY = master_key()
SHORT = 0.5
SILENCE = Reaction(0, End.FIN, When.AT_DEADLINE)


def server(folder: Path, state: Path, ports: list[int], workers: int) -> Command:
    document = {
        "server": "127.0.0.1",
        "server_port": ports,
        "method": KEY.method.name,
        "password": PASSWORD,
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


@pytest.mark.parametrize("workers", [1, 2, 3, 4])
def test_what_was_accepted_before_is_refused(workers: int, tmp_path: Path) -> None:
    async def main() -> None:
        ports = [free_port(), free_port()]
        recorded = []
        async with Target() as target, Datagrams(answer=True) as answering:
            out = memoryview(bytearray(4096))
            plain = address.encode(answering.endpoint) + b"a datagram"
            packet = bytes(out[: seal_packet(KEY, entropy(32), plain, out)])
            with server(tmp_path, tmp_path / "state", ports, workers) as command:
                for _ in range(5):
                    octets = TunnelClient(at(ports[0]), KEY, target.endpoint).seal(b"hello")
                    async with TunnelClient(at(ports[0]), KEY, None) as client:
                        await asyncio.get_running_loop().sock_sendall(client.sock, octets)
                        assert await client.receive() == b"hello"
                    recorded.append(octets)
                async with Datagrams() as sender:
                    sender.send(packet, at(ports[0]))
                    await sender.receive(1)
                await kill_all(command)
            with server(tmp_path, tmp_path / "state", ports, workers) as command:
                replays = {str(number): Probe((octets,)) for number, octets in enumerate(recorded)}
                for port in ports:
                    assert await reactions(at(port), replays, SHORT) == {SILENCE: list(replays)}
                async with Datagrams() as sender:
                    for port in ports:
                        sender.send(packet, at(port))
                        # The genuine one behind it is answered: the replay had its chance.
                        fresh = bytes(out[: seal_packet(KEY, entropy(32), plain + b"!", out)])
                        sender.send(fresh, at(port))
                    answers = await sender.receive(2)
                opened = [bytes(open_packet(KEY, memoryview(a), out)[1]) for a, _ in answers]
                assert opened == [b"a datagram!"] * 2
            assert target.accepts == len(recorded)
            assert [data for data, _ in answering.heard] == [b"a datagram", *opened]

    asyncio.run(main())


def test_without_the_memory_of_before_it_is_accepted(tmp_path: Path) -> None:
    # The positive control: the recording is good, and only the memory refuses it.
    async def main() -> None:
        ports = [free_port()]
        async with Target() as target:
            octets = TunnelClient(at(ports[0]), KEY, target.endpoint).seal(b"hello")
            for state in ("one", "two"):
                with server(tmp_path, tmp_path / state, ports, 1) as command:
                    async with TunnelClient(at(ports[0]), KEY, None) as client:
                        await asyncio.get_running_loop().sock_sendall(client.sock, octets)
                        assert await client.receive() == b"hello"
                    await kill_all(command)

    asyncio.run(main())


def at(port: int) -> Endpoint:
    return Endpoint("127.0.0.1", port)
