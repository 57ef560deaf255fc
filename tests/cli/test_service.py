import base64
import json
from pathlib import Path

import pytest

from annotated_shadowsocks.cli import demo, service
from annotated_shadowsocks.cli.files import CannotCreate, read_secret
from annotated_shadowsocks.crypto.methods import TABLE
from annotated_shadowsocks.errors import UsageError

AVAILABLE = [row for row in TABLE.values() if not row.unavailable]


@pytest.mark.parametrize("method", AVAILABLE, ids=lambda method: method.name)
def test_a_key_is_base64_of_as_many_octets_as_the_method_has(
    method: object, capsys: pytest.CaptureFixture[str]
) -> None:
    row = TABLE[getattr(method, "name", "")]
    assert service.run("ssservice", ["genkey", "-m", row.name]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert len(base64.b64decode(line, validate=True)) == row.key_size


def test_every_key_is_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(20):
        service.run("ssservice", ["genkey", "-m", "aes-128-gcm"])
    assert len(set(capsys.readouterr().out.split())) == 20


def test_a_key_as_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    service.run("ssservice", ["genkey", "-m", "aes-128-gcm", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["method"] == "aes-128-gcm"
    assert len(base64.b64decode(found["key"])) == 16


def test_a_key_in_a_file_can_be_a_password_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "key")
    assert service.run("ssservice", ["genkey", "-m", "aes-256-gcm", "-o", path]) == 0
    assert capsys.readouterr().out == ""
    assert len(base64.b64decode(read_secret(path))) == 32
    with pytest.raises(CannotCreate, match="File exists"):
        service.run("ssservice", ["genkey", "-m", "aes-256-gcm", "-o", path])


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["genkey"], "the following arguments are required: -m/--encrypt-method"),
        (
            ["genkey", "-m", "aes-128-gmc"],
            "-m: unknown method 'aes-128-gmc'; did you mean aes-128-",
        ),
        (["genkez"], "argument COMMAND: invalid choice: 'genkez'"),
        (["demo", "x"], "there is an argument too many; try 'ssservice --help'"),
    ],
)
def test_what_is_wrong_is_named(argv: list[str], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        service.run("ssservice", argv)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(("argv", "keep"), [(["demo"], False), (["demo", "--keep"], True)])
def test_demo(argv: list[str], keep: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[bool] = []

    def run(keep: bool) -> int:
        calls.append(keep)
        return 7

    monkeypatch.setattr(demo, "run", run)
    assert service.run("ssservice", argv) == 7
    assert calls == [keep]


@pytest.mark.parametrize(("name", "program"), [("local", "sslocal"), ("server", "ssserver")])
def test_the_other_programs(name: str, program: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        service.run("ssservice", [name, "--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"{program} ")
