"""What both kinds of port have in common: what they count, what they say, and how it all ends."""

import logging
import socket

import pytest

from annotated_shadowsocks.errors import AuthenticationError, ReplayError
from annotated_shadowsocks.relay.stream_relay import Plain
from annotated_shadowsocks.services.port import Port
from annotated_shadowsocks.services.runtime import Runtime
from annotated_shadowsocks.services.salts import SharedSalts
from annotated_shadowsocks.system import entropy
from annotated_shadowsocks.testing.loopback import abort, listener, pair, read_to_end
from annotated_shadowsocks.testing.manual_loop import ManualLoop


class Silent(Port):
    """A port whose connections never say anything."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime, None, 60.0)
        self.came: list[socket.socket] = []

    def accepted(self, sock: socket.socket, address: tuple[str, int]) -> None:
        self.came.append(sock)


@pytest.fixture
def loop() -> ManualLoop:
    return ManualLoop()


@pytest.fixture
def port(loop: ManualLoop) -> Silent:
    salts = SharedSalts(entropy, shared=False)
    runtime = Runtime(loop, entropy, salts.streams, salts.packets)
    runtime.lookup = lambda host, done: lambda: None
    return Silent(runtime)


def test_it_accepts_until_it_is_stopped(loop: ManualLoop, port: Silent) -> None:
    with listener() as sock:
        port.listen([sock])
        with socket.create_connection(sock.getsockname()):
            loop.run_until(lambda: port.came)
        port.stop()
        with socket.create_connection(sock.getsockname()):
            loop.settle()
            assert len(port.came) == 1
        for one in port.came:
            one.close()
    port.runtime.stop()


def test_a_relay_is_counted_when_it_begins_and_when_it_ends(loop: ManualLoop, port: Silent) -> None:
    (near, client), (far, target) = pair(), pair()
    counters = port.runtime.counters
    port.new_relay((near, Plain()), (far, Plain())).start()
    assert (port.active, counters.relayed) == (1, 1)
    client.sendall(b"four")
    target.sendall(b"seventeen")
    client.shutdown(socket.SHUT_WR)
    target.shutdown(socket.SHUT_WR)
    loop.settle()
    assert read_to_end(client) == (b"seventeen", "FIN")
    assert read_to_end(target) == (b"four", "FIN")
    assert (port.active, counters.from_clients, counters.from_targets) == (0, 4, 9)
    assert counters.failures == {}
    client.close()
    target.close()
    port.runtime.stop()


def test_a_broken_relay_is_counted_by_what_broke_it(loop: ManualLoop, port: Silent) -> None:
    (near, client), (far, target) = pair(), pair()
    port.new_relay((near, Plain()), (far, Plain())).start()
    abort(client)
    loop.run_until(lambda: not port.active)
    assert read_to_end(target) == (b"", "RST")
    assert port.runtime.counters.failures.total() == 1
    target.close()
    port.runtime.stop()


def test_an_abort_ends_relays(loop: ManualLoop, port: Silent) -> None:
    (near, client), (far, target) = pair(), pair()
    port.new_relay((near, Plain()), (far, Plain())).start()
    port.abort()
    assert port.active == 0
    assert read_to_end(client) == read_to_end(target) == (b"", "RST")
    assert port.runtime.counters.failures == {}
    client.close()
    target.close()
    port.runtime.stop()


CLIENT = ("192.0.2.7", 40000)


def test_a_wrong_key_is_told_once_a_minute(
    loop: ManualLoop, port: Silent, caplog: pytest.LogCaptureFixture
) -> None:
    def told() -> int:
        count = len(caplog.records)
        caplog.clear()
        return count

    with caplog.at_level(logging.INFO):
        port.failed(ReplayError(), CLIENT)
        assert told() == 0
        for _ in range(3):
            port.failed(AuthenticationError(), CLIENT)
        assert told() == 1
        loop.advance(59.0)
        port.failed(AuthenticationError(), CLIENT)
        assert told() == 0
        loop.advance(1.0)
        port.failed(AuthenticationError(), CLIENT)
        assert told() == 1
    port.runtime.stop()
