"""What may be reached on a host whose own addresses come and go."""

import pytest

from annotated_shadowsocks.errors import PolicyRejected
from annotated_shadowsocks.services import targets
from annotated_shadowsocks.services.targets import Targets

# Global ones; nothing is sent to them.
OWN, OTHER = "9.9.9.9", "8.8.8.8"


class Host:
    """Its clock and its addresses, both moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.addresses = frozenset({OWN})
        self.looks = 0

    def time(self) -> float:
        return self.now

    def own_addresses(self) -> frozenset[str]:
        self.looks += 1
        return self.addresses


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    one = Host()
    monkeypatch.setattr(targets, "own_addresses", one.own_addresses)
    return one


def refuses(one: Targets, address: str) -> bool:
    try:
        one.check(address)
    except PolicyRejected:
        return True
    return False


def test_own_and_private_addresses_are_refused(host: Host) -> None:
    one = Targets(False, host.time)
    assert refuses(one, OWN)
    assert refuses(one, "127.0.0.1")
    assert not refuses(one, OTHER)


def test_they_are_admitted_where_that_is_allowed(host: Host) -> None:
    one = Targets(True, host.time)
    assert not refuses(one, OWN)
    assert not refuses(one, "127.0.0.1")
    assert refuses(one, "224.0.0.1")


def test_a_new_address_is_refused_within_seconds(host: Host) -> None:
    one = Targets(False, host.time)
    host.addresses = frozenset({OTHER})
    host.now += 4.9
    assert not refuses(one, OTHER)
    host.now += 0.1
    assert refuses(one, OTHER)
    # The one that it had may be somebody else's by now.
    assert not refuses(one, OWN)


def test_interfaces_are_not_asked_for_each_connection(host: Host) -> None:
    one = Targets(False, host.time)
    for _ in range(100):
        host.now += 0.5
        one.check(OTHER)
    assert host.looks == 1 + 10


def test_a_host_that_does_not_tell_is_told_of(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    host.addresses = frozenset()
    Targets(True, host.time)
    assert not caplog.records
    assert not refuses(Targets(False, host.time), OTHER)
    assert "does not list its own addresses" in caplog.text


def test_an_address_that_comes_back_is_refused_again(host: Host) -> None:
    one = Targets(False, host.time)
    for addresses in ({OTHER}, {OWN}):
        host.addresses = frozenset(addresses)
        host.now += 60.0
        assert refuses(one, *addresses)
    assert not refuses(one, OTHER)
