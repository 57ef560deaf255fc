"""Salts that processes remember together, whichever of them dies in the middle."""

import os
import signal
from collections.abc import Callable

import pytest

from annotated_shadowsocks.services.salts import SharedSalts
from annotated_shadowsocks.system import entropy


def started(work: Callable[[], int]) -> int:
    """A forked process that does ``work`` and ends with what that returned."""
    pid = os.fork()
    if pid:
        return pid
    code = 99
    try:
        code = work()
    finally:
        os._exit(code)


def in_child(work: Callable[[], int]) -> int:
    """The exit status of ``started``, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(started(work), 0)[1])


@pytest.mark.parametrize("shared", [False, True])
def test_streams_and_packets_are_remembered_apart(shared: bool) -> None:
    salts = SharedSalts(entropy, shared)
    salt = entropy(32)
    assert salts.streams.add(salt)
    assert not salts.streams.add(salt)
    assert salts.packets.add(salt)


def test_what_one_process_adds_another_knows() -> None:
    salts = SharedSalts(entropy, shared=True)
    early, late = entropy(32), entropy(32)
    assert salts.streams.add(early)

    def work() -> int:
        return 0 if not salts.streams.add(early) and salts.streams.add(late) else 1

    assert in_child(work) == 0
    assert not salts.streams.add(late)


def test_a_lock_whose_holder_was_killed_is_free() -> None:
    salts = SharedSalts(entropy, shared=True)

    def work() -> int:
        with salts.streams._lock:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0

    assert in_child(work) == -signal.SIGKILL
    assert salts.streams.add(entropy(32))


def test_of_many_processes_one_may_use_a_salt() -> None:
    salts = SharedSalts(entropy, shared=True)
    contested = [entropy(16) for _ in range(500)]
    (begin, unused), (counts, report) = os.pipe(), os.pipe()

    def work() -> int:
        os.close(unused)
        # Returns when the last copy of the other end is closed: all begin together.
        os.read(begin, 1)
        os.write(report, sum(map(salts.streams.add, contested)).to_bytes(2, "big"))
        return 0

    children = [started(work) for _ in range(4)]
    os.close(unused)
    for pid in children:
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    octets = os.read(counts, 100)
    for fd in (begin, counts, report):
        os.close(fd)
    shares = [int.from_bytes(octets[at : at + 2], "big") for at in range(0, len(octets), 2)]
    assert len(shares) == 4
    assert sum(shares) == len(contested)
