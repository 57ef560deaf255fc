"""UDP over TCP at a server: the client writes the octets of the specification itself."""

import asyncio
import dataclasses
import random

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.services.packet_streams import PacketStreams
from annotated_shadowsocks.services.server import ServerPort
from annotated_shadowsocks.shadowsocks.udp_over_tcp import HOSTS
from annotated_shadowsocks.testing.loops import LOOPS, run_on
from annotated_shadowsocks.testing.server_harness import (
    Service,
    TunnelClient,
    client_key,
    password,
    rested,
    serve,
    server_config,
)
from annotated_shadowsocks.testing.targets import Datagrams, until
from annotated_shadowsocks.wire import address

both_loops = pytest.mark.parametrize("loop_name", LOOPS)
METHODS = ("aes-256-gcm", "2022-blake3-aes-128-gcm", "2022-blake3-chacha20-poly1305", "aes-128-ctr")

rng = random.Random("streams")


# sing-box, "UDP over TCP": families 0, 1 and 2 in a datagram; types 1, 3 and 4 in a request.
_FAMILIES = {1: 0, 4: 1, 3: 2}


def framed(peer: Endpoint, data: bytes) -> bytes:
    head = address.encode(peer)
    return bytes([_FAMILIES[head[0]]]) + head[1:] + len(data).to_bytes(2, "big") + data


def bare(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def request(connect: bool, peer: Endpoint) -> bytes:
    return bytes([connect]) + address.encode(peer)


def streams_of(service: Service) -> PacketStreams:
    port = service.port
    assert isinstance(port, ServerPort)
    assert port.packet_streams is not None
    return port.packet_streams


def tunnel(server: Service, version: int, method: str = "aes-256-gcm") -> TunnelClient:
    # sing's clients say port 0, which is no port of a target that is dialled.
    return TunnelClient(server.endpoint, client_key(method), Endpoint(HOSTS[version], 0))


async def heard(client: TunnelClient, size: int) -> bytes:
    octets = b""
    while len(octets) < size:
        piece = await client.receive()
        assert piece, octets
        octets += piece
    return octets


@both_loops
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("version", HOSTS)
def test_datagrams_to_several_targets(loop_name: str, method: str, version: int) -> None:
    async def main() -> None:
        with serve(server_config(method)) as server:
            async with (
                Datagrams(answer=True) as four,
                Datagrams("::1", answer=True) as six,
                tunnel(server, version, method) as client,
            ):
                # In the payload of the tunnel's first octets, as clients do.
                first = request(False, four.endpoint) if version == 2 else b""
                named = Endpoint("localhost", four.endpoint.port)
                for peer, source in (
                    (four.endpoint, four.endpoint),
                    (six.endpoint, six.endpoint),
                    (named, four.endpoint),
                ):
                    for size in (0, 1, 1200, 30_000):
                        data = rng.randbytes(size)
                        await client.send(first + framed(peer, data))
                        first = b""
                        answer = framed(source, data)
                        assert await heard(client, len(answer)) == answer
                # A target sees one source.
                assert len({source for _, source in four.heard}) == 1
                assert len(streams_of(server)) == server.assembly.active == 1
            await rested(server)
            assert not streams_of(server).outside.dropped

    run_on(loop_name, main)


def test_what_it_carries_is_on_its_users_account_and_on_its_ports() -> None:
    method = "2022-blake3-aes-128-gcm"
    bob = password(method, 2)

    async def main() -> None:
        with serve(server_config(method, users={"bob": bob})) as server:
            keys = client_key(method, f"{password(method)}:{bob}")
            async with (
                Datagrams(answer=True) as target,
                TunnelClient(server.endpoint, keys, Endpoint(HOSTS[1], 0)) as client,
            ):
                first = client.seal(framed(target.endpoint, bytes(1000)))
                second = client.seal(framed(target.endpoint, bytes(2000)))
                for octets in (first, second):
                    await asyncio.get_running_loop().sock_sendall(client.sock, octets)
                size = len(framed(target.endpoint, b""))
                await heard(client, 2 * size + 3000)
                counters = server.assembly.runtime.counters
                account = counters.users["bob"]
                assert account.relayed == counters.relayed == 1
                sent = len(first + second)
                assert account.from_client == counters.from_clients == sent
                # Two chunks, and in front of the first one salt and header.
                assert 3000 + 2 * size < account.from_targets < 3000 + 2 * size + 200
                assert server.port.account.octets == sent + account.from_targets
            await rested(server)

    run_on("asyncio", main)


@both_loops
def test_a_connected_stream_has_one_peer(loop_name: str) -> None:
    async def main() -> None:
        with serve(server_config()) as server:
            async with Datagrams() as target, Datagrams() as stranger, tunnel(server, 2) as client:
                await client.send(request(True, target.endpoint) + bare(b"one") + bare(b"two"))
                await target.receive(2)
                assert [data for data, _ in target.heard] == [b"one", b"two"]
                _, source = target.heard[0]
                stranger.send(b"psst", source)
                target.send(b"answer", source)
                assert await heard(client, 8) == bare(b"answer")
                assert streams_of(server).outside.dropped == {"stranger": 1}
            await rested(server)

    run_on(loop_name, main)


@both_loops
def test_each_octet_may_come_alone(loop_name: str) -> None:
    async def main() -> None:
        with serve(server_config()) as server:
            async with Datagrams(answer=True) as target, tunnel(server, 2) as client:
                data = framed(target.endpoint, b"hello")
                for octet in request(False, target.endpoint) + data + data:
                    await client.send(bytes([octet]))
                assert await heard(client, 2 * len(data)) == data + data
            await rested(server)

    run_on(loop_name, main)


@pytest.mark.parametrize(
    ("version", "octets"),
    [
        (1, b"\x03"),
        (1, framed(Endpoint("192.0.2.1", 1), b"x")[:-1]),
        (2, b"\x02"),
        (2, b"\x00\x02"),
    ],
    ids=["family", "cut", "connect", "type"],
)
def test_what_is_no_datagram_ends_in_silence(version: int, octets: bytes) -> None:
    async def main() -> None:
        with serve(server_config(timeout=0.3)) as server:
            async with tunnel(server, version) as client:
                await client.send(octets)
                client.sock.shutdown(1)
                assert await client.receive() == b""
            await rested(server)

    run_on("asyncio", main)


def test_targets_inside_are_refused() -> None:
    async def main() -> None:
        with serve(server_config(allow_private_targets=False)) as server:
            async with Datagrams() as target, tunnel(server, 1) as client:
                hosts = ("127.0.0.1", "localhost", "::1")
                for host in hosts:
                    peer = Endpoint(host, target.endpoint.port)
                    await client.send(framed(peer, b"hello"))
                await until(lambda: streams_of(server).outside.dropped == {"policy": len(hosts)})
                assert not target.heard
            await rested(server)

    run_on("asyncio", main)


@both_loops
def test_silence_ends_a_stream(loop_name: str) -> None:
    async def main() -> None:
        with serve(server_config(udp_timeout=0.2)) as server:
            async with Datagrams(answer=True) as target, tunnel(server, 1) as client:
                data = framed(target.endpoint, b"hello")
                await client.send(data)
                assert await heard(client, len(data)) == data
                assert await client.receive() == b""
                assert len(streams_of(server)) == 0
            await rested(server)

    run_on(loop_name, main)


def test_a_host_gives_up_its_own_streams() -> None:
    async def main() -> None:
        config = dataclasses.replace(server_config(), udp_max_associations=2)
        with serve(config) as server:
            async with Datagrams(answer=True) as target:
                data = framed(target.endpoint, b"hello")
                clients = []
                for _ in range(3):
                    client = await tunnel(server, 1).__aenter__()
                    clients.append(client)
                    await client.send(data)
                    assert await heard(client, len(data)) == data
                assert await clients[0].receive() == b""
                assert len(streams_of(server)) == 2
                for client in clients:
                    client.sock.close()
            await rested(server)

    run_on("asyncio", main)


@both_loops
def test_a_client_that_does_not_read_loses_datagrams_and_nothing_grows(loop_name: str) -> None:
    async def main() -> None:
        with serve(server_config()) as server:
            async with Datagrams() as target, tunnel(server, 1) as client:
                await client.send(framed(target.endpoint, b"hello"))
                ((_, source),) = await target.receive(1)
                streams = streams_of(server)
                for _ in range(5000):
                    for _ in range(3):
                        target.send(bytes(60_000), source)
                    await asyncio.sleep(0)
                    if streams.outside.dropped["full"]:
                        break
                assert streams.outside.dropped["full"]
                # What was sent is whole, and what comes now passes.
                answer = framed(target.endpoint, bytes(60_000))
                octets = await heard(client, streams.to_clients * len(answer))
                assert octets == answer * streams.to_clients
                target.send(b"next", source)
                assert await heard(client, 13) == framed(target.endpoint, b"next")
            await rested(server)

    run_on(loop_name, main)


@both_loops
def test_the_end_of_the_service_ends_streams(loop_name: str) -> None:
    async def main() -> None:
        with serve(server_config()) as server:
            async with Datagrams(answer=True) as target, tunnel(server, 1) as client:
                data = framed(target.endpoint, b"hello")
                await client.send(data)
                await heard(client, len(data))
                server.port.stop()
                # A reload stops a port, and lets connections go on.
                await client.send(data)
                assert await heard(client, len(data)) == data
                server.port.abort()
                assert await client.receive() == b""
            await until(lambda: server.assembly.active == 0)

    run_on(loop_name, main)
