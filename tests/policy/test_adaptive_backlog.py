import pytest

from annotated_shadowsocks.policy.adaptive_backlog import next_backlog, remedy


@pytest.mark.parametrize(
    ("configured", "adaptive", "depth", "limit", "somaxconn", "wanted"),
    [
        # As much as the kernel allows, and it allows more than it did.
        (None, False, 0, 4096, 4096, None),
        (None, False, 0, 4096, 8192, 8192),
        (None, True, 4096, 4096, 4096, None),
        (None, False, 0, 4096, 128, None),
        # A number of the operator's stands, unless it may adapt.
        (100, False, 100, 100, 4096, None),
        (100, True, 80, 100, 4096, None),
        (100, True, 81, 100, 4096, 200),
        (100, True, 101, 100, 150, 150),
        (100, True, 151, 150, 150, None),
        # It stays where it has grown to when the queue is empty again.
        (100, True, 0, 200, 4096, None),
        # somaxconn cut it, and would not any more.
        (500, False, 0, 128, 4096, 500),
        (500, False, 0, 128, 256, 256),
        (1, True, 1, 1, 4096, 2),
    ],
)
def test_what_to_call_listen_with(
    configured: int | None,
    adaptive: bool,
    depth: int,
    limit: int,
    somaxconn: int,
    wanted: int | None,
) -> None:
    assert next_backlog(configured, adaptive, depth, limit, somaxconn) == wanted


@pytest.mark.parametrize(
    ("configured", "adaptive", "limit", "somaxconn", "words"),
    [
        (None, False, 128, 128, "sysctl -w net.core.somaxconn=4096 (it is noticed at once)"),
        (None, False, 4096, 4096, "sysctl -w net.core.somaxconn=8192 (it is noticed at once)"),
        (100, True, 128, 128, "sysctl -w net.core.somaxconn=4096 (it is noticed at once)"),
        (128, False, 128, 128, "sysctl -w net.core.somaxconn=4096, and backlog auto"),
        (100, False, 100, 4096, "backlog auto instead of 100, or backlog_adaptive"),
    ],
)
def test_what_to_do_names_whoever_set_the_limit(
    configured: int | None, adaptive: bool, limit: int, somaxconn: int, words: str
) -> None:
    assert remedy(configured, adaptive, limit, somaxconn).startswith(words)
