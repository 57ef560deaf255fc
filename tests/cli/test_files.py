"""Files of secrets, and where configuration files are looked for."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from annotated_shadowsocks.cli import files
from annotated_shadowsocks.cli.files import (
    CannotCreate,
    create_private,
    find_config,
    read_config,
    read_secret,
)
from annotated_shadowsocks.errors import ConfigError


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_private_file_is_read(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("p\n")
    path.chmod(mode)
    assert read_secret(str(path)) == "p\n"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o666])
def test_a_file_that_others_may_open_is_refused(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("hunter2\n")
    path.chmod(mode)
    with pytest.raises(ConfigError) as caught:
        read_secret(str(path))
    assert str(caught.value) == f"{path} is open to other users (mode {mode:04o}); chmod 600 {path}"


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret"
    path.write_text("hunter2\n")
    path.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(path, 12345, -1)
    owner = path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(
        ConfigError, match=f"belongs to another user \\({owner}\\); keep secrets in"
    ):
        read_secret(str(path))


def test_a_pipe_has_no_other_readers() -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, b"p\n")
        os.close(writing)
        assert read_secret(f"/dev/fd/{reading}") == "p\n"
    finally:
        os.close(reading)


@pytest.mark.parametrize("read", [read_config, read_secret])
@pytest.mark.parametrize(
    ("name", "reason"),
    [("gone", "No such file or directory"), ("", "Is a directory"), ("a\0b", "null byte")],
)
def test_what_cannot_be_read(
    read: Callable[[str], str], name: str, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(f"{tmp_path}/{name}")
    assert caught.value.problem.startswith(f"cannot read {tmp_path}/{name}: ")
    assert reason in caught.value.problem
    assert caught.value.remedy == "check the name and its permissions"


def test_a_configuration_may_be_open_to_others(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("{}")
    path.chmod(0o644)
    assert read_config(str(path)) == "{}"


def test_octets_that_are_not_utf8_are_placed(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(b'{\n"a": "\xff"}')
    with pytest.raises(ConfigError, match=f"line 2 of {path} is not UTF-8; save it as UTF-8"):
        read_config(str(path))


def test_a_huge_file_is_some_other_file(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    with path.open("wb") as file:
        file.truncate(files.MAX_CONFIG)
    assert len(read_config(str(path))) == files.MAX_CONFIG
    with path.open("ab") as file:
        file.write(b"x")
    with pytest.raises(ConfigError, match="larger than 1048576 octets; name the right file"):
        read_config(str(path))


def test_an_endless_file_is_not_read_to_its_end() -> None:
    with pytest.raises(ConfigError, match="/dev/zero is larger than"):
        read_config("/dev/zero")


# --- a file of our own ---


def test_a_created_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "key"
    before = os.umask(0)
    try:
        create_private(str(path), "p\n")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_secret(str(path)) == "p\n"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("old")
    with pytest.raises(CannotCreate, match=f"cannot create {path}: File exists"):
        create_private(str(path), "new")
    assert path.read_text() == "old"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CannotCreate, match="File exists"):
        create_private(str(tmp_path / "key"), "new")
    assert not (tmp_path / "elsewhere").exists()


# --- where configurations are ---


@pytest.mark.parametrize(
    ("program", "names", "found"),
    [
        ("sslocal", ["local.json", "config.json", "server.json"], "local.json"),
        ("ssserver", ["local.json", "config.json", "server.json"], "server.json"),
        ("sslocal", ["config.json", "server.json"], "config.json"),
    ],
)
def test_the_programs_own_file_comes_first(
    program: str, names: list[str], found: str, tmp_path: Path
) -> None:
    directory = tmp_path / "annotated-shadowsocks"
    directory.mkdir()
    for name in names:
        (directory / name).write_text("{}")
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert find_config(program, environment) == str(directory / found)


def test_the_home_directory_has_a_config_directory(tmp_path: Path) -> None:
    directory = tmp_path / ".config" / "annotated-shadowsocks"
    directory.mkdir(parents=True)
    (directory / "config.json").write_text("{}")
    assert find_config("sslocal", {"HOME": str(tmp_path)}) == str(directory / "config.json")


def test_the_working_directory_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(files, "SYSTEM", ())
    with pytest.raises(ConfigError) as caught:
        find_config("sslocal", {"HOME": str(tmp_path)})
    assert caught.value.problem == f"no configuration in {tmp_path}/.config/annotated-shadowsocks"
    assert "-c FILE" in caught.value.remedy


def test_system_directories() -> None:
    wanted = ["annotated-shadowsocks", "shadowsocks", "shadowsocks-rust"]
    assert [str(path) for path in files.SYSTEM] == [f"/etc/{name}" for name in wanted]
