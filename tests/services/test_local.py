"""``sslocal``'s connections, through both hops to a target and back."""

import asyncio
import dataclasses
import socket

import pytest

from annotated_shadowsocks.config.model import Config
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import AuthenticationError
from annotated_shadowsocks.services.local import LocalPort, Upstream
from annotated_shadowsocks.shadowsocks.aead_stream import AeadDecoder
from annotated_shadowsocks.socks5.client import ClientHandshake
from annotated_shadowsocks.socks5.messages import Command, Reply, RequestRefused
from annotated_shadowsocks.testing.loops import LOOPS, run_on
from annotated_shadowsocks.testing.server_harness import (
    ALL_METHODS,
    Service,
    exchange,
    local_config,
    master_key,
    open_socks,
    rested,
    serve,
    server_config,
)
from annotated_shadowsocks.testing.targets import (
    Dead,
    FullQueue,
    Target,
    read_all,
    reset,
    until,
)
from annotated_shadowsocks.wire import address

both_loops = pytest.mark.parametrize("loop_name", LOOPS)
all_methods = pytest.mark.parametrize("method", ALL_METHODS)

KEY = master_key()


def port_of(service: Service) -> LocalPort:
    assert isinstance(service.port, LocalPort)
    return service.port


async def refusal(proxy: Endpoint, command: Command = Command.CONNECT) -> Reply:
    with pytest.raises(RequestRefused) as refused:
        await open_socks(proxy, Endpoint("192.0.2.1", 80), command)
    return refused.value.reply


@both_loops
def test_a_server_that_is_not_there_has_its_reply(loop_name: str) -> None:
    async def main() -> None:
        with Dead() as dead:
            with serve(local_config(dead)) as local:
                assert await refusal(local.endpoint) is Reply.CONNECTION_REFUSED
                await rested(local)
            with serve(local_config(Endpoint("nobody.test", 8388))) as local:
                assert await refusal(local.endpoint) is Reply.HOST_UNREACHABLE
                await rested(local)

    run_on(loop_name, main)


@both_loops
def test_commands_that_are_not_served_have_their_reply(loop_name: str) -> None:
    async def main() -> None:
        with Dead() as dead, serve(local_config(dead)) as local:
            associate = Command.UDP_ASSOCIATE
            assert await refusal(local.endpoint, associate) is Reply.COMMAND_NOT_SUPPORTED
            loop = asyncio.get_running_loop()
            with socket.socket() as sock:
                sock.setblocking(False)
                await loop.sock_connect(sock, local.endpoint)
                # [RFC1928 §4] BIND to 0.0.0.0:0
                await loop.sock_sendall(sock, bytes.fromhex("050100 05020001 00000000 0000"))
                assert (await read_all(sock))[:4] == bytes.fromhex("0500 0507")

    run_on(loop_name, main)


def only_datagrams(config: Config) -> Config:
    """The same, with a listener that wants datagrams alone."""
    (local,) = config.locals
    return dataclasses.replace(config, locals=(dataclasses.replace(local, tcp=False, udp=True),))


@both_loops
def test_connect_is_not_served_where_only_datagrams_are(loop_name: str) -> None:
    async def main() -> None:
        with Dead() as dead, serve(only_datagrams(local_config(dead))) as local:
            assert await refusal(local.endpoint) is Reply.COMMAND_NOT_SUPPORTED
            associate = Command.UDP_ASSOCIATE
            sock, _ = await open_socks(local.endpoint, Endpoint("0.0.0.0", 0), associate)
            sock.close()

    run_on(loop_name, main)


@both_loops
def test_servers_are_used_for_what_they_take(loop_name: str) -> None:
    async def main() -> None:
        with serve(local_config(Endpoint("127.0.0.1", 1))) as local:
            runtime = local.port.runtime
            one = Upstream(Endpoint("127.0.0.1", 1), KEY, tcp=True, udp=False)
            two = Upstream(Endpoint("127.0.0.1", 2), KEY, tcp=False, udp=True)
            port = LocalPort(runtime, (one, two), None, 60.0)
            assert port.upstreams() == [one]
            assert port.commands == {Command.CONNECT}
            assert LocalPort(runtime, (two,), None, 60.0).commands == set()

    run_on(loop_name, main)


@both_loops
def test_users_are_asked_for_their_passwords(loop_name: str) -> None:
    async def main() -> None:
        with serve(server_config()) as server:
            config = local_config(server.endpoint, users={"alice": "wonder", "bob": ""})
            with serve(config) as local:
                async with Target() as target:
                    good = ("alice", "wonder")
                    sock, _ = await open_socks(local.endpoint, target.endpoint, auth=good)
                    sock.close()
                    for auth in (None, ("alice", "x"), ("bob", "x"), ("carol", "wonder")):
                        with pytest.raises(AuthenticationError):
                            await open_socks(local.endpoint, target.endpoint, auth=auth)
                await rested(server, local)

    run_on(loop_name, main)


@both_loops
def test_a_dead_server_is_passed_over(loop_name: str) -> None:
    async def main() -> None:
        with serve(server_config()) as server, Dead() as dead, Dead() as dead_too:
            # The name fails within the call that begins the dial, the others later.
            nowhere = Endpoint("nowhere.test", 1)
            servers = (nowhere, dead, server.endpoint, dead_too)
            with serve(local_config(*servers)) as local:
                async with Target() as target:
                    for _ in range(8):
                        answer = await exchange(local.endpoint, target.endpoint, b"hello")
                        assert answer == b"hello"
                await rested(server, local)
                assert port_of(local).runtime.counters.failures == {}

    run_on(loop_name, main)


def test_servers_take_turns_and_dead_ones_rest() -> None:
    async def main() -> None:
        with serve(local_config(*(Endpoint("127.0.0.1", port) for port in (1, 2, 3)))) as local:
            port = port_of(local)

            def order() -> list[int]:
                return [upstream.endpoint.port for upstream in port.upstreams()]

            assert [order() for _ in range(4)] == [[2, 3, 1], [3, 1, 2], [1, 2, 3], [2, 3, 1]]
            one, two, _ = sorted(port.upstreams(), key=lambda upstream: upstream.endpoint.port)
            port.dialed(two, well=False)
            assert [order() for _ in range(3)] == [[1, 3, 2], [3, 1, 2], [3, 1, 2]]
            # Where all rest, each has its turn again.
            port.dialed(one, well=False)
            port.dialed(two, well=True)
            assert [order()[-1] for _ in range(3)] == [1, 1, 1]

    run_on("asyncio", main)


@pytest.mark.parametrize(("count", "fast_open"), [(1, True), (2, False), (3, False)])
def test_only_a_single_server_is_opened_fast(count: int, fast_open: bool) -> None:
    async def main() -> None:
        servers = [Endpoint("192.0.2.1", 8000 + number) for number in range(count)]
        for wanted in (True, False):
            config = dataclasses.replace(local_config(*servers), fast_open=wanted)
            with serve(config) as local:
                assert local.port.dialer.options.fast_open is (wanted and fast_open)

    run_on("asyncio", main)


@both_loops
def test_a_client_that_goes_away_takes_the_later_dial_along(loop_name: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        # The first server fails within the call that dials it, the second one later or never.
        with (
            FullQueue() as slow,
            serve(local_config(slow, Endpoint("", 1))) as local,
            socket.socket() as sock,
        ):
            sock.setblocking(False)
            await loop.sock_connect(sock, local.endpoint)
            handshake = ClientHandshake(Endpoint("192.0.2.1", 80))
            handshake.next_event()
            handshake.receive_data(b"\x05\x00")
            handshake.next_event()
            await loop.sock_sendall(sock, handshake.data_to_send())
            await until(lambda: len(port_of(local).dialing) == 1)
            reset(sock)
            await until(lambda: not port_of(local).dialing)
            assert not port_of(local).dialer.deadlines
            await rested(local)

    run_on(loop_name, main)


class Chunks:
    """A Shadowsocks server's place: keeps the plain text of each chunk that arrives."""

    def __init__(self) -> None:
        self.plain: list[bytes] = []

    async def __call__(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        decoder = AeadDecoder(KEY)
        wire = b""
        out = memoryview(bytearray(1 << 17))
        while octets := await loop.sock_recv(sock, 1 << 16):
            wire += octets
            # One octet more at a time, so that no call opens two chunks.
            end = 0
            while end < len(wire):
                end += 1
                taken, made = decoder.convert(memoryview(wire)[:end], out)
                assert decoder.error is None
                wire, end = wire[taken:], end - taken
                if made:
                    self.plain.append(bytes(out[:made]))


async def say_with_request(proxy: Endpoint, dst: Endpoint, payload: bytes) -> socket.socket:
    """A client that does not wait: greeting, request and payload in one segment."""
    loop = asyncio.get_running_loop()
    sock = socket.socket()
    sock.setblocking(False)
    await loop.sock_connect(sock, proxy)
    request = b"\x05\x01\x00" + b"\x05\x01\x00" + address.encode(dst)
    await loop.sock_sendall(sock, request + payload)
    # [RFC1928 §6] the method, then a reply of ten octets
    assert len(await loop.sock_recv(sock, 12)) in (2, 12)
    return sock


@both_loops
@pytest.mark.parametrize("when", ["with the request", "after the reply"])
def test_the_first_payload_shares_its_chunk_with_the_address(
    loop_name: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So long that the payload is certainly in time.
    monkeypatch.setattr("annotated_shadowsocks.services.local._FIRST_PAYLOAD", 60.0)

    async def main() -> None:
        dst = Endpoint("www.example.test", 80)
        payload = b"GET / HTTP/1.0\r\n\r\n"
        chunks = Chunks()
        async with Target(chunks) as server:
            with serve(local_config(server.endpoint)) as local:
                if when == "with the request":
                    sock = await say_with_request(local.endpoint, dst, payload)
                else:
                    sock, _ = await open_socks(local.endpoint, dst)
                    await asyncio.get_running_loop().sock_sendall(sock, payload)
                with sock:
                    await until(lambda: chunks.plain == [address.encode(dst) + payload])

    run_on(loop_name, main)


@both_loops
def test_a_client_that_listens_first_is_not_waited_for(loop_name: str) -> None:
    async def main() -> None:
        async def greet(sock: socket.socket) -> None:
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(sock, b"220 mail.example.test\r\n")
            assert await loop.sock_recv(sock, 100) == b"QUIT\r\n"

        chunks = Chunks()
        async with Target(chunks) as listening:
            with serve(local_config(listening.endpoint)) as local:
                dst = Endpoint("mail.example.test", 25)
                sock, _ = await open_socks(local.endpoint, dst)
                with sock:
                    await until(lambda: chunks.plain == [address.encode(dst)])
        with serve(server_config()) as server, serve(local_config(server.endpoint)) as local:
            async with Target(greet) as target:
                sock, _ = await open_socks(local.endpoint, target.endpoint)
                with sock:
                    loop = asyncio.get_running_loop()
                    assert await loop.sock_recv(sock, 100) == b"220 mail.example.test\r\n"
                    await loop.sock_sendall(sock, b"QUIT\r\n")
                    assert await read_all(sock) == b""

    run_on(loop_name, main)


@both_loops
def test_octets_of_our_own_that_come_back_are_an_echo(loop_name: str) -> None:
    async def main() -> None:
        # A server that reflects: what it sends back authenticates, and is nobody's answer.
        async with Target() as mirror:
            with serve(local_config(mirror.endpoint)) as local:
                sock, _ = await open_socks(local.endpoint, Endpoint("192.0.2.1", 80))
                with sock:
                    await asyncio.get_running_loop().sock_sendall(sock, b"hello")
                    with pytest.raises(ConnectionResetError):
                        await asyncio.get_running_loop().sock_recv(sock, 1)
                assert port_of(local).runtime.counters.failures == {"replay": 1}

    run_on(loop_name, main)


@both_loops
@pytest.mark.parametrize("sent", [b"", b"\x05", b"\x05\x01\x00", b"\x05\x01\x00\x05\x01\x00\x03"])
def test_a_handshake_that_does_not_come_ends_at_its_deadline(loop_name: str, sent: bytes) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with serve(local_config(Endpoint("127.0.0.1", 1), timeout=0.2)) as local:
            with socket.socket() as sock:
                sock.setblocking(False)
                await loop.sock_connect(sock, local.endpoint)
                await loop.sock_sendall(sock, sent)
                await read_all(sock)
            await rested(local)
            assert port_of(local).runtime.counters.failures == {"timeout": 1}

    run_on(loop_name, main)


@both_loops
def test_the_end_of_the_service_ends_what_is_on_its_way(loop_name: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with (
            FullQueue() as slow,
            serve(local_config(slow)) as local,
            socket.socket() as sock,
        ):
            sock.setblocking(False)
            await loop.sock_connect(sock, local.endpoint)
            request = b"\x05\x01\x00" + b"\x05\x01\x00" + address.encode(slow)
            await loop.sock_sendall(sock, request)
            port = port_of(local)
            await until(lambda: len(port.dialing) == 1)
            local.assembly.close()
            assert port.active == 0
            assert await read_all(sock) == b"\x05\x00"

    run_on(loop_name, main)
