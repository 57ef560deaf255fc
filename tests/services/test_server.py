"""``ssserver``'s connections: what reaches the target, who is refused, and that nothing is left."""

import asyncio
import dataclasses
import logging
import socket

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.services.salts import SharedSalts
from annotated_shadowsocks.services.server import ServerPort
from annotated_shadowsocks.system import entropy, own_addresses
from annotated_shadowsocks.testing.loops import LOOPS, run_on
from annotated_shadowsocks.testing.name_server import NameServer, addresses, alternating
from annotated_shadowsocks.testing.probes import End, Probe, Reaction, When, reaction, reactions
from annotated_shadowsocks.testing.server_harness import (
    Service,
    TunnelClient,
    master_key,
    rested,
    serve,
    server_config,
)
from annotated_shadowsocks.testing.targets import (
    Dead,
    FullQueue,
    Sink,
    Target,
    reset,
    until,
)
from annotated_shadowsocks.wire import address

both_loops = pytest.mark.parametrize("loop_name", LOOPS)

SHORT, LONG = 0.3, 60.0
SILENCE = Reaction(0, End.FIN, When.AT_DEADLINE)
ENDED_AT_ONCE = Reaction(0, End.FIN, When.BEFORE_DEADLINE)

KEY = master_key()


def chunks(dst: Endpoint, *payloads: bytes) -> list[bytes]:
    """A stream with one chunk for each payload, the address in front of the first."""
    client = TunnelClient(dst, KEY, dst)
    return [client.seal(payload) for payload in payloads]


def port_of(service: Service) -> ServerPort:
    assert isinstance(service.port, ServerPort)
    return service.port


async def say(service: Service, *plains: bytes) -> None:
    """Send a stream whose chunks have just these plain texts, and wait for its end."""
    async with TunnelClient(service.endpoint, KEY, None) as client:
        for plain in plains:
            await client.send(plain)
        client.sock.shutdown(socket.SHUT_WR)
        assert await client.receive() == b""


@both_loops
def test_an_address_may_be_split_over_chunks_in_any_way(loop_name: str) -> None:
    async def main() -> None:
        sink = Sink()
        with serve(server_config()) as service:
            async with Target(sink) as target:
                plain = address.encode(target.endpoint) + b"behind it"
                for cut in range(1, len(plain)):
                    await say(service, plain[:cut], plain[cut:])
                await say(service, *(bytes([octet]) for octet in plain))
                await until(lambda: len(sink.ends) == len(plain))
                assert sink.heard == [b"behind it"] * len(plain)

    run_on(loop_name, main)


@both_loops
@pytest.mark.parametrize("bad", range(1, 4))
@pytest.mark.parametrize("together", [False, True])
def test_a_bad_chunk_ends_the_stream_behind_the_good_ones(
    loop_name: str, bad: int, together: bool
) -> None:
    async def main() -> None:
        sink = Sink()
        with serve(server_config(timeout=SHORT)) as service:
            async with Target(sink) as target:
                payloads = (b"one, ", b"two, ", b"three, ", b"four")
                probes = {}
                for place in range(len(chunks(target.endpoint, *payloads)[bad])):
                    pieces = chunks(target.endpoint, *payloads)
                    changed = bytearray(pieces[bad])
                    changed[place] ^= 1
                    pieces[bad] = bytes(changed)
                    sent = (b"".join(pieces),) if together else tuple(pieces)
                    probes[f"octet {place}"] = Probe(sent, 0.001)
                # No octet comes back, and the end is a FIN: no later than a deadline from the
                # moment at which the stream was found to be bad.
                seen = await reactions(service.endpoint, probes, SHORT)
                assert seen == {SILENCE: list(probes)}
                await until(lambda: len(sink.ends) == len(probes))
                assert set(sink.heard) == {b"".join(payloads[:bad])}
                # A FIN would tell the target that this was all.
                assert set(sink.ends) == {"RST"}
            await rested(service)

    run_on(loop_name, main)


@both_loops
def test_a_stream_cut_in_a_later_chunk_delivers_what_was_whole(loop_name: str) -> None:
    async def main() -> None:
        sink = Sink()
        with serve(server_config(timeout=LONG)) as service:
            async with Target(sink) as target:
                size = len(b"".join(chunks(target.endpoint, b"one, ", b"two")))
                first = len(chunks(target.endpoint, b"one, ")[0])
                probes = {}
                for cut in range(first, size + 1):
                    octets = b"".join(chunks(target.endpoint, b"one, ", b"two"))[:cut]
                    probes[f"cut at {cut}"] = Probe((octets,), fin=True)
                seen = await reactions(service.endpoint, probes, LONG)
                assert seen == {ENDED_AT_ONCE: list(probes)}
                await until(lambda: len(sink.ends) == len(probes))
                assert sorted(sink.heard) == [b"one, "] * (len(probes) - 1) + [b"one, two"]
                # Only the two that ended between chunks are whole.
                assert sorted(sink.ends) == ["FIN"] * 2 + ["RST"] * (len(probes) - 2)

    run_on(loop_name, main)


#: The forms in which a target can hide an address of this host or its networks.
PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "::ffff:0:7f00:1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::1",
    "2001:0:7f00:1::1",
    "fe80::1",
    "fe80::5efe:a00:1",
    "fc00::1",
    "fec0::1",
    "ff02::1",
    "100::1",
    "localhost",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
]


@both_loops
def test_targets_inside_are_refused(loop_name: str) -> None:
    async def main() -> None:
        config = server_config(timeout=LONG, allow_private_targets=False)
        with serve(config) as service:
            async with Target() as target:
                hosts = [*PRIVATE, *own_addresses()]
                probes = {
                    host: Probe(tuple(chunks(Endpoint(host, target.endpoint.port), b"hello")))
                    for host in hosts
                }
                seen = await reactions(service.endpoint, probes, LONG)
                assert seen == {ENDED_AT_ONCE: list(probes)}
                assert target.accepts == 0
                failures = port_of(service).runtime.counters.failures
                assert failures.keys() <= {"policy", "resolve"}
                assert failures.total() == len(probes)

    run_on(loop_name, main)


@both_loops
def test_a_name_that_leads_inside_is_refused_each_time(loop_name: str) -> None:
    async def main() -> None:
        async with NameServer() as names, Target() as target:
            # Rebinding: a good address for whoever checks, and a bad one for whoever asks again.
            names.scripts["inside.test"] = addresses("127.0.0.1", "::ffff:127.0.0.1", ttl=0)
            names.scripts["turns.test"] = alternating(
                addresses("::1", "127.0.0.1", ttl=0), addresses("10.1.2.3", "fd00::1", ttl=0)
            )
            config = dataclasses.replace(
                server_config(timeout=LONG, allow_private_targets=False), dns=(names.endpoint,)
            )
            with serve(config) as service:
                for host in ["inside.test", "turns.test"] * 5:
                    probe = Probe(tuple(chunks(Endpoint(host, target.endpoint.port), b"hello")))
                    assert await reaction(service.endpoint, probe, LONG) == ENDED_AT_ONCE
                assert port_of(service).runtime.counters.failures == {"policy": 10}
            assert target.accepts == 0

    run_on(loop_name, main)


@both_loops
def test_targets_inside_are_served_where_that_is_allowed(loop_name: str) -> None:
    async def main() -> None:
        with serve(server_config(allow_private_targets=True)) as service:
            async with Target() as four, Target(host="::1") as six:
                for host, target in (("127.0.0.1", four), ("localhost", four), ("::1", six)):
                    dst = Endpoint(host, target.endpoint.port)
                    async with TunnelClient(service.endpoint, KEY, dst) as client:
                        await client.send(b"hello")
                        assert await client.receive() == b"hello"

    run_on(loop_name, main)


@both_loops
def test_ports_with_one_key_remember_together(loop_name: str) -> None:
    async def main() -> None:
        # Two ports of one process, or two processes: what they share is the store.
        salts = SharedSalts(entropy, shared=True)
        config = server_config(timeout=SHORT)
        with serve(config, salts) as first, serve(config, salts) as second:
            async with Target() as target:
                (octets,) = chunks(target.endpoint, b"hello")
                async with TunnelClient(first.endpoint, KEY, None) as client:
                    await asyncio.get_running_loop().sock_sendall(client.sock, octets)
                    assert await client.receive() == b"hello"
                for service in (first, second):
                    assert await reaction(service.endpoint, Probe((octets,)), SHORT) == SILENCE
                assert target.accepts == 1

    run_on(loop_name, main)


@both_loops
def test_counters_reconcile(loop_name: str) -> None:
    async def main() -> None:
        with serve(server_config(timeout=SHORT)) as service, Dead() as nobody:
            counters = port_of(service).runtime.counters
            async with Target() as target:
                good, again = chunks(target.endpoint, b"x"), chunks(target.endpoint, b"x")
                dead = chunks(nobody, b"x")
                probes = {
                    "relayed": Probe(tuple(good), fin=True),
                    "relayed too": Probe(tuple(again), fin=True),
                    "refused": Probe(tuple(dead)),
                    "junk": Probe((bytes(64),)),
                    "short": Probe((bytes(4),), fin=True),
                    "nothing": Probe(),
                }
                await reactions(service.endpoint, probes, SHORT)
                await reactions(service.endpoint, {"replay": Probe(tuple(good))}, SHORT)
                await rested(service)
            assert counters.accepted == 7
            assert counters.relayed == 2
            assert counters.failures == {
                "dial": 1,
                "authentication": 1,
                "truncated": 1,
                "timeout": 1,
                "replay": 1,
            }

    run_on(loop_name, main)


@both_loops
def test_a_client_that_goes_away_takes_its_dial_along(loop_name: str) -> None:
    async def main() -> None:
        with serve(server_config()) as service, FullQueue() as nowhere:
            async with TunnelClient(service.endpoint, KEY, nowhere) as client:
                await client.send(b"hello")
                await until(lambda: len(port_of(service).dialing) == 1)
                reset(client.sock)
                await until(lambda: not port_of(service).dialing)
                assert not port_of(service).dialer.deadlines
                await rested(service)
            assert port_of(service).runtime.counters.failures == {"reset": 1}

    run_on(loop_name, main)


@both_loops
@pytest.mark.parametrize("sent", [0, 20, 51])
def test_a_client_that_resets_its_handshake_leaves_nothing(loop_name: str, sent: int) -> None:
    async def main() -> None:
        with serve(server_config()) as service:
            async with TunnelClient(service.endpoint, KEY, None) as client:
                await asyncio.get_running_loop().sock_sendall(client.sock, bytes(sent))
                await until(lambda: port_of(service).runtime.counters.accepted == 1)
                reset(client.sock)
                await rested(service)

    run_on(loop_name, main)


@both_loops
def test_the_end_of_the_service_ends_what_is_on_its_way(loop_name: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        socks = []
        with FullQueue() as nowhere:
            async with Target() as target:
                with serve(server_config()) as service:
                    half = chunks(target.endpoint, b"x")[0][:40]
                    dialling, established = (
                        chunks(nowhere, b"x"),
                        chunks(target.endpoint, b"x"),
                    )
                    for octets in (b"", half, bytes(64), *dialling, *established):
                        sock = socket.socket()
                        sock.setblocking(False)
                        await loop.sock_connect(sock, service.endpoint)
                        await loop.sock_sendall(sock, octets)
                        socks.append(sock)
                    port = port_of(service)
                    await until(lambda: (len(port.dialing), len(port.relays)) == (1, 1))
                    assert await loop.sock_recv(socks[-1], 100)
                    assert (len(port.handshakes), len(port.runtime.endings)) == (2, 1)
                assert port.active == len(port.runtime.endings) == 0
        *others, relayed = socks
        for sock in others:
            assert await loop.sock_recv(sock, 1) == b""
        with pytest.raises(ConnectionResetError):
            await loop.sock_recv(relayed, 1)
        for sock in socks:
            sock.close()

    run_on(loop_name, main)


class BrokenStore:
    """A store that is out of order."""

    def __init__(self) -> None:
        self.asked = 0

    def add(self, salt: bytes, timestamp: int = 0) -> bool:
        self.asked += 1
        if self.asked > 1:
            raise OSError("no locks available")
        return True


def test_an_internal_error_ends_one_connection(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        with serve(server_config()) as service:
            port_of(service).runtime.stream_salts = BrokenStore()
            async with Target() as target:
                # The first question is about the client's salt, the second about ours.
                async with TunnelClient(service.endpoint, KEY, target.endpoint) as client:
                    await client.send(b"hello")
                    assert await client.receive() == b""
                await rested(service)

    run_on("asyncio", main)
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR] == [
        "internal error, connection abandoned: OSError('no locks available')"
    ]
    caplog.clear()
