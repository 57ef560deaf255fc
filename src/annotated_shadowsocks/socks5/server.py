"""The server's side of a SOCKS5 handshake: what sslocal says to the programs that use it.

::

    client                                       server
    ver nmethods methods              ->
                                      <-         ver method                         [RFC1928 §3]
    ver ulen uname plen passwd        ->                                            [RFC1929 §2]
                                      <-         ver status
    ver cmd rsv atyp dst_addr port    ->                                            [RFC1928 §4]
                                      <-         ver rep rsv atyp bnd_addr port     [RFC1928 §6]

A client need not wait for the answers: whatever it sends ahead is parsed as far as it goes, and
what follows the request is the tunnel's. The last line waits for the owner of the core, who looks
up, connects or binds and then calls ``succeed`` or ``fail``.

A refusal is said before it is raised: ``next_event`` raises, and ``data_to_send`` still has the
octets that tell the client why. Only a peer that does not speak SOCKS5 at all gets none.
"""

import hmac
from collections.abc import Collection, Generator, Mapping
from dataclasses import dataclass

from ..endpoint import Endpoint
from ..errors import AuthenticationError, LocalProtocolError, RemoteProtocolError, Truncated
from ..wire import address
from ..wire.core import HandshakeCore
from .messages import (
    AUTH_FAILURE,
    AUTH_SUCCESS,
    AUTH_VER,
    UNSPECIFIED,
    VER,
    AuthMethod,
    Command,
    Reply,
    encode,
)
from .replies import reply_for

__all__ = ["ConnectRequested", "Request", "ServerHandshake", "UdpAssociateRequested"]


@dataclass(frozen=True, slots=True)
class ConnectRequested:
    """The client asks for a connection to ``dst``."""

    dst: Endpoint


@dataclass(frozen=True, slots=True)
class UdpAssociateRequested:
    """The client asks for a place to send datagrams to.

    ``dst`` is where it will send them from, or zeros (or anything at all) where it does not know.
    """

    dst: Endpoint


Request = ConnectRequested | UdpAssociateRequested

#: The event for each command that there is a use for. BIND has none: a Shadowsocks server accepts
#: no connections on behalf of a client.
EVENTS: Mapping[int, type[ConnectRequested] | type[UdpAssociateRequested]] = {
    Command.CONNECT: ConnectRequested,
    Command.UDP_ASSOCIATE: UdpAssociateRequested,
}

# Longer than any PASSWD can be, so that nothing a client sends is equal to it.
_NOBODY = "\0" * 256


class ServerHandshake(HandshakeCore[Request]):
    """Reads one request; then ``succeed`` or ``fail`` answers it.

    ``users`` maps names to passwords and turns authentication on: a client that does not offer it
    is refused, and an empty mapping lets nobody in. ``commands`` says which commands are served;
    the others are refused by a reply.
    """

    __slots__ = ("_commands", "_method", "_unanswered", "_users")

    def __init__(
        self,
        users: Mapping[str, str] | None = None,
        commands: Collection[Command] = (Command.CONNECT, Command.UDP_ASSOCIATE),
    ) -> None:
        super().__init__()
        self._users = users
        # One choice and no preference: with users configured, nobody gets in without a name.
        self._method = (
            AuthMethod.NO_AUTHENTICATION_REQUIRED if users is None else AuthMethod.USERNAME_PASSWORD
        )
        self._commands = commands
        self._unanswered = False

    def succeed(self, bound: Endpoint) -> None:
        """Answer the request: it is done, from ``bound`` (CONNECT) or at ``bound`` (UDP ASSOCIATE).

        Raises ``LocalProtocolError`` where no request waits for an answer.
        """
        self._answer(Reply.SUCCEEDED, bound)

    def fail(self, reply: Reply) -> None:
        """Answer the request: it could not be done, for the reason ``reply``.

        [RFC1928 §6] the connection is to be closed within ten seconds. Raises
        ``LocalProtocolError`` where no request waits for an answer, or ``reply`` is no failure.
        """
        if reply is Reply.SUCCEEDED:
            raise LocalProtocolError("SUCCEEDED is not a way to fail")
        self._answer(reply, UNSPECIFIED)

    def _answer(self, reply: Reply, bound: Endpoint) -> None:
        if not self._unanswered:
            raise LocalProtocolError("there is no request to answer")
        self._send(encode(reply, bound))
        self._unanswered = False

    def _run(self) -> Generator[Request | None, None, None]:
        yield from self._select_method()
        if self._users is not None:
            yield from self._authenticate(self._users)
        request = yield from self._read_request()
        self._unanswered = True
        yield request

    def _select_method(self) -> Generator[None, None, None]:
        read = self._reader.read_exact
        [ver] = yield from read(1)
        if ver != VER:
            # Said nothing to: whoever this is would not understand it.
            raise RemoteProtocolError(f"a greeting of version {ver:#04x} is not SOCKS5")
        [nmethods] = yield from read(1)
        methods = yield from read(nmethods)
        if self._method not in methods:
            # [RFC1928 §3] two octets; the ten of a reply belong to a request
            self._send(bytes([VER, AuthMethod.NO_ACCEPTABLE_METHODS]))
            raise RemoteProtocolError(f"the client does not offer {self._method.name}")
        self._send(bytes([VER, self._method]))

    def _authenticate(self, users: Mapping[str, str]) -> Generator[None, None, None]:
        read = self._reader.read_exact
        [ver] = yield from read(1)
        if ver != AUTH_VER:
            self._send(bytes([AUTH_VER, AUTH_FAILURE]))
            raise RemoteProtocolError(f"version {ver:#04x} of user/password does not exist")
        # [RFC1929 §2] both lengths are 1 to 255. Zero is read too, since some clients send an empty
        # password, and is equal to none but an empty one.
        [ulen] = yield from read(1)
        uname = yield from read(ulen)
        [plen] = yield from read(1)
        passwd = yield from read(plen)
        expected = users.get(uname.decode("utf-8", "surrogateescape"), _NOBODY)
        # An unknown name takes the same path, and how long the comparison takes depends on what
        # the client sent, never on what it should have sent.
        if not hmac.compare_digest(expected.encode("utf-8", "surrogatepass"), passwd):
            self._send(bytes([AUTH_VER, AUTH_FAILURE]))
            raise AuthenticationError("a name and password that do not belong together")
        self._send(bytes([AUTH_VER, AUTH_SUCCESS]))

    def _read_request(self) -> Generator[None, None, Request]:
        read = self._reader.read_exact
        [ver] = yield from read(1)
        if ver != VER:
            self._refuse(Reply.GENERAL_SOCKS_SERVER_FAILURE)
            raise RemoteProtocolError(f"a request of version {ver:#04x} is not SOCKS5")
        [cmd] = yield from read(1)
        # [RFC1928 §4] RSV is zero and says nothing, so one that is not says nothing either
        yield from read(1)
        try:
            dst = yield from address.read(self._reader)
        except Truncated:
            raise
        except RemoteProtocolError as error:
            self._refuse(reply_for(error))
            raise
        # Judged only now that the whole request has been read: octets left unread in the socket
        # would turn our close into an RST, and that takes the reply with it.
        event = EVENTS.get(cmd) if cmd in self._commands else None
        if event is None:
            self._refuse(Reply.COMMAND_NOT_SUPPORTED)
            raise RemoteProtocolError(f"command {cmd:#04x} is not served here")
        return event(dst)

    def _refuse(self, reply: Reply) -> None:
        self._send(encode(reply, UNSPECIFIED))
