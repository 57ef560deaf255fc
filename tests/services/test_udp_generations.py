"""Datagrams of every generation through real services: there, back, away and again.

The names U1 to U8 are those of the probes that a server has to withstand.
"""

import asyncio
import dataclasses
import random
from pathlib import Path
from typing import Any

import pytest

from annotated_shadowsocks.crypto.methods import TABLE, Generation, of_generation
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.relay.packet_relay import PacketRelay
from annotated_shadowsocks.shadowsocks.credentials import client_keys
from annotated_shadowsocks.socks5 import udp
from annotated_shadowsocks.socks5.messages import UNSPECIFIED, Command
from annotated_shadowsocks.testing import commands
from annotated_shadowsocks.testing.loops import LOOPS, run_on
from annotated_shadowsocks.testing.packet_client import PacketClient
from annotated_shadowsocks.testing.programs import free_port
from annotated_shadowsocks.testing.server_harness import (
    AEAD_METHODS,
    ALL_METHODS,
    Service,
    client_key,
    local_config,
    open_socks,
    password,
    serve,
    server_config,
)
from annotated_shadowsocks.testing.targets import Datagrams, until

SESSION_METHODS = tuple(
    row.name for row in of_generation(Generation.AEAD_2022).values() if not row.unavailable
)

both_loops = pytest.mark.parametrize("loop_name", LOOPS)
session_methods = pytest.mark.parametrize("method", SESSION_METHODS)
sealed_methods = pytest.mark.parametrize("method", AEAD_METHODS + SESSION_METHODS)

rng = random.Random("generations")


def relay_of(service: Service) -> PacketRelay[Any]:
    (relay,) = service.port.packet_relays
    return relay


# --- there and back -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loop_name", "method"),
    [("asyncio", method) for method in ALL_METHODS]
    + [("uvloop", method) for method in SESSION_METHODS],
)
def test_datagrams_go_both_ways(loop_name: str, method: str) -> None:
    async def main() -> None:
        with (
            serve(server_config(method, udp=True)) as server,
            serve(local_config(server.udp_endpoint, method=method, udp=True)) as local,
        ):
            control, relayed_at = await open_socks(
                local.endpoint, UNSPECIFIED, Command.UDP_ASSOCIATE
            )
            async with (
                Datagrams(answer=True) as four,
                Datagrams("::1", answer=True) as six,
                Datagrams() as client,
            ):
                for target in (four, six):
                    for size in (0, 1, 1200, 60_000):
                        client.heard.clear()
                        data = rng.randbytes(size)
                        client.send(udp.encode(target.endpoint, data), relayed_at)
                        [(datagram, _)] = await client.receive()
                        source, plain = udp.decode(datagram)
                        assert (source, bytes(plain)) == (target.endpoint, data)
                assert len(relay_of(local)) == len(relay_of(server)) == 1
                assert not relay_of(server).dropped
            control.close()

    run_on(loop_name, main)


@session_methods
def test_many_datagrams_at_once_and_in_any_order(method: str) -> None:
    async def main() -> None:
        with serve(server_config(method, udp=True)) as server:
            client = PacketClient(client_key(method))
            async with Datagrams(answer=True) as target, Datagrams() as away:
                packets = [client.seal(target.endpoint, b"%d" % n) for n in range(100)]
                rng.shuffle(packets)
                for number, packet in enumerate(packets):
                    away.send(packet, server.udp_endpoint)
                    if not number % 50:
                        await asyncio.sleep(0)
                heard = await away.receive(100)
                assert {client.open(answer)[1] for answer, _ in heard} == {
                    b"%d" % n for n in range(100)
                }
                # A target sees one source.
                assert len({source for _, source in target.heard}) == 1

    run_on("asyncio", main)


# --- roaming ------------------------------------------------------------------------------------


@both_loops
@session_methods
def test_a_session_changes_networks_and_keeps_its_place(loop_name: str, method: str) -> None:
    async def main() -> None:
        with serve(server_config(method, udp=True)) as server:
            client = PacketClient(client_key(method))
            async with (
                Datagrams() as target,
                Datagrams("127.0.0.5") as home,
                Datagrams("127.0.0.6") as away,
            ):
                recorded = client.seal(target.endpoint, b"from home")
                home.send(recorded, server.udp_endpoint)
                ((_, source),) = await target.receive(1)
                target.send(b"one", source)
                await home.receive(1)
                away.send(client.seal(target.endpoint, b"from away"), server.udp_endpoint)
                await target.receive(2)
                assert {source for _, source in target.heard} == {source}
                target.send(b"two", source)
                await away.receive(1)
                # U3: a replay from a third place is dropped, and leads no answer there.
                async with Datagrams("127.0.0.7") as attacker:
                    attacker.send(recorded, server.udp_endpoint)
                    await until(lambda: relay_of(server).dropped["replay"] == 1)
                    target.send(b"three", source)
                    await away.receive(2)
                    assert not attacker.heard
                answers = [client.open(answer)[1] for answer, _ in home.heard + away.heard]
                assert answers == [b"one", b"two", b"three"]
                assert len(relay_of(server)) == 1

    run_on(loop_name, main)


# --- probes -------------------------------------------------------------------------------------


@sealed_methods
def test_u1_junk_is_answered_with_nothing_and_leaves_nothing(method: str) -> None:
    async def main() -> None:
        with serve(server_config(method, udp=True)) as server:
            async with Datagrams(answer=True) as target, Datagrams() as prober:
                client = PacketClient(client_key(method))
                genuine = client.seal(target.endpoint, b"genuine")
                junk = [rng.randbytes(size) for size in (*range(0, 120, 3), 1200, 1500, 65_507)]
                junk += [genuine[:size] for size in range(len(genuine))]
                junk += [
                    genuine[:place] + bytes([genuine[place] ^ 1]) + genuine[place + 1 :]
                    for place in range(len(genuine))
                ]
                other = PacketClient(client_keys(TABLE[method], password(method, 1)))
                junk.append(other.seal(target.endpoint, b"another key"))
                # What is sealed, and is no address.
                for plain in (b"", b"\x02", b"\x03\x00\x00\x35", b"\x01\x7f"):
                    junk.append(client.seal_plain(plain))
                for datagram in junk:
                    prober.send(datagram, server.udp_endpoint)
                    await asyncio.sleep(0)
                relay = relay_of(server)
                await until(lambda: relay.dropped.total() == len(junk))
                assert len(relay) == 0
                prober.send(genuine, server.udp_endpoint)
                await prober.receive()
                # U2: its replay gets none; nor does the answer, sent back.
                prober.send(genuine, server.udp_endpoint)
                prober.send(prober.heard[0][0], server.udp_endpoint)
                await until(lambda: relay.dropped.total() == len(junk) + 2)
                assert len(prober.heard) == len(target.heard) == 1

    run_on("asyncio", main)


@session_methods
def test_u6_what_is_not_recent_moves_nothing(method: str) -> None:
    async def main() -> None:
        with serve(server_config(method, udp=True)) as server:
            late = PacketClient(client_key(method), lambda: 1.0)
            async with Datagrams(answer=True) as target, Datagrams() as prober:
                for _ in range(3):
                    prober.send(late.seal(target.endpoint, b"late"), server.udp_endpoint)
                await until(lambda: relay_of(server).dropped.total() == 3)
                assert len(relay_of(server)) == len(server.assembly.runtime.sessions) == 0
                assert not prober.heard

    run_on("asyncio", main)


@session_methods
def test_u8_sessions_are_bounded_and_forgotten_late(method: str) -> None:
    async def main() -> None:
        config = dataclasses.replace(server_config(method, udp=True), udp_max_associations=5)
        with serve(config) as server:
            relay = relay_of(server)
            async with Datagrams() as target, Datagrams() as sender:
                recorded = []
                for number in range(50):
                    client = PacketClient(client_key(method))
                    recorded.append(client.seal(target.endpoint, b"hello"))
                    sender.send(recorded[-1], server.udp_endpoint)
                    await target.receive(number + 1)
                    assert len(relay) <= 5
                assert len({source for _, source in target.heard}) > 5
                # Given up, a session is still known to its recording.
                for packet in recorded:
                    sender.send(packet, server.udp_endpoint)
                await until(lambda: relay.dropped["replay"] == 50)
                assert len(target.heard) == 50

    run_on("asyncio", main)


@session_methods
def test_two_ports_with_one_key_refuse_each_others_recordings(method: str) -> None:
    async def main() -> None:
        config = server_config(method, udp=True)
        (one,) = config.servers
        other = dataclasses.replace(one, endpoint=Endpoint("127.0.0.2", 0))
        with serve(dataclasses.replace(config, servers=(one, other))) as server:
            places = [
                Endpoint(*sockets[0].getsockname()) for (sockets,) in server.bindings.udp.values()
            ]
            client = PacketClient(client_key(method))
            async with Datagrams(answer=True) as target, Datagrams() as sender:
                packet = client.seal(target.endpoint, b"hello")
                sender.send(packet, places[0])
                await sender.receive()
                for place in places:
                    sender.send(packet, place)
                relays = [one for port in server.assembly.services for one in port.packet_relays]
                await until(lambda: sum(one.dropped["replay"] for one in relays) == 2)
                assert len(target.heard) == 1

    run_on("asyncio", main)


# --- reload and restart -------------------------------------------------------------------------


@session_methods
def test_a_reload_that_replaces_a_port_forgets_no_packet(method: str) -> None:
    async def main() -> None:
        config = server_config(method, udp=True)
        with serve(config) as server:
            client = PacketClient(client_key(method))
            async with Datagrams(answer=True) as target, Datagrams() as sender:
                recorded = client.seal(target.endpoint, b"before")
                sender.send(recorded, server.udp_endpoint)
                await sender.receive(1)
                before = relay_of(server)
                server.assembly.apply(dataclasses.replace(config, udp_timeout=99), server.bindings)
                relay = relay_of(server)
                assert relay is not before
                sender.send(recorded, server.udp_endpoint)
                await until(lambda: relay.dropped["replay"] == 1)
                # The session itself goes on, in the same second.
                sender.send(client.seal(target.endpoint, b"after"), server.udp_endpoint)
                answers = [client.open(answer)[1] for answer, _ in await sender.receive(2)]
                assert answers == [b"before", b"after"]

    run_on("asyncio", main)


@session_methods
def test_a_reload_that_changes_nothing_of_a_port_leaves_its_associations(method: str) -> None:
    async def main() -> None:
        config = server_config(method, udp=True)
        with serve(config) as server:
            client = PacketClient(client_key(method))
            async with Datagrams(answer=True) as target, Datagrams() as sender:
                sender.send(client.seal(target.endpoint, b"before"), server.udp_endpoint)
                await sender.receive(1)
                (one,) = config.servers
                more = (one, dataclasses.replace(one, endpoint=Endpoint("127.0.0.2", 0)))
                wanted = dataclasses.replace(config, servers=more)
                server.bindings.open(wanted)
                server.assembly.apply(wanted, server.bindings)
                sender.send(client.seal(target.endpoint, b"after"), server.udp_endpoint)
                await sender.receive(2)
                assert len({source for _, source in target.heard}) == 1

    run_on("asyncio", main)


def command(folder: Path, method: str, port: int, workers: int) -> commands.Command:
    document = {
        "server": "127.0.0.1",
        "server_port": port,
        "method": method,
        "password": password(method),
        "mode": "tcp_and_udp",
        "allow_private_targets": True,
        "workers": workers,
        "state_directory": str(folder / "state"),
    }
    return commands.Command("ssserver", folder, document, [("tcp", port)])


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_no_worker_takes_what_another_has_taken(workers: int, tmp_path: Path) -> None:
    method, port = "2022-blake3-aes-256-gcm", free_port()
    at = Endpoint("127.0.0.1", port)

    async def main() -> None:
        client = PacketClient(client_key(method))
        async with Datagrams(answer=True) as target, Datagrams() as first:
            with command(tmp_path, method, port, workers) as program:
                recorded = client.seal(target.endpoint, b"hello")
                first.send(recorded, at)
                await first.receive(1)
                # From so many addresses that the kernel would deal them to every worker.
                for number in range(2, 40):
                    async with Datagrams(f"127.0.1.{number}") as other:
                        other.send(recorded, at)
                        other.send(client.seal(target.endpoint, b"%d" % number), at)
                        ((answer, _),) = await other.receive(1)
                        assert client.open(answer)[1] == b"%d" % number
                assert len(target.heard) == 39
                # To the target it was one client on its way through forty networks.
                assert len({source for _, source in target.heard}) == 1
                assert await program.ended() == 0
            with command(tmp_path, method, port, workers) as program:
                # Whoever serves next knows what this one knew, and the session goes on.
                await asyncio.sleep(0)
                first.send(recorded, at)
                for _ in range(100):
                    first.send(client.seal(target.endpoint, b"again"), at)
                    try:
                        await asyncio.wait_for(first.receive(2), 0.1)
                        break
                    except TimeoutError:
                        continue
                assert {data for data, _ in target.heard[39:]} == {b"again"}
                assert await program.ended() == 0

    asyncio.run(main())
