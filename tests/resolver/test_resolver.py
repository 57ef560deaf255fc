"""The resolver on both loops, against a name server on loopback that misbehaves on demand."""

import asyncio
import logging
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import ConfigError, ResolveError
from annotated_shadowsocks.resolver import exchange, host_files
from annotated_shadowsocks.resolver.resolution import Limits
from annotated_shadowsocks.resolver.resolver import Resolver
from annotated_shadowsocks.testing.name_server import (
    NameServer,
    Script,
    addresses,
    alias,
    alternating,
    by_type,
    garbage_first,
    nxdomain,
    refusal,
    silence,
    truncated,
    wrong_id_first,
    wrong_question_first,
)

V4, V6 = "192.0.2.7", "2001:db8::7"
BOTH = [V4, V6]

#: Long enough for a slow machine to answer, and never waited for where something answers.
PATIENT = Limits(total=30, straggler=30)
#: For servers that stay silent.
HASTY = Limits(total=0.2, straggler=0.02)

Run = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]


@pytest.fixture
def no_files(tmp_path: Path) -> dict[str, Path]:
    return {"hosts": tmp_path / "hosts", "resolv_conf": tmp_path / "resolv.conf"}


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[tuple[NameServer, Resolver]]:
    async with NameServer() as server:
        options.setdefault("servers", [server.endpoint])
        options.setdefault("limits", PATIENT)
        for file in ("hosts", "resolv_conf"):
            options.setdefault(file, "/nonexistent")
        resolver = Resolver(look_every=0, **options)
        try:
            yield server, resolver
        finally:
            resolver.close()


async def problem_of(resolver: Resolver, host: str) -> str:
    with pytest.raises(ResolveError) as caught:
        await resolver.resolve(host)
    return str(caught.value)


def at_once(resolver: Resolver, host: str) -> list[str] | ResolveError | None:
    """What ``done`` is called with before ``lookup`` returns."""
    results: list[list[str] | ResolveError] = []
    resolver.lookup(host, results.append)
    return results[0] if results else None


def test_literals_hosts_and_localhost_are_known_without_asking(run: Run, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text(f"{V6} box.local\n{V4} box.local printer\n::1 localhost\n")

    async def main() -> None:
        async with serving(hosts=hosts) as (server, resolver):
            assert at_once(resolver, "192.0.2.1") == ["192.0.2.1"]
            assert at_once(resolver, "2001:DB8::1") == ["2001:db8::1"]
            assert at_once(resolver, "Box.LOCAL") == BOTH
            assert at_once(resolver, "printer.") == [V4]
            assert at_once(resolver, "localhost") == ["::1"]
            assert at_once(resolver, "www.localhost") == ["127.0.0.1", "::1"]
            assert server.asked == []

    run(main)


def test_impossible_names_fail_without_asking(run: Run) -> None:
    async def main() -> None:
        async with serving() as (server, resolver):
            for host in ("127.1", "a..b", "hidden.onion"):
                assert isinstance(at_once(resolver, host), ResolveError)
            assert server.asked == []

    run(main)


@pytest.mark.parametrize("ipv6_first", [False, True])
def test_both_families_are_asked_for_and_take_turns(run: Run, ipv6_first: bool) -> None:
    async def main() -> None:
        async with serving(ipv6_first=ipv6_first) as (server, resolver):
            server.scripts["www.test"] = addresses(*BOTH)
            assert await resolver.resolve("www.test") == (BOTH[::-1] if ipv6_first else BOTH)
            asked = {("www.test", "A", "udp"), ("www.test", "AAAA", "udp")}
            assert set(server.questions()) == asked
            assert len({query.client for query in server.asked}) == 2

    run(main)


PRIVATE = ["127.0.0.1", "10.0.0.1", "192.0.2.7"]

SCRIPTS: dict[str, tuple[Script, list[str]]] = {
    "one family": (addresses(V4), [V4]),
    "private addresses, all of them": (addresses(*PRIVATE), PRIVATE),
    "an alias chain": (alias("a.test", "b.test", "c.test", literals=(V4, V6)), BOTH),
    "truncated": (truncated(addresses(V4, V6)), BOTH),
    "a wrong id first": (wrong_id_first(addresses(V4, V6)), BOTH),
    "a wrong question first": (wrong_question_first(addresses(V4, V6)), BOTH),
    "garbage first": (garbage_first(addresses(V4, V6)), BOTH),
    "garbage with the right length": (garbage_first(addresses(V4, V6), bytes(12)), BOTH),
    "nothing first": (garbage_first(addresses(V4, V6), b""), BOTH),
}


@pytest.mark.parametrize(("script", "expected"), SCRIPTS.values(), ids=SCRIPTS.keys())
def test_what_servers_say(run: Run, script: Script, expected: list[str]) -> None:
    async def main() -> None:
        async with serving() as (server, resolver):
            server.scripts["www.test"] = script
            assert sorted(await resolver.resolve("www.test")) == sorted(expected)

    run(main)


def test_five_hundred_addresses_are_cut(run: Run) -> None:
    async def main() -> None:
        many = [f"192.0.{n // 250}.{n % 250}" for n in range(500)]
        async with serving() as (server, resolver):
            server.scripts["many.test"] = truncated(addresses(*many))
            found = await resolver.resolve("many.test")
            assert 0 < len(found) <= 64
            assert set(found) <= set(many)
            transports = [transport for _, rdtype, transport in server.questions() if rdtype == "A"]
            assert transports == ["udp", "tcp"]

    run(main)


FAILURES: dict[str, tuple[Script, str]] = {
    "no such name": (nxdomain(), "no such name"),
    "no address": (addresses(), "the name has no address"),
    "server failure": (refusal("SERVFAIL"), "answered SERVFAIL"),
    "an alias that ends nowhere": (alias("gone.test"), "the name has no address"),
    "an alias loop": (alias("b.test", "www.test", "b.test"), "answered nonsense"),
    "truncated by TCP too": (
        lambda asked: [
            bytes([*wire[:2], wire[2] | 0x02, *wire[3:]]) for wire in addresses(V4, V6)(asked)
        ],
        "still truncated",
    ),
}


@pytest.mark.parametrize(("script", "problem"), FAILURES.values(), ids=FAILURES.keys())
def test_clean_failures_are_remembered(run: Run, script: Script, problem: str) -> None:
    async def main() -> None:
        async with serving() as (server, resolver):
            server.scripts["www.test"] = script
            first = await problem_of(resolver, "www.test")
            assert first.startswith("cannot resolve 'www.test': ")
            assert problem in first
            asked = len(server.asked)
            again = at_once(resolver, "www.test")
            assert isinstance(again, ResolveError)
            assert str(again) == first
            assert len(server.asked) == asked

    run(main)


def test_an_answer_is_remembered_and_is_each_callers_own(run: Run) -> None:
    async def main() -> None:
        async with serving() as (server, resolver):
            server.scripts["www.test"] = alternating(
                addresses(V4, V6), addresses(V4, V6), addresses("127.0.0.1", "::1")
            )
            first = await resolver.resolve("www.test")
            assert first == BOTH
            first.clear()
            assert at_once(resolver, "WWW.test") == BOTH
            assert len(server.asked) == 2

    run(main)


def test_equal_lookups_at_once_share_the_questions(run: Run) -> None:
    async def main() -> None:
        async with serving() as (server, resolver):
            server.scripts["www.test"] = addresses(*BOTH)
            results = await asyncio.gather(*(resolver.resolve("www.test") for _ in range(50)))
            assert results == [BOTH] * 50
            assert len(server.asked) == 2

    run(main)


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED", "NOTIMP", "FORMERR"])
def test_after_a_failure_the_next_server_is_asked(run: Run, rcode: str) -> None:
    async def main() -> None:
        async with NameServer() as broken, NameServer() as sound:
            broken.scripts["www.test"] = refusal(rcode)
            sound.scripts["www.test"] = addresses(*BOTH)
            async with serving(servers=[broken.endpoint, sound.endpoint]) as (_, resolver):
                assert await resolver.resolve("www.test") == BOTH

    run(main)


def test_a_server_that_is_not_there_is_noticed_at_once(run: Run) -> None:
    async def main() -> None:
        async with NameServer() as gone:
            nobody = gone.endpoint
        async with NameServer() as sound:
            sound.scripts["www.test"] = addresses(*BOTH)
            async with serving(servers=[nobody, sound.endpoint]) as (_, resolver):
                assert await resolver.resolve("www.test") == BOTH
        async with serving(servers=[nobody]) as (_, resolver):
            assert "out of reach" in await problem_of(resolver, "www.test")

    run(main)


def test_a_silent_server_costs_only_the_first_lookup_its_patience(run: Run) -> None:
    async def main() -> None:
        async with NameServer() as mute, NameServer() as sound:
            mute.scripts["www.test"] = mute.scripts["ftp.test"] = silence
            sound.scripts["www.test"] = sound.scripts["ftp.test"] = addresses(*BOTH)
            # A quarter of it for the silent server's first turn, and for the other's answer.
            limits = Limits(total=4, straggler=4)
            servers = [mute.endpoint, sound.endpoint]
            async with serving(servers=servers, limits=limits) as (_, resolver):
                assert await resolver.resolve("www.test") == BOTH
                assert await resolver.resolve("ftp.test") == BOTH
                assert {asked.name for asked in mute.asked} == {"www.test"}

    run(main)


def test_when_nobody_answers_it_ends_in_time_and_others_are_unaffected(run: Run) -> None:
    async def main() -> None:
        async with serving(limits=HASTY) as (server, resolver):
            server.scripts["www.test"] = silence
            waiting = asyncio.create_task(problem_of(resolver, "www.test"))
            await asyncio.sleep(0)
            assert at_once(resolver, "192.0.2.1") == ["192.0.2.1"]
            assert "did not answer" in await waiting

    run(main)


def test_one_family_is_enough_when_the_other_is_late(run: Run) -> None:
    async def main() -> None:
        async with serving(limits=Limits(total=30, straggler=0.02)) as (server, resolver):
            server.scripts["www.test"] = by_type(A=addresses(V4))
            assert await resolver.resolve("www.test") == [V4]
            assert at_once(resolver, "www.test") == [V4]
            assert len(server.asked) == 2

    run(main)


def test_no_more_than_the_limit_are_pending(run: Run) -> None:
    async def main() -> None:
        async with serving(max_pending=3) as (server, resolver):
            waiting = []
            for n in range(3):
                server.scripts[f"mute{n}.test"] = silence
                waiting.append(asyncio.create_task(problem_of(resolver, f"mute{n}.test")))
            await asyncio.sleep(0)
            refused = at_once(resolver, "one-too-many.test")
            assert isinstance(refused, ResolveError)
            assert "too many" in str(refused)
            assert at_once(resolver, "mute0.test") is None
            resolver.close()
            assert all("was closed" in problem for problem in await asyncio.gather(*waiting))

    run(main)


def test_after_close_only_what_needs_no_asking_is_resolved(run: Run) -> None:
    async def main() -> None:
        async with serving() as (_, resolver):
            resolver.close()
            assert "was closed" in await problem_of(resolver, "www.test")
            assert await resolver.resolve("localhost") == ["127.0.0.1", "::1"]

    run(main)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors as Linux does")
@pytest.mark.parametrize("script", [silence, truncated(silence)], ids=["udp", "tcp"])
def test_a_wish_taken_back_frees_its_place_and_its_sockets(run: Run, script: Script) -> None:
    async def main() -> None:
        async with serving(max_pending=1) as (server, resolver):
            server.scripts["mute.test"] = script
            server.scripts["www.test"] = addresses(*BOTH)
            assert await resolver.resolve("www.test") == BOTH
            before = descriptors()
            told: list[object] = []
            first = resolver.lookup("mute.test", told.append)
            second = resolver.lookup("mute.test", told.append)
            while sum(asked.transport == "tcp" for asked in server.asked) < 2 * (
                script is not silence
            ):
                await asyncio.sleep(0)
            assert descriptors() > before
            first()
            assert isinstance(at_once(resolver, "other.test"), ResolveError)
            second()
            second()
            assert "no such name" in await problem_of(resolver, "other.test")
            while descriptors() > before + 2 * (script is not silence):
                await asyncio.sleep(0)
            assert told == []

    run(main)


def test_a_caller_that_fails_or_takes_back_anothers_wish_harms_no_third(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with serving() as (server, resolver):
            server.scripts["www.test"] = addresses(*BOTH)
            told: list[object] = []

            def fails(_: object) -> None:
                cancel_second()
                raise ZeroDivisionError

            resolver.lookup("www.test", fails)
            cancel_second = resolver.lookup("www.test", told.append)
            assert await resolver.resolve("www.test") == BOTH
            assert told == []

    with caplog.at_level(logging.ERROR):
        run(main)
    assert "internal error after resolving 'www.test'" in caplog.text


def test_a_cancelled_task_leaves_quietly(run: Run) -> None:
    async def main() -> None:
        async with serving() as (server, resolver):
            server.scripts["www.test"] = silence
            task = asyncio.create_task(resolver.resolve("www.test"))
            await asyncio.sleep(0)
            task.cancel()
            # The future is cancelled already, and its task has not yet run.
            resolver.close()
            with pytest.raises(asyncio.CancelledError):
                await task

    run(main)


def test_without_descriptors_it_fails_at_once_and_recovers(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_socket(*_: object) -> socket.socket:
        raise OSError(24, "Too many open files")

    async def main() -> None:
        limits = PATIENT._replace(min_ttl=0)
        async with serving(limits=limits) as (server, resolver):
            server.scripts["www.test"] = addresses(*BOTH)
            with monkeypatch.context() as patch:
                patch.setattr(f"{exchange.__name__}.socket.socket", no_socket)
                failed = at_once(resolver, "www.test")
                assert isinstance(failed, ResolveError)
                assert "Too many open files" in str(failed)
            assert await resolver.resolve("www.test") == BOTH

    run(main)


def test_the_files_are_read_again_when_they_change(
    run: Run, no_files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with NameServer() as server:
            monkeypatch.setattr(host_files, "_PORT", server.endpoint.port)
            server.scripts["db.one.test"] = addresses("192.0.2.1")
            server.scripts["db.two.test"] = addresses("192.0.2.2")
            conf, hosts = no_files["resolv_conf"], no_files["hosts"]
            conf.write_text("nameserver 127.0.0.1\nsearch one.test\n")
            async with serving(servers=[], **no_files) as (_, resolver):
                assert await resolver.resolve("db") == ["192.0.2.1"]
                conf.write_text("nameserver 127.0.0.1\nsearch none.test two.test\n")
                assert await resolver.resolve("db") == ["192.0.2.2"]
                hosts.write_text("192.0.2.3 db\n")
                assert await resolver.resolve("db") == ["192.0.2.3"]
                hosts.unlink()
                assert await resolver.resolve("db") == ["192.0.2.2"]
            async with serving(servers=[server.endpoint], **no_files) as (_, resolver):
                assert await resolver.resolve("db") == ["192.0.2.2"]
                conf.unlink()
                assert "no such name" in await problem_of(resolver, "db")
                assert server.asked[-1].name == "db"

    run(main)


def test_explicit_servers_are_literals(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(ConfigError, match=r"'dns\.example' is not an address; write it"):
            Resolver(servers=[Endpoint("dns.example", 53)])

    run(main)


def test_by_the_c_library(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def library(name: str, *_: object, **__: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (V4, 0))]

    async def main() -> None:
        async with serving(system=True) as (server, resolver):
            monkeypatch.setattr(socket, "getaddrinfo", library)
            assert await resolver.resolve("www.test") == [V4]
            assert at_once(resolver, "WWW.test") == [V4]
            assert isinstance(at_once(resolver, "127.1"), ResolveError)
            assert server.asked == []

    run(main)


def test_dnspython_is_loaded_with_the_first_name_and_not_before() -> None:
    program = """
import asyncio, sys
from annotated_shadowsocks.resolver.resolver import Resolver
async def main():
    resolver = Resolver(hosts="/nonexistent")
    assert await resolver.resolve("192.0.2.1") == ["192.0.2.1"]
    assert await resolver.resolve("localhost") == ["127.0.0.1", "::1"]
    assert "dns" not in sys.modules
    Resolver.preload()
    assert "dns.message" in sys.modules
asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
