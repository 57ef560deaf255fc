"""The load of the benchmark: its schedule, its flows and what makes a row no row."""

import socket
from pathlib import Path

import pytest

from bench import load, report
from bench.flows import READ, Flow, Flows, taken
from bench.run import Row, Run
from bench.run import load as load_run


def test_a_schedule_is_the_same_for_everybody() -> None:
    plan = load.schedule(100, 10)
    assert plan == load.schedule(100, 10) == sorted(plan)
    assert plan[0] > 0 and plan[-1] < 10 and 800 < len(plan) < 1200


def test_flows_take_turns_and_end() -> None:
    left, right = socket.socketpair()
    got: list[bytes] = []

    def reader(sock: socket.socket) -> Flow:
        with sock:
            got.append((yield from taken(sock, 4)))

    def writer(sock: socket.socket) -> Flow:
        with sock:
            for octet in b"four":
                sock.send(bytes([octet]))
            yield from ()

    left.setblocking(False)
    flows = Flows()
    flows.begin(reader, left)
    flows.begin(writer, right)
    flows.run()
    assert got == [b"four"] and not len(flows)
    flows.close()


def test_an_early_end_is_an_error() -> None:
    left, right = socket.socketpair()
    right.close()

    def body(sock: socket.socket) -> Flow:
        with sock:
            yield READ
            yield from taken(sock, 1)

    flows = Flows()
    flows.begin(body, left)
    with pytest.raises(EOFError, match="1 octets too early"):
        flows.run()
    flows.close()
    left.close()


def _run() -> Run:
    run = Run("python -m bench", {"kernel": "k"}, {"ours": "1", "peer": "2"})
    for kind, values in (("ours", [1.0, 3.0, 2.0]), ("peer", [2.0, 3.0, 8.0])):
        row = run.row("bulk", "download", "m", kind, "s/GB")
        for value in values:
            row.add({"server": value}, 0.1)
    return run


def test_a_ratio_is_of_neighbours_in_time() -> None:
    ours, peer = _run().rows
    # 1/2, 3/3 and 2/8; of medians it would be 2/3.
    assert report.ratio(ours, peer, "server") == 0.5
    assert report.best_peer([ours, peer], {"ours"}, "server") is peer


def test_a_run_is_read_as_it_was_saved(tmp_path: Path) -> None:
    run = _run()
    path = tmp_path / "run.json"
    run.save(path)
    assert load_run(path) == run


def test_a_refused_row_says_why_and_has_no_bar() -> None:
    run = _run()
    run.rows.append(Row("bulk", "download", "m", "fast", "s/GB", refused=["the load was busy"]))
    assert "refused 1 times: the load was busy" in report.terminal(run, {"ours"})
    drawn = report.chart(run.rows, {"ours"})
    assert ">peer<" in drawn and ">fast<" not in drawn
    assert drawn in report.page([run], {"ours"})
