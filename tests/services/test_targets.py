"""Addresses of this host that come and go, by a clock that a test moves."""

import logging

import pytest

from annotated_shadowsocks.errors import PolicyRejected
from annotated_shadowsocks.services import targets
from annotated_shadowsocks.services.targets import Targets

# Ordinary addresses, were they not this host's.
FIRST, SECOND, ELSEWHERE = "93.184.216.34", "2606:4700:4700::1111", "8.8.8.8"
WARNING = "does not list its own addresses"


class Host:
    """The host's interfaces and its clock; counts how often the interfaces are asked."""

    def __init__(self, *addresses: str) -> None:
        self.now = 1000.0
        self.addresses = frozenset(addresses)
        self.looks = 0

    def own_addresses(self) -> frozenset[str]:
        self.looks += 1
        return self.addresses


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(FIRST)
    monkeypatch.setattr(targets, "own_addresses", host.own_addresses)
    return host


def made(host: Host, allow_private: bool = False) -> Targets:
    return Targets(allow_private, lambda: host.now)


def test_this_hosts_own_addresses_are_refused(host: Host) -> None:
    checked = made(host)
    checked.check(ELSEWHERE)
    with pytest.raises(PolicyRejected, match="own address"):
        checked.check(FIRST)


def test_an_address_that_appears_is_refused_after_the_next_look(host: Host) -> None:
    checked = made(host)
    host.addresses |= {SECOND}
    host.now += 4.9
    checked.check(SECOND)
    assert host.looks == 1
    host.now += 0.1
    with pytest.raises(PolicyRejected, match="own address"):
        checked.check(SECOND)
    with pytest.raises(PolicyRejected, match="own address"):
        checked.check(FIRST)
    checked.check(ELSEWHERE)


def test_an_address_that_goes_is_admitted_after_the_next_look(host: Host) -> None:
    checked = made(host)
    host.addresses = frozenset({SECOND})
    host.now += 5.0
    checked.check(FIRST)
    with pytest.raises(PolicyRejected, match="own address"):
        checked.check(SECOND)


def test_it_looks_once_in_a_while_however_much_is_checked(host: Host) -> None:
    checked = made(host)
    for _ in range(3):
        host.now += 5.0
        for _ in range(10):
            checked.check(ELSEWHERE)
    assert host.looks == 4


def test_where_private_targets_are_allowed_so_is_this_host(host: Host) -> None:
    checked = made(host, allow_private=True)
    checked.check(FIRST)
    host.addresses |= {SECOND}
    host.now += 5.0
    checked.check(SECOND)


@pytest.mark.parametrize(
    ("addresses", "allow_private", "warnings"),
    [((), False, 1), ((), True, 0), ((FIRST,), False, 0)],
)
def test_a_system_that_lists_no_addresses_is_told_of(
    host: Host,
    caplog: pytest.LogCaptureFixture,
    addresses: tuple[str, ...],
    allow_private: bool,
    warnings: int,
) -> None:
    host.addresses = frozenset(addresses)
    with caplog.at_level(logging.WARNING):
        made(host, allow_private)
    assert sum(WARNING in record.getMessage() for record in caplog.records) == warnings
