"""The two handshakes against each other, through memory, with every word cut anyhow."""

from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import AuthenticationError, RemoteProtocolError
from annotated_shadowsocks.socks5.client import ClientHandshake, Established
from annotated_shadowsocks.socks5.messages import Command, Reply, RequestRefused
from annotated_shadowsocks.socks5.server import (
    ConnectRequested,
    ServerHandshake,
    UdpAssociateRequested,
)
from annotated_shadowsocks.wire.core import NEED_DATA, Event, HandshakeCore, Waiting

EventT = TypeVar("EventT")

LABEL = r"[a-z0-9]([a-z0-9_-]{0,20}[a-z0-9])?"
names = st.from_regex(rf"({LABEL}\.){{1,3}}[a-z][a-z0-9]{{0,10}}\.?", fullmatch=True)
hosts = names | st.ip_addresses().map(str)
endpoints = st.builds(Endpoint, hosts, st.integers(0, 65535))
words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)
chunk_sizes = st.integers(1, 40)


def listen(core: HandshakeCore[EventT], heard: bytes, chunk: int) -> Event[EventT]:
    """What a driver does, for reads of ``chunk`` octets: all of ``heard``, then the last event."""
    event = core.next_event()
    for at in range(0, len(heard), chunk):
        core.receive_data(heard[at : at + chunk])
        if isinstance(event, Waiting):
            event = core.next_event()
    return event


@given(endpoints, endpoints, st.none() | st.tuples(words, words), chunk_sizes, st.booleans())
def test_what_was_asked_is_what_was_heard(
    dst: Endpoint, bound: Endpoint, auth: tuple[str, str] | None, chunk: int, udp: bool
) -> None:
    client = ClientHandshake(dst, Command.UDP_ASSOCIATE if udp else Command.CONNECT, auth)
    server = ServerHandshake(None if auth is None else {"someone else": "?", auth[0]: auth[1]})
    for _ in range(1 if auth is None else 2):
        listen(client, server.data_to_send(), chunk)
        assert listen(server, client.data_to_send(), chunk) is NEED_DATA
    listen(client, server.data_to_send(), chunk)
    request = listen(server, client.data_to_send(), chunk)
    assert request == (UdpAssociateRequested(dst) if udp else ConnectRequested(dst))
    server.succeed(bound)
    assert listen(client, server.data_to_send() + b"first octets", chunk) == Established(bound)
    assert client.unread() == b"first octets"


def test_a_reply_reaches_the_client() -> None:
    client, server = ClientHandshake(Endpoint("192.0.2.7", 80)), ServerHandshake()
    for _ in range(2):
        listen(client, server.data_to_send(), 1)
        listen(server, client.data_to_send(), 1)
    server.fail(Reply.CONNECTION_REFUSED)
    with pytest.raises(RequestRefused) as caught:
        listen(client, server.data_to_send(), 1)
    assert caught.value.reply is Reply.CONNECTION_REFUSED


def test_a_wrong_password_is_known_on_both_sides() -> None:
    client = ClientHandshake(Endpoint("192.0.2.7", 80), auth=("alice", "wrong"))
    server = ServerHandshake({"alice": "secret"})
    listen(client, b"", 1)
    listen(server, client.data_to_send(), 1)
    listen(client, server.data_to_send(), 1)
    with pytest.raises(AuthenticationError):
        listen(server, client.data_to_send(), 1)
    with pytest.raises(AuthenticationError):
        listen(client, server.data_to_send(), 1)


def test_a_command_that_is_not_served_is_known_on_both_sides() -> None:
    client = ClientHandshake(Endpoint("0.0.0.0", 0), Command.UDP_ASSOCIATE)
    server = ServerHandshake(commands=(Command.CONNECT,))
    listen(client, b"", 1)
    listen(server, client.data_to_send(), 1)
    listen(client, server.data_to_send(), 1)
    with pytest.raises(RemoteProtocolError):
        listen(server, client.data_to_send(), 40)
    with pytest.raises(RequestRefused) as caught:
        listen(client, server.data_to_send(), 1)
    assert caught.value.reply is Reply.COMMAND_NOT_SUPPORTED
