"""A resolution on real sockets: what is told, when, and what is left behind."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.resolver import dns_lookup
from annotated_shadowsocks.resolver.dns_lookup import DnsLookup
from annotated_shadowsocks.resolver.exchange import Exchange
from annotated_shadowsocks.resolver.host_files import ResolvConf
from annotated_shadowsocks.resolver.question import Query, ServerOrder
from annotated_shadowsocks.resolver.resolution import Limits, Outcome, Resolution
from annotated_shadowsocks.testing.name_server import (
    NameServer,
    addresses,
    by_type,
    nxdomain,
    refusal,
    truncated,
)

Run = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]

BOTH = addresses("192.0.2.7", "2001:db8::7")
PATIENT = Limits(total=30, straggler=30)


class Watched:
    """A lookup, and what it told."""

    def __init__(self, limits: Limits, *servers: Endpoint, search: tuple[str, ...] = ()) -> None:
        loop = asyncio.get_running_loop()
        conf = ResolvConf(servers, search)
        ids = iter(range(1, 1000))
        resolution = Resolution(
            "db",
            conf,
            limits,
            False,
            ServerOrder(),
            lambda n: next(ids).to_bytes(n, "big"),
            loop.time(),
        )
        self.early: asyncio.Future[tuple[str, ...]] = loop.create_future()
        self.finished: asyncio.Future[Outcome] = loop.create_future()
        self.lookup = DnsLookup(loop, resolution, self.early.set_result, self.finished.set_result)
        self.lookup.start()


def test_the_outcome(run: Run) -> None:
    async def main() -> None:
        async with NameServer() as server:
            server.scripts["db.two.test"] = truncated(BOTH)
            watched = Watched(PATIENT, server.endpoint, search=("one.test", "two.test"))
            assert await watched.finished == Outcome(("192.0.2.7", "2001:db8::7"), 60)
            assert not watched.early.done()
            assert [name for name, _, _ in server.questions()] == [
                *["db.one.test"] * 2,
                *["db.two.test"] * 4,
            ]

    run(main)


def test_early_and_then_finished(run: Run) -> None:
    async def main() -> None:
        async with NameServer() as server:
            server.scripts["db"] = by_type(A=addresses("192.0.2.7"))
            watched = Watched(Limits(total=30, straggler=0.02), server.endpoint)
            assert await watched.early == ("192.0.2.7",)
            assert not watched.finished.done()
            (late,) = [asked for asked in server.asked if asked.rdtype == "AAAA"]
            server.send(late, BOTH)
            assert await watched.finished == Outcome(("192.0.2.7", "2001:db8::7"), 60)

    run(main)


def test_servers_one_after_the_other(run: Run) -> None:
    async def main() -> None:
        async with NameServer() as broken, NameServer() as sound:
            broken.scripts["db"] = refusal("SERVFAIL")
            sound.scripts["db"] = nxdomain(7)
            watched = Watched(PATIENT, broken.endpoint, sound.endpoint)
            assert await watched.finished == Outcome((), 7, "no such name")
            assert [len(server.asked) for server in (broken, sound)] == [2, 2]

    run(main)


def test_where_nothing_can_be_sent_it_ends_inside_start(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object) -> Exchange:
        raise OSError(101, "Network is unreachable")

    async def main() -> None:
        monkeypatch.setattr(dns_lookup, "open_exchange", unreachable)
        watched = Watched(PATIENT, Endpoint("192.0.2.1", 53), Endpoint("192.0.2.2", 53))
        assert watched.finished.done()
        problem = watched.finished.result().problem
        assert problem == (
            "192.0.2.1:53 is out of reach (Network is unreachable), "
            "192.0.2.2:53 is out of reach (Network is unreachable)"
        )

    run(main)


class Recorder:
    """Stands for exchanges: notes which are open."""

    def __init__(self) -> None:
        self.open: set[Query] = set()
        self.most = 0

    def __call__(self, loop: object, query: Query, responded: object) -> Exchange:
        self.open.add(query)
        self.most = max(self.most, len(self.open))
        recorder = self

        class Recorded:
            def close(self) -> None:
                recorder.open.discard(query)

        return Recorded()


def test_no_more_than_two_sockets_at_a_time_and_none_at_the_end(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        recorder = Recorder()
        monkeypatch.setattr(dns_lookup, "open_exchange", recorder)
        watched = Watched(Limits(total=0.2), Endpoint("192.0.2.1", 53), Endpoint("192.0.2.2", 53))
        outcome = await watched.finished
        assert outcome.problem.startswith("192.0.2.1:53 did not answer")
        assert recorder.most == 2
        assert recorder.open == set()

    run(main)


def test_after_close_nothing_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        recorder = Recorder()
        monkeypatch.setattr(dns_lookup, "open_exchange", recorder)
        closed = Watched(Limits(total=0.05), Endpoint("192.0.2.1", 53))
        other = Watched(Limits(total=0.1), Endpoint("192.0.2.1", 53))
        closed.lookup.close()
        await other.finished
        assert recorder.open == set()
        assert not closed.finished.done()
        assert not closed.early.done()

    run(main)
