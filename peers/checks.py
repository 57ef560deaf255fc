"""What is tried through a tunnel, and what ours must not have said."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.testing.curl import download, upload
from annotated_shadowsocks.testing.hops import Tunnel
from annotated_shadowsocks.testing.origin import Origin, random_octets

from .stage import Stage

__all__ = ["BAD_NEWS", "LITTLE", "Check", "by_tcp", "by_udp", "in_order"]

#: What would be in our log if something happened that must not.
BAD_NEWS = ("internal error", "Traceback", "Exception ignored", "never retrieved")

#: More than a chunk of any generation, and than what is read at once.
_SIZE = 300_001

#: What even a cipher in Python is done with soon.
LITTLE = 3_001

_DATAGRAMS = (1, 512, 1400)

#: Through a tunnel, to a target that is the origin's.
Check = Callable[[Tunnel, Endpoint, Origin], None]


def by_tcp(tunnel: Tunnel, at: Endpoint, origin: Origin, size: int = _SIZE) -> None:
    """A download and an upload at once."""
    wanted = f"/octets/{size}/{tunnel.client.endpoint.port}-{at.host}"
    with ThreadPoolExecutor() as threads:
        up = threads.submit(upload, tunnel.curl(at, "/"), random_octets(size))
        got = download(tunnel.curl(at, wanted))
        sent, received = up.result()
    assert got == (size, origin.digest(wanted))
    assert sent == received


def by_udp(tunnel: Tunnel, at: Endpoint, origin: Origin) -> None:
    """Datagrams of three sizes, each answered before the next."""
    with tunnel.datagrams() as client:
        for size in _DATAGRAMS:
            data = os.urandom(size)
            client.send(at, data)
            assert client.receive() == data


def in_order(stage: Stage) -> bool:
    """Whether ours ended as they should, and met nothing that they did not expect."""
    for hop in stage.ours:
        said = hop.program.output()
        assert hop.program.status == 0 and not any(news in said for news in BAD_NEWS), said
    return True
