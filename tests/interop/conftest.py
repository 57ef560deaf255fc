"""What interop tests share: hops that run for the whole session, an origin, the final tables."""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from annotated_shadowsocks.testing.hops import Hop, Hops
from annotated_shadowsocks.testing.loops import LOOPS
from annotated_shadowsocks.testing.name_server import NameServer, addresses
from annotated_shadowsocks.testing.origin import Origin
from annotated_shadowsocks.testing.programs import ProgramError, find_program, program_version
from peers import cache
from peers.catalogue import PEERS
from peers.model import PeerError
from peers.table import Cell, table

NEEDED = ("curl", "dig", "ss-local", "ss-server", "ss-tunnel")

#: What would be in our log if something happened that must not.
BAD_NEWS = ("internal error", "Traceback", "Exception ignored", "never retrieved")


@pytest.fixture(scope="session", autouse=True)
def programs() -> None:
    """Fail, and do not skip, where a peer is missing."""
    try:
        for name in NEEDED:
            find_program(name)
        for peer in PEERS.values():
            cache.find(peer, peer.programs[0])
    except (ProgramError, PeerError) as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session", autouse=True)
def no_proxy_from_outside() -> Iterator[None]:
    """Proxies of the host's environment, and exceptions from them, are not for tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.lower().endswith("_proxy"):
                patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def name_server() -> Iterator[NameServer]:
    """A name server that runs in a thread; it knows the origin by two names."""
    server = NameServer()
    server.scripts["origin.test"] = addresses("127.0.0.1")
    server.scripts["six.origin.test"] = addresses("::1")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(30)
        yield server
        asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture(scope="session")
def origin() -> Iterator[Origin]:
    """Where all tunnels lead."""
    with Origin() as server:
        yield server
    assert not server.errors


@pytest.fixture(scope="session")
def hops_by_loop(
    tmp_path_factory: pytest.TempPathFactory, name_server: NameServer, programs: None
) -> Iterator[dict[str, Hops]]:
    """Hops for each event loop that ours may run on, started when a test first asks for them."""
    with ExitStack() as stack:
        by_loop = {
            loop: stack.enter_context(
                Hops(tmp_path_factory.mktemp(loop), name_server.endpoint, loop)
            )
            for loop in LOOPS
        }
        yield by_loop
    statuses = {hop: hop.program.status for hops in by_loop.values() for hop in hops.ours}
    assert not any(statuses.values()), f"did not end in order: {statuses}"


@pytest.fixture
def hops(hops_by_loop: dict[str, Hops]) -> Hops:
    """Ours on the loop that they choose themselves where it is installed."""
    return hops_by_loop["uvloop"]


@pytest.fixture(autouse=True)
def nothing_bad_in_our_logs(hops_by_loop: dict[str, Hops]) -> Iterator[None]:
    """Fail the test during which one of our hops met something that it did not expect."""

    def logs() -> dict[Hop, str]:
        return {hop: hop.program.output() for hops in hops_by_loop.values() for hop in hops.ours}

    before = logs()
    yield
    for hop, text in logs().items():
        said = text[len(before.get(hop, "")) :]
        assert not any(news in said for news in BAD_NEWS), f"{hop.name} said:\n{said}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have recorded: cells of the matrix, and lines about big transfers."""
    cells: dict[tuple[str, str, str], str] = {}
    peers: list[Cell] = []
    others: list[str] = []
    transfers: list[str] = []
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, value in getattr(report, "user_properties", ()):
                if name == "cell":
                    method, path, column, text = value
                    cells[method, path, column] = text if report.passed else "FAIL"
                elif name == "transfer":
                    transfers.append(value)
                elif name == "peer":
                    peers.append(value)
                elif name == "with a peer":
                    others.append(f"{'ok' if report.passed else 'FAIL':6}{value}")
    sections = {
        "matrix": _matrix(cells),
        "big transfers": transfers,
        **{f"peers, {way}": lines for way, lines in table(peers).items()},
        "peers, and what only some of them have": sorted(others),
    }
    for title, lines in sections.items():
        if lines:
            terminalreporter.section(f"interop, {title}")
            for line in [_versions(title), *lines]:
                terminalreporter.write_line(line)


def _versions(title: str) -> str:
    if "peers" in title:
        return ", ".join(f"{peer.name} {peer.version}" for peer in PEERS.values())
    return ", ".join(" ".join(program_version(p).split()[:2]) for p in ("ss-server", "curl"))


COLUMNS = ("TCP v4", "TCP v6", "TCP name", "UDP v4", "UDP v6", "UDP name", "biggest datagram")


def _matrix(cells: dict[tuple[str, str, str], str]) -> list[str]:
    rows = {(method, path) for method, path, _ in cells}
    if not rows:
        return []
    lines = [f"{'method':24}{'client -> server':24}{'  '.join(COLUMNS)}"]
    for method, path in sorted(rows):
        row = "  ".join(f"{cells.get((method, path, c), '-'):{len(c)}}" for c in COLUMNS)
        lines.append(f"{method:24}{path:24}{row}".rstrip())
    return lines
