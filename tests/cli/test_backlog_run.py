"""backlog run: its verdicts, its files, its exit codes, and that nothing is left."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from annotated_shadowsocks.cli import main
from annotated_shadowsocks.kernel import netns
from annotated_shadowsocks.kernel.netns import NamespaceError
from annotated_shadowsocks.testing.queues import until

LISTEN = """\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+.1 C < S 0:0(0)
+0 C > S. 0:0(0) ack 1 <mss 1460>
"""
WRONG = LISTEN.replace("ack 1", "ack 2")


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "one.pkt"
    path.write_text(LISTEN, "utf-8")
    return str(path)


def run(*words: str) -> int:
    return main.backlog(["run", *words])


def test_agreed(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(script) == 0
    assert capsys.readouterr().out == "one.pkt on model linux-6.18: agreed\n"


def test_another_profile(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(script, "--on", "model:bsd44") == 0
    assert "on model bsd44: agreed" in capsys.readouterr().out


def test_the_first_difference(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(script).write_text(WRONG, "utf-8")
    assert run(script) == 1
    out = capsys.readouterr().out
    assert "line 5: C > S. 0:0(0) ack 2 <mss 1460>\n  expected " in out
    assert "\n  got      C > S. 0:0(0) ack 1 win 65535 <mss 1460>\n" in out


def test_json(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(script, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["agreed"] is True
    assert document["runs"][0]["stage"] == "model linux-6.18"
    Path(script).write_text(WRONG, "utf-8")
    assert run(script, "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert document["agreed"] is False
    assert document["runs"][0]["difference"]["line"] == 5


def test_a_ladder(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(script, "--ladder") == 0
    assert "S. seq 0 ack 1" in capsys.readouterr().out


def test_mermaid(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(script, "--mermaid") == 0
    assert "sequenceDiagram" in capsys.readouterr().out


def test_files(script: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = {"--pcapng": "a.pcapng", "--svg": "a.svg", "--plot": "b.svg", "--jsonl": "a.jsonl"}
    words = [word for flag, name in names.items() for word in (flag, str(tmp_path / name))]
    assert run(script, *words) == 0
    assert (tmp_path / "a.pcapng").read_bytes().startswith(b"\x0a\x0d\x0d\x0a")
    assert (tmp_path / "a.svg").read_text("utf-8").startswith("<svg")
    assert (tmp_path / "b.svg").read_text("utf-8").startswith("<svg")
    assert "PacketSent" in (tmp_path / "a.jsonl").read_text("utf-8")
    assert run(script, "--svg", str(tmp_path / "no" / "a.svg")) == 73
    assert "cannot create" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("0 socket(", ":1:"),
        ("profile bsd4\n", "did you mean"),
        ("--ip_version=5\n" + LISTEN, "write ipv4 or ipv6"),
        ("sysctl tcp_syncookies = 256\n" + LISTEN, "256 is impossible"),
    ],
)
def test_a_script_that_cannot_be_run(
    script: str, text: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(script).write_text(text, "utf-8")
    assert run(script) == 2
    said = capsys.readouterr()
    assert complaint in said.out + said.err


def test_several_scripts_end_as_the_worst_of_them(
    script: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong.pkt"
    wrong.write_text(WRONG, "utf-8")
    assert run(script, script) == 0
    assert capsys.readouterr().out.endswith("\n2 scripts: 2 agreed\n")
    assert run(script, str(wrong)) == 1
    assert capsys.readouterr().out.endswith("\n2 scripts: 1 agreed, 1 differed\n")
    assert run(script, str(wrong), "no.pkt", "--json") == 2
    documents = json.loads(capsys.readouterr().out)
    assert [one["agreed"] for one in documents] == [True, False, None]
    assert run(script, script, "--svg", "a.svg") == 64
    assert "--svg shows one run, and there are 2 scripts" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "// Only words.\n"])
def test_nothing_to_run_is_no_agreement(
    script: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(script).write_text(text, "utf-8")
    assert run(script) == 2
    assert "there is nothing in it to run" in capsys.readouterr().err


def test_a_system_without_counters_says_so(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(script).write_text(LISTEN + "Tcp PassiveOpens +1\n", "utf-8")
    assert run(script, "--on", "model:bsd44") == 2
    assert "no counter PassiveOpens; it has none" in capsys.readouterr().out


def test_no_such_file_and_absurd_sizes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(tmp_path / "none.pkt")) == 2
    assert "No such file or directory; name a packet script" in capsys.readouterr().err
    huge = tmp_path / "huge.pkt"
    huge.write_bytes(b"\n" * ((1 << 20) + 1))
    assert run(str(huge)) == 2
    assert "larger than 1048576 octets" in capsys.readouterr().err
    huge.write_bytes(b"\n\xff\n")
    assert run(str(huge), "--json") == 2
    said = capsys.readouterr()
    assert "huge.pkt:2: it is not UTF-8" in said.err
    assert json.loads(said.out)["agreed"] is None


@pytest.mark.parametrize(
    ("where", "complaint"),
    [
        ("moon", "--on moon: write model, kernel or both"),
        ("kernel:bsd44", "--on kernel:bsd44: write model, kernel or both"),
        ("model:bsd4", "--on model:bsd4: profile bsd4: there is no such profile; did you mean"),
    ],
)
def test_wrong_places(
    script: str, where: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(script, "--on", where) == 64
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("where", ["kernel", "both"])
def test_without_root_two_lines_say_so(
    script: str, where: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> int:
        raise NamespaceError("a network namespace of one's own", "only root may", 1)

    monkeypatch.setattr(netns, "_make", refuse)
    assert run(script, "--on", where) == 2
    assert capsys.readouterr().err.splitlines() == [
        "backlog: a network namespace of one's own: only root may",
        "backlog: the kernel needs root; --on model does not",
    ]


# --- the kernel ---


@pytest.mark.root
def test_on_the_kernel_and_on_both(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(script, "--on", "kernel") == 0
    assert "one.pkt on kernel " in capsys.readouterr().out
    assert run(script, "--on", "both", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert [one["agreed"] for one in document["runs"]] == [True, True]
    assert document["disagreement"] is None
    assert run(script, "--on", "both") == 0
    assert capsys.readouterr().out.endswith("the two agree in every packet and every counter\n")


@pytest.mark.root
def test_what_the_model_refuses_is_said_once(
    script: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(script).write_text("sysctl tcp_syncookies = 256\n" + LISTEN, "utf-8")
    assert run(script, "--on", "both") == 2
    assert capsys.readouterr().out.count("256 is impossible") == 1


@pytest.mark.root
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_namespaces_and_devices_go_with_the_process(script: str, how: signal.Signals) -> None:
    Path(script).write_text(LISTEN + "+600 accept_queue 0/1\n", "utf-8")
    command = [sys.executable, "-m", "annotated_shadowsocks", "backlog", "run", script]
    quiet = subprocess.DEVNULL
    with subprocess.Popen([*command, "--on", "kernel"], stdout=quiet, stderr=quiet) as runner:
        held = Path(f"/proc/{runner.pid}/fd")
        until(lambda: len(_namespaces(held)) == 2)
        ours = _namespaces(held)
        runner.send_signal(how)
        runner.wait()
    everybody = (_namespaces(one) for one in Path("/proc").glob("[0-9]*/fd"))
    assert not ours & set().union(*everybody)


def _namespaces(descriptors: Path) -> set[str]:
    found = set()
    try:
        for one in descriptors.iterdir():
            target = os.readlink(one)
            if target.startswith("net:["):
                found.add(target)
    except OSError:
        pass
    return found
