"""All peers, by name; the order is that of installing them, the long builds last."""

from .go_shadowsocks2 import GO_SHADOWSOCKS2
from .libev import LIBEV
from .model import Peer
from .outline import OUTLINE
from .python_proxy import PPROXY
from .ray import V2RAY, XRAY
from .rust import RUST
from .shadowsocks_go import SHADOWSOCKS_GO
from .sing_box import SING_BOX

__all__ = ["PEERS"]

PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        LIBEV,
        V2RAY,
        PPROXY,
        GO_SHADOWSOCKS2,
        SHADOWSOCKS_GO,
        OUTLINE,
        XRAY,
        SING_BOX,
        RUST,
    )
}
