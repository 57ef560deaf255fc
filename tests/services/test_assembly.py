"""From a configuration to services, and from one configuration to the next."""

import asyncio
import dataclasses
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from annotated_shadowsocks.config.model import Config
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.services.assembly import Assembly
from annotated_shadowsocks.services.bindings import Bindings
from annotated_shadowsocks.services.salts import SharedSalts
from annotated_shadowsocks.system import descriptor_limit, entropy
from annotated_shadowsocks.testing.loops import LOOPS, run_on
from annotated_shadowsocks.testing.name_server import NameServer, silence
from annotated_shadowsocks.testing.programs import free_port
from annotated_shadowsocks.testing.server_harness import (
    TunnelClient,
    local_config,
    master_key,
    serve,
    server_config,
)
from annotated_shadowsocks.testing.targets import Sink, Target, until

both_loops = pytest.mark.parametrize("loop_name", LOOPS)

KEY = master_key()


def endpoint() -> Endpoint:
    return Endpoint("127.0.0.1", free_port())


def servers(*endpoints: Endpoint, **changes: object) -> Config:
    config = dataclasses.replace(server_config(udp=True), **changes)  # type: ignore[arg-type]
    (one,) = config.servers
    parts = tuple(dataclasses.replace(one, endpoint=at) for at in endpoints)
    return dataclasses.replace(config, servers=parts)


class Running:
    """An assembly and its bindings, reloaded as a process does it."""

    def __init__(self) -> None:
        self.bindings = Bindings()
        self.assembly = Assembly(
            asyncio.get_running_loop(), entropy, SharedSalts(entropy, shared=False)
        )

    def load(self, config: Config) -> None:
        self.bindings.open(config)
        self.assembly.apply(config, self.bindings)
        self.bindings.prune(config)


@contextmanager
def running() -> Iterator[Running]:
    one = Running()
    try:
        yield one
    finally:
        one.assembly.close()
        one.bindings.close()


async def pings(at: Endpoint, target: Target) -> bool:
    async with TunnelClient(at, KEY, target.endpoint) as client:
        await client.send(b"ping")
        return await client.receive() == b"ping"


@both_loops
def test_what_a_reload_does_not_change_is_left_alone(loop_name: str) -> None:
    async def main() -> None:
        old, kept, new = endpoint(), endpoint(), endpoint()
        with running() as one:
            async with Target() as target:
                one.load(servers(old, kept))
                (removed, untouched) = one.assembly.services
                async with TunnelClient(old, KEY, target.endpoint) as client:
                    await client.send(b"before")
                    assert await client.receive() == b"before"
                    one.load(servers(kept, new))
                    assert untouched in one.assembly.services
                    assert removed not in one.assembly.services
                    # The port is closed, and what came through it goes on.
                    with pytest.raises(ConnectionRefusedError):
                        await pings(old, target)
                    await client.send(b"after")
                    assert await client.receive() == b"after"
                    assert one.assembly.active == 1
                assert await pings(kept, target)
                assert await pings(new, target)
                await until(lambda: one.assembly.active == 0)

    run_on(loop_name, main)


@both_loops
def test_a_port_whose_key_changes_is_replaced_at_once(loop_name: str) -> None:
    async def main() -> None:
        at = endpoint()
        with running() as one:
            async with Target() as target:
                one.load(servers(at, allow_private_targets=False))
                async with TunnelClient(at, KEY, target.endpoint) as refused:
                    await refused.send(b"ping")
                    assert await refused.receive() == b""
                (before,) = one.bindings.tcp[at]
                one.load(servers(at))
                assert one.bindings.tcp[at] == [before]
                assert await pings(at, target)

    run_on(loop_name, main)


@both_loops
def test_descriptor_numbers_of_closed_ports_can_be_used_again(loop_name: str) -> None:
    async def main() -> None:
        kept = endpoint()
        with running() as one:
            async with Target() as target:
                for _ in range(5):
                    one.load(servers(kept, endpoint(), endpoint()))
                    one.load(servers(kept))
                    # Each of these takes a number that a closed socket has had.
                    for _ in range(5):
                        assert await pings(kept, target)
                listening = len(one.assembly.listeners)
                packets = sum(len(port.packet_relays) for port in one.assembly.services)
                await until(lambda: len(one.assembly.runtime.endings) == 0)
                await until(lambda: one.assembly.active == 0)
                assert len(one.assembly.runtime.poller) == listening + packets == 2

    run_on(loop_name, main)


@both_loops
def test_a_reload_in_the_middle_of_a_handshake_does_not_end_it(loop_name: str) -> None:
    async def main() -> None:
        at = endpoint()
        loop = asyncio.get_running_loop()
        with running() as one:
            async with Target() as target:
                one.load(servers(at))
                async with TunnelClient(at, KEY, Endpoint("localhost", target.endpoint.port)) as c:
                    octets = c.seal(b"ping")
                    await loop.sock_sendall(c.sock, octets[:40])
                    await until(lambda: one.assembly.active == 1)
                    # Another resolver, and so another service.
                    one.load(servers(at, dns=(Endpoint("127.0.0.1", 2),)))
                    await loop.sock_sendall(c.sock, octets[40:])
                    assert await c.receive() == b"ping"

    run_on(loop_name, main)


@both_loops
def test_a_reload_in_the_middle_of_a_lookup_does_not_end_it(loop_name: str) -> None:
    async def main() -> None:
        at = endpoint()
        async with NameServer() as names:
            names.scripts["slow.test"] = silence
            with running() as one:
                one.load(servers(at, dns=(names.endpoint,)))
                (port,) = one.assembly.services
                async with TunnelClient(at, KEY, Endpoint("slow.test", 80)) as client:
                    await client.send(b"ping")
                    await until(lambda: bool(names.asked))
                    one.load(servers(at))
                    assert one.assembly.services != [port]
                    assert len(port.dialing) == one.assembly.active == 1
                    # Another way through, before anything of the first is given up.
                    async with Target() as target:
                        assert await pings(at, target)
                    assert len(port.dialing) == 1

    run_on(loop_name, main)


@both_loops
def test_idle_comes_when_the_last_connection_has_ended(loop_name: str) -> None:
    async def main() -> None:
        at = endpoint()
        sink = Sink()
        with running() as one:
            idle = asyncio.Event()
            one.load(servers(at))
            async with Target(sink) as target:
                async with TunnelClient(at, KEY, target.endpoint) as client:
                    await client.send(b"one")
                    await until(lambda: sink.heard == [b"one"])
                    one.assembly.stop()
                    one.assembly.when_idle(idle.set)
                    await client.send(b"two")
                    await until(lambda: sink.heard == [b"onetwo"])
                    assert not idle.is_set()
                async with asyncio.timeout(20):
                    await idle.wait()
                assert sink.ends == ["FIN"]
            idle.clear()
            one.assembly.when_idle(idle.set)
            assert idle.is_set()

    run_on(loop_name, main)


@both_loops
def test_after_the_end_nothing_is_watched(loop_name: str) -> None:
    async def main() -> None:
        with running() as one:
            at = endpoint()
            one.load(servers(at, endpoint()))
            with socket.create_connection(at):
                await until(lambda: one.assembly.active == 1)
                one.assembly.close()
            assert len(one.assembly.runtime.poller) == 0
            one.assembly.close()

    run_on(loop_name, main)


def test_associations_leave_descriptors_for_others() -> None:
    async def main() -> None:
        affordable = min(4096, descriptor_limit() // 8)
        with serve(server_config(udp=True)) as server:
            (packets,) = server.port.packet_relays
            assert packets.limits.associations == affordable
            assert packets.limits.per_owner == min(256, affordable)
        with serve(local_config(Endpoint("192.0.2.1", 1), udp=True)) as local:
            # Its clients share one address, and are not one client.
            (packets,) = local.port.packet_relays
            assert packets.limits.per_owner == packets.limits.associations == affordable
        config = dataclasses.replace(server_config(udp=True), udp_max_associations=9)
        with serve(config) as server:
            (packets,) = server.port.packet_relays
            assert (packets.limits.associations, packets.limits.per_owner) == (9, 9)

    run_on("asyncio", main)


@both_loops
def test_what_begins_anew_ends_its_connections_and_counts_from_nothing(loop_name: str) -> None:
    async def main() -> None:
        at, other = endpoint(), endpoint()
        with running() as one:
            async with Target() as target:
                one.load(servers(at, other))
                async with (
                    TunnelClient(at, KEY, target.endpoint) as ends,
                    TunnelClient(other, KEY, target.endpoint) as goes_on,
                ):
                    for client in (ends, goes_on):
                        await client.send(b"ping")
                        assert await client.receive() == b"ping"
                    assert min(map(one.assembly.octets, (at, other))) > len(b"ping")
                    one.assembly.apply(servers(other), one.bindings, {at})
                    try:
                        assert await ends.receive() == b""
                    except ConnectionResetError:
                        pass
                    assert one.assembly.octets(at) == 0
                    before = one.assembly.octets(other)
                    await goes_on.send(b"ping")
                    assert await goes_on.receive() == b"ping"
                    assert one.assembly.octets(other) > before

    run_on(loop_name, main)


@both_loops
def test_what_is_replaced_is_still_counted(loop_name: str) -> None:
    async def main() -> None:
        at = endpoint()
        with running() as one:
            async with Target() as target:
                one.load(servers(at))
                assert await pings(at, target)
                await until(lambda: one.assembly.active == 0)
                before = one.assembly.octets(at)
                assert before > len(b"ping")
                # All services are built anew where what they share has changed.
                one.load(servers(at, udp_timeout=5.0))
                assert one.assembly.octets(at) == before

    run_on(loop_name, main)
