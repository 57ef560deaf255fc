"""sslocal and ssserver up to the moment at which a service starts."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from annotated_shadowsocks.cli import files, tunnel
from annotated_shadowsocks.cli.arguments import parse
from annotated_shadowsocks.config.model import Config
from annotated_shadowsocks.errors import ConfigError
from annotated_shadowsocks.supervision import run as supervision

FLAGS = ["-s", "h:1", "-m", "aes-256-gcm"]
DOCUMENT = {
    "server": "h",
    "server_port": 1,
    "password": "hunter2hunts4dogs!",
    "method": "aes-256-gcm",
}

Started = list[tuple[str, Config, Callable[[], Config]]]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    """What the services were started with; they end at once with code 7."""
    calls: Started = []

    def fake(name: str) -> Callable[[Config, Callable[[], Config]], int]:
        def start(config: Config, reload: Callable[[], Config]) -> int:
            calls.append((name, config, reload))
            return 7

        return start

    monkeypatch.setattr(supervision, "run_local", fake("run_local"))
    monkeypatch.setattr(supervision, "run_server", fake("run_server"))
    monkeypatch.delenv("SS_SERVER_PASSWORD", raising=False)
    return calls


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "c.json"
    path.write_text(json.dumps(DOCUMENT))
    return path


@pytest.mark.parametrize(
    ("program", "wanted"), [("sslocal", "run_local"), ("ssserver", "run_server")]
)
def test_the_service_of_the_program_is_started(
    program: str, wanted: str, started: Started, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tunnel.run(program, ["-c", str(config), "-U"]) == 7
    ((name, found, _),) = started
    assert name == wanted
    assert str(found.servers[0].endpoint) == "h:1"
    assert f"INFO cli: configuration from {config}" in capsys.readouterr().err


def test_a_reload_reads_the_same_sources_again(started: Started, config: Path) -> None:
    tunnel.run("sslocal", ["-c", str(config), "--timeout", "5"])
    _, before, reload = started[0]
    assert reload() == before
    config.write_text(json.dumps(DOCUMENT | {"password": "another2hunts4dogs!", "timeout": 9}))
    after = reload()
    assert after.servers[0].password.reveal() == "another2hunts4dogs!"
    assert after.timeout == 5
    config.write_text("{")
    with pytest.raises(ConfigError, match="the file ends inside"):
        reload()


def test_flags_alone_need_no_file(
    started: Started, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SS_SERVER_PASSWORD", "hunter2hunts4dogs!")
    assert tunnel.run("sslocal", FLAGS) == 7
    assert started[0][1].servers[0].password.reveal() == "hunter2hunts4dogs!"
    assert "configuration from the command line" in capsys.readouterr().err


def test_a_file_is_looked_for(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = config.parent / "annotated-shadowsocks"
    directory.mkdir()
    found = config.rename(directory / "config.json")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(config.parent))
    assert tunnel.config_path("sslocal", parse("sslocal", ["-v"])) == str(found)
    assert tunnel.config_path("sslocal", parse("sslocal", FLAGS)) is None
    assert tunnel.config_path("sslocal", parse("sslocal", [*FLAGS, "-c", "x"])) == "x"


def test_no_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(files, "SYSTEM", ())
    with pytest.raises(ConfigError, match=r"no configuration in .*; give -c FILE, or -s HOST:PORT"):
        tunnel.run("sslocal", [])


@pytest.mark.parametrize(
    ("program", "document", "summary"),
    [
        ("sslocal", DOCUMENT, "1 server, 1 listener"),
        ("ssserver", DOCUMENT | {"server_port": [1, 2]}, "2 servers"),
        ("sslocal", DOCUMENT | {"locals": [{"local_port": 1}, {"local_port": 2}]}, "2 listeners"),
    ],
)
def test_test_config_starts_nothing(
    program: str,
    document: object,
    summary: str,
    started: Started,
    config: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config.write_text(json.dumps(document))
    assert tunnel.run(program, ["-c", str(config), "--test-config"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"{config}: good: ")
    assert out.endswith(f"{summary}\n")
    assert (len(out.splitlines()), err, started) == (1, "", [])


def test_print_config_masks_secrets(
    started: Started, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tunnel.run("sslocal", ["-c", str(config), "--print-config"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["servers"][0]["password"] == "******"
    assert "hunter2hunts4dogs!" not in out + err
    assert started == []


@pytest.mark.parametrize(
    ("argv", "warned"),
    [
        ([*FLAGS, "-k", "hunter2hunts4dogs!"], ["-k"]),
        ([*FLAGS, "--password=hunter2hunts4dogs!"], ["--password"]),
        (["--server-url", "ss://aes-256-gcm:hunter2hunts4dogs!@h:1"], ["--server-url"]),
        ([*FLAGS, "-k", "${SECRET}"], []),
        ([*FLAGS, "--password-file", "FILE"], []),
    ],
)
def test_a_password_on_the_command_line_is_warned_of_once(
    argv: list[str],
    warned: list[str],
    started: Started,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SECRET", "hunter2hunts4dogs!")
    secret = tmp_path / "secret"
    secret.write_text("hunter2hunts4dogs!\n")
    secret.chmod(0o600)
    tunnel.run("sslocal", [str(secret) if word == "FILE" else word for word in argv])
    err = capsys.readouterr().err
    assert started[0][1].servers[0].password.reveal() == "hunter2hunts4dogs!"
    lines = [line for line in err.splitlines() if "warning" in line]
    assert [line.split(": ")[2] for line in lines] == warned
    assert all("--password-file FILE" in line for line in lines)
    assert "hunter2hunts4dogs!" not in err
