"""The event loop whose selector serves the relay: it is still an asyncio loop, in every respect."""

import asyncio
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from annotated_shadowsocks.relay.event_loop import RelayEventLoop, new_event_loop
from annotated_shadowsocks.relay.poller import READ, LoopPoller, new_poller


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=RelayEventLoop) as runner:
        runner.run(asyncio.wait_for(main(), 20))


class Recorder:
    """A watcher that keeps what it was told, and reads what there is."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.received = b""
        self.heard = asyncio.Event()

    def ready(self, events: int) -> None:
        self.received += self.sock.recv(100)
        self.heard.set()

    def abandon(self, error: Exception) -> None:
        raise error


def test_poller_is_the_one_inside() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, RelayEventLoop)
        assert new_poller(loop) is loop.poller

    run(main)


def test_new_event_loop_without_epoll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(select, "epoll")
    loop = new_event_loop()
    try:
        assert not isinstance(loop, RelayEventLoop)
        assert isinstance(new_poller(loop), LoopPoller)
    finally:
        loop.close()


def test_watchers_and_streams_share_one_set() -> None:
    """A watcher's events go to the watcher, a stream's to asyncio, in one wait."""

    async def main() -> None:
        poller = new_poller(asyncio.get_running_loop())
        left, right = socket.socketpair()
        left.setblocking(False)
        recorder = Recorder(left)
        poller.watch(left, READ, recorder)

        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.read())
            writer.close()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        payload = os.urandom(3_000_000)
        right.send(b"to the watcher")
        writer.write(payload)
        writer.write_eof()
        assert await reader.read() == payload
        await recorder.heard.wait()
        assert recorder.received == b"to the watcher"
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()
        poller.close(left)
        right.close()

    run(main)


def test_timers_threads_signals_and_children() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        order: list[int] = []
        loop.call_later(0.02, order.append, 2)
        loop.call_later(0.01, order.append, 1)
        assert await loop.run_in_executor(None, os.getpid) == os.getpid()
        heard = asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, heard.set)
        os.kill(os.getpid(), signal.SIGUSR1)
        await heard.wait()
        loop.remove_signal_handler(signal.SIGUSR1)
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "print('a child')", stdout=asyncio.subprocess.PIPE
        )
        out, _ = await child.communicate()
        assert out == b"a child\n"
        while len(order) < 2:
            await asyncio.sleep(0.01)
        assert order == [1, 2]

    run(main)


def test_readers_and_writers_come_and_go() -> None:
    """What ``selectors`` promises of modify, unregister and a closed descriptor."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        left, right = socket.socketpair()
        fd = left.fileno()
        writable, readable = asyncio.Event(), asyncio.Event()
        loop.add_writer(fd, writable.set)
        loop.add_reader(fd, readable.set)
        await writable.wait()
        assert loop.remove_writer(fd)
        right.close()
        # A hang-up wakes the reader, as it does in selectors.
        await readable.wait()
        left.close()
        assert loop.remove_reader(fd)
        assert not loop.remove_reader(fd)

    run(main)


def test_callback_of_a_watcher_may_use_the_loop() -> None:
    """What a watcher queues or arms while the loop waits is not slept over."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        poller = new_poller(loop)
        left, right = socket.socketpair()
        soon, later = asyncio.Event(), asyncio.Event()

        class Arming(Recorder):
            def ready(self, events: int) -> None:
                super().ready(events)
                loop.call_soon(soon.set)
                loop.call_later(0.01, later.set)

        left.setblocking(False)
        poller.watch(left, READ, Arming(left))
        right.send(b"x")
        await soon.wait()
        await later.wait()
        poller.close(left)
        right.close()

    run(main)
