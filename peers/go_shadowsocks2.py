"""go-shadowsocks2: three AEAD methods, all by flags."""

from pathlib import Path

from annotated_shadowsocks.endpoint import Endpoint

from .model import Launch, Link, Peer, Side
from .recipes import GoModule

__all__ = ["GO_SHADOWSOCKS2"]

_NAMES = {
    "aes-128-gcm": "AEAD_AES_128_GCM",
    "aes-256-gcm": "AEAD_AES_256_GCM",
    "chacha20-ietf-poly1305": "AEAD_CHACHA20_POLY1305",
}
_METHODS = frozenset(_NAMES)


def _command(link: Link, *flags: str) -> Launch:
    secret = ["-cipher", _NAMES[link.method], "-password", link.password]
    return Launch(["go-shadowsocks2", *secret, *flags])


def _server(at: Endpoint, link: Link, file: Path) -> Launch:
    return _command(link, "-s", str(at), "-udp")


def _client(at: Endpoint, link: Link, file: Path) -> Launch:
    return _command(link, "-c", str(link.server), "-socks", str(at), "-u")


GO_SHADOWSOCKS2 = Peer(
    name="go-shadowsocks2",
    version="0.1.5",
    recipe=GoModule("go-shadowsocks2", "github.com/shadowsocks/go-shadowsocks2"),
    programs=("go-shadowsocks2",),
    client=Side(_client, _METHODS, _METHODS),
    server=Side(_server, _METHODS, _METHODS),
    resolves=False,
)
