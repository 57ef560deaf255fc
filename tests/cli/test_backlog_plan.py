"""``backlog plan``: words, document, and a live listener."""

import json
import socket
import threading

import pytest

from annotated_shadowsocks.cli import listener_measure
from annotated_shadowsocks.cli.listener_measure import Measured
from annotated_shadowsocks.cli.main import backlog


def plan(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = backlog(["plan", "-j", "1", *words])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_plan_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = plan(capsys, "-r", "900", "-c", "exp:1ms", "-o", "0.02")
    assert code == 0 and err == ""
    assert "90 % busy" in out
    assert "needed for a chance of 0.02 to meet a full queue:" in out
    assert "they agree" in out
    assert "listen(21) on Linux 6.18, where 22 fit:" in out
    assert "to change:\n  the program's setting for the backlog of listen(): 21\n" in out


def test_a_plan_as_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = plan(capsys, "-r", "500", "-c", "1ms", "--burst", "5000", "--json")
    document = json.loads(out)
    assert document["need"]["burst"] == 4999
    assert document["backlog"] == document["need"]["places"] - 1
    assert document["simulation"]["overflow"] == 0
    # More than a kernel gives by itself.
    assert document["commands"][0].startswith("sysctl -w net.core.somaxconn=50")


def test_a_given_backlog_is_judged(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = plan(capsys, "-r", "900", "-c", "1ms", "-b", "1", "--json")
    document = json.loads(out)
    assert (document["backlog"], document["capacity"]) == (1, 2)
    assert document["formula"]["overflow"] > 0.1
    assert document["simulation"]["overflow"] > 0.1


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ((), "--accept-cost is not known"),
        (("-c", "1ms"), "nobody comes"),
        (("-r", "1100", "-c", "1ms"), "no backlog mends that"),
        (("-r", "5", "-c", "1ms", "-o", "2"), "--overflow: 2 is impossible"),
        (("-r", "5", "-c", "1ms", "-p", "x"), "there is no such profile"),
        (("-r", "5", "-c", "1ms", "-p", "lwip", "--burst", "999"), "more than lwip gives"),
        (("-r", "1000000", "-c", "1ns", "--stall", "9s"), "--stall: more than a million"),
        (("--measure", "127.0.0.1"), "has no port"),
        (("--measure", ":1", "--for", "0"), "--for: 0 is impossible"),
    ],
)
def test_a_wrong_value_is_one_line(
    words: tuple[str, ...], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = plan(capsys, *words)
    assert (code, out) == (64, "")
    assert what in err and err.count("\n") == 1


def test_nothing_listens_there(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = plan(capsys, "--measure", "127.0.0.1:1", "--for", "0.2s")
    assert code == 69 and "nothing listens there" in err


def test_a_live_listener_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        host, port = server.getsockname()
        stop = threading.Event()

        def come() -> None:
            while not stop.wait(0.005):
                socket.create_connection((host, port)).close()
                server.accept()[0].close()

        thread = threading.Thread(target=come)
        thread.start()
        try:
            code, out, err = plan(
                capsys, "--measure", f"{host}:{port}", "--for", "0.5s", "-c", "1ms", "-o", "0.05"
            )
        finally:
            stop.set()
            thread.join()
    assert (code, err) == (0, "")
    assert out.startswith("Measured for ")


def test_the_drain_gives_the_cost(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Measured(10.0, 100.0, 9.0, 3, 40, 400.0)
    monkeypatch.setattr(listener_measure, "measure", lambda cookies, seconds: seen)
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f":{server.getsockname()[1]}"
        code, out, _ = plan(capsys, "--measure", place, "-w", "2", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["accept_cost_mean"] == pytest.approx(2 / 400)
    assert document["rate"] == 100.0
    assert any("in bursts" in note for note in document["measured"])


def test_an_idle_listener_does_not_tell_its_cost(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Measured(10.0, 100.0, 1.0, 0, 0, None)
    monkeypatch.setattr(listener_measure, "measure", lambda cookies, seconds: seen)
    with socket.create_server(("127.0.0.1", 0)) as server:
        code, _, err = plan(capsys, "--measure", f":{server.getsockname()[1]}")
    assert code == 64
    assert "write --accept-cost" in err
