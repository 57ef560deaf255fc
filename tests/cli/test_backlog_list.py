"""backlog list: a listener of known depth in the table and in the document, and the filter."""

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from typing import Any

import pytest

from annotated_shadowsocks.cli import backlog
from annotated_shadowsocks.cli.arguments import ArgumentParser
from annotated_shadowsocks.errors import ObserveError, UsageError
from annotated_shadowsocks.kernel import sock_diag
from annotated_shadowsocks.kernel.netstat import counters
from annotated_shadowsocks.kernel.procfs import network_namespace
from annotated_shadowsocks.testing.namespaces import in_fresh_network, set_sysctl
from annotated_shadowsocks.testing.queues import StalledListener, until


def show(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert backlog.run("backlog", ["list", *words]) == 0
    return capsys.readouterr().out


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def document(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    found = json.loads(show(capsys, "--json", *words))
    assert isinstance(found, dict)
    return found


def test_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    with StalledListener(8, deferred=True) as stalled:
        stalled.connect(3)
        head, row = rows(show(capsys, "sport", "=", f":{stalled.port}"))
        assert head == ["ACCEPTQ", "ASKED", "SYNQ", "DROPS", "Local", "Address:Port", "Process"]
        # Each deferred ACK is one drop.
        assert row[:3] + row[4:5] == ["0/8", "8", "3", f"127.0.0.1:{stalled.port}"]
        assert f"({os.getpid()})" in " ".join(row[5:])


def test_a_while(capsys: pytest.CaptureFixture[str]) -> None:
    with StalledListener(8) as stalled:
        stalled.fill(3)
        words = ["--for", "0.3", f":{stalled.port}"]
        head, row = rows(show(capsys, *words))
        assert head[:6] == ["ACCEPTQ", "ASKED", "HIGH", "SYNQ", "DROPS", "DROPS/s"]
        assert row[:6] == ["3/8", "8", "3", "0", "0", "0.0"]
        (one,) = document(capsys, *words)["listeners"]
        assert (one["high_water"], one["drops_per_second"]) == (3, 0.0)
        assert one["asked"] == {"relation": "exactly", "limit": 8}


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "1e9"])
def test_a_while_that_cannot_be(seconds: str) -> None:
    with pytest.raises(UsageError, match="--for"):
        backlog.run("backlog", ["list", "--for", seconds])


def test_a_full_queue_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with StalledListener(2) as stalled:
        stalled.fill(2)
        assert rows(show(capsys, "-H", f":{stalled.port}"))[0][:3] == ["2/2", "2", "0"]
        stalled.fill(1)
        assert rows(show(capsys, "-H", f":{stalled.port}"))[0][:4] == ["3/2", "full", "2", "0"]
        assert "\x1b" not in show(capsys, f":{stalled.port}")
        head, row = show(capsys, "--color", "always", f":{stalled.port}").splitlines()
        assert head.startswith("\x1b[1mACCEPTQ")
        assert row.startswith("\x1b[7m")


def test_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    with StalledListener(4) as stalled:
        stalled.fill(5)
        found = document(capsys, f"127.0.0.1:{stalled.port}")
        assert found["schema"] == 1
        assert found["namespace"] == network_namespace()
        (listener,) = found["listeners"]
        queue = {"depth": 5, "limit": 4, "capacity": 5, "full": True}
        assert listener["accept_queue"] == queue
        assert listener["inode"] == stalled.inode
        assert int(listener["cookie"], 16) == stalled.cookie


def test_filters(capsys: pytest.CaptureFixture[str]) -> None:
    with StalledListener() as one, StalledListener(host="127.0.0.2") as other:
        ours = ["(", f":{one.port}", "or", f":{other.port}", ")"]

        def ports(*words: str) -> set[int]:
            found = document(capsys, *ours, *words)["listeners"]
            return {listener["port"] for listener in found}

        assert ports() == {one.port, other.port}
        assert ports("src", "127.0.0.2") == {other.port}
        assert ports("and", "not", "src", "127.0.0.2") == {one.port}
        assert ports("sport", "!=", f":{one.port}") == {other.port}
        assert ports("src", "10.0.0.0/8") == set()


def test_nothing_found_is_an_empty_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert show(capsys, "-H", "src 192.0.2.7") == ""
    assert document(capsys, "src 192.0.2.7")["listeners"] == []


def test_what_fingers_type_after_ss(capsys: pytest.CaptureFixture[str]) -> None:
    with StalledListener() as stalled:
        words = ("sport", "=", f":{stalled.port}")
        assert show(capsys, "-ltnp", *words) == show(capsys, *words)


def test_a_filter_that_is_none() -> None:
    with pytest.raises(UsageError, match="a listener has no peer"):
        backlog.run("backlog", ["list", "dport", "=", ":443"])


def test_no_netlink(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> socket.socket:
        raise PermissionError(1, "no")

    monkeypatch.setattr(sock_diag.SockDiag.__init__, "__defaults__", (refuse,))
    with pytest.raises(ObserveError, match="netlink is not permitted here"):
        backlog.run("backlog", ["list"])


def test_help_explains_the_columns() -> None:
    verbs = ArgumentParser("backlog").add_subparsers()
    from annotated_shadowsocks.cli import backlog_list

    backlog_list.add_parser(verbs)
    text = verbs.choices["list"].format_help()
    for word in ("ACCEPTQ", "SYNQ", "DROPS", "depth > limit"):
        assert word in text
    assert argparse.SUPPRESS not in text


# Prints the port on which it listens, and listens until its stdin ends.
ELSEWHERE = """
import socket, sys
sock = socket.create_server(("127.0.0.1", 0))
print(sock.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.mark.root
def test_without_privilege(capsys: pytest.CaptureFixture[str]) -> None:
    """As the user nobody: queues are shown all the same, other users' processes are not."""
    listening = [sys.executable, "-c", ELSEWHERE]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with StalledListener(5) as stalled, subprocess.Popen(listening, text=True, **pipes) as child:
        stalled.fill(2)
        port = child.stdout.readline().strip() if child.stdout else ""
        filter_ = ["-H", f":{stalled.port}", "or", f":{port}"]
        shown = show(capsys, *filter_)
        assert f"({os.getpid()})" in shown
        assert f"({child.pid})" in shown
        os.seteuid(65534)
        try:
            assert backlog.run("backlog", ["list", *filter_]) == 0
        finally:
            os.seteuid(0)
        out, err = capsys.readouterr()
        by_port = {row[4].rpartition(":")[2]: row for row in rows(out)}
        assert by_port[str(stalled.port)][:4] == ["2/5", "5", "0", "0"]
        assert by_port[port][5:] == ["-", "(user", "root)"]
        assert "of 2 listeners are hidden; root sees more" in err


@pytest.mark.interop
@pytest.mark.root
@pytest.mark.skipif(shutil.which("ss") is None, reason="ss is not installed")
def test_a_stalled_server_in_a_namespace_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """somaxconn 8, twelve clients: what is listed is what ss and the raw file say."""

    def inside() -> tuple[dict[str, Any], str, str]:
        set_sysctl("net.core.somaxconn", 8)
        with StalledListener(4096) as stalled:
            stalled.fill(9)
            clients = stalled.knock(3)
            until(lambda: counters()["ListenOverflows"] >= 3)
            for client in clients:
                client.close()
            found = document(capsys)
            ss = subprocess.run(["ss", "-ltnmH"], check=True, capture_output=True, text=True)
            with open("/proc/thread-self/net/tcp") as file:
                return found, ss.stdout, file.read()

    found, ss, raw = in_fresh_network(inside)
    (listener,) = found["listeners"]
    queue = listener["accept_queue"]
    assert queue == {"depth": 9, "limit": 8, "capacity": 9, "full": True}
    assert listener["drops"] >= 3
    shown = re.search(r"LISTEN\s+(\d+)\s+(\d+)\s+(\S+).*\n\s+skmem:\(.*,d(\d+)\)", ss)
    assert shown is not None
    assert shown.groups() == ("9", "8", listener["address"], str(listener["drops"]))
    (row,) = [line.split() for line in raw.splitlines() if f" {listener['inode']} " in line]
    assert row[4] == "00000000:00000009"
    assert found["namespace"] != network_namespace()
