"""When a queue is full."""

import pytest

from annotated_shadowsocks.tcp_model.ceiling import (
    Ceiling,
    Counted,
    Crowd,
    Fixed,
    LastQuarter,
    Proportion,
    Sizes,
    SynTable,
)


def sizes(limit: int, max_syn_backlog: int = 2048) -> Sizes:
    return Sizes(limit, limit, max_syn_backlog)


@pytest.mark.parametrize(
    ("ceiling", "formula", "capacities"),
    [
        (Proportion(Counted.ACCEPT_QUEUE), "n > L", {0: 1, 1: 2, 5: 6}),
        (Proportion(Counted.SYN_QUEUE, at_least=True), "n0 >= L", {0: 0, 5: 5}),
        (
            Proportion(Counted.BOTH, times=3, over=2),
            "n + n0 > 3L/2",
            # Stevens, UNIX Network Programming, figure 4.10
            dict(enumerate([1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19, 20, 22])),
        ),
        (Proportion(Counted.ACCEPT_QUEUE, times=3), "n > 3L", {80: 241}),
        (
            Proportion(Counted.SYN_QUEUE, plus=1024, at_least=True),
            "n0 >= L + 1024",
            {1: 1025, 128: 1152},
        ),
        (Fixed(Counted.SYN_CACHE, 15360), "all n0 >= 15360", {0: 15360, 9: 15360}),
        (Crowd(), "2 n0 > max(8, L)", {0: 5, 8: 5, 9: 5, 10: 6, 16: 9}),
        # listen(511) fills a table of 512, listen(512) is given 1024
        (
            SynTable(),
            "n0 >= 2^ceil(log2(max(8, min(L, M)) + 1))",
            {0: 16, 8: 16, 15: 16, 16: 32, 511: 512, 512: 1024, 9999: 4096},
        ),
    ],
)
def test_capacity(ceiling: Ceiling, formula: str, capacities: dict[int, int]) -> None:
    assert ceiling.formula == formula
    assert {limit: ceiling.capacity(sizes(limit)) for limit in capacities} == capacities


@pytest.mark.parametrize(
    ("max_syn_backlog", "capacity"),
    # seen: 8 holds 7, 16 holds 13, 128 holds 97, 4 and 3 hold 4, 1 holds 2
    [(8, 7), (16, 13), (128, 97), (4, 4), (3, 4), (1, 2), (0, 1), (-100, 0)],
)
def test_the_last_quarter(max_syn_backlog: int, capacity: int) -> None:
    assert LastQuarter().capacity(sizes(5, max_syn_backlog)) == capacity


def test_a_syn_table_keeps_its_first_size() -> None:
    assert SynTable().capacity(Sizes(limit=500, first_limit=5, max_syn_backlog=2048)) == 16
    assert SynTable(part=2).capacity(sizes(5)) == 8
