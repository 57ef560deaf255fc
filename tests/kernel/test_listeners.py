"""Listeners with both queues: who has which request, checked on loopback with known depths."""

import os
import re
import shutil
import socket
import subprocess

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import ObserveError
from annotated_shadowsocks.kernel import proc_tcp
from annotated_shadowsocks.kernel.listeners import (
    Listener,
    Request,
    answering,
    glance,
    listeners,
    requests,
    survey,
    with_half_open,
)
from annotated_shadowsocks.kernel.sock_diag import SockDiag
from annotated_shadowsocks.testing.queues import StalledListener, until

V4 = Listener(
    local=Endpoint("0.0.0.0", 443),
    family=2,
    v6only=False,
    interface=0,
    cookie=1,
    inode=101,
    uid=0,
    depth=0,
    limit=8,
    drops=0,
)
LOCAL = V4._replace(local=Endpoint("127.0.0.1", 443), cookie=2, inode=102)
V6 = V4._replace(local=Endpoint("::", 443), family=10, cookie=3, inode=103)


def request(host: str, family: int = 2, interface: int = 0, port: int = 443) -> Request:
    return Request(Endpoint(host, port), Endpoint("192.0.2.1", 5000), family, interface, 0, 900)


# --- the kernel ---


def test_both_queues_of_a_listener() -> None:
    with StalledListener(6, deferred=True) as stalled, SockDiag() as diag:
        clients = stalled.connect(5)
        for client in clients[:2]:
            client.send(b"x")
        until(lambda: stalled.queue()[0] == 2)
        (found,) = survey(diag, stalled.port)
        assert found.queue == (2, 6, 3)
        assert not found.estimated
        assert (found.inode, found.cookie) == (stalled.inode, stalled.cookie)
        assert found.uid == os.geteuid()
        assert found.address == f"127.0.0.1:{stalled.port}"
        remote = {each.remote for each in requests(diag, stalled.port)}
        assert remote == {Endpoint(*client.getsockname()) for client in clients[2:]}


def test_the_wildcard_and_the_address_share_a_port() -> None:
    with (
        StalledListener(deferred=True) as exact,
        StalledListener(host="127.0.0.2", port=exact.port, deferred=True) as other,
        SockDiag() as diag,
    ):
        exact.connect(2)
        other.connect(3, host="127.0.0.2")
        found = {each.cookie: each.half_open for each in survey(diag, exact.port)}
        assert found == {exact.cookie: 2, other.cookie: 3}


def test_a_listener_for_both_families() -> None:
    with (
        StalledListener(host="::", family=socket.AF_INET6, v6only=False, deferred=True) as stalled,
        SockDiag() as diag,
    ):
        stalled.connect(2)
        stalled.connect(1, host="::1")
        (found,) = survey(diag, stalled.port)
        assert found.half_open == 3
        assert found.address == f"*:{stalled.port}"


def test_a_group_is_estimated_and_adds_up() -> None:
    with (
        StalledListener(30, deferred=True, shared=True) as first,
        StalledListener(30, deferred=True, shared=True, port=first.port),
        SockDiag() as diag,
    ):
        first.connect(12)
        found = survey(diag, first.port)
        assert [each.estimated for each in found] == [True, True]
        assert sum(each.half_open or 0 for each in found) == 12


def test_a_glance_sees_the_same() -> None:
    with (
        StalledListener(deferred=True) as first,
        StalledListener(host="::", family=socket.AF_INET6, deferred=True) as second,
        SockDiag() as diag,
    ):
        first.connect(2)
        second.connect(3, host="::1")
        found = {each.cookie: each for each in glance(diag)}
        assert found[first.cookie].queue == (0, 8, 2)
        assert found[second.cookie].queue == (0, 8, 3)
        assert found[first.cookie].estimated


def test_refused_syns_are_drops_of_the_listener() -> None:
    with StalledListener(0) as stalled, SockDiag() as diag:
        stalled.fill(1)
        stalled.knock(3)
        until(lambda: (listeners(diag, stalled.port)[0].drops or 0) >= 3)
        (found,) = listeners(diag, stalled.port)
        assert found.queue.is_full
        assert found.depth == 1


def test_a_larger_backlog_counts_at_once() -> None:
    with StalledListener(3) as stalled, SockDiag() as diag:
        stalled.sock.listen(5)
        assert listeners(diag, stalled.port)[0].limit == 5


def test_a_listener_that_vanishes_between_two_readings() -> None:
    with StalledListener(deferred=True) as stalled, SockDiag() as diag:
        stalled.connect(1)
        port = stalled.port
        half_open = requests(diag, port)
        stalled.close()
        assert half_open
        assert with_half_open(listeners(diag, port), half_open) == []


@pytest.mark.interop
@pytest.mark.skipif(shutil.which("ss") is None, reason="ss is not installed")
def test_the_same_as_ss() -> None:
    with (
        StalledListener(4) as full,
        StalledListener(7, host="::", family=socket.AF_INET6, v6only=False) as both,
        StalledListener(7, host="::", family=socket.AF_INET6) as only,
        SockDiag() as diag,
    ):
        full.fill(5)
        both.fill(2)
        clients = full.knock(2)
        until(lambda: (listeners(diag, full.port)[0].drops or 0) >= 2)
        for client in clients:
            client.close()
        ports = {full.port, both.port, only.port}
        ours = {
            (each.address, each.depth, each.limit, each.drops)
            for each in listeners(diag)
            if each.local.port in ports
        }
        shown = subprocess.run(["ss", "-ltnmH"], check=True, capture_output=True, text=True).stdout
        # LISTEN Recv-Q Send-Q Local:Port Peer:Port, and on the next line skmem:(…,dN)
        rows = re.findall(r"LISTEN\s+(\d+)\s+(\d+)\s+(\S+).*\n\s+skmem:\(.*,d(\d+)\)", shown)
        theirs = {(name, int(a), int(b), int(d)) for a, b, name, d in rows}
        assert len(ours) == 3
        assert ours <= theirs


# --- whose request it is ---


def counts(found: list[Listener]) -> dict[int, int | None]:
    return {each.cookie: each.half_open for each in found}


def test_the_exact_address_goes_before_the_wildcard() -> None:
    half_open = [request("127.0.0.1"), request("127.0.0.1"), request("192.0.2.9")]
    assert counts(with_half_open([V4, LOCAL, V6], half_open)) == {1: 1, 2: 2, 3: 0}


def test_a_family_of_its_own() -> None:
    half_open = [request("::ffff:127.0.0.1", family=10), request("2001:db8::1", family=10)]
    assert counts(with_half_open([V4, LOCAL, V6], half_open)) == {1: 0, 2: 0, 3: 2}


def test_the_device_decides_between_wildcards() -> None:
    bound = V4._replace(interface=2, cookie=4)
    half_open = [request("192.0.2.9", interface=2), request("192.0.2.9", interface=3)]
    assert counts(with_half_open([V4, bound], half_open)) == {1: 1, 4: 1}
    assert counts(with_half_open([bound], half_open)) == {4: 1}


def test_a_request_of_nobody_is_counted_nowhere() -> None:
    strangers = [request("192.0.2.9"), request("127.0.0.1", port=80)]
    assert counts(with_half_open([LOCAL], strangers)) == {2: 0}


def test_a_group_whose_references_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> dict[int, int]:
        raise ObserveError("/proc/net/tcp", "no")

    monkeypatch.setattr(proc_tcp, "half_open_by_inode", refuse)
    twin = V4._replace(cookie=5, inode=105)
    found = with_half_open([V4, twin, LOCAL], [request("192.0.2.9"), request("127.0.0.1")])
    assert counts(found) == {1: None, 5: None, 2: 1}


# --- who answers ---

BOTH = V6._replace(v6only=False)
ONLY = V6._replace(v6only=True)
MAPPED = BOTH._replace(local=Endpoint("::ffff:127.0.0.1", 443), cookie=6)


@pytest.mark.parametrize(
    ("found", "host", "cookies"),
    [
        ([V4, LOCAL, BOTH], "127.0.0.1", [2]),
        ([V4, LOCAL, BOTH], "192.0.2.1", [1]),
        ([V4, LOCAL, BOTH], "::1", [3]),
        ([LOCAL, BOTH], "192.0.2.1", [3]),
        ([LOCAL, ONLY], "192.0.2.1", []),
        ([V4, MAPPED], "127.0.0.1", [6]),
        ([LOCAL, MAPPED], "127.0.0.1", [2]),
        ([V4], "::1", []),
        ([V4, V4._replace(cookie=7)], "127.0.0.1", [1, 7]),
        ([V4, V4._replace(cookie=7, interface=2)], "127.0.0.1", [1, 7]),
        ([V4._replace(local=Endpoint("0.0.0.0", 80))], "127.0.0.1", []),
    ],
)
def test_who_answers(found: list[Listener], host: str, cookies: list[int]) -> None:
    assert [each.cookie for each in answering(found, host, 443)] == cookies


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_kernel_prefers_an_ipv4_socket_too(order: tuple[int, int]) -> None:
    """A dual-stack wildcard and an IPv4 one with the same port: SO_REUSEPORT lets both bind."""
    kinds = [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")]
    family, host = kinds[order[0]]
    with StalledListener(host=host, family=family, shared=True, v6only=False) as first:
        family, host = kinds[order[1]]
        with (
            StalledListener(
                host=host, family=family, shared=True, v6only=False, port=first.port
            ) as second,
            SockDiag() as diag,
        ):
            (expected,) = answering(listeners(diag, first.port), "127.0.0.1", first.port)
            first.connect(2)
            until(lambda: first.queue()[0] + second.queue()[0] == 2)
            depths = {each.cookie: each.depth for each in listeners(diag, first.port)}
            assert depths[expected.cookie] == 2


# --- names ---


@pytest.mark.parametrize(
    ("listener", "name"),
    [
        (V4, "0.0.0.0:443"),
        (V6, "*:443"),
        (V6._replace(v6only=True), "[::]:443"),
        (V6._replace(local=Endpoint("::1", 443)), "[::1]:443"),
        (V4._replace(interface=1), "0.0.0.0%lo:443"),
        (V4._replace(interface=999_999), "0.0.0.0%if999999:443"),
    ],
)
def test_addresses_as_ss_writes_them(listener: Listener, name: str) -> None:
    assert listener.address == name
