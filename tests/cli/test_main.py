"""The commands as processes: what they print, where, and with which code they end."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from annotated_shadowsocks import __version__
from annotated_shadowsocks.cli import main as commands
from annotated_shadowsocks.cli import tunnel
from annotated_shadowsocks.cli.main import (
    main,
    ss_manager,
    sslocal,
    ssmanager,
    ssserver,
    ssservice,
    ssurl,
)
from annotated_shadowsocks.errors import ListenError
from annotated_shadowsocks.supervision import run as supervision

MODULE = [sys.executable, "-m", "annotated_shadowsocks"]
FLAGS = ["-s", "127.0.0.1:1", "-m", "aes-256-gcm", "-k", "${SECRET}"]
ENVIRONMENT = {"SECRET": "hunter2hunts4dogs!", "PATH": "", "PYTHONPATH": os.environ["PYTHONPATH"]}


def start(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MODULE, *words], env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False
    )


# --- as processes ---


@pytest.mark.parametrize("program", ["sslocal", "ssserver", "ssmanager", "ssservice", "ssurl"])
def test_version_loads_neither_cryptography_nor_an_event_loop(program: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "annotated_shadowsocks", program, "--version"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == f"{program} {__version__} (Annotated Shadowsocks)\n"
    loaded = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert "annotated_shadowsocks.cli.main" in loaded
    assert loaded.isdisjoint({"cryptography", "asyncio", "socket", "ssl", "logging"})


def test_broken_json_is_78_with_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text('{\n  "server": "h"\n  "server_port": 1\n}')
    ended = start("ssserver", "-c", str(path))
    assert (ended.returncode, ended.stdout) == (78, "")
    assert ended.stderr == (
        f"ssserver: {path}:3:3: expected ',' or '}}' but found a string; "
        "a comma is missing before it, or a bracket\n"
    )


def test_an_unknown_flag_is_64() -> None:
    ended = start("sslocal", "--pasword", "x")
    assert (ended.returncode, ended.stdout) == (64, "")
    assert ended.stderr == "sslocal: unknown flag --pasword; did you mean --password?\n"


def test_a_port_in_use_is_69() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        endpoint = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = start("sslocal", *FLAGS, "-b", endpoint)
    assert (ended.returncode, ended.stdout) == (69, "")
    last = ended.stderr.splitlines()[-1]
    assert last.startswith(f"sslocal: cannot listen on {endpoint}")
    assert "Traceback" not in ended.stderr
    assert "hunter2hunts4dogs!" not in ended.stderr


def test_a_good_configuration_is_0() -> None:
    ended = start("sslocal", *FLAGS, "--test-config")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "command line: good: 1 server, 1 listener\n"


def test_a_reader_that_went_away_is_not_complained_about() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [*MODULE, "sslocal", "--help"],
            env=ENVIRONMENT,
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (141, "")


# --- in this process ---


@pytest.mark.parametrize(
    ("words", "code", "out", "err"),
    [
        (
            [],
            64,
            "",
            "there is no such command; there is sslocal, ssserver, ssmanager, "
            "ss-manager, ssservice, ssurl",
        ),
        (["sslokal"], 64, "", "there is no such command; there is sslocal, ssserver"),
        (
            ["--help"],
            0,
            "Commands: sslocal, ssserver, ssmanager, ss-manager, ssservice, ssurl.",
            "",
        ),
        (["--version"], 0, f"annotated_shadowsocks {__version__}", ""),
        (["ssurl", "-d", "ss://YTpi@h:1"], 0, '"server": "h"', ""),
        (
            ["ssservice", "genkey", "-m", "x"],
            64,
            "",
            "-m: unknown method 'x'; there is aes-128-gcm",
        ),
    ],
)
def test_the_module(
    words: list[str], code: int, out: str, err: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == code
    found = capsys.readouterr()
    assert out in found.out
    assert err in found.err
    assert bool(found.out) == bool(out)
    assert bool(found.err) == bool(err)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (sslocal, "sslocal"),
        (ssserver, "ssserver"),
        (ssmanager, "ssmanager"),
        (ss_manager, "ss-manager"),
        (ssservice, "ssservice"),
        (ssurl, "ssurl"),
    ],
)
def test_the_entry_points_take_the_process_own_words(
    command: Callable[[], int],
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", [f"/usr/bin/{name}", "--version"])
    assert command() == 0
    assert capsys.readouterr().out.startswith(f"{name} ")


def ending_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: object) -> int:
        raise error

    monkeypatch.setattr(supervision, "run_local", start)
    monkeypatch.setenv("SECRET", "hunter2hunts4dogs!")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ListenError("127.0.0.1:80", "Permission denied", 13), 77, "cannot listen on 127.0.0.1:80"),
        (ListenError("127.0.0.1:80", "in use", 98), 69, "cannot listen on 127.0.0.1:80: in use"),
        (OSError(5, "Input/output error"), 71, "[Errno 5] Input/output error"),
        (
            ZeroDivisionError("x\ny"),
            70,
            r"internal error: ZeroDivisionError: x\ny; -vv shows where",
        ),
    ],
)
def test_an_error_is_one_line_without_a_traceback(
    error: Exception,
    code: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ending_with(error, monkeypatch)
    assert sslocal([*FLAGS, "-v"]) == code
    lines = [one for one in capsys.readouterr().err.splitlines() if one.startswith("sslocal: ")]
    assert len(lines) == 1
    assert lines[0].startswith(f"sslocal: {line}")


@pytest.mark.parametrize("verbose", [["-vv"], ["-v", "-v"]])
def test_a_traceback_with_vv(
    verbose: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ending_with(ZeroDivisionError("x"), monkeypatch)
    assert sslocal([*FLAGS, *verbose]) == 70
    err = capsys.readouterr().err
    assert "    | Traceback (most recent call last):\n" in err
    assert "hunter2hunts4dogs!" not in err


def test_ctrl_c_is_130_and_silent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(tunnel, "run", interrupted)
    assert sslocal([]) == 130
    assert capsys.readouterr() == ("", "")


def test_every_problem_of_a_configuration_is_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.json"
    path.write_text('{"servr": "h",\n"method": "x",\n"server_port": "70000"}')
    assert ssserver(["-c", str(path)]) == 78
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(";")[0] for line in lines] == [
        f"ssserver: {path}:1:2 servr: unknown key 'servr'",
        f"ssserver: {path}:2:1 method: unknown method 'x'",
        f"ssserver: {path}:3:1 server_port: wants a port, found '70000'",
    ]
    assert "did you mean 'server'?" in lines[0]


def test_a_key_that_is_no_text_for_a_terminal_is_escaped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"a\n\x1b[2J": 1}))
    assert ssserver(["-c", str(path)]) == 78
    err = capsys.readouterr().err
    assert r"unknown key 'a\n\x1b[2J'" in err
    assert len(err.splitlines()) == 1


def test_nothing_is_half_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> int:
        raise AssertionError("a service was started")

    monkeypatch.setattr(supervision, "run_server", never)
    path = tmp_path / "c.json"
    path.write_text("{")
    assert commands.ssserver(["-c", str(path)]) == 78
