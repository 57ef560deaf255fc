"""Our own programs as tests run them: what they say, what they started, how they end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from annotated_shadowsocks.testing.commands import Command, children, is_running
from annotated_shadowsocks.testing.loops import LOOPS, run_on
from annotated_shadowsocks.testing.programs import free_port


@pytest.mark.parametrize("loop_name", LOOPS)
def test_a_command_runs_reloads_and_ends(loop_name: str, tmp_path: Path) -> None:
    port = free_port()
    document = {"server": "127.0.0.1", "server_port": port, "method": "aes-128-gcm"}

    async def main() -> None:
        settings = {**document, "password": "x", "allow_weak_passwords": True}
        with Command("ssserver", tmp_path, settings, [("tcp", port)], loop_name) as command:
            await command.said("listening on")
            command.write("{")
            command.send(signal.SIGHUP)
            await command.said("not reloaded")
            assert is_running(command.pid)
            assert await command.ended() == 0
            assert not is_running(command.pid)

    run_on("asyncio", main)


def test_what_is_not_said_is_reported_with_what_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    document = {"server": "127.0.0.1", "server_port": port, "method": "aes-128-gcm"}

    async def main() -> None:
        settings = {**document, "password": "x", "allow_weak_passwords": True}
        with Command("ssserver", tmp_path, settings, [("tcp", port)]) as command:
            await command.said("listening on")
            monkeypatch.setattr("annotated_shadowsocks.testing.targets._PATIENCE", 0.05)
            with pytest.raises(TimeoutError, match=r"'nonsense' was not said(.|\n)*listening on"):
                await command.said("nonsense")

    run_on("asyncio", main)


def test_children_are_those_that_run() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert process.pid in children(os.getpid())
        process.communicate(b"\n")
        assert process.pid not in children(os.getpid())
        assert not is_running(process.pid)
