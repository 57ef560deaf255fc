"""The words of SOCKS5: its numbers by their names, and the one figure that both sides send.

A request and a reply are the same figure with one octet renamed, so one pair of functions serves
both, and the UDP header borrows the address at its end::

    +-----+-----------+-----+------+-------------------+-------------------+
    | ver | cmd / rep | rsv | atyp | dst_addr/bnd_addr | dst_port/bnd_port |
    +-----+-----------+-----+------+-------------------+-------------------+
    |  1  |     1     |  0  |  1   |     variable      |         2         |
    +-----+-----------+-----+------+-------------------+-------------------+

Sources: RFC 1928 sections 3, 4 and 6; RFC 1929 section 2.
"""

from enum import IntEnum

from ..endpoint import Endpoint
from ..errors import RemoteProtocolError
from ..wire import address

__all__ = [
    "AUTH_FAILURE",
    "AUTH_SUCCESS",
    "AUTH_VER",
    "UNSPECIFIED",
    "VER",
    "AuthMethod",
    "Command",
    "Reply",
    "RequestRefused",
    "encode",
]

#: The version of the protocol.
VER = 0x05

#: The version of the user/password subnegotiation, which counts by itself [RFC1929 §2].
AUTH_VER = 0x01

AUTH_SUCCESS = 0x00
#: [RFC1929 §2] any status but zero is a failure; this is the one that everybody sends.
AUTH_FAILURE = 0x01

RSV = 0x00

#: "No address to tell": what a client asks for, and a refusal names, when there is none.
UNSPECIFIED = Endpoint("0.0.0.0", 0)


class AuthMethod(IntEnum):
    """How a client may show who it is [RFC1928 §3]."""

    NO_AUTHENTICATION_REQUIRED = 0x00
    GSSAPI = 0x01
    USERNAME_PASSWORD = 0x02
    NO_ACCEPTABLE_METHODS = 0xFF


class Command(IntEnum):
    """What a client may ask for [RFC1928 §4]."""

    CONNECT = 0x01
    BIND = 0x02
    UDP_ASSOCIATE = 0x03


class Reply(IntEnum):
    """How a request may end [RFC1928 §6]; 0x09 to 0xFF are unassigned."""

    SUCCEEDED = 0x00
    GENERAL_SOCKS_SERVER_FAILURE = 0x01
    CONNECTION_NOT_ALLOWED_BY_RULESET = 0x02
    NETWORK_UNREACHABLE = 0x03
    HOST_UNREACHABLE = 0x04
    CONNECTION_REFUSED = 0x05
    TTL_EXPIRED = 0x06
    COMMAND_NOT_SUPPORTED = 0x07
    ADDRESS_TYPE_NOT_SUPPORTED = 0x08


class RequestRefused(RemoteProtocolError):
    """A server answered, and the answer was no; ``reply`` says why."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        super().__init__(f"the SOCKS5 server refused: {reply.name.lower().replace('_', ' ')}")


def encode(code: Command | Reply, endpoint: Endpoint) -> bytes:
    """A request for ``endpoint``, or a reply that names it.

    Raises ``LocalProtocolError`` for an endpoint that cannot be sent.
    """
    return bytes((VER, code, RSV)) + address.encode(endpoint)
