"""What a limit tells of the argument of listen(), in words."""

import pytest

from annotated_shadowsocks.dashboard.asked_backlog import AskedBacklog


@pytest.mark.parametrize(
    ("limit", "somaxconn", "short", "sentence", "relation"),
    [
        (8, 4096, "8", "8 of listen(), and granted, being less than somaxconn (4096)", "exactly"),
        (8, 8, ">=8", "8 of listen(), or more, or less than 0: somaxconn is 8", "at least"),
        (8, 4, ">=8", "at least 8, while somaxconn was larger; it is 4 by now", "before"),
        (8, None, "?", "unknown, for net.core.somaxconn cannot be read here", "unknown"),
    ],
)
def test_what_is_known_is_said(
    limit: int, somaxconn: int | None, short: str, sentence: str, relation: str
) -> None:
    one = AskedBacklog(limit, somaxconn)
    assert (one.short, one.sentence) == (short, sentence)
    assert one.document() == {"relation": relation, "limit": limit}
