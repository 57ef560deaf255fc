"""What all services of a process share."""

from collections.abc import Iterator

import pytest

from annotated_shadowsocks.relay.sockets import SocketOptions
from annotated_shadowsocks.services.runtime import Runtime
from annotated_shadowsocks.services.salts import SharedSalts
from annotated_shadowsocks.system import entropy
from annotated_shadowsocks.testing.loopback import pair
from annotated_shadowsocks.testing.manual_loop import ManualLoop


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    salts = SharedSalts(entropy, shared=False)
    one = Runtime(ManualLoop(), entropy, salts.streams, salts.packets)
    one.lookup = lambda host, done: lambda: None
    yield one
    one.stop()


def refuse(address: str) -> None:
    raise AssertionError


def test_a_dialer_has_what_the_runtime_has(runtime: Runtime) -> None:
    dialer = runtime.dialer(refuse, speaks_first=False)
    assert (dialer.poller, dialer.loop) == (runtime.poller, runtime.loop)
    assert (dialer.lookup, dialer.check) == (runtime.lookup, refuse)


@pytest.mark.parametrize("speaks_first", [False, True])
def test_only_who_speaks_first_opens_fast(runtime: Runtime, speaks_first: bool) -> None:
    runtime.options = SocketOptions(no_delay=False, keep_alive=7, fast_open=True)
    options = runtime.dialer(None, speaks_first).options
    assert options == SocketOptions(no_delay=False, keep_alive=7, fast_open=speaks_first)


def test_the_end_ends_what_is_ending(runtime: Runtime) -> None:
    inner, outer = pair()
    runtime.endings.silence(inner)
    runtime.stop()
    assert len(runtime.endings) == len(runtime.poller) == 0
    assert outer.recv(1) == b""
    outer.close()
