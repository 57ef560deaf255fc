"""A server that stands still in a network namespace of its own: every view tells the same story.

And a burst on one that does not: nobody is turned away.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.kernel import netstat
from annotated_shadowsocks.system import raise_descriptor_limit
from annotated_shadowsocks.testing.commands import Command, children
from annotated_shadowsocks.testing.figures import FiguresPage
from annotated_shadowsocks.testing.namespaces import in_fresh_network, set_sysctl
from annotated_shadowsocks.testing.observer import Watch
from annotated_shadowsocks.testing.queues import until
from annotated_shadowsocks.testing.server_harness import PASSWORD, TunnelClient, master_key

pytestmark = pytest.mark.root

KEY = master_key()
PORT, METRICS = 18388, 19150
AT = f"127.0.0.1:{PORT}"


def document(**changes: object) -> dict[str, object]:
    return {
        "server": "127.0.0.1",
        "server_port": PORT,
        "method": KEY.method.name,
        "password": PASSWORD,
        "allow_private_targets": True,
        "metrics": {"listen": f"127.0.0.1:{METRICS}"},
        **changes,
    }


def started(stack: ExitStack, folder: Path, **changes: object) -> tuple[Command, FiguresPage]:
    # Whether it listens is asked of its pages: the kernel's tables that this process sees by
    # default are those of its first thread's namespace.
    command = stack.enter_context(Command("ssserver", folder, document(**changes), ()))
    page = FiguresPage(METRICS)
    until(lambda: page.status("/healthz") == 200)
    return command, page


def backlog(*words: str) -> Any:
    command = [sys.executable, "-m", "annotated_shadowsocks", "backlog", *words, "--json"]
    # Of watch it means a line for each look, and one look is one document.
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return json.loads(done.stdout)


def ss() -> tuple[int, int, int]:
    """Depth, limit and drops by ss."""
    words = ["ss", "-H", "-l", "-t", "-n", "-m", "sport", "=", f":{PORT}"]
    text = subprocess.run(words, capture_output=True, text=True, timeout=60).stdout
    fields = text.split()
    drops = text.rpartition(",d")[2].partition(")")[0]
    return int(fields[1]), int(fields[2]), int(drops)


def numbers(tree: Any, wanted: str) -> list[Any]:
    """Every value of the key ``wanted`` in a document."""
    found = []
    if isinstance(tree, dict):
        found += [value for key, value in tree.items() if key == wanted]
        tree = list(tree.values())
    if isinstance(tree, list):
        found += [value for one in tree for value in numbers(one, wanted)]
    return found


def quiet(page: FiguresPage) -> tuple[float, ...]:
    """All that is told of overflows, once two readings of it agree with the kernel's counters."""
    names = ("listener_overflows_total", "listener_drops_total", "listen_overflows_total")

    def read() -> tuple[float, ...]:
        return tuple(page.get(name) for name in names)

    last: list[tuple[float, ...]] = []

    def agrees() -> bool:
        before = netstat.counters()["ListenOverflows"]
        last[:] = [read()]
        told = last[0]
        return told[2] == before == netstat.counters()["ListenOverflows"] and told[0] >= before

    until(agrees)
    return last[0]


def in_namespace(call: Callable[[ExitStack], None]) -> None:
    def inside() -> None:
        with ExitStack() as stack:
            call(stack)

    in_fresh_network(inside)


def test_every_view_tells_the_same_story(tmp_path: Path) -> None:
    def story(stack: ExitStack) -> None:
        set_sysctl("net.core.somaxconn", 8)
        # Not asked for by tests, as many as there may be: auto is somaxconn.
        command, page = started(stack, tmp_path)
        [worker] = [pid for pid in children(command.pid) if pid == min(children(command.pid))]
        os.kill(worker, signal.SIGSTOP)
        stack.callback(os.kill, worker, signal.SIGCONT)
        queued = [socket.create_connection(("127.0.0.1", PORT), 30) for _ in range(9)]
        late = socket.socket()
        late.setblocking(False)
        for sock in (*queued, late):
            stack.callback(sock.close)
        before = netstat.counters()["ListenOverflows"]
        late.connect_ex(("127.0.0.1", PORT))
        until(lambda: netstat.counters()["ListenOverflows"] > before)
        late.close()
        overflows = netstat.counters()["ListenOverflows"]
        charged, drops, namespace = quiet(page)
        # The kernel's own words, as ss and nstat pass them on.
        assert ss() == (9, 8, int(drops))
        assert (charged, namespace) == (overflows, overflows)
        # The page, ...
        assert page.get("listener_accept_queue_depth", listener=AT) == 9
        assert page.get("listener_accept_queue_limit", listener=AT) == 8
        assert page.get("listener_backlog_asked", listener=AT) == 8
        assert page.get("somaxconn") == 8
        assert page.fetch("/readyz") == (503, f"the accept queue of {AT} is at 9 of 8\n")
        # ... the list, ...
        listed = [one for one in numbers(backlog("list"), "listeners")[0] if str(PORT) in str(one)]
        [queue] = numbers(listed, "accept_queue")
        assert (queue["depth"], queue["limit"]) == (9, 8)
        assert numbers(listed, "drops") == [drops]
        # ... the watch, ...
        [watched] = numbers(backlog("watch", "--count", "1", AT), "listeners")[0]
        assert watched["accept_queue"] == {"depth": 9, "limit": 8, "capacity": 9, "full": True}
        assert (watched["drops"], watched["high_water"]) == (drops, 9)
        # ... and the explanation.
        explained = backlog("explain", AT)
        assert 9 in numbers(explained, "depth") and 8 in numbers(explained, "limit")
        os.kill(worker, signal.SIGCONT)
        until(lambda: page.get("listener_accept_queue_depth", listener=AT) == 0)
        assert page.status("/readyz") == 200
        # The deepest since the start, also where another process watches by now.
        watching = max(children(command.pid))
        os.kill(command.pid, signal.SIGHUP)
        until(lambda: watching not in children(command.pid) and page.status("/healthz") == 200)
        assert page.get("listener_accept_queue_high_water", listener=AT) == 9
        until(lambda: page.get("connections_accepted_total") == 9)
        assert "turned away; sysctl -w net.core.somaxconn=4096" in command.output()

    in_namespace(story)


def test_what_explain_says_of_retries_comes_true_on_the_wire(tmp_path: Path) -> None:
    def story(stack: ExitStack) -> None:
        set_sysctl("net.core.somaxconn", 8)
        command, page = started(stack, tmp_path)
        worker = min(children(command.pid))
        with Watch("lo", PORT) as wire:
            os.kill(worker, signal.SIGSTOP)
            stack.callback(os.kill, worker, signal.SIGCONT)
            queued = [socket.create_connection(("127.0.0.1", PORT), 30) for _ in range(9)]
            for sock in queued:
                stack.callback(sock.close)
            [said] = backlog("explain", AT)["listeners"]
            assert said["next_syn"]["verdict"] == "dropped"
            counted = {name: netstat.counters()[name] for name in said["next_syn"]["counters"]}
            retries = netstat.counters()["TCPSynRetrans"]
            late = stack.enter_context(socket.socket())
            late.setblocking(False)
            late.connect_ex(("127.0.0.1", PORT))
            # Two retries that meet the same, and then somebody accepts.
            until(lambda: netstat.counters()["TCPSynRetrans"] >= retries + 2)
            met = netstat.counters()
            assert all(met[name] >= before + 3 for name, before in counted.items())
            os.kill(worker, signal.SIGCONT)
            until(lambda: page.get("connections_accepted_total") == 10)
            assert late.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
            ports = [sock.getsockname()[1] for sock in queued]
            late_port = late.getsockname()[1]
        sights = wire.sights()
        assert all(len(sights[port].asked) == 1 for port in ports)
        sight = sights[late_port]
        # A kernel's timer is late by as much as the machine is busy, and early by a tick at most.
        tick, scheduled = 0.01, said["client_syn_schedule"]["sent"]
        assert len(sight.asked) >= 3
        for sent, due in zip(sight.asked, scheduled, strict=False):
            assert sent >= due - tick
        # Nobody told the client of the place that was free: its own next SYN found it.
        assert sight.answered >= sight.asked[-1]

    in_namespace(story)


def test_somaxconn_that_is_raised_while_it_runs_is_noticed(tmp_path: Path) -> None:
    def story(stack: ExitStack) -> None:
        set_sysctl("net.core.somaxconn", 8)
        command, page = started(stack, tmp_path)
        set_sysctl("net.core.somaxconn", 300)
        until(lambda: page.get("listener_accept_queue_limit", listener=AT) == 300)
        assert ss()[1] == 300
        assert f"{AT} may hold 300 instead of 8: net.core.somaxconn is 300" in command.output()

    in_namespace(story)


COUNT, SECONDS = 4000, 1.0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_burst_is_served_to_the_last(workers: int, tmp_path: Path) -> None:
    outcome: dict[str, int] = {}

    echoes: set[asyncio.StreamWriter] = set()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        echoes.add(writer)
        try:
            writer.write(await reader.read(100))
            await reader.read()
        finally:
            writer.close()
            echoes.discard(writer)

    async def client(echo_at: Endpoint) -> None:
        try:
            async with TunnelClient(Endpoint("127.0.0.1", PORT), KEY, echo_at) as one:
                await one.send(b"hello")
                fate = "served" if await one.receive() == b"hello" else "cut off"
        except OSError as error:
            fate = type(error).__name__
        outcome[fate] = outcome.get(fate, 0) + 1

    async def burst() -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0, backlog=4096)
        at = Endpoint(*server.sockets[0].getsockname()[:2])
        loop = asyncio.get_running_loop()
        start, clients = loop.time(), []
        for number in range(COUNT):
            await asyncio.sleep(max(0.0, start + SECONDS * number / COUNT - loop.time()))
            clients.append(asyncio.create_task(client(at)))
        await asyncio.gather(*clients)
        while echoes:
            await asyncio.sleep(0.01)
        server.close()
        await server.wait_closed()

    def story(stack: ExitStack) -> None:
        raise_descriptor_limit()
        _, page = started(stack, tmp_path, workers=workers)
        before = netstat.counters()["ListenOverflows"]
        asyncio.run(burst())
        assert outcome == {"served": COUNT}
        assert netstat.counters()["ListenOverflows"] == before
        until(lambda: page.get("handshakes_total", outcome="ok") == COUNT)
        assert page.get("listener_overflows_total") == 0

    in_namespace(story)
