"""What processes leave on the board: whatever happens to them, no counter ever goes back."""

import os
import signal

import pytest

from annotated_shadowsocks.errors import ObserveError
from annotated_shadowsocks.telemetry import board as module
from annotated_shadowsocks.telemetry.board import Board
from annotated_shadowsocks.telemetry.figures import Figures


@pytest.fixture
def board() -> "Board":
    return Board()


def accepted(count: int, open_: int = 0) -> Figures:
    figures = Figures()
    figures.set("connections_accepted_total", count)
    figures.set("connections_open", open_, "relay")
    return figures


def total(board: Board) -> float:
    gone, reports = board.read()
    for report in reports.values():
        gone.add(report.figures)
    return gone.get("connections_accepted_total")


def test_each_process_has_a_place(board: Board) -> None:
    one, two = board.take(), board.take()
    assert (one, two) == (1, 2)
    assert board.read()[1] == {}
    board.write(one, accepted(3), 10.0)
    board.write(two, accepted(4), 11.0)
    board.write(one, accepted(5), 12.0)
    _, reports = board.read()
    assert [(r.at, r.figures.get("connections_accepted_total")) for r in reports.values()] == [
        (12.0, 5),
        (11.0, 4),
    ]
    assert total(board) == 9
    board.close()


def test_what_a_process_counted_outlives_it_and_its_levels_do_not(board: Board) -> None:
    one, two = board.take(), board.take()
    board.write(one, accepted(3, open_=2), 1.0)
    board.write(two, accepted(4, open_=1), 1.0)
    board.retire(one)
    assert total(board) == 7
    gone, reports = board.read()
    (left,) = reports.values()
    assert gone.get("connections_open", "relay") == 0
    assert left.figures.get("connections_open", "relay") == 1
    # Its place is free, and who takes it begins at nothing.
    assert board.take() == one
    assert total(board) == 7
    board.write(one, accepted(1), 2.0)
    board.retire(one)
    board.retire(two)
    assert total(board) == 8
    board.close()


def test_a_process_writes_what_another_reads(board: Board) -> None:
    place = board.take()
    pid = os.fork()
    if not pid:
        board.write(place, accepted(42), 1.0)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert total(board) == 42
    board.retire(place)
    assert total(board) == 42
    board.close()


def test_whoever_dies_while_it_writes_leaves_what_it_wrote_before(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = board.take()
    board.write(place, accepted(3), 1.0)
    real = os.pwrite

    def cut(fd: int, octets: bytes, at: int) -> int:
        real(fd, octets[: len(octets) // 2], at)
        raise InterruptedError

    monkeypatch.setattr(os, "pwrite", cut)
    with pytest.raises(InterruptedError):
        board.write(place, accepted(4), 2.0)
    monkeypatch.undo()
    assert total(board) == 3
    board.close()


def test_garbage_is_one_word_and_is_gone_with_its_process(board: Board) -> None:
    place = board.take()
    board.write(place, accepted(3), 1.0)
    start = place * module._PLACE + module._HEAD_SIZE
    os.pwrite(board._fd, b"\xff" * 64, start)
    os.pwrite(board._fd, b"\xff" * 64, start + module._HALF)
    with pytest.raises(ObserveError, match="cannot be read"):
        board.read()
    with pytest.raises(ObserveError, match="cannot be read"):
        board.retire(place)
    assert total(board) == 0
    assert board.take() == place
    board.close()


def test_figures_too_long_for_a_place(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    place = board.take()
    monkeypatch.setattr(module, "_HALF", 8)
    with pytest.raises(ObserveError, match="octets are more than a place holds"):
        board.write(place, accepted(3), 1.0)
    board.close()


def test_a_reader_waits_for_no_retirement_for_ever(board: Board) -> None:
    board.take()
    board._turn(1)
    with pytest.raises(ObserveError, match="die faster"):
        board.read()
    board.close()
