"""One process: how it ends, how it reloads, and what happens when descriptors run out."""

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import pytest

from annotated_shadowsocks.config.model import Config
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import ConfigError
from annotated_shadowsocks.relay.event_loop import new_event_loop
from annotated_shadowsocks.socks5 import udp
from annotated_shadowsocks.socks5.messages import UNSPECIFIED, Reply, RequestRefused
from annotated_shadowsocks.socks5.messages import Command as Request
from annotated_shadowsocks.supervision.process import (
    EXIT_INTERRUPTED,
    LOOP_VARIABLE,
    loop_factory,
    warn_of_fixed,
)
from annotated_shadowsocks.testing.commands import Command
from annotated_shadowsocks.testing.loops import LOOPS, run_on
from annotated_shadowsocks.testing.open_tunnels import at, opened, ping, refuses, until_refused
from annotated_shadowsocks.testing.programs import free_port
from annotated_shadowsocks.testing.server_harness import (
    NO_NAMES,
    PASSWORD,
    exchange,
    master_key,
    open_socks,
)
from annotated_shadowsocks.testing.targets import Datagrams, Target, until

both_loops = pytest.mark.parametrize("loop_name", LOOPS)

KEY = master_key()
TRACES = ("Traceback", "internal error", "Exception")


def document(*ports: int, **changes: object) -> dict[str, object]:
    """``ssserver`` on these ports of loopback."""
    return {
        "server": "127.0.0.1",
        "server_port": list(ports),
        "method": KEY.method.name,
        "password": PASSWORD,
        "allow_private_targets": True,
        "nameserver": str(NO_NAMES[0]),
        "verbose": 2,
        **changes,
    }


@contextmanager
def server(folder: Path, loop_name: str, *ports: int, **changes: object) -> Iterator[Command]:
    command = Command(
        "ssserver",
        folder,
        document(*ports, **changes),
        [("tcp", port) for port in ports],
        loop_name,
    )
    with command:
        yield command
    assert not [word for word in TRACES if word in command.output()], command.output()


@both_loops
def test_sigterm_lets_connections_end(loop_name: str, tmp_path: Path) -> None:
    async def main() -> None:
        port = free_port()
        with server(tmp_path, loop_name, port) as command:
            async with Target() as target:
                client = await opened(port, target)
                ended = asyncio.create_task(command.ended())
                await until_refused(port)
                # Long after, the one that was open still goes both ways, and ends in its own time.
                for _ in range(20):
                    await ping(client, bytes(50_000)[:1000])
                client.sock.shutdown(socket.SHUT_WR)
                assert await client.receive() == b""
                client.sock.close()
                assert await ended == 0

    run_on("asyncio", main)


@both_loops
@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGQUIT])
def test_a_second_sigterm_ends_at_once(loop_name: str, first: int, tmp_path: Path) -> None:
    async def main() -> None:
        port = free_port()
        with server(tmp_path, loop_name, port, shutdown_grace=3600) as command:
            async with Target() as target:
                client = await opened(port, target)
                command.send(first)
                await until_refused(port)
                if first == signal.SIGQUIT:
                    # This one has no limit yet; it has from here on.
                    command.send(signal.SIGTERM)
                    await command.said("once more ends them at once")
                await ping(client)
                assert await command.ended() == 0
                # A FIN would pass what came so far off as the whole.
                with pytest.raises(ConnectionResetError):
                    await client.receive()
                client.sock.close()

    run_on("asyncio", main)


@both_loops
def test_the_grace_is_limited(loop_name: str, tmp_path: Path) -> None:
    async def main() -> None:
        port = free_port()
        with server(tmp_path, loop_name, port, shutdown_grace=0.2) as command:
            async with Target() as target:
                client = await opened(port, target)
                assert await command.ended() == 0
                # A FIN would pass what came so far off as the whole.
                with pytest.raises(ConnectionResetError):
                    await client.receive()
                client.sock.close()

    run_on("asyncio", main)


@both_loops
def test_sigquit_waits_as_long_as_it_takes(loop_name: str, tmp_path: Path) -> None:
    async def main() -> None:
        port = free_port()
        with server(tmp_path, loop_name, port, shutdown_grace=0) as command:
            async with Target() as target:
                client = await opened(port, target)
                ended = asyncio.create_task(command.ended(signal.SIGQUIT))
                await until_refused(port)
                await ping(client)
                client.sock.close()
                assert await ended == 0

    run_on("asyncio", main)


@both_loops
def test_ctrl_c_has_the_shells_status(loop_name: str, tmp_path: Path) -> None:
    with server(tmp_path, loop_name, free_port()) as command:
        assert command.end(signal.SIGINT) == EXIT_INTERRUPTED == 130


@both_loops
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_no_signal_is_lost_after_the_port_is_open(
    loop_name: str, number: int, tmp_path: Path
) -> None:
    # Sent in the moment in which the kernel lists the port: handlers may not be there yet.
    with server(tmp_path, loop_name, free_port()) as command:
        command.send(number)
        assert command.end() == 0


@both_loops
def test_a_reload_opens_and_closes_ports(loop_name: str, tmp_path: Path) -> None:
    async def main() -> None:
        kept, removed, added = free_port(), free_port(), free_port()
        with server(tmp_path, loop_name, kept, removed) as command:
            async with Target() as target:
                through_kept = await opened(kept, target)
                through_removed = await opened(removed, target)
                command.write(document(kept, added))
                command.send(signal.SIGHUP)
                await command.said("reloaded")
                assert await refuses(removed)
                for port in (kept, added):
                    (await opened(port, target)).sock.close()
                for client in (through_kept, through_removed):
                    await ping(client)
                    client.sock.close()
                # Of the three ports two were there before, and one of those was left alone.
                assert command.output().count(f"listening on 127.0.0.1:{kept} ") == 1
                assert command.output().count(f"listening on 127.0.0.1:{added} ") == 1

    run_on("asyncio", main)


@both_loops
def test_a_bad_reload_changes_nothing_and_says_why(loop_name: str, tmp_path: Path) -> None:
    async def main() -> None:
        port, other = free_port(), free_port()
        with server(tmp_path, loop_name, port) as command, socket.create_server(at(other)):
            async with Target() as target:
                client = await opened(port, target)
                bad = {
                    '{"server": "127.0.0.1",\n "server_port": }': "json:2:",
                    "": "not reloaded",
                    '{"server_prot": 1}': "server_port",
                    '{"server": "127.0.0.1", "method": "rc4", "password": "x"}': "rc4",
                }
                for number, (text, reason) in enumerate(bad.items(), 1):
                    command.write(text)
                    command.send(signal.SIGHUP)
                    await command.said("not reloaded, the old configuration goes on", number)
                    assert reason in command.output().splitlines()[-1]
                command.write(document(free_port(), other))
                command.send(signal.SIGHUP)
                await command.said("not reloaded, the old configuration goes on", len(bad) + 1)
                assert "in use" in command.output().splitlines()[-1]
                command.file.unlink()
                command.send(signal.SIGHUP)
                await command.said("not reloaded, the old configuration goes on", len(bad) + 2)
                await ping(client)
                client.sock.close()
                (await opened(port, target)).sock.close()
                command.write(document(port))
                command.send(signal.SIGHUP)
                await command.said(": reloaded")

    run_on("asyncio", main)


@both_loops
def test_a_storm_of_reloads_leaves_nothing_behind(loop_name: str, tmp_path: Path) -> None:
    async def main() -> None:
        port, other = free_port(), free_port()
        with server(tmp_path, loop_name, port) as command:
            async with Target() as target:
                (await opened(port, target)).sock.close()
                before = command.descriptors()
                for number in range(300):
                    command.write(document(port, other) if number % 2 else document(port))
                    command.send(signal.SIGHUP)
                command.write(document(port))
                command.send(signal.SIGHUP)
                # The last one counts, whatever became of those before it.
                await until_refused(other)
                (await opened(port, target)).sock.close()
                await until(lambda: command.descriptors() <= before)

    run_on("asyncio", main)


@both_loops
def test_what_a_reload_cannot_change_is_named(loop_name: str, tmp_path: Path) -> None:
    async def main() -> None:
        port = free_port()
        with server(tmp_path, loop_name, port) as command:
            command.write(document(port, workers=2, nofile=1000))
            command.send(signal.SIGHUP)
            await command.said(": reloaded")
            for name in ("workers", "nofile"):
                assert f"{name}: what it says now counts from the next start" in command.output()

    run_on("asyncio", main)


@both_loops
def test_out_of_descriptors_it_waits_and_recovers(loop_name: str, tmp_path: Path) -> None:
    async def main() -> None:
        port = free_port()
        with server(tmp_path, loop_name, port, nofile=64) as command:
            async with AsyncExitStack() as stack:
                target = await stack.enter_async_context(Target())
                established = [await opened(port, target) for _ in range(3)]
                idle = [socket.create_connection(at(port)) for _ in range(100)]
                await command.said("cannot accept")
                spent = command.cpu_seconds()
                for _ in range(25):
                    await asyncio.gather(*(ping(client) for client in established))
                    await asyncio.sleep(0.02)
                # A listener that spins would have spent the whole half second, or more.
                assert command.cpu_seconds() - spent < 0.25
                assert 1 <= command.output().count("cannot accept") <= 5
                for sock in idle:
                    sock.close()
                for client in (*established, await opened(port, target)):
                    await ping(client)
                    client.sock.close()

    run_on("asyncio", main)


@both_loops
def test_both_programs_together(loop_name: str, tmp_path: Path) -> None:
    async def main() -> None:
        port, local_port, lonely_port = free_port(), free_port(), free_port()
        local = {
            "servers": [{"address": "127.0.0.1", "port": port}],
            "method": KEY.method.name,
            "password": PASSWORD,
            "nameserver": str(NO_NAMES[0]),
            "locals": [{"local_port": local_port, "mode": "tcp_and_udp"}],
            "verbose": 2,
        }
        sockets = [("tcp", local_port), ("udp", local_port)]
        with (
            server(tmp_path, loop_name, port, mode="tcp_and_udp") as command,
            Command("sslocal", tmp_path, local, sockets, loop_name) as front,
        ):
            async with Target() as four, Target(host="::1") as six:
                sent = bytes(range(256)) * 2000
                for dst in (
                    four.endpoint,
                    six.endpoint,
                    Endpoint("localhost", four.endpoint.port),
                ):
                    assert await exchange(at(local_port), dst, sent) == sent
                assert await exchange(at(local_port), Endpoint("no.test", 80), sent[:9]) == b""
                assert await exchange(at(local_port), at(lonely_port), sent[:9]) == b""
            async with Datagrams(answer=True) as echo, Datagrams() as client:
                control, relayed_at = await open_socks(
                    at(local_port), UNSPECIFIED, Request.UDP_ASSOCIATE
                )
                client.send(udp.encode(echo.endpoint, b"ping"), relayed_at)
                [(datagram, _)] = await client.receive()
                source, data = udp.decode(datagram)
                assert (source, bytes(data)) == (echo.endpoint, b"ping")
                control.close()
            assert await command.ended() == 0
            for _ in range(2):
                with pytest.raises(RequestRefused) as refused:
                    await open_socks(at(local_port), at(port))
                assert refused.value.reply is Reply.CONNECTION_REFUSED
            local["servers"] = [{"address": "no.test", "port": port}]
            front.write(local)
            front.send(signal.SIGHUP)
            await front.said(": reloaded")
            with pytest.raises(RequestRefused) as refused:
                await open_socks(at(local_port), at(port))
            assert refused.value.reply is Reply.HOST_UNREACHABLE
            assert await front.ended() == 0
        assert not [word for word in TRACES if word in front.output()], front.output()

    run_on("asyncio", main)


@both_loops
def test_the_loop_can_be_chosen(loop_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LOOP_VARIABLE, loop_name)
    loop = loop_factory()()
    try:
        assert type(loop).__module__.startswith("uvloop") is (loop_name == "uvloop")
    finally:
        loop.close()


def test_the_loop_is_ours_unless_another_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LOOP_VARIABLE, raising=False)
    assert loop_factory() is new_event_loop
    monkeypatch.setenv(LOOP_VARIABLE, "twisted")
    with pytest.raises(ConfigError, match="twisted"):
        loop_factory()


def test_uvloop_that_is_not_there_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LOOP_VARIABLE, "uvloop")
    monkeypatch.setitem(__import__("sys").modules, "uvloop", None)
    with pytest.raises(ConfigError, match="not installed"):
        loop_factory()


def test_settings_that_stay_are_not_named(caplog: pytest.LogCaptureFixture) -> None:
    config = Config(())
    warn_of_fixed(config, Config((), timeout=1.0))
    assert not caplog.records
