"""The client's side of a SOCKS5 handshake: what a program says to a proxy to get through it.

The figure of the conversation is in ``server``. The client waits for each answer before it goes on:
what it says next depends on the method that the server picked.
"""

from collections.abc import Generator
from dataclasses import dataclass

from ..endpoint import Endpoint
from ..errors import AuthenticationError, LocalProtocolError, RemoteProtocolError
from ..wire import address
from ..wire.core import HandshakeCore
from .messages import (
    AUTH_SUCCESS,
    AUTH_VER,
    VER,
    AuthMethod,
    Command,
    Reply,
    RequestRefused,
    encode,
)

__all__ = ["ClientHandshake", "Established"]


@dataclass(frozen=True, slots=True)
class Established:
    """The server did what was asked.

    ``bound`` is its own end of the connection (CONNECT), or where it waits for our datagrams (UDP
    ASSOCIATE); there an unspecified host stands for the one that the handshake went to.
    """

    bound: Endpoint


class ClientHandshake(HandshakeCore[Established]):
    """Asks for ``dst``, and reports ``Established`` or raises ``RequestRefused``.

    ``command`` is CONNECT or UDP ASSOCIATE; for the latter ``dst`` is where the datagrams will come
    from, ``messages.UNSPECIFIED`` where that is not known. ``auth`` is a name and a password, each
    1 to 255 octets in UTF-8, offered beside no authentication. Raises ``LocalProtocolError`` for
    a request that cannot be sent.
    """

    __slots__ = ("_auth", "_request")

    def __init__(
        self,
        dst: Endpoint,
        command: Command = Command.CONNECT,
        auth: tuple[str, str] | None = None,
    ) -> None:
        super().__init__()
        if command is Command.BIND:
            raise LocalProtocolError("BIND has two replies; this handshake reads one")
        self._request = encode(command, dst)
        self._auth = None if auth is None else _auth_message(*auth)

    def _run(self) -> Generator[Established | None, None, None]:
        yield from self._select_method()
        self._send(self._request)
        bound = yield from self._read_reply()
        yield Established(bound)

    def _select_method(self) -> Generator[None, None, None]:
        methods = [AuthMethod.NO_AUTHENTICATION_REQUIRED]
        if self._auth is not None:
            methods.append(AuthMethod.USERNAME_PASSWORD)
        self._send(bytes([VER, len(methods), *methods]))
        ver, method = yield from self._reader.read_exact(2)
        if ver != VER:
            raise RemoteProtocolError(f"an answer of version {ver:#04x} is not SOCKS5")
        if method == AuthMethod.NO_ACCEPTABLE_METHODS:
            raise AuthenticationError(f"the server accepts none of {[m.name for m in methods]}")
        if method not in methods:
            raise RemoteProtocolError(f"the server picked method {method:#04x}, never offered")
        if method == AuthMethod.USERNAME_PASSWORD and self._auth is not None:
            yield from self._authenticate(self._auth)

    def _authenticate(self, message: bytes) -> Generator[None, None, None]:
        self._send(message)
        ver, status = yield from self._reader.read_exact(2)
        if ver != AUTH_VER:
            raise RemoteProtocolError(f"version {ver:#04x} of user/password does not exist")
        if status != AUTH_SUCCESS:
            raise AuthenticationError("the server does not know this name and password")

    def _read_reply(self) -> Generator[None, None, Endpoint]:
        ver, rep = yield from self._reader.read_exact(2)
        if ver != VER:
            raise RemoteProtocolError(f"a reply of version {ver:#04x} is not SOCKS5")
        # A refusal is known here, and some servers close without the address that should follow.
        if rep != Reply.SUCCEEDED:
            raise _refusal(rep)
        # [RFC1928 §6] RSV is zero and says nothing, so one that is not says nothing either
        yield from self._reader.read_exact(1)
        return (yield from address.read(self._reader))


def _auth_message(name: str, password: str) -> bytes:
    # [RFC1929 §2] ver ulen uname plen passwd
    message = bytes([AUTH_VER])
    for what, text in (("name", name), ("password", password)):
        octets = text.encode("utf-8", "surrogatepass")
        if not 0 < len(octets) <= 255:
            raise LocalProtocolError(f"a {what} of {len(octets)} octets cannot be sent")
        message += bytes([len(octets)]) + octets
    return message


def _refusal(rep: int) -> RemoteProtocolError:
    try:
        return RequestRefused(Reply(rep))
    except ValueError:
        return RemoteProtocolError(
            f"the SOCKS5 server refused with {rep:#04x}, an unassigned reply"
        )
