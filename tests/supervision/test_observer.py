"""The observer of a real program: what it tells of workers that serve, die and hang."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from annotated_shadowsocks import __version__
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.telemetry.families import FAMILIES
from annotated_shadowsocks.testing.commands import Command, children
from annotated_shadowsocks.testing.figures import FiguresPage
from annotated_shadowsocks.testing.loops import LOOPS, run_on
from annotated_shadowsocks.testing.programs import free_port
from annotated_shadowsocks.testing.queues import until as until_true
from annotated_shadowsocks.testing.server_harness import PASSWORD, TunnelClient, master_key
from annotated_shadowsocks.testing.targets import Target, until

both_loops = pytest.mark.parametrize("loop_name", LOOPS)

KEY = master_key()


@contextmanager
def observed(
    folder: Path, loop_name: str = "asyncio", **changes: object
) -> Iterator[tuple[Command, int, FiguresPage]]:
    """``ssserver`` with figures, its port, and the page."""
    port, at = free_port(), free_port()
    document = {
        "server": "127.0.0.1",
        "server_port": port,
        "method": KEY.method.name,
        "password": PASSWORD,
        "allow_private_targets": True,
        "workers": 2,
        "metrics": {"listen": f"127.0.0.1:{at}"},
        **changes,
    }
    sockets = [("tcp", port), ("tcp", at)]
    with Command("ssserver", folder, document, sockets, loop_name) as command:
        page = FiguresPage(at)
        until_true(lambda: page.status("/healthz") == 200)
        yield command, port, page
        assert "Traceback" not in command.output()


async def exchange(port: int, target: Target, count: int) -> None:
    for _ in range(count):
        async with TunnelClient(Endpoint("127.0.0.1", port), KEY, target.endpoint) as client:
            for word in (b"hello", b"again"):
                await client.send(word)
                assert await client.receive() == word


def workers(command: Command) -> dict[str, int]:
    """Which process is which, by the order in which they were forked."""
    return dict(zip(("0", "1", "observer"), sorted(children(command.pid)), strict=True))


@both_loops
def test_what_all_workers_did_is_one_page_that_no_death_takes_back(
    loop_name: str, tmp_path: Path
) -> None:
    async def main() -> None:
        with observed(tmp_path, loop_name) as (command, port, page):

            async def shown(name: str, value: float, **labels: str) -> None:
                async with asyncio.timeout(20):
                    while await asyncio.to_thread(page.get, name, **labels) != value:
                        await asyncio.sleep(0.05)

            async with Target() as target:
                await exchange(port, target, 20)
                await shown("connections_accepted_total", 20)
                await shown("handshakes_total", 20, outcome="ok")
                sent = page.get("data_bytes_total")
                assert sent >= 20 * (len(b"helloagain") + len(b"again"))
                for pid in children(command.pid):
                    os.kill(pid, signal.SIGKILL)
                await until(lambda: page.status("/healthz") == 200)
                assert page.get("connections_accepted_total") == 20
                assert page.get("data_bytes_total") == sent
                await exchange(port, target, 5)
                await shown("connections_accepted_total", 25)
                # A reload replaces every worker.
                command.send(signal.SIGHUP)
                await command.said(": reloaded")
                await until(lambda: page.status("/healthz") == 200)
                await exchange(port, target, 5)
                await shown("connections_accepted_total", 30)

    run_on("asyncio", main)


def test_the_page_is_what_a_parser_and_the_table_say(tmp_path: Path) -> None:
    with observed(tmp_path) as (command, port, page):
        status, text = page.fetch()
        assert status == 200
        found = {family.name: family for family in text_string_to_metric_families(text)}
        for name, family in found.items():
            known = FAMILIES.get(name) or FAMILIES[f"{name}_total"]
            assert (family.type, family.documentation) == (known.kind.value, known.help)
        assert page.get("build_info", version=__version__, program="ssserver") == 1
        at = f"127.0.0.1:{port}"
        somaxconn = int(Path("/proc/sys/net/core/somaxconn").read_text())
        assert page.get("listener_backlog_asked", listener=at) == somaxconn
        assert page.get("listener_accept_queue_limit", listener=at, worker="all") == somaxconn
        for worker, pid in workers(command).items():
            resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
            told = page.get("process_resident_memory_bytes", worker=worker)
            assert 0.5 < told / resident < 2
            assert page.get("process_open_fds", worker=worker) > 3


def test_workers_that_hang_are_seen_and_their_queue_too(tmp_path: Path) -> None:
    with observed(tmp_path, backlog=8, workers=1) as (command, port, page):
        worker = min(children(command.pid))
        os.kill(worker, signal.SIGSTOP)
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(9)]
        at = f"127.0.0.1:{port}"
        until_true(lambda: page.get("listener_accept_queue_depth", listener=at) == 9)
        assert page.fetch("/readyz") == (503, f"the accept queue of {at} is at 9 of 8\n")
        with socket.socket() as late:
            late.setblocking(False)
            late.connect_ex(("127.0.0.1", port))
            until_true(lambda: page.get("listener_overflows_total", listener=at) >= 1)
            assert page.get("listener_drops_total", listener=at) >= 1
        until_true(lambda: page.status("/healthz") == 503)
        assert page.fetch("/healthz")[1].startswith("worker 0 has not reported for ")
        # What it counted is still there, and what it is at is not known any more.
        assert page.get("process_open_fds", worker="0") == 0
        os.kill(worker, signal.SIGCONT)
        until_true(lambda: page.status("/readyz") == page.status("/healthz") == 200)
        assert page.get("listener_accept_queue_high_water", listener=at) == 9
        for client in clients:
            client.close()
    assert "was at 9 of 8" in command.output()


def test_a_token_is_asked_for(tmp_path: Path) -> None:
    at = free_port()
    metrics = {"listen": f"0.0.0.0:{at}", "token": "letmein"}
    port = free_port()
    document = {
        "server": "127.0.0.1",
        "server_port": port,
        "method": KEY.method.name,
        "password": PASSWORD,
        "metrics": metrics,
    }
    with Command("ssserver", tmp_path, document, [("tcp", port), ("tcp", at)]) as command:
        assert FiguresPage(at).status("/metrics") == 401
        assert FiguresPage(at, "wrong").status("/healthz") == 401
        until_true(lambda: FiguresPage(at, "letmein").status("/healthz") == 200)
    assert "letmein" not in command.output()


def test_the_observer_is_replaced_like_a_worker(tmp_path: Path) -> None:
    with observed(tmp_path) as (command, _, page):
        before = workers(command)
        os.kill(before["observer"], signal.SIGKILL)
        until_true(lambda: page.status("/healthz") == 200)
        assert set(before.values()) - children(command.pid) == {before["observer"]}
        assert "the observer was killed by SIGKILL" in command.output()
        assert command.end() == 0


def test_it_ends_with_its_supervisor(tmp_path: Path) -> None:
    with observed(tmp_path) as (command, _, page):
        left = children(command.pid)
        command.kill()
        until_true(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in left))
        assert page.status("/healthz") == 0
