"""What clients do when nobody answers: against the table that was measured on a kernel."""

import pytest

from annotated_shadowsocks.simulator.rehearsal import insisting, knocking
from annotated_shadowsocks.tcp_model.instant import MILLISECOND, SECOND


# Kernel 6.18.44, clients into a black hole; the last row by the kernel's documentation.
@pytest.mark.parametrize(
    ("retries", "linear", "sent", "until"),
    [
        (1, 0, [0, 1], 3),
        (3, 0, [0, 1, 3, 7], 15),
        (2, 4, [0, 1, 2, 3, 4, 5], 7),
        (6, 4, [0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67], 131),
    ],
)
def test_knocking(retries: int, linear: int, sent: list[int], until: int) -> None:
    found = knocking((("tcp_syn_retries", retries), ("tcp_syn_linear_timeouts", linear)))
    assert [at / SECOND for at in found.sent] == sent
    assert found.until == until * SECOND


def test_insisting_begins_with_a_probe_and_doubles() -> None:
    found = insisting((), 1, 20 * MILLISECOND)
    # [RFC8985 §7.2] a probe no later than the timeout, which is 220 ms; then timeouts, by twos.
    assert [at // MILLISECOND for at in found.sent[:6]] == [0, 220, 440, 880, 1760, 3520]


def test_a_client_that_knocked_twice_has_measured_nothing() -> None:
    found = insisting((), 2, SECOND)
    assert [at // SECOND for at in found.sent[:4]] == [0, 1, 4, 10]
