"""Many scenarios: here, in processes, and on a real Dask cluster, with equal reports."""

import sys
from typing import Any

import pytest

from annotated_shadowsocks.errors import ConfigError
from annotated_shadowsocks.simulator.arrivals import Poisson
from annotated_shadowsocks.simulator.scenario import Scenario
from annotated_shadowsocks.simulator.sweep import cluster, grid, processors, sweep
from annotated_shadowsocks.tcp_model.instant import SECOND

POINTS = [
    (Scenario(arrivals=(Poisson(300, SECOND),), backlog=backlog), seed)
    for backlog in (0, 1, 5)
    for seed in (1, 2)
]


def test_a_grid_turns_its_last_axis_fastest() -> None:
    assert list(grid({"a": [1, 2], "b": "xy"})) == [
        {"a": 1, "b": "x"},
        {"a": 1, "b": "y"},
        {"a": 2, "b": "x"},
        {"a": 2, "b": "y"},
    ]


def test_processes_give_what_one_gives() -> None:
    alone: list[int] = []
    together: list[int] = []
    expected = sweep(POINTS, done=alone.append)
    with processors(2) as executor:
        assert sweep(POINTS, executor, together.append) == expected
    assert alone == together == [1, 2, 3, 4, 5, 6]


@pytest.mark.filterwarnings("default")  # of distributed's own making
def test_a_dask_cluster_gives_what_one_process_gives() -> None:
    distributed: Any = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
        ) as local,
        cluster(local.scheduler_address) as executor,
    ):
        assert sweep(POINTS, executor) == sweep(POINTS)


def test_without_dask_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(ConfigError, match=r"install annotated-shadowsocks\[dask\]"),
        cluster("tcp://127.0.0.1:1"),
    ):
        pass
