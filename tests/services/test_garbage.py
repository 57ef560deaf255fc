"""No connection leaves anything for the cycle collector, which therefore seldom has to look."""

import gc
import logging
from collections import Counter
from collections.abc import Iterator

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.services.local import LocalPort
from annotated_shadowsocks.testing.loops import LOOPS, run_on
from annotated_shadowsocks.testing.probes import Probe, reactions
from annotated_shadowsocks.testing.server_harness import (
    Service,
    TunnelClient,
    local_config,
    master_key,
    rested,
    serve,
    server_config,
)
from annotated_shadowsocks.testing.targets import Dead, Target, reset, until
from annotated_shadowsocks.wire import address

both_loops = pytest.mark.parametrize("loop_name", LOOPS)

KEY = master_key()


@pytest.fixture
def _no_collector(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    # A record that is kept keeps what it was about.
    caplog.set_level(logging.CRITICAL, "annotated_shadowsocks")
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def ours() -> Counter[str]:
    """Objects of the package's own classes that exist, by class."""
    names = (f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.get_objects())
    package, tests = "annotated_shadowsocks.", "annotated_shadowsocks.testing."
    return Counter(n for n in names if n.startswith(package) and not n.startswith(tests))


@both_loops
@pytest.mark.usefixtures("_no_collector")
def test_connections_of_ssserver_leave_no_garbage(loop_name: str) -> None:
    async def main() -> None:
        with serve(server_config(timeout=0.2)) as service, Dead() as dead:
            async with Target() as target:

                def first(dst: Endpoint) -> bytes:
                    return TunnelClient(dst, KEY, dst).seal(b"hello")

                async def all_kinds() -> None:
                    probes = {
                        "relayed": Probe((first(target.endpoint),), fin=True),
                        "refused": Probe((first(dead),), fin=True),
                        "no such name": Probe((first(Endpoint("no.test", 80)),), fin=True),
                        "junk": Probe((bytes(100),), fin=True),
                        "junk, held": Probe((bytes(100),)),
                        "nothing": Probe(),
                    }
                    await reactions(service.endpoint, probes, 0.2)
                    async with TunnelClient(service.endpoint, KEY, target.endpoint) as client:
                        await client.send(b"hello")
                        await client.receive()
                        reset(client.sock)
                    await rested(service)

                await all_kinds()
                before = ours()
                for _ in range(3):
                    await all_kinds()
                assert not (more := dict(ours() - before)), more

    run_on(loop_name, main)


def port_of(service: Service) -> LocalPort:
    assert isinstance(service.port, LocalPort)
    return service.port


def request(command: int, dst: Endpoint) -> bytes:
    """[RFC1928 §4] greeting and request of a client that does not wait for answers."""
    return b"\x05\x01\x00" + bytes([5, command, 0]) + address.encode(dst)


@both_loops
@pytest.mark.usefixtures("_no_collector")
def test_connections_of_sslocal_leave_no_garbage(loop_name: str) -> None:
    async def main() -> None:
        with serve(server_config(udp=True)) as server, Dead() as dead:
            front = local_config(server.endpoint, udp=True)
            with serve(front) as local, serve(local_config(dead)) as lonely:
                async with Target() as target:
                    probes = {
                        "relayed": Probe((request(1, target.endpoint) + b"hello",), fin=True),
                        "refused": Probe((request(1, dead),), fin=True),
                        "BIND": Probe((request(2, dead),), fin=True),
                        "datagrams": Probe((request(3, dead),), fin=True),
                        "no SOCKS": Probe((b"GET / HTTP/1.0\r\n\r\n",), fin=True),
                        "gone": Probe(fin=True),
                    }

                    async def all_kinds() -> None:
                        for proxy in (local, lonely):
                            await reactions(proxy.endpoint, probes, 60.0)
                        await rested(server, local, lonely)
                        await until(lambda: not port_of(local).first_payloads)

                    await all_kinds()
                    before = ours()
                    for _ in range(3):
                        await all_kinds()
                    assert not (more := dict(ours() - before)), more

    run_on(loop_name, main)
