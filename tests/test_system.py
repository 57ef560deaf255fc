"""The host's clock, entropy, limits and addresses, as they are used here."""

import ipaddress
import resource
import socket
import subprocess
import sys

import pytest

from annotated_shadowsocks import system


def test_entropy_has_the_size_that_was_asked_for() -> None:
    assert len(system.entropy(32)) == 32
    assert system.entropy(32) != system.entropy(32)


def test_own_addresses_are_those_that_can_be_bound() -> None:
    addresses = system.own_addresses()
    assert "127.0.0.1" in addresses
    for text in addresses:
        address = ipaddress.ip_address(text)
        if address.is_link_local:
            continue
        with socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET) as sock:
            sock.bind((text, 0))


def test_a_host_that_lists_nothing_has_no_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "_read", lambda path: "")
    assert system.own_addresses() == frozenset()


def test_addresses_are_read_as_the_kernel_writes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = {
        # [linux fib_trie_seq_show] as `cat /proc/net/fib_trie` shows it on a host with one card
        "/proc/net/fib_trie": """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 192.0.2.0/24 2 0 2
        |-- 192.0.2.0
           /24 link UNICAST
        |-- 192.0.2.7
           /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
""",
        "/proc/net/if_inet6": (
            "20010db8000000000000000000000007 02 40 00 80     eth0\n"
            "00000000000000000000000000000001 01 80 10 80       lo\n"
        ),
    }
    monkeypatch.setattr(system, "_read", tables.__getitem__)
    addresses = {ipaddress.ip_address(text) for text in system.own_addresses()}
    assert addresses == {ipaddress.ip_address(text) for text in ("192.0.2.7", "2001:db8::7", "::1")}


def test_a_missing_table_is_empty() -> None:
    assert system._read("/proc/net/there_is_no_such_table") == ""


def test_the_limit_of_descriptors_is_the_soft_one() -> None:
    assert system.descriptor_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


LIMITS = """
import resource
from annotated_shadowsocks.system import descriptor_limit, raise_descriptor_limit
hard = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 4096)
resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
assert raise_descriptor_limit(200) == descriptor_limit() == 200
assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] == hard
assert raise_descriptor_limit() == descriptor_limit() == hard
assert raise_descriptor_limit(64) == descriptor_limit() == 64
assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] == hard
"""


def test_the_limit_is_raised_as_far_as_asked() -> None:
    # In another process: a hard limit that was lowered stays low.
    subprocess.run([sys.executable, "-c", LIMITS], check=True)
