"""The estimate by references: against the kernel's own list, and against broken files."""

import errno
from pathlib import Path

import pytest

from annotated_shadowsocks.errors import ObserveError
from annotated_shadowsocks.kernel import proc_tcp
from annotated_shadowsocks.kernel.listeners import requests
from annotated_shadowsocks.kernel.proc_tcp import ListeningRow, half_open_by_inode, listening_row
from annotated_shadowsocks.kernel.sock_diag import SockDiag
from annotated_shadowsocks.testing.queues import StalledListener, until

# The lines above the rows, of IPv4 padded as the rows are, and of IPv6 as it is.
HEAD = f"{'  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt uid':149}\n"
HEAD6 = (
    "  sl  local_address                         remote_address                        "
    "st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
)


def row(state: str = "0A", depth: int = 0, inode: int = 7, references: int = 1) -> str:
    """A row as get_tcp4_sock writes it."""
    return (
        f"   0: 0100007F:1F90 00000000:0000 {state} 00000000:{depth:08X} 00:00000000 00000000"
        f"  1000        0 {inode} {references} 0000000000000000 100 0 0 10 0"
    ).ljust(149) + "\n"


def row6(inode: int = 7, references: int = 1, depth: int = 0) -> str:
    """A row as get_tcp6_sock writes it."""
    return (
        "   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A"
        f" 00000000:{depth:08X} 00:00000000 00000000  1000        0 {inode} {references}"
        " 00000000ded0591e 100 0 0 10 0\n"
    )


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(proc_tcp, "SELF_NET", str(tmp_path))
    return tmp_path


# --- the kernel ---


def test_requests_are_counted_and_connections_are_not() -> None:
    with StalledListener(deferred=True) as stalled:
        assert half_open_by_inode()[stalled.inode] == 0
        clients = stalled.connect(3)
        assert half_open_by_inode()[stalled.inode] == 3
        clients[0].send(b"x")
        until(lambda: stalled.queue()[0] == 1)
        assert half_open_by_inode()[stalled.inode] == 2


def test_each_listener_of_a_group_has_its_own_requests() -> None:
    with (
        StalledListener(30, deferred=True, shared=True) as first,
        StalledListener(30, deferred=True, shared=True, port=first.port) as second,
        SockDiag() as diag,
    ):
        clients = first.connect(20)
        estimates = half_open_by_inode()
        parts = [estimates[first.inode], estimates[second.inode]]
        assert sum(parts) == len(requests(diag, first.port)) == 20
        # Data completes each handshake at the listener that has it: the queues tell who had what.
        for client in clients:
            client.send(b"x")
        until(lambda: first.queue()[0] + second.queue()[0] == 20)
        assert parts == [first.queue()[0], second.queue()[0]]


# --- files ---


def test_rows(files: Path) -> None:
    (files / "tcp").write_text(HEAD + row(depth=16, inode=7, references=20) + row(inode=8))
    (files / "tcp6").write_text(HEAD6 + row6(inode=9, references=3))
    assert half_open_by_inode() == {7: 3, 8: 0, 9: 2}


def test_accept_between_the_two_numbers(files: Path) -> None:
    (files / "tcp").write_text(HEAD + row(depth=4, references=4))
    assert half_open_by_inode() == {7: 0}


def test_reading_stops_at_the_first_connection(files: Path) -> None:
    (files / "tcp").write_text(HEAD + row() + row(state="01", inode=8) + "garbage\n")
    assert half_open_by_inode() == {7: 0}


def test_a_listener_that_nobody_has_open_is_left_out(files: Path) -> None:
    (files / "tcp").write_text(HEAD + row(inode=0, references=9) + row())
    assert half_open_by_inode() == {7: 0}


def test_a_missing_file(files: Path) -> None:
    with pytest.raises(ObserveError, match="/tcp: there is no such file") as caught:
        half_open_by_inode()
    assert caught.value.errno == errno.ENOENT


def test_a_kernel_without_ipv6(files: Path) -> None:
    (files / "tcp").write_text(HEAD + row())
    assert half_open_by_inode() == {7: 0}


def test_one_family(files: Path) -> None:
    (files / "tcp6").write_text(HEAD6 + row6(inode=9))
    assert half_open_by_inode([10]) == {9: 0}
    assert half_open_by_inode([]) == {}


def test_an_empty_file(files: Path) -> None:
    (files / "tcp").touch()
    assert half_open_by_inode() == {}


@pytest.mark.parametrize(
    "line", ["garbage\n", row().replace("00000000 00:", "0000zz 00:"), row()[:80] + "\n"]
)
def test_a_malformed_row(files: Path, line: str) -> None:
    (files / "tcp").write_text(HEAD + line)
    with pytest.raises(ObserveError, match="tcp: a row is malformed"):
        half_open_by_inode()


def test_a_file_that_cannot_be_read(files: Path) -> None:
    (files / "tcp").mkdir()
    with pytest.raises(ObserveError, match="Is a directory"):
        half_open_by_inode()


# --- one row ---


def test_the_row_of_one_listener() -> None:
    with StalledListener(deferred=True) as stalled, StalledListener() as other:
        other.fill(1)
        stalled.connect(2)
        assert listening_row(stalled.inode) == ListeningRow(0, 0, 2)
        assert listening_row(other.inode) == ListeningRow(1, 0, 0)
        with pytest.raises(ObserveError, match="no listener has the inode 1"):
            listening_row(1)


def test_a_row_that_is_broken_or_not_there(files: Path) -> None:
    with pytest.raises(ObserveError, match="No such file"):
        listening_row(7)
    (files / "tcp").write_text(HEAD + row(inode=7).replace("00000000:00000000", "x"), "ascii")
    with pytest.raises(ObserveError, match="malformed"):
        listening_row(7)
