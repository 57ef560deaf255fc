"""Rate and drain of a listener, from looks at it."""

import socket
import threading

import pytest

from annotated_shadowsocks.cli.listener_measure import Look, measure, reduce
from annotated_shadowsocks.errors import ObserveError
from annotated_shadowsocks.kernel.listeners import listeners
from annotated_shadowsocks.kernel.sock_diag import SockDiag


def test_a_steady_stream() -> None:
    looks = [Look(number * 0.5, 10 * number, 0, 0) for number in range(9)]
    found = reduce(looks)
    assert found.rate == pytest.approx(20.0)
    assert (found.dispersion, found.deepest, found.drained) == (0.0, 0, None)


def test_bursts_are_seen() -> None:
    completed = [0, 100, 100, 100, 100, 200, 200, 200, 200]
    found = reduce([Look(n * 1.0, c, n, 0) for n, c in enumerate(completed)])
    assert found.rate == pytest.approx(25.0)
    assert found.dispersion > 50
    assert found.overflows == 8


def test_a_queue_that_is_never_empty_tells_the_drain() -> None:
    # 50 a second come, and the queue grows by 10 a second: 40 are accepted.
    looks = [Look(n * 1.0, 50 * n, 0, 5 + 10 * n) for n in range(8)]
    found = reduce(looks)
    assert found.drained == pytest.approx(40.0)
    assert found.deepest == 75


def test_a_stalled_application_has_no_drain() -> None:
    assert reduce([Look(n * 1.0, 0, 0, 5) for n in range(9)]).drained is None


def test_a_real_listener() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server, SockDiag() as diag:
        port = server.getsockname()[1]
        [cookie] = [one.cookie for one in listeners(diag, port)]
        came: list[socket.socket] = []
        slept = threading.Event()

        def sleep(_: float) -> None:
            came.append(socket.create_connection(("127.0.0.1", port)))
            slept.wait(0.001)

        clock = iter(range(1000))
        found = measure({cookie}, 10, sleep, lambda: float(next(clock)))
        for one in came:
            one.close()
    assert found.deepest == len(came) - 1
    assert found.rate >= 0.8


def test_a_listener_that_goes_is_told() -> None:
    with pytest.raises(ObserveError, match="the listener is gone"):
        measure({1}, 0.1)
