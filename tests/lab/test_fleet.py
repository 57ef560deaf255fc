"""Many comparisons at once, and nobody left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from annotated_shadowsocks.kernel.netns import NamespaceError
from annotated_shadowsocks.lab import fleet as module
from annotated_shadowsocks.lab.fleet import Fleet, Outcome, play
from annotated_shadowsocks.testing.queues import until

SCRIPT = """\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+.01 C < S 0:0(0)
+0 C > S. 0:0(0) ack 1 <...>
"""


def test_an_outcome_that_did_not_run_did_not_agree() -> None:
    assert Outcome("a", "", ran=True, told="", seconds=0).agreed
    assert not Outcome("a", "", ran=False, told="", seconds=0).agreed
    assert not Outcome("a", "", ran=True, told="x", seconds=0).agreed


def test_a_broken_script_is_an_outcome() -> None:
    found = play("broken", "0 socket(")
    assert not found.ran
    assert found.told.startswith("broken:1:")


def test_so_is_a_kernel_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise NamespaceError("a network namespace of one's own", "only root may", 1)

    monkeypatch.setattr(module, "compare", refuse)
    found = play("one", SCRIPT)
    assert (found.ran, found.told) == (False, "a network namespace of one's own: only root may")


@pytest.mark.root
def test_each_has_its_own_outcome() -> None:
    wrong = SCRIPT.replace("ack 1", "ack 2")
    with Fleet(3) as fleet:
        found = {one.name: one for one in fleet.run([("a", SCRIPT), ("b", wrong), ("c", "x")])}
    assert found["a"].agreed
    # What the model does not play as it is written says nothing about a kernel.
    assert not found["b"].ran
    assert "expected C > S. 0:0(0) ack 2" in found["b"].told
    assert not found["c"].ran


_HOLD = f"""
from annotated_shadowsocks.lab.fleet import Fleet
if __name__ == "__main__":
    with Fleet(2) as fleet:
        waiting = [fleet.begin("long", {SCRIPT + "+600 accept_queue 0/1"!r}) for _ in range(2)]
        print("ready", flush=True)
        waiting[0].result()
"""


@pytest.mark.root
def test_nobody_outlives_the_fleet(tmp_path: Path) -> None:
    program = tmp_path / "hold.py"
    program.write_text(_HOLD, "utf-8")
    with subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE) as holder:
        until(lambda: len(_holders(tmp_path)) >= 2)
        holder.send_signal(signal.SIGKILL)
    until(lambda: not _holders(tmp_path))


def _holders(path: Path) -> list[str]:
    """Processes of the program that hold a network namespace by a descriptor."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes()
            targets = [os.readlink(one) for one in (process / "fd").iterdir()]
        except OSError:
            continue
        # A child of the fork server has the path of the program among its words too.
        if bytes(path) in words and any(target.startswith("net:[") for target in targets):
            found.append(process.name)
    return found
