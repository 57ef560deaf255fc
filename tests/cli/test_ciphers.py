import json

import pytest

from annotated_shadowsocks.cli import tunnel
from annotated_shadowsocks.crypto.methods import TABLE
from annotated_shadowsocks.errors import UsageError

both = pytest.mark.parametrize("program", ["sslocal", "ssserver"])


@both
def test_every_method_has_a_line(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert tunnel.run(program, ["--list-ciphers"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["METHOD", "GENERATION", "KEY", "USABLE", "HERE"]
    assert [line.split()[0] for line in lines] == list(TABLE)
    by_name = {line.split()[0]: line for line in lines}
    assert by_name["aes-256-gcm"].endswith("  yes")
    assert by_name["2022-blake3-chacha8-poly1305"].endswith("no: no library at hand has ChaCha8")
    insecure = "with --allow-insecure-ciphers: whoever is on the path can change what it carries"
    assert by_name["rc4-md5"].endswith(insecure) or "no: this build" in by_name["rc4-md5"]


@both
def test_the_table_as_objects(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert tunnel.run(program, ["--list-ciphers", "--json"]) == 0
    rows = {row["method"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["2022-blake3-aes-128-gcm"] == {
        "method": "2022-blake3-aes-128-gcm",
        "generation": "AEAD-2022 (SIP022)",
        "key_size": 16,
        "available": True,
        "why_not": None,
        "insecure": None,
    }
    assert rows["aes-256-cfb1"]["available"] is False
    assert rows["none"]["insecure"] == "whoever is on the path can read what it carries"


def test_json_belongs_to_the_list() -> None:
    with pytest.raises(UsageError, match="--json goes with --list-ciphers"):
        tunnel.run("ssserver", ["--json"])
