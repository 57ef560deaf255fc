"""The scripted name server, asked with dnspython alone."""

import asyncio
import socket

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.testing.loops import LOOPS, run_on
from annotated_shadowsocks.testing.name_server import (
    NameServer,
    addresses,
    alias,
    alternating,
    garbage_first,
    refusal,
    truncated,
    wrong_id_first,
    wrong_question_first,
)

QUERY = dns.message.make_query("www.test", "A", id=0x1234)


async def ask_udp(server: Endpoint, query: dns.message.Message, replies: int = 1) -> list[bytes]:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect(server)
        sock.send(query.to_wire())
        return [await loop.sock_recv(sock, 4096) for _ in range(replies)]


async def ask_tcp(server: Endpoint, query: dns.message.Message) -> dns.message.Message:
    reader, writer = await asyncio.open_connection(*server)
    wire = query.to_wire()
    # One octet after the other, so that the server has to put the message together.
    for octet in len(wire).to_bytes(2, "big") + wire:
        writer.write(bytes([octet]))
        await writer.drain()
    size = int.from_bytes(await reader.readexactly(2), "big")
    response = dns.message.from_wire(await reader.readexactly(size))
    writer.close()
    await writer.wait_closed()
    return response


def texts(message: dns.message.Message) -> list[str]:
    return sorted(str(record) for records in message.answer for record in records)


@pytest.mark.parametrize("loop_name", LOOPS)
def test_scripts(loop_name: str) -> None:
    async def main() -> None:
        async with NameServer() as server:
            endpoint = server.endpoint
            server.scripts["www.test"] = addresses("192.0.2.7", "192.0.2.8", "2001:db8::7")
            (wire,) = await ask_udp(endpoint, QUERY)
            response = dns.message.from_wire(wire)
            assert QUERY.is_response(response)
            assert texts(response) == ["192.0.2.7", "192.0.2.8"]
            v6 = dns.message.make_query("WWW.test", "AAAA")
            assert texts(await ask_tcp(endpoint, v6)) == ["2001:db8::7"]

            server.scripts["www.test"] = alias("a.test", literals=("192.0.2.7",))
            (wire,) = await ask_udp(endpoint, QUERY)
            assert texts(dns.message.from_wire(wire)) == ["192.0.2.7", "a.test."]

            server.scripts["www.test"] = alternating(refusal("SERVFAIL"), addresses())
            codes = [
                dns.message.from_wire((await ask_udp(endpoint, QUERY))[0]).rcode() for _ in "ab"
            ]
            assert codes == [dns.rcode.SERVFAIL, dns.rcode.NOERROR]

            server.scripts["www.test"] = truncated(addresses("192.0.2.7"))
            (wire,) = await ask_udp(endpoint, QUERY)
            assert dns.message.from_wire(wire).flags & dns.flags.TC
            assert texts(await ask_tcp(endpoint, QUERY)) == ["192.0.2.7"]

            unknown = dns.message.make_query("unknown.test", "A")
            (wire,) = await ask_udp(endpoint, unknown)
            assert dns.message.from_wire(wire).rcode() == dns.rcode.NXDOMAIN

            assert server.questions()[:2] == [("www.test", "A", "udp"), ("www.test", "AAAA", "tcp")]

    run_on(loop_name, main)


@pytest.mark.parametrize("loop_name", LOOPS)
def test_bad_manners_come_before_the_true_answer(loop_name: str) -> None:
    async def main() -> None:
        genuine = addresses("192.0.2.7")
        async with NameServer() as server:
            for script in (
                garbage_first(genuine),
                wrong_id_first(genuine),
                wrong_question_first(genuine),
            ):
                server.scripts["www.test"] = script
                bad, good = await ask_udp(server.endpoint, QUERY, replies=2)
                assert texts(dns.message.from_wire(good)) == ["192.0.2.7"]
                try:
                    assert not QUERY.is_response(dns.message.from_wire(bad))
                except dns.exception.DNSException:
                    assert bad == b"\xff" * 40

    run_on(loop_name, main)
