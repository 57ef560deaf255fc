"""backlog serve: its flags, its lines, its page, and that nothing is left."""

import fcntl
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest

from annotated_shadowsocks.cli import backlog, main
from annotated_shadowsocks.kernel import tun
from annotated_shadowsocks.kernel.netns import NetworkNamespace
from annotated_shadowsocks.testing.queues import until


@contextmanager
def serving(*words: str) -> Iterator[tuple["subprocess.Popen[str]", IO[str]]]:
    """The command in a namespace of its own, in which this thread is too; and its output."""
    command = [sys.executable, "-m", "annotated_shadowsocks", "backlog", "serve", *words]
    pipe = subprocess.PIPE
    with (
        NetworkNamespace() as namespace,
        namespace.entered(),
        subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as server,
    ):
        assert server.stdout is not None
        try:
            yield server, server.stdout
        finally:
            server.kill()


def curl(*words: str) -> str:
    return subprocess.run(
        ["curl", "-sS", *words], check=True, capture_output=True, text=True
    ).stdout


def devices() -> str:
    with open("/proc/thread-self/net/dev", encoding="ascii") as file:
        return file.read()


@pytest.mark.root
@pytest.mark.interop
def test_curl_gets_a_page_and_the_terminal_gets_reasons() -> None:
    with serving("-p", "bsd44", "-b", "1") as (server, lines):
        assert lines.readline() == (
            "4.4BSD listens on 198.51.100.2:80 over backlog0: curl http://198.51.100.2:80/\n"
        )
        assert lines.readline().endswith("SetLimit 1  listen(1) on 4.4BSD\n")
        assert "behaves as 4.4BSD does" in curl("http://198.51.100.2/")
        server.send_signal(signal.SIGINT)
        said = lines.read()
        assert server.wait() == 0
    assert "AddRequest 198.51.100.1:" in said
    assert "syn_queue 1  a SYN, and room for it\n" in said
    assert "\nCounted: " in said


@pytest.mark.root
@pytest.mark.interop
def test_json_and_a_port_of_its_own() -> None:
    words = ("-p", "linux-6.18", "--port", "8080", "--set", "tcp_syncookies=0", "--json")
    with serving(*words) as (server, lines):
        head = json.loads(lines.readline())
        assert head == {
            "profile": "linux-6.18",
            "device": "backlog0",
            "address": "198.51.100.2:8080",
            "backlog": 5,
        }
        curl("http://198.51.100.2:8080/")
        server.send_signal(signal.SIGTERM)
        documents = [json.loads(line) for line in lines]
    assert documents[0]["event"] == "SetLimit"
    assert {"Arrived", "SendSegment", "QueueAccept"} <= {one.get("event") for one in documents}
    assert documents[-1]["counters"]["PassiveOpens"] == 1


@pytest.mark.root
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_device_goes_with_the_process(how: signal.Signals) -> None:
    with serving("--stall") as (server, lines):
        assert "its application never accepts" in lines.readline()
        assert "backlog0" in devices()
        server.send_signal(how)
        server.wait()
        until(lambda: "backlog0" not in devices())


@pytest.mark.root
@pytest.mark.interop
def test_tcpdump_and_ss_see_what_the_model_does() -> None:
    with serving("--stall", "-b", "0") as (_, lines):
        lines.readline()
        dump = ["tcpdump", "-n", "-l", "-v", "-i", "backlog0", "-c", "3", "tcp"]
        with subprocess.Popen(
            dump, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as seen:
            assert seen.stdout is not None
            assert seen.stderr is not None
            seen.stderr.readline()
            client = ["curl", "-s", "-m", "60", "http://198.51.100.2/"]
            with subprocess.Popen(client) as held:
                packets = seen.stdout.read()
                told = subprocess.run(
                    ["ss", "-tnH", "dst", "198.51.100.2"],
                    check=True,
                    capture_output=True,
                    text=True,
                ).stdout
                held.kill()
    assert told.startswith("ESTAB")
    # -v has tcpdump check what the model wrote: it says so where a checksum is wrong.
    assert "incorrect" not in packets
    assert "198.51.100.2.80 > 198.51.100.1." in packets
    assert "Flags [S.], cksum 0x" in packets


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["-p", "bsd4"], "profile bsd4: there is no such profile; did you mean"),
        (["--set", "tcp_syncookies"], "--set tcp_syncookies: write it as NAME=NUMBER"),
        (["--set", "tcp_syncookies=x"], "--set tcp_syncookies=x: write it as NAME=NUMBER"),
        (["--set", "tcp_syncookies=256"], "sysctl tcp_syncookies: 256 is impossible"),
        (["-p", "bsd44", "--set", "tcp_syncookies=1"], "sysctl tcp_syncookies: bsd44 has none"),
        (["-b", "9999999999"], "--backlog 9999999999: that is no C integer"),
        (["--port", "0"], "--port 0: use 1 to 65535"),
        (["--accept-every", "nan"], "--accept-every nan: use 0 to 86400 seconds"),
        (["--accept-every", "-1"], "--accept-every -1: use 0 to 86400 seconds"),
        (["--stall", "--accept-every", "1"], "not allowed with argument --stall"),
        (["--address", "here"], "--address here: that is no address; write it as"),
        (["--address", "127.0.0.2/8"], "--address 127.0.0.2/8: that network has a meaning"),
    ],
)
def test_one_line_for_each_mistake(
    words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.backlog(["serve", *words]) == 64
    last = capsys.readouterr().err.splitlines()[-1]
    assert complaint in last


def test_without_root_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(tun, "_DEVICE", "/dev/null")
    monkeypatch.setattr(fcntl, "ioctl", refuse)
    assert main.backlog(["serve"]) == 77
    assert capsys.readouterr().err.splitlines() == [
        "backlog: a TUN device 'backlog%d': only root may (CAP_NET_ADMIN)"
    ]


def test_help_needs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        backlog.run("backlog", ["serve", "--help"])
    assert "never call accept()" in capsys.readouterr().out
