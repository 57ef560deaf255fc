import asyncio
import os
import select
import selectors
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from annotated_shadowsocks.relay.event_loop import RelayEventLoop, new_event_loop
from annotated_shadowsocks.relay.poller import READ, Poller, new_poller
from annotated_shadowsocks.testing.loopback import open_descriptors, pair

T = TypeVar("T")


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run ``main`` on a relay's loop; what reaches only the loop fails the test."""
    unseen: list[dict[str, Any]] = []
    before = open_descriptors()
    with asyncio.Runner(loop_factory=RelayEventLoop) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: unseen.append(context))
        result = runner.run(main())
    assert unseen == []
    assert open_descriptors() == before
    return result


def poller_inside() -> Poller:
    return new_poller(asyncio.get_running_loop())


class Watcher:
    def __init__(self, then: Callable[[int], None]) -> None:
        self._then = then

    def ready(self, events: int) -> None:
        self._then(events)

    def abandon(self, error: Exception) -> None:
        pass


# -- what asyncio needs ---------------------------------------------------------------------------


def test_streams() -> None:
    async def main() -> bytes:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.read())
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(host, port)
        # More than the socket's buffer: the transport waits for writability.
        writer.write(bytes(20_000_000))
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        server.close()
        await server.wait_closed()
        return answer

    assert run(main) == bytes(20_000_000)


def test_another_thread_wakes_it() -> None:
    async def main() -> str:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[str] = loop.create_future()
        thread = threading.Thread(target=loop.call_soon_threadsafe, args=(future.set_result, "up"))
        loop.call_soon(thread.start)
        answer = await future
        thread.join()
        return answer

    assert run(main) == "up"


def test_a_signal_wakes_it() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, arrived.set)
        loop.call_soon(os.kill, os.getpid(), signal.SIGUSR1)
        await arrived.wait()
        loop.remove_signal_handler(signal.SIGUSR1)

    run(main)


def test_a_program_that_ends() -> None:
    async def main() -> tuple[bytes, int | None]:
        command = sys.executable, "-c", "print('hello')"
        program = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        output, _ = await program.communicate()
        return output, program.returncode

    assert run(main) == (b"hello\n", 0)


def test_reader_and_writer_of_one_descriptor() -> None:
    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        inner, outer = pair()
        seen: list[str] = []
        loop.add_reader(inner, seen.append, "never called")
        loop.add_reader(inner, seen.append, "read")
        loop.add_writer(inner, seen.append, "write")
        outer.send(b"x")
        while len(set(seen)) < 2:
            await asyncio.sleep(0)
        assert loop.remove_writer(inner)
        await asyncio.sleep(0)
        seen.clear()
        while not seen:
            await asyncio.sleep(0)
        assert loop.remove_reader(inner)
        assert not loop.remove_reader(inner)
        seen.append("end")
        for _ in range(3):
            await asyncio.sleep(0)
        inner.close()
        outer.close()
        return seen

    assert run(main) == ["read", "end"]


def test_a_hang_up_wakes_whoever_waits_to_write() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        try:
            while True:
                os.write(writing, bytes(65536))
        except BlockingIOError:
            pass
        woken = asyncio.Event()
        loop.add_writer(writing, woken.set)
        await asyncio.sleep(0)
        assert not woken.is_set()
        os.close(reading)
        await woken.wait()
        loop.remove_writer(writing)
        os.close(writing)

    run(main)


# -- watchers beside it ---------------------------------------------------------------------------


def test_watchers_and_asyncio_take_turns() -> None:
    async def main() -> None:
        poller = poller_inside()
        loop = asyncio.get_running_loop()
        inner, outer = pair()
        told: list[int] = []
        # Always ready, because nobody reads.
        poller.watch(inner, READ, Watcher(told.append))
        outer.send(b"x")
        timer, reader = asyncio.Event(), asyncio.Event()
        another, its_peer = pair()
        loop.call_later(0.001, timer.set)
        loop.add_reader(another, reader.set)
        its_peer.send(b"x")
        await timer.wait()
        await reader.wait()
        assert told
        loop.remove_reader(another)
        poller.close(inner)
        for sock in outer, another, its_peer:
            sock.close()

    run(main)


def test_a_watcher_wakes_a_loop_that_sleeps() -> None:
    async def main() -> None:
        poller = poller_inside()
        inner, outer = pair()
        told = asyncio.Event()

        def ready(events: int) -> None:
            told.set()
            poller.close(inner)

        poller.watch(inner, READ, Watcher(ready))
        sender = threading.Thread(target=outer.send, args=(b"x",))
        asyncio.get_running_loop().call_soon(sender.start)
        await told.wait()
        sender.join()
        outer.close()

    run(main)


def test_what_a_watcher_asks_of_the_loop_is_done() -> None:
    async def asked(ask: Callable[[asyncio.AbstractEventLoop, asyncio.Event], object]) -> None:
        # Nothing else will happen: if the loop goes on to sleep, this does not end.
        loop, done, (here, there) = asyncio.get_running_loop(), asyncio.Event(), pair()
        poller = poller_inside()

        def then(_: int) -> None:
            poller.close(here)
            ask(loop, done)

        poller.watch(here, READ, Watcher(then))
        there.send(b"!")
        await done.wait()
        there.close()

    async def main() -> None:
        await asked(lambda _, done: done.set())
        await asked(lambda loop, done: loop.call_soon(done.set))
        await asked(lambda loop, done: loop.call_later(0.001, done.set))
        await asked(lambda loop, done: loop.call_at(loop.time() + 0.001, done.set))
        await asked(lambda loop, done: loop.call_soon_threadsafe(done.set))

    run(main)


def test_what_only_watchers_hear_takes_no_turn_of_the_loop() -> None:
    loop = RelayEventLoop()
    (here, there), told, turns = pair(), list[int](), list[float | None]()
    select = vars(loop)["_selector"].select

    def counted(timeout: float | None = None) -> object:
        turns.append(timeout)
        return select(timeout)

    def then(events: int) -> None:
        here.recv(1)
        told.append(events)
        # Each event is of another epoll_wait(2).
        if len(told) < 5:
            there.send(b"!")
        else:
            loop.stop()

    vars(loop)["_selector"].select = counted
    loop.poller.watch(here, READ, Watcher(then))
    there.send(b"!")
    loop.run_forever()
    assert (told, turns) == ([READ] * 5, [None])
    loop.close()
    here.close()
    there.close()


def test_a_watcher_stops_the_loop() -> None:
    loop = RelayEventLoop()
    here, there = pair()
    loop.poller.watch(here, READ, Watcher(lambda _: loop.stop()))
    there.send(b"!")
    loop.run_forever()
    loop.close()
    here.close()
    there.close()


def test_a_crash_does_not_end_the_loop(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        poller = poller_inside()
        inner, outer = pair()

        def ready(events: int) -> None:
            poller.close(inner)
            raise ZeroDivisionError

        poller.watch(inner, READ, Watcher(ready))
        outer.send(b"x")
        while inner.fileno() >= 0:
            await asyncio.sleep(0)
        outer.close()

    run(main)
    assert "connection abandoned: ZeroDivisionError()" in caplog.text


def test_the_poller_stays_with_the_loop() -> None:
    async def main() -> None:
        poller = poller_inside()
        poller.stop()
        await asyncio.sleep(0.001)

    run(main)


def test_asyncios_own_loop_where_there_is_no_epoll(monkeypatch: pytest.MonkeyPatch) -> None:
    inside = new_event_loop()
    assert isinstance(inside, RelayEventLoop)
    inside.close()
    monkeypatch.delattr(select, "epoll")
    other = new_event_loop()
    assert not isinstance(other, RelayEventLoop)
    other.close()


# -- the selector as such -------------------------------------------------------------------------


@pytest.fixture
def selector() -> Iterator[selectors.BaseSelector]:
    loop = RelayEventLoop()
    selector = vars(loop)["_selector"]
    assert isinstance(selector, selectors.BaseSelector)
    yield selector
    loop.close()


def test_a_descriptor_is_registered_once(selector: selectors.BaseSelector) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        key = selector.register(sock, selectors.EVENT_READ, "data")
        assert (key.fileobj, key.fd, key.data) == (sock, sock.fileno(), "data")
        assert selector.get_key(sock) == selector.get_map()[sock.fileno()] == key
        with pytest.raises(KeyError):
            selector.register(sock.fileno(), selectors.EVENT_READ)
        key = selector.modify(sock, selectors.EVENT_WRITE, "other")
        assert selector.select(0) == [(key, selectors.EVENT_WRITE)]
        assert selector.unregister(sock) == key
        with pytest.raises(KeyError):
            selector.unregister(sock)
        assert selector.select(0) == []


def test_what_cannot_be_watched_leaves_nothing_behind(
    selector: selectors.BaseSelector, tmp_path: Path
) -> None:
    with (tmp_path / "file").open("w") as file:
        for _ in range(2):
            with pytest.raises(PermissionError):
                selector.register(file, selectors.EVENT_READ)


def test_a_descriptor_that_was_closed_first(selector: selectors.BaseSelector) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fd = sock.fileno()
        selector.register(fd, selectors.EVENT_READ)
    assert selector.unregister(fd).fd == fd
