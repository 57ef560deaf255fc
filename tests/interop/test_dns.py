"""Names asked for through the tunnel: dnspython by a UDP association, dig by ss-tunnel."""

import os
import socket
import subprocess
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest
import socks  # type: ignore[import-untyped]

from annotated_shadowsocks.testing.hops import PATHS, PATIENCE, Hops, Tunnel
from annotated_shadowsocks.testing.loops import LOOPS
from annotated_shadowsocks.testing.name_server import NameServer, addresses, truncated
from annotated_shadowsocks.testing.programs import find_program

pytestmark = pytest.mark.interop

METHOD = "xchacha20-ietf-poly1305"
MANY = [f"192.0.2.{n}" for n in range(1, 200)]


@pytest.fixture(params=LOOPS)
def hops(request: pytest.FixtureRequest, hops_by_loop: dict[str, Hops]) -> Hops:
    return hops_by_loop[request.param]


@pytest.fixture(autouse=True, scope="module")
def scripts(name_server: NameServer) -> None:
    name_server.scripts["many.test"] = addresses(*MANY)
    name_server.scripts["cut.test"] = truncated(addresses(*MANY))


class TestDnspython:
    @pytest.fixture(params=[path for path in PATHS if path[0] != "ss-tunnel"], ids="-".join)
    def tunnel(self, request: pytest.FixtureRequest, hops: Hops, name_server: NameServer) -> Tunnel:
        return hops.tunnel(request.param, METHOD, name_server.endpoint)

    @pytest.fixture
    def sock(self, tunnel: Tunnel) -> Iterator[socket.socket]:
        with socks.socksocket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.set_proxy(socks.SOCKS5, *tunnel.client.endpoint)
            sock.bind(("", 0))
            sock.setblocking(False)
            yield sock

    @pytest.mark.parametrize(
        ("name", "rdtype", "expected"),
        [
            ("origin.test", "A", ["127.0.0.1"]),
            ("six.origin.test", "AAAA", ["::1"]),
            ("six.origin.test", "A", []),
            ("many.test", "A", MANY),
        ],
    )
    def test_an_answer(
        self,
        sock: socket.socket,
        name_server: NameServer,
        name: str,
        rdtype: str,
        expected: list[str],
    ) -> None:
        answer = ask(sock, name_server, dns.message.make_query(name, rdtype, payload=4096))
        # dnspython shuffles what stands in no order.
        assert {item.to_text() for rrset in answer.answer for item in rrset} == set(expected)

    def test_a_name_that_is_not_there(self, sock: socket.socket, name_server: NameServer) -> None:
        answer = ask(sock, name_server, dns.message.make_query("nobody.test", "A"))
        assert answer.rcode() == dns.rcode.NXDOMAIN

    def test_an_answer_that_needs_tcp(
        self, tunnel: Tunnel, sock: socket.socket, name_server: NameServer
    ) -> None:
        query = dns.message.make_query("cut.test", "A")
        assert ask(sock, name_server, query).flags & dns.flags.TC
        with socks.create_connection(
            name_server.endpoint, PATIENCE, None, socks.SOCKS5, *tunnel.client.endpoint
        ) as stream:
            stream.setblocking(False)
            host, port = name_server.endpoint
            answer = dns.query.tcp(query, host, PATIENCE, port, sock=stream)
        assert len(answer.answer[0]) == len(MANY)

    def test_many_questions_on_their_way_at_once(
        self, sock: socket.socket, name_server: NameServer
    ) -> None:
        queries = [dns.message.make_query(f"{n}.test", "A") for n in range(50)]
        for query in queries:
            dns.query.send_udp(sock, query, name_server.endpoint)
        received = [dns.query.receive_udp(sock, expiration=None)[0] for _ in queries]
        assert {answer.id for answer in received} == {query.id for query in queries}


def ask(
    sock: socket.socket, name_server: NameServer, query: dns.message.Message
) -> dns.message.Message:
    """Its answer, which must come from the server that was asked and fit the question."""
    host, port = name_server.endpoint
    return dns.query.udp(query, host, PATIENCE, port, sock=sock)


class TestDig:
    @pytest.fixture
    def tunnel(self, hops: Hops, name_server: NameServer) -> Tunnel:
        return hops.tunnel(("ss-tunnel", "ssserver"), METHOD, name_server.endpoint)

    @pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
    @pytest.mark.parametrize(
        ("name", "rdtype", "expected"),
        [("origin.test", "A", ["127.0.0.1"]), ("six.origin.test", "AAAA", ["::1"])],
    )
    def test_an_answer(
        self, tunnel: Tunnel, transport: str, name: str, rdtype: str, expected: list[str]
    ) -> None:
        assert dig(tunnel, transport, name, rdtype, "+short").split() == expected

    def test_a_name_that_is_not_there(self, tunnel: Tunnel) -> None:
        assert "status: NXDOMAIN" in dig(tunnel, "nobody.test", "A")

    def test_an_answer_that_needs_tcp(self, tunnel: Tunnel, name_server: NameServer) -> None:
        before = len(name_server.asked)
        assert set(dig(tunnel, "cut.test", "A", "+short").split()) == set(MANY)
        transports = [asked.transport for asked in name_server.asked[before:]]
        assert transports == ["udp", "tcp"]


def dig(tunnel: Tunnel, *arguments: str) -> str:
    host, port = tunnel.client.endpoint
    command = [find_program("dig"), "-r", f"@{host}", "-p", str(port), "+tries=1", "+time=10"]
    environment = os.environ | {"LC_ALL": "C"}
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
