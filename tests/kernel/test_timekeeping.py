"""The state of the clock, as adjtimex(2) tells it."""

import ctypes
import errno

import pytest

from annotated_shadowsocks.errors import ObserveError
from annotated_shadowsocks.kernel.timekeeping import is_synchronised


class Libc:
    """adjtimex(2) with a result of our choice."""

    def __init__(self, result: int, code: int = 0) -> None:
        self.result = result
        self.code = code

    def adjtimex(self, timex: object) -> int:
        ctypes.set_errno(self.code)
        return self.result


def pretend(monkeypatch: pytest.MonkeyPatch, libc: Libc) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name, use_errno: libc)


def test_the_kernel_has_an_opinion() -> None:
    assert is_synchronised() in (True, False)


# adjtimex(2): TIME_OK 0, TIME_INS 1, TIME_ERROR 5
@pytest.mark.parametrize(("result", "wanted"), [(0, True), (1, True), (5, False)])
def test_states(monkeypatch: pytest.MonkeyPatch, result: int, wanted: bool) -> None:
    pretend(monkeypatch, Libc(result))
    assert is_synchronised() is wanted


@pytest.mark.parametrize(
    ("code", "text"), [(errno.EPERM, "forbidden by a sandbox"), (errno.EFAULT, "Bad address")]
)
def test_errors(monkeypatch: pytest.MonkeyPatch, code: int, text: str) -> None:
    pretend(monkeypatch, Libc(-1, code))
    with pytest.raises(ObserveError, match=text):
        is_synchronised()
