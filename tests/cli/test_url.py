"""ssurl, with the first and third examples of the SIP002 page."""

import io
import json
from pathlib import Path

import pytest

from annotated_shadowsocks.cli import url
from annotated_shadowsocks.errors import ConfigError, UsageError

DOCUMENT = {
    "server": "192.168.100.1",
    "server_port": 8888,
    "method": "rc4-md5",
    "password": "passwd",
    "plugin": "obfs-local",
    "plugin_opts": "obfs=http",
    "remarks": "Example2",
}
URL = "ss://cmM0LW1kNTpwYXNzd2Q@192.168.100.1:8888/?plugin=obfs-local%3Bobfs%3Dhttp#Example2"
# base64 of aes-128-gcm:test@192.168.100.1:8888
LEGACY = "ss://YWVzLTEyOC1nY206dGVzdEAxOTIuMTY4LjEwMC4xOjg4ODg#a"


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "c.json"
    path.write_text(json.dumps(DOCUMENT))
    return str(path)


@pytest.mark.parametrize("verb", ["-d", "--decode", "decode"])
def test_a_url_becomes_a_document(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert url.run("ssurl", [verb, URL]) == 0
    assert json.loads(capsys.readouterr().out) == DOCUMENT


def test_what_a_url_does_not_say_is_not_in_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    url.run("ssurl", ["-d", "ss://YTpi@h:1"])
    wanted = {"server": "h", "server_port": 1, "method": "a", "password": "b"}
    assert json.loads(capsys.readouterr().out) == wanted


def test_a_url_from_stdin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{URL}\n"))
    assert url.run("ssurl", ["decode", "-"]) == 0
    assert json.loads(capsys.readouterr().out) == DOCUMENT


@pytest.mark.parametrize("verb", ["-e", "--encode", "encode"])
def test_a_document_becomes_urls(
    verb: str, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert url.run("ssurl", [verb, config]) == 0
    assert capsys.readouterr().out == f"{URL}\n"


def test_urls_as_objects(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    url.run("ssurl", ["encode", config, "--json"])
    assert json.loads(capsys.readouterr().out) == [{"remarks": "Example2", "url": URL}]


def test_the_legacy_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = {"server": "192.168.100.1", "port": 8888, "method": "aes-128-gcm"}
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"servers": [document | {"password": "test", "name": "a"}]}))
    assert url.run("ssurl", ["encode", str(path), "--legacy"]) == 0
    assert capsys.readouterr().out == f"{LEGACY}\n"


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        ([], "one of the arguments -e/--encode -d/--decode is required"),
        (["decode", "ss://YTpi@h:1", "x"], "there is an argument too many; try 'ssurl --help'"),
        (["encode"], "argument -e/--encode: expected one argument"),
        (["-e", "x", "-d", "y"], "argument -d/--decode: not allowed with argument -e/--encode"),
    ],
)
def test_usage(argv: list[str], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        url.run("ssurl", argv)
    assert str(caught.value).startswith(text)


def test_a_url_that_is_none() -> None:
    with pytest.raises(ConfigError, match="not a Shadowsocks URL; it starts with ss://"):
        url.run("ssurl", ["decode", "http://h"])


def test_a_document_of_nothing(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text("{}")
    with pytest.raises(ConfigError, match='no server is configured; add "server"'):
        url.run("ssurl", ["encode", str(path)])
