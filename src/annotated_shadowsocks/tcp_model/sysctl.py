"""The settings of a network namespace that this corner of TCP reads, under Linux's names.

One table says what each is, what the kernel would take and what it starts with; a value outside is
refused with the error that ``sysctl -w`` would give, in words. Which of them a system has is its
profile's business.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import NamedTuple

from ..errors import ConfigError
from .instant import MILLISECOND, Duration

__all__ = ["KNOBS", "Knob", "Sysctl"]

_U8 = 255
_INT_MAX = 2**31 - 1


class Knob(NamedTuple):
    """One setting: what it means, and the least and greatest value that a system takes."""

    meaning: str
    least: int
    greatest: int


#: [linux ipv4_table] the bounds are those of the kernel's own table.
KNOBS: Mapping[str, Knob] = MappingProxyType(
    {
        "somaxconn": Knob("largest limit that listen() gives, read at listen()", 0, _INT_MAX),
        "tcp_max_syn_backlog": Knob(
            "half-open requests, without syncookies", -_INT_MAX - 1, _INT_MAX
        ),
        "tcp_syncookies": Knob("0 never, 1 when the SYN queue is full, 2 always", 0, _U8),
        "tcp_synack_retries": Knob("SYN/ACKs sent again before a request expires", 0, _U8),
        "tcp_abort_on_overflow": Knob("1: RST for a final ACK that finds no room", 0, _U8),
        "tcp_migrate_req": Knob("1: a closing SO_REUSEPORT listener hands over", 0, 1),
        "tcp_fastopen": Knob(
            "bits: 1 client, 2 server, 0x200 no cookie, 0x400 without the option", 0, _INT_MAX
        ),
        "tcp_invalid_ratelimit": Knob("ms between answers to bad segments", 0, _INT_MAX),
        "tcp_timestamps": Knob("0 off, 1 with random offsets, 2 without", 0, _U8),
        "tcp_syn_retries": Knob("SYNs sent again", 1, 127),
        "tcp_syn_linear_timeouts": Knob("of these, how many before the timeout doubles", 0, 127),
        "tcp_retries2": Knob("data retransmissions, as a time at 200 ms and doubling", 0, _U8),
        "tcp_orphan_retries": Knob("the same after close(); 0 means 8", 0, _U8),
        "tcp_early_retrans": Knob("3 or 4: send a tail loss probe", 0, 4),
        "tcp_fin_timeout": Knob("seconds in FIN_WAIT_2 after close()", 0, _INT_MAX),
        "tcp_rto_max_ms": Knob("largest retransmission timeout", 1000, 120_000),
        "rst_on_sock_fail": Knob("1: RST where a final ACK finds no room (FreeBSD)", 0, 1),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sysctl:
    """Values for all of them; ``KNOBS`` says what each means.

    Raises ``ConfigError`` for a value that no system takes.
    """

    somaxconn: int = 4096
    # [linux tcp_init] one for every 128 buckets of the connection table, here of 262144
    tcp_max_syn_backlog: int = 2048
    tcp_syncookies: int = 1
    tcp_synack_retries: int = 5
    tcp_abort_on_overflow: int = 0
    tcp_migrate_req: int = 0
    tcp_fastopen: int = 1
    tcp_invalid_ratelimit: int = 500
    tcp_timestamps: int = 1
    tcp_syn_retries: int = 6
    tcp_syn_linear_timeouts: int = 4
    tcp_retries2: int = 15
    tcp_orphan_retries: int = 0
    tcp_early_retrans: int = 3
    tcp_fin_timeout: int = 60
    tcp_rto_max_ms: int = 120_000
    rst_on_sock_fail: int = 1

    def __post_init__(self) -> None:
        """Check every value."""
        for field in fields(self):
            _check(field.name, getattr(self, field.name))

    def with_value(self, name: str, value: int) -> "Sysctl":
        """The same with one changed. Raises ``ConfigError``."""
        _check(name, value)
        return replace(self, **{name: value})

    @property
    def invalid_ratelimit(self) -> Duration:
        """``tcp_invalid_ratelimit`` as a duration."""
        return self.tcp_invalid_ratelimit * MILLISECOND

    @property
    def rto_max(self) -> Duration:
        """``tcp_rto_max_ms`` as a duration."""
        return self.tcp_rto_max_ms * MILLISECOND


def _check(name: str, value: object) -> None:
    knob = KNOBS.get(name)
    if knob is None:
        known = ", ".join(KNOBS)
        raise ConfigError(f"sysctl {name}", "there is no such setting", f"there are {known}")
    # A bool is an int to Python and a mistake here: --set tcp_syncookies=True is not 1.
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"sysctl {name}", f"{value!r} is not a whole number", "write digits")
    if not knob.least <= value <= knob.greatest:
        bounds = f"write {knob.least} to {knob.greatest}: {knob.meaning}"
        raise ConfigError(f"sysctl {name}", f"{value} is impossible", bounds)
