"""What a SOCKS client, a SOCKS server and a UDP client may say to us."""

from contextlib import suppress

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import LocalProtocolError, RemoteProtocolError
from annotated_shadowsocks.socks5 import udp
from annotated_shadowsocks.socks5.client import ClientHandshake
from annotated_shadowsocks.socks5.messages import UNSPECIFIED
from annotated_shadowsocks.socks5.server import ServerHandshake
from annotated_shadowsocks.testing.chunking import run_core
from annotated_shadowsocks.wire import address

from .pieces import scattered

__all__ = ["TARGETS"]


def socks_address(data: bytes) -> None:
    """What was decoded is encoded to something that decodes to the same."""
    try:
        endpoint, end = address.decode(data)
    except RemoteProtocolError:
        return
    assert 0 < end <= len(data)
    try:
        again = address.encode(endpoint)
    except LocalProtocolError:
        # A name that cannot be spelled the way a program would have to is heard and not said.
        return
    assert address.decode(again) == (endpoint, len(again))


def socks5_server(data: bytes) -> None:
    """The cuts do not matter, with a password and without."""
    for users in (None, {"user": "password"}):
        run = run_core(lambda users=users: ServerHandshake(users), _succeed)  # type: ignore[misc]
        whole = run([data], True)
        assert run(scattered(data, len(data)), True) == whole


def _succeed(core: ServerHandshake, event: object) -> None:
    core.succeed(UNSPECIFIED)


def socks5_client(data: bytes) -> None:
    """A proxy may say anything, and the cuts do not matter."""
    for auth in (None, ("user", "password")):
        run = run_core(
            lambda auth=auth: ClientHandshake(Endpoint("origin.test", 80), auth=auth)  # type: ignore[misc]
        )
        whole = run([data], True)
        assert run(scattered(data, len(data)), True) == whole


def socks5_datagram(data: bytes) -> None:
    """The payload is what follows the header, and not a copy."""
    with suppress(RemoteProtocolError):
        endpoint, payload = udp.decode(data)
        assert bytes(payload) == data[len(data) - len(payload) :]
        with suppress(LocalProtocolError):
            assert udp.decode(udp.encode(endpoint, payload)) == (endpoint, payload)


TARGETS = {
    "socks-address": socks_address,
    "socks5-server": socks5_server,
    "socks5-client": socks5_client,
    "socks5-datagram": socks5_datagram,
}
