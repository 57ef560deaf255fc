"""Datagrams at both ends of the tunnel, and through both."""

import asyncio
import dataclasses
import random
import socket
from collections.abc import Callable
from typing import Any

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import AuthenticationError, ReplayError, Truncated
from annotated_shadowsocks.relay.packet_relay import PacketLimits, PacketRelay
from annotated_shadowsocks.services.local import LocalPort
from annotated_shadowsocks.services.packets import (
    BoxSeal,
    LocalPackets,
    PacketBox,
    ServerPackets,
    portable,
)
from annotated_shadowsocks.services.runtime import Runtime
from annotated_shadowsocks.services.salts import SharedSalts
from annotated_shadowsocks.services.server import ServerPort
from annotated_shadowsocks.shadowsocks.aead_packet import open_packet, overhead, seal_packet
from annotated_shadowsocks.shadowsocks.credentials import KeyRing
from annotated_shadowsocks.socks5 import udp
from annotated_shadowsocks.socks5.messages import UNSPECIFIED, Command
from annotated_shadowsocks.system import entropy
from annotated_shadowsocks.testing.loops import LOOPS, run_on
from annotated_shadowsocks.testing.manual_loop import ManualLoop
from annotated_shadowsocks.testing.server_harness import (
    AEAD_METHODS,
    Service,
    TunnelClient,
    local_config,
    master_key,
    open_socks,
    rested,
    serve,
    server_config,
)
from annotated_shadowsocks.testing.targets import Datagrams, Dead, read_all, until
from annotated_shadowsocks.wire import address

both_loops = pytest.mark.parametrize("loop_name", LOOPS)
all_methods = pytest.mark.parametrize("method", AEAD_METHODS)

KEY = master_key()
SERVER = Endpoint("192.0.2.1", 8388)
TARGET = Endpoint("198.51.100.7", 53)
CLIENT = ("203.0.113.9", 40000)

rng = random.Random("packets")


def buffer() -> memoryview:
    return memoryview(bytearray(1 << 17))


def sealed(key_of: str, dst: Endpoint, data: bytes) -> bytes:
    """A client's packet to the server."""
    key, out = master_key(key_of), buffer()
    salt = entropy(key.method.salt_size)
    return bytes(out[: seal_packet(key, salt, address.encode(dst) + data, out)])


def plain(found: tuple[Endpoint, memoryview]) -> tuple[Endpoint, bytes]:
    return found[0], bytes(found[1])


def inward(server: ServerPackets, packet: memoryview) -> tuple[Endpoint, bytes]:
    flow, target, data = server.inward(packet, CLIENT, buffer())
    assert flow == CLIENT
    return target, bytes(data)


def opened(packet: memoryview, method: str = "aes-256-gcm") -> tuple[Endpoint, bytes]:
    return plain(open_packet(master_key(method), packet, buffer()))


def salts() -> SharedSalts:
    return SharedSalts(entropy, shared=False)


def server_packets(method: str, remembered: SharedSalts | None = None) -> ServerPackets:
    remembered = remembered or salts()
    return ServerPackets(PacketBox(master_key(method), remembered.packets, entropy))


def local_packets(method: str) -> LocalPackets:
    box = PacketBox(master_key(method), salts().packets, entropy)
    return LocalPackets(lambda client: BoxSeal(SERVER, box))


def port_of(service: Service) -> LocalPort:
    assert isinstance(service.port, LocalPort)
    return service.port


def relay_of(service: Service) -> PacketRelay[Any]:
    (relay,) = service.port.packet_relays
    return relay


@all_methods
def test_a_local_seals_what_stands_behind_the_prefix(method: str) -> None:
    key = master_key(method)
    local = local_packets(method)
    # [RFC1928 §7] RSV, FRAG, ATYP 1, 198.51.100.7, port 53, data
    datagram = bytes.fromhex("0000 00 01 c6336407 0035") + b"a question"
    flow, to, packet = local.inward(memoryview(datagram), CLIENT, buffer())
    assert (flow, to) == (CLIENT, SERVER)
    assert local.owner(flow, CLIENT) == CLIENT[0]
    assert len(packet) == len(datagram) - 3 + overhead(key.method)
    assert opened(packet, method) == (TARGET, b"a question")


@all_methods
def test_a_local_puts_the_prefix_in_front_again(method: str) -> None:
    local = local_packets(method)
    local.inward(memoryview(udp.encode(TARGET, b"a question")), CLIENT, buffer())
    packet = memoryview(sealed(method, TARGET, b"an answer"))
    datagram = local.outward(CLIENT, SERVER, packet, buffer())
    assert bytes(datagram) == bytes.fromhex("0000 00 01 c6336407 0035") + b"an answer"


@all_methods
def test_a_server_opens_and_seals(method: str) -> None:
    server = server_packets(method)
    packet = memoryview(sealed(method, TARGET, b"a question"))
    assert inward(server, packet) == (TARGET, b"a question")
    answer = server.outward(CLIENT, TARGET, memoryview(b"an answer"), buffer())
    assert opened(answer, method) == (TARGET, b"an answer")


def test_what_was_seen_or_sent_before_is_refused() -> None:
    remembered = salts()
    server = server_packets("aes-256-gcm", remembered)
    # A port with the same key remembers with it.
    other = server_packets("aes-256-gcm", remembered)
    packet = memoryview(sealed("aes-256-gcm", TARGET, b"once"))
    inward(server, packet)
    own = memoryview(bytes(server.outward(CLIENT, TARGET, memoryview(b"ours"), buffer())))
    for front in (server, other):
        for again in (packet, own):
            with pytest.raises(ReplayError):
                inward(front, again)


def test_what_is_not_authentic_leaves_no_salt_behind() -> None:
    server = server_packets("aes-256-gcm")
    packet = sealed("aes-256-gcm", TARGET, b"genuine")
    for forged in (packet[:-1] + bytes([packet[-1] ^ 1]), packet[:-1]):
        with pytest.raises(AuthenticationError):
            inward(server, memoryview(forged))
    with pytest.raises(Truncated):
        inward(server, memoryview(packet[:47]))
    assert inward(server, memoryview(packet)) == (TARGET, b"genuine")


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_a_literal_for_another_host(host: str, text: str) -> None:
    assert portable(host) == text


def test_an_answer_from_a_zone_is_passed_on_without_it() -> None:
    server = server_packets("aes-256-gcm")
    answer = server.outward(CLIENT, Endpoint("fe80::1%eth0", 53), memoryview(b"hello"), buffer())
    assert opened(answer) == (Endpoint("fe80::1", 53), b"hello")


async def associate(
    local: Service, auth: tuple[str, str] | None = None
) -> tuple[socket.socket, Endpoint]:
    """A control connection, and where it says that datagrams go."""
    return await open_socks(local.endpoint, UNSPECIFIED, Command.UDP_ASSOCIATE, auth)


@both_loops
@all_methods
def test_datagrams_go_both_ways_and_from_several_targets(loop_name: str, method: str) -> None:
    async def main() -> None:
        with (
            serve(server_config(method, udp=True)) as server,
            serve(local_config(server.udp_endpoint, method=method, udp=True)) as local,
        ):
            control, relayed_at = await associate(local)
            async with (
                Datagrams(answer=True) as four,
                Datagrams("::1", answer=True) as six,
                Datagrams(answer=True) as third,
                Datagrams() as client,
            ):
                targets = {
                    four.endpoint: four.endpoint,
                    six.endpoint: six.endpoint,
                    Endpoint("localhost", third.endpoint.port): third.endpoint,
                }
                for number, (dst, source) in enumerate(targets.items(), 1):
                    for size in (0, 1, 1200, 60_000):
                        client.heard.clear()
                        data = rng.randbytes(size)
                        client.send(udp.encode(dst, data), relayed_at)
                        [(datagram, _)] = await client.receive()
                        assert plain(udp.decode(datagram)) == (source, data)
                    # One association at each end, whatever the number of targets.
                    assert len(relay_of(local)) == len(relay_of(server)) == 1
                    assert relay_of(server).from_clients == 4 * number
                # A target sees one source for one client, and can speak unasked.
                (four_heard, *_), (third_heard, *_) = four.heard, third.heard
                assert four_heard[1] == third_heard[1]
                client.heard.clear()
                four.send(b"unasked", four_heard[1])
                [(datagram, _)] = await client.receive()
                assert plain(udp.decode(datagram)) == (four.endpoint, b"unasked")
            control.close()

    run_on(loop_name, main)


@both_loops
def test_the_end_of_the_control_connection_ends_the_association(loop_name: str) -> None:
    async def main() -> None:
        with (
            serve(server_config(udp=True)) as server,
            serve(local_config(server.udp_endpoint, udp=True)) as local,
        ):
            async with Datagrams(answer=True) as target, Datagrams() as client:
                first, relayed_at = await associate(local)
                second, _ = await associate(local)
                client.send(udp.encode(target.endpoint, b"hello"), relayed_at)
                await client.receive()
                # Another program of the same host may still need it.
                first.close()
                await until(lambda: len(port_of(local).controls["127.0.0.1"]) == 1)
                assert len(relay_of(local)) == 1
                second.shutdown(socket.SHUT_WR)
                assert await read_all(second) == b""
                second.close()
                await until(lambda: len(relay_of(local)) == 0)
                # The other end knows nothing of that, and keeps its own until it is idle.
                assert len(relay_of(server)) == 1

    run_on(loop_name, main)


@both_loops
def test_without_its_password_nobody_is_relayed(loop_name: str) -> None:
    async def main() -> None:
        with serve(server_config(udp=True)) as server:
            config = local_config(server.udp_endpoint, udp=True, users={"alice": "wonder"})
            with serve(config) as local:
                async with Datagrams(answer=True) as target, Datagrams() as client:
                    datagram = udp.encode(target.endpoint, b"hello")
                    client.send(datagram, local.udp_endpoint)
                    await until(lambda: relay_of(local).dropped == {"policy": 1})
                    control, relayed_at = await associate(local, ("alice", "wonder"))
                    assert relayed_at == local.udp_endpoint
                    client.send(datagram, relayed_at)
                    await client.receive()
                    assert len(target.heard) == 1
                    control.close()

    run_on(loop_name, main)


@both_loops
def test_the_end_of_the_service_ends_control_connections(loop_name: str) -> None:
    async def main() -> None:
        with serve(local_config(SERVER, udp=True)) as local:
            control, _ = await associate(local)
            local.port.stop()
            assert await read_all(control) == b""
            control.close()
            assert not port_of(local).controls

    run_on(loop_name, main)


@both_loops
def test_junk_is_answered_with_nothing_and_leaves_nothing(loop_name: str) -> None:
    async def main() -> None:
        with serve(server_config(udp=True)) as service:
            async with Datagrams(answer=True) as target, Datagrams() as prober:
                genuine = sealed("aes-256-gcm", target.endpoint, b"genuine")
                junk = [rng.randbytes(size) for size in (*range(120), 500, 1200, 1500, 65_507)]
                junk += [genuine[:size] for size in range(len(genuine))]
                junk += [
                    genuine[:place] + bytes([genuine[place] ^ 1]) + genuine[place + 1 :]
                    for place in range(len(genuine))
                ]
                junk.append(sealed("aes-128-gcm", target.endpoint, b"another method"))
                bad = {
                    "atyp": b"\x02" + address.encode(TARGET)[1:],
                    "empty name": b"\x03\x00\x00\x35",
                    "nothing": b"",
                }
                for plain in bad.values():
                    out = buffer()
                    junk.append(bytes(out[: seal_packet(KEY, entropy(32), plain, out)]))
                for datagram in junk:
                    prober.send(datagram, service.udp_endpoint)
                    await asyncio.sleep(0)
                relay = relay_of(service)
                await until(lambda: relay.dropped.total() == len(junk))
                assert len(relay) == 0
                prober.send(genuine, service.udp_endpoint)
                await prober.receive()
                # The one answer is to the one genuine packet; its replay gets none.
                prober.send(genuine, service.udp_endpoint)
                (answer, _) = prober.heard[0]
                prober.send(answer, service.udp_endpoint)
                await until(lambda: relay.dropped["replay"] == 2)
                assert len(prober.heard) == len(target.heard) == 1

    run_on(loop_name, main)


@both_loops
def test_a_packet_and_a_stream_are_not_each_other(loop_name: str) -> None:
    async def main() -> None:
        with serve(server_config(udp=True)) as service:
            async with Datagrams() as prober:
                stream = TunnelClient(service.endpoint, KEY, TARGET).seal(b"a first payload")
                prober.send(stream, service.udp_endpoint)
                await until(lambda: relay_of(service).dropped == {"authentication": 1})
                assert not prober.heard

    run_on(loop_name, main)


@both_loops
def test_targets_inside_are_refused(loop_name: str) -> None:
    async def main() -> None:
        with serve(server_config(udp=True, allow_private_targets=False)) as service:
            async with Datagrams() as target, Datagrams() as client:
                hosts = ["127.0.0.1", "localhost", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "::1"]
                for host in hosts:
                    dst = Endpoint(host, target.endpoint.port)
                    client.send(sealed("aes-256-gcm", dst, b"hello"), service.udp_endpoint)
                await until(lambda: relay_of(service).dropped == {"policy": len(hosts)})
                assert not target.heard

    run_on(loop_name, main)


@both_loops
def test_silence_ends_associations(loop_name: str) -> None:
    async def main() -> None:
        with (
            serve(server_config(udp=True, udp_timeout=0.2)) as server,
            serve(local_config(server.udp_endpoint, udp=True, udp_timeout=0.2)) as local,
        ):
            async with Datagrams(answer=True) as target, Datagrams() as client:
                client.send(udp.encode(target.endpoint, b"hello"), local.udp_endpoint)
                await client.receive()
                await rested(server, local)
                # And the next datagram begins anew.
                client.send(udp.encode(target.endpoint, b"hello"), local.udp_endpoint)
                await client.receive(2)

    run_on(loop_name, main)


def found_at_once(host: str, done: Callable[[list[str]], None]) -> Callable[[], None]:
    done([host])
    return lambda: None


def test_an_association_survives_the_silence_of_its_client() -> None:
    loop = ManualLoop()
    remembered = salts()
    runtime = Runtime(loop, entropy, remembered.streams, remembered.packets)
    runtime.lookup = found_at_once
    port = ServerPort(runtime, KeyRing.of(KEY), None, 60.0)
    with (
        socket.socket(type=socket.SOCK_DGRAM) as listening,
        socket.socket(type=socket.SOCK_DGRAM) as client,
        socket.socket(type=socket.SOCK_DGRAM) as target,
    ):
        for sock in (listening, client, target):
            sock.bind(("127.0.0.1", 0))
            sock.setblocking(False)
        port.relay_packets([listening], PacketLimits(timeout=300.0))
        (relay,) = port.packet_relays
        dst = Endpoint(*target.getsockname())
        client.sendto(sealed("aes-256-gcm", dst, b"subscribe"), listening.getsockname())
        loop.settle()
        data, source = target.recvfrom(100)
        assert data == b"subscribe"
        # Only the target speaks from here on, each time just before the association would end.
        for _ in range(10):
            loop.advance(299.0)
            target.sendto(b"news", source)
            loop.settle()
            answer = memoryview(client.recv(1000))
            assert opened(answer) == (dst, b"news")
        loop.advance(299.0)
        assert len(relay) == 1
        loop.advance(2.0)
        assert len(relay) == 0
        port.stop()
    runtime.stop()


def test_no_server_for_datagrams_means_none_are_taken(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        with Dead() as dead:
            config = local_config(dead, udp=True)
            servers = tuple(dataclasses.replace(one, udp=False) for one in config.servers)
            with serve(dataclasses.replace(config, servers=servers)) as local:
                assert local.port.packet_relays == []
                assert port_of(local).commands == {Command.CONNECT}

    run_on("asyncio", main)
    assert "no server takes datagrams" in caplog.text
