"""pproxy, a proxy in Python: AEAD by TCP alone, and ciphers that no other peer has left."""

from pathlib import Path

from annotated_shadowsocks.endpoint import Endpoint

from .methods import AES_GCM, sized
from .model import Launch, Link, Peer, Side
from .recipes import PythonPackage

__all__ = ["PPROXY"]

# Not its rc4: where a cipher has no IV, it begins the key stream anew with every read.
_STREAM = {
    *("rc4-md5", "table", "chacha20", "chacha20-ietf"),
    *("bf-cfb", "cast5-cfb", "des-cfb", "idea-cfb", "rc2-cfb", "seed-cfb"),
}
# Not its AES in modes that three others have, nor Camellia, which is Python all through.
_METHODS = AES_GCM | {"chacha20-ietf-poly1305"} | sized("aes", "cfb8", "ofb") | _STREAM

#: These are written in Python, and take a second for some ten thousand octets.
_SLOW = frozenset({"idea-cfb", "rc2-cfb", "seed-cfb"})


def _uri(link: Link) -> str:
    return f"ss://{link.method}:{link.password}@{link.server}"


def _server(at: Endpoint, link: Link, file: Path) -> Launch:
    # Its datagrams know no AEAD, and their replies go through a table of thirty clients.
    return Launch(["pproxy", "-l", _uri(link)], transports=("tcp",))


def _client(at: Endpoint, link: Link, file: Path) -> Launch:
    # Its SOCKS has no UDP ASSOCIATE.
    return Launch(["pproxy", "-l", f"socks5://{at}", "-r", _uri(link)], transports=("tcp",))


PPROXY = Peer(
    name="pproxy",
    version="2.7.9",
    recipe=PythonPackage("pproxy"),
    programs=("pproxy",),
    client=Side(_client, _METHODS, frozenset()),
    server=Side(_server, _METHODS, frozenset()),
    resolves=False,
    slow=_SLOW,
)
