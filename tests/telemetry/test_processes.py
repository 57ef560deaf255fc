import os
import resource
from pathlib import Path

import pytest

from annotated_shadowsocks.telemetry import processes
from annotated_shadowsocks.telemetry.figures import Figures
from annotated_shadowsocks.telemetry.processes import process_figures


def test_what_this_process_costs() -> None:
    figures = Figures()
    process_figures(figures, "3")
    assert 0 < figures.get("process_cpu_seconds_total", "3") <= sum(os.times()[:2]) + 1
    status = Path("/proc/self/status").read_text().split("VmHWM:")[1].split()
    assert 1 << 20 < figures.get("process_resident_memory_bytes", "3") <= int(status[0]) * 1024
    assert figures.get("process_open_fds", "3") > 2
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert figures.get("process_max_fds", "3") == limit


@pytest.mark.parametrize("text", ["", "x", "1", "1 two 3"])
def test_a_proc_that_tells_nothing(
    text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "statm").write_text(text)
    monkeypatch.setattr(processes, "_STATM", tmp_path / "statm")
    monkeypatch.setattr(processes, "_FD", tmp_path / "absent")
    figures = Figures()
    process_figures(figures, "0")
    assert set(figures.values) == {
        "shadowsocks_process_cpu_seconds_total",
        "shadowsocks_process_max_fds",
    }
