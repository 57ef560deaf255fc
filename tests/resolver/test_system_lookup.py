import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from annotated_shadowsocks.resolver.resolution import Limits, Outcome
from annotated_shadowsocks.resolver.system_lookup import SystemLookup

V4, V6 = "192.0.2.7", "2001:db8::7"

Run = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]


class Library:
    """A getaddrinfo(3) that knows ``www.test``, and may be made to hang."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()
        self.calls = 0

    def __call__(self, name: str, *_: object, **__: object) -> list[Any]:
        self.calls += 1
        self.go.wait(30)
        if name != "www.test":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (V6, 0, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (V4, 0)),
        ]


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    library = Library()
    monkeypatch.setattr(socket, "getaddrinfo", library)
    yield library
    library.go.set()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def begin(
    pool: ThreadPoolExecutor, name: str, limits: Limits, ipv6_first: bool = False
) -> tuple[SystemLookup, asyncio.Future[Outcome]]:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Outcome] = loop.create_future()
    lookup = SystemLookup(loop, pool, name, limits, ipv6_first, future.set_result)
    lookup.start()
    return lookup, future


@pytest.mark.parametrize("ipv6_first", [False, True])
def test_addresses_by_turns_and_briefly_remembered(
    run: Run, library: Library, pool: ThreadPoolExecutor, ipv6_first: bool
) -> None:
    async def main() -> None:
        _, future = begin(pool, "www.test", Limits(), ipv6_first)
        assert await future == Outcome((V6, V4) if ipv6_first else (V4, V6), 1)

    run(main)


def test_the_librarys_own_words(run: Run, library: Library, pool: ThreadPoolExecutor) -> None:
    async def main() -> None:
        _, future = begin(pool, "gone.test", Limits())
        assert await future == Outcome((), 1, "Name or service not known")

    run(main)


def test_every_call_ends_in_time_also_one_that_has_no_thread(
    run: Run, library: Library, pool: ThreadPoolExecutor
) -> None:
    async def main() -> None:
        library.go.clear()
        futures = [begin(pool, "www.test", Limits(total=0.1))[1] for _ in range(5)]
        for outcome in await asyncio.gather(*futures):
            assert outcome == Outcome((), 1, "no answer within 0.1 s")
        # Those that had no thread are not asked for later.
        library.go.set()
        pool.shutdown()
        assert library.calls <= 2

    run(main)


def test_nothing_is_told_after_close(run: Run, library: Library, pool: ThreadPoolExecutor) -> None:
    async def main() -> None:
        library.go.clear()
        lookup, future = begin(pool, "www.test", Limits())
        await asyncio.sleep(0)
        lookup.close()
        library.go.set()
        _, other = begin(pool, "www.test", Limits())
        await other
        assert not future.done()

    run(main)
