"""Listening sockets: all or none, and kept for as long as anybody may want them."""

import dataclasses
import socket

import pytest

from annotated_shadowsocks.config.model import Config
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import ListenError
from annotated_shadowsocks.relay.sockets import accept_queue
from annotated_shadowsocks.services.bindings import Bindings, socket_options
from annotated_shadowsocks.testing.programs import free_port
from annotated_shadowsocks.testing.server_harness import local_config, server_config


def endpoint() -> Endpoint:
    return Endpoint("127.0.0.1", free_port())


def servers(*endpoints: Endpoint, tcp: bool = True, udp: bool = False) -> Config:
    config = server_config()
    (one,) = config.servers
    parts = [dataclasses.replace(one, endpoint=at, tcp=tcp, udp=udp) for at in endpoints]
    return dataclasses.replace(config, servers=tuple(parts))


def connects(at: Endpoint) -> bool:
    try:
        with socket.create_connection(at):
            return True
    except ConnectionRefusedError:
        return False


@pytest.fixture
def bindings() -> "Bindings":
    return Bindings()


def test_a_server_listens_for_what_it_takes(bindings: Bindings) -> None:
    one, two, three = endpoint(), endpoint(), endpoint()
    config = servers(one, two, three)
    first, second, third = config.servers
    parts = (
        first,
        dataclasses.replace(second, udp=True),
        dataclasses.replace(third, tcp=False, udp=True),
    )
    bindings.open(dataclasses.replace(config, servers=parts))
    assert bindings.tcp.keys() == {one, two}
    assert bindings.udp.keys() == {two, three}
    bindings.close()


def test_a_local_listens_for_requests_even_where_it_takes_datagrams_alone(
    bindings: Bindings,
) -> None:
    at = endpoint()
    config = local_config(Endpoint("192.0.2.1", 1), listen=at)
    (local,) = config.locals
    bindings.open(
        dataclasses.replace(config, locals=(dataclasses.replace(local, tcp=False, udp=True),))
    )
    assert bindings.tcp.keys() == bindings.udp.keys() == {at}
    bindings.close()


def test_a_port_in_use_leaves_everything_as_it_was(bindings: Bindings) -> None:
    old, new, taken = endpoint(), endpoint(), endpoint()
    bindings.open(servers(old))
    with socket.create_server(taken), pytest.raises(ListenError, match=str(taken)):
        bindings.open(servers(new, taken, udp=True))
    assert bindings.tcp.keys() == {old}
    assert bindings.udp == {}
    assert connects(old)
    assert not connects(new)
    # What was opened before the one that failed is closed again.
    bindings.open(servers(old, new, taken))
    bindings.close()


def test_pruning_closes_what_is_not_named(bindings: Bindings) -> None:
    old, new = endpoint(), endpoint()
    bindings.open(servers(old, udp=True))
    (before,) = bindings.tcp[old]
    bindings.open(servers(new, udp=True))
    assert connects(old)
    assert connects(new)
    bindings.prune(servers(new, udp=True))
    assert not connects(old)
    assert connects(new)
    assert before.fileno() == -1
    assert bindings.udp.keys() == {new}
    bindings.close()
    assert not connects(new)


def test_opening_again_keeps_the_sockets_and_gives_them_the_new_backlog(
    bindings: Bindings,
) -> None:
    at = endpoint()
    bindings.open(servers(at))
    (before,) = bindings.tcp[at]
    bindings.open(dataclasses.replace(servers(at), backlog=7))
    assert bindings.tcp[at] == [before]
    queue = accept_queue(before)
    assert queue is not None
    assert queue[1] == 7
    bindings.close()


@pytest.mark.parametrize(("before", "after"), [((True, 60), (False, 0)), ((False, 0), (True, 7))])
def test_opening_again_gives_later_connections_the_new_options(
    bindings: Bindings, before: tuple[bool, int], after: tuple[bool, int]
) -> None:
    at = endpoint()
    for no_delay, keep_alive in (before, after):
        config = dataclasses.replace(servers(at), no_delay=no_delay, keep_alive=keep_alive)
        bindings.open(config)
        (listening,) = bindings.tcp[at]
        with socket.create_connection(at):
            accepted, _ = listening.accept()
        with accepted:
            options = [
                accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
                accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            ]
            assert list(map(bool, options)) == [no_delay, keep_alive > 0]
            if keep_alive:
                idle = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
                assert idle == keep_alive
    bindings.close()


@pytest.mark.parametrize("before", [False, True])
def test_opening_again_turns_fast_open_on_and_off(bindings: Bindings, before: bool) -> None:
    at = endpoint()
    for fast_open in (before, not before):
        bindings.open(dataclasses.replace(servers(at), fast_open=fast_open))
        (listening,) = bindings.tcp[at]
        queue = listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN)
        assert bool(queue) is fast_open
    bindings.close()


def test_each_worker_has_its_own_sockets_for_datagrams() -> None:
    bindings = Bindings(workers=3)
    at = endpoint()
    bindings.open(servers(at, udp=True))
    assert len(bindings.tcp[at]) == 1
    sockets = [sock for worker in bindings.udp[at] for sock in worker]
    assert len(sockets) == len({sock.fileno() for sock in sockets}) == 3
    assert {sock.getsockname() for sock in sockets} == {tuple(at)}
    bindings.close()


def test_one_worker_shares_its_address_with_nobody(bindings: Bindings) -> None:
    at = endpoint()
    bindings.open(servers(at, udp=True))
    with socket.socket(type=socket.SOCK_DGRAM) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind(at)
    bindings.close()


def test_socket_options_are_those_of_the_configuration() -> None:
    config = dataclasses.replace(servers(), no_delay=False, keep_alive=7, fast_open=True)
    options = socket_options(config)
    assert (options.no_delay, options.keep_alive, options.fast_open) == (False, 7, True)


def test_each_worker_has_listeners_of_its_own_where_that_is_wanted() -> None:
    at = endpoint()
    bindings = Bindings(workers=3, reuse_port=True)
    bindings.open(servers(at))
    mine = [bindings.listeners(at, worker) for worker in range(3)]
    assert [len(sockets) for sockets in mine] == [1, 1, 1]
    assert [sock.getsockname() for (sock,) in mine] == [at] * 3
    assert [owner for _, owner in bindings.owned(at)] == [0, 1, 2]
    # The owner of all keeps every queue open: who comes is in one of them.
    assert connects(at)
    bindings.close()


def test_a_shared_listener_is_every_workers() -> None:
    at = endpoint()
    for bindings in (Bindings(workers=2), Bindings(workers=1, reuse_port=True)):
        bindings.open(servers(at))
        assert bindings.listeners(at, 0) == bindings.listeners(at, 1) == bindings.tcp[at]
        assert bindings.owned(at) == [(bindings.tcp[at][0], None)]
        bindings.close()


def test_sockets_that_were_left_to_us_are_taken_in_their_order() -> None:
    at = endpoint()
    config = servers(at, udp=True)
    before = Bindings(workers=2, reuse_port=True)
    before.open(config)
    left = before.all()
    assert len(left) == 4

    def adopt(family: int, kind: int, address: tuple[str, int]) -> socket.socket | None:
        for sock in left:
            if sock.type == kind:
                left.remove(sock)
                return sock
        return None

    after = Bindings(workers=2, reuse_port=True, adopt=adopt)
    after.open(config)
    assert after.all() == before.all() and not left
    assert after.udp[at] == before.udp[at]
    before.close()


def test_figures_are_served_where_nobody_else_listens(bindings: Bindings) -> None:
    at = endpoint()
    bindings.open_metrics(at)
    assert connects(at)
    assert bindings.all() == bindings.metrics
    with pytest.raises(ListenError, match="another program listens there"):
        Bindings().open_metrics(at)
    bindings.close()
    assert not connects(at)
