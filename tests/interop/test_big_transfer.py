"""Big transfers by every method: curl, our two hops, an origin; random octets, digests compared.

``INTEROP_BYTES=1000000000`` moves a GB each way. What it cost is printed and not judged: it says
as much about the machine as about us.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.testing.curl import download, upload
from annotated_shadowsocks.testing.hops import METHODS, Hops, Tunnel
from annotated_shadowsocks.testing.origin import Origin, random_octets

SIZE = int(os.environ.get("INTEROP_BYTES", "64000000"))

# The limit is for a transfer that has come to a halt, not for a slow machine.
pytestmark = [pytest.mark.interop, pytest.mark.timeout(120 + SIZE // 1_000_000)]

by_method = pytest.mark.parametrize("method", METHODS)


@by_method
def test_a_big_download(
    hops: Hops, origin: Origin, record_property: Callable[[str, object], None], method: str
) -> None:
    tunnel, target = ours(hops, origin, method)
    wanted = f"/octets/{SIZE}/big-{method}"
    with measured(tunnel, f"{method:24}down") as lines:
        got = download(tunnel.curl(target, wanted))
    record_property("transfer", lines[0])
    assert got == (SIZE, origin.digest(wanted))


@by_method
def test_a_big_upload(
    hops: Hops, origin: Origin, record_property: Callable[[str, object], None], method: str
) -> None:
    tunnel, target = ours(hops, origin, method)
    with measured(tunnel, f"{method:24}up  ") as lines:
        sent, received = upload(tunnel.curl(target, "/"), random_octets(SIZE))
    record_property("transfer", lines[0])
    assert sent == received


def ours(hops: Hops, origin: Origin, method: str) -> tuple[Tunnel, Endpoint]:
    target = Endpoint("127.0.0.1", origin.port)
    return hops.tunnel(("sslocal", "ssserver"), method, target), target


@contextmanager
def measured(tunnel: Tunnel, title: str) -> Iterator[list[str]]:
    """Appends, at its end, a line about the cost of what happened in its block."""
    lines: list[str] = []
    pair = tunnel.client, tunnel.server
    before = [hop.program.cpu_seconds() for hop in pair]
    started = time.perf_counter()
    yield lines
    elapsed = time.perf_counter() - started
    spent = [hop.program.cpu_seconds() - b for hop, b in zip(pair, before, strict=True)]
    costs = ", ".join(f"{hop.name} {s:.2f}" for hop, s in zip(pair, spent, strict=True))
    lines.append(f"{title} {SIZE / 1e6:.0f} MB, {SIZE / 1e6 / elapsed:.0f} MB/s, CPU s: {costs}")
