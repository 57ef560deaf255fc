"""One query and one socket, on both loops."""

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.resolver.exchange import Exchange, open_exchange
from annotated_shadowsocks.resolver.question import Answer, Failure, Query, Response
from annotated_shadowsocks.testing.name_server import (
    Asked,
    NameServer,
    Script,
    addresses,
    garbage_first,
    silence,
    wrong_id_first,
    wrong_question_first,
)

Run = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]

GENUINE = addresses("192.0.2.7", ttl=60)
ANSWER = Answer(("192.0.2.7",), 60)


def begin(server: Endpoint, tcp: bool) -> tuple[Exchange, asyncio.Future[Response]]:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Response] = loop.create_future()
    query = Query(0xBEEF, "www.test", "A", server, tcp)

    def responded(to: Query, response: Response) -> None:
        assert to is query
        future.set_result(response)

    return open_exchange(loop, query, responded), future


@pytest.mark.parametrize("tcp", [False, True])
def test_an_answer(run: Run, tcp: bool) -> None:
    async def main() -> None:
        async with NameServer() as server:
            server.scripts["www.test"] = GENUINE
            _, future = begin(server.endpoint, tcp)
            assert await future == ANSWER
            assert server.questions() == [("www.test", "A", "tcp" if tcp else "udp")]

    run(main)


FORGED = {
    "garbage": garbage_first(GENUINE),
    "nothing": garbage_first(GENUINE, b""),
    "an empty header": garbage_first(GENUINE, bytes(12)),
    "another id": wrong_id_first(GENUINE),
    "another question": wrong_question_first(GENUINE),
    "a burst": lambda asked: [b"\xbe\xef" + bytes(n) for n in range(40)] + GENUINE(asked),
}


@pytest.mark.parametrize("script", FORGED.values(), ids=FORGED.keys())
def test_datagrams_that_are_no_response_are_passed_over(run: Run, script: Script) -> None:
    async def main() -> None:
        async with NameServer() as server:
            server.scripts["www.test"] = script
            _, future = begin(server.endpoint, tcp=False)
            assert await future == ANSWER

    run(main)


def test_datagrams_from_another_port_do_not_arrive(run: Run) -> None:
    async def main() -> None:
        async with NameServer() as server:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:

                def script(asked: Asked) -> list[bytes]:
                    for forged in addresses("203.0.113.66")(asked):
                        stranger.sendto(forged, asked.client)
                    return GENUINE(asked)

                server.scripts["www.test"] = script
                _, future = begin(server.endpoint, tcp=False)
                assert await future == ANSWER

    run(main)


def test_source_ports_differ(run: Run) -> None:
    async def main() -> None:
        async with NameServer() as server:
            server.scripts["www.test"] = GENUINE
            await asyncio.gather(*(begin(server.endpoint, tcp=False)[1] for _ in range(8)))
            assert len({asked.client for asked in server.asked}) == 8

    run(main)


@pytest.mark.parametrize("tcp", [False, True])
def test_a_port_where_nobody_listens(run: Run, tcp: bool) -> None:
    async def main() -> None:
        async with NameServer() as gone:
            nobody = gone.endpoint
        _, future = begin(nobody, tcp)
        assert await future == Failure("is out of reach (Connection refused)", silent=True)

    run(main)


@pytest.mark.parametrize(
    "sent",
    [b"", b"\x00", b"\x00\x20short", b"\x00\x00"],
    ids=["nothing", "half a length", "half a message", "no message"],
)
def test_a_connection_that_ends_early_or_brings_nothing(run: Run, sent: bytes) -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        writer.close()

    async def main() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            _, future = begin(Endpoint("127.0.0.1", port), tcp=True)
            assert isinstance(await future, Failure)

    run(main)


def test_another_answer_by_tcp_is_a_failure(run: Run) -> None:
    async def main() -> None:
        async with NameServer() as server:
            server.scripts["www.test"] = wrong_question_first(silence)
            _, future = begin(server.endpoint, tcp=True)
            assert await future == Failure("answered by TCP something else")

    run(main)


def test_a_server_with_a_zone_is_understood(run: Run) -> None:
    async def main() -> None:
        # The loopback interface has no such address, and a host may have no IPv6 at all; but only
        # a literal that was not understood raises gaierror.
        try:
            exchange, _ = begin(Endpoint("fe80::1%lo", 53), tcp=False)
        except OSError as error:
            assert not isinstance(error, socket.gaierror)
        else:
            exchange.close()

    run(main)


@pytest.mark.parametrize("tcp", [False, True])
def test_after_close_nothing_is_told_and_no_descriptor_is_left(run: Run, tcp: bool) -> None:
    async def main() -> None:
        async with NameServer() as server:
            server.scripts["www.test"] = silence
            # The first use of a loop's machinery may open descriptors that stay.
            server.scripts["once.test"] = GENUINE
            before = set(os.listdir("/proc/self/fd"))
            exchange, future = begin(server.endpoint, tcp)
            while not server.asked:
                await asyncio.sleep(0)
            exchange.close()
            exchange.close()
            mine = {fd for fd in os.listdir("/proc/self/fd") if fd not in before}
            # By TCP the name server's end is one of them, and closes when ours has.
            while mine & set(os.listdir("/proc/self/fd")):
                await asyncio.sleep(0)
            assert not future.done()

    run(main)
