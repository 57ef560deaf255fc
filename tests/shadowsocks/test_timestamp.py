import pytest

from annotated_shadowsocks.errors import ClockSkewError, RemoteProtocolError, ReplayError
from annotated_shadowsocks.shadowsocks.timestamp import MAX_SKEW, Timestamps

NOW = 1700000000


@pytest.mark.parametrize("offset", [-30, -29, 0, 29, 30])
@pytest.mark.parametrize("fraction", [0.0, 0.999])
def test_thirty_seconds_are_accepted(offset: int, fraction: float) -> None:
    Timestamps(lambda: NOW + fraction).check(NOW + offset)


@pytest.mark.parametrize("fraction", [0.0, 0.999])
@pytest.mark.parametrize(
    ("timestamp", "text"),
    [
        (NOW - 31, "31 s behind our clock"),
        (NOW + 31, "31 s ahead of our clock"),
        (0, "1700000000 s behind"),
        # No sum of these may turn negative, as it would in 64 bits.
        (2**63, "ahead of our clock"),
        (2**64 - 1, "ahead of our clock"),
    ],
)
def test_more_is_refused_with_its_offset(timestamp: int, text: str, fraction: float) -> None:
    with pytest.raises(ClockSkewError, match=text) as caught:
        Timestamps(lambda: NOW + fraction).check(timestamp)
    assert caught.value.offset == timestamp - NOW
    assert isinstance(caught.value, RemoteProtocolError)


def test_the_clock_is_read_each_time() -> None:
    clock = [NOW]
    timestamps = Timestamps(lambda: clock[0])
    timestamps.check(NOW + MAX_SKEW)
    clock[0] = NOW + 2 * MAX_SKEW + 1
    assert timestamps.now() == NOW + 2 * MAX_SKEW + 1
    with pytest.raises(ClockSkewError):
        timestamps.check(NOW + MAX_SKEW)


def test_a_timestamp_is_accepted_for_less_than_61_seconds() -> None:
    # How long a salt has to be remembered: from the first moment that accepts a timestamp.
    times = [NOW - 40 + tick / 10 for tick in range(1200)]
    accepted = []
    for now in times:
        try:
            Timestamps(lambda now=now: now).check(NOW)  # type: ignore[misc]
        except ClockSkewError:
            continue
        accepted.append(now)
    assert 60 < max(accepted) - min(accepted) < 61


def test_what_is_older_than_the_memory_is_refused() -> None:
    timestamps = Timestamps(lambda: NOW + 5.0, since=NOW)
    timestamps.check(NOW - 1)
    with pytest.raises(ReplayError, match="before our memory"):
        timestamps.check(NOW - 2)
