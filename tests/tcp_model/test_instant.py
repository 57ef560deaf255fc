"""Time as whole nanoseconds."""

import pytest

from annotated_shadowsocks.tcp_model.instant import MILLISECOND, SECOND, seconds, text


def test_sums_are_exact() -> None:
    assert seconds(0.101) + SECOND == seconds(1.101)
    assert seconds(0.1) + seconds(0.2) == seconds(0.3)


@pytest.mark.parametrize(
    ("duration", "written"),
    [
        (0, "0 s"),
        (SECOND, "1 s"),
        (63 * SECOND, "63 s"),
        (500 * MILLISECOND, "0.5 s"),
        (1, "0.000000001 s"),
        (-1500 * MILLISECOND, "-1.5 s"),
    ],
)
def test_text(duration: int, written: str) -> None:
    assert text(duration) == written
