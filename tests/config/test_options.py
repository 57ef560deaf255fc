"""The table of options against the facts about both dialects.

The facts are written out here as the peers' sources have them: libev's getopt strings and long
options (src/local.c, server.c, redir.c, tunnel.c, manager.c, without those of Android builds), and
rust's clap arguments (src/service/local.rs, server.rs and manager.rs with all features).
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from annotated_shadowsocks.config import options as o
from annotated_shadowsocks.config.option import (
    LIBEV_PROGRAMS,
    RUST_PROGRAMS,
    CommandFlag,
    Option,
    Scope,
    Standing,
)

LIBEV_GETOPT = {
    "ss-local": "f:s:p:l:k:t:m:i:c:b:a:n:huUv6A",
    "ss-server": "f:s:p:l:k:t:m:b:c:i:d:a:n:huUv6A",
    "ss-redir": "f:s:p:l:k:t:m:c:b:a:n:huUTv6A",
    "ss-tunnel": "f:s:p:l:k:t:m:i:c:b:L:a:n:huUv6A",
    "ss-manager": "f:s:l:k:t:m:c:i:d:a:n:D:6huUvA",
}
_BUFFERS = "tcp-incoming-sndbuf: tcp-incoming-rcvbuf: tcp-outgoing-sndbuf: tcp-outgoing-rcvbuf:"
_COMMON = "reuse-port fast-open no-delay mtu: plugin: plugin-opts: password:"
_ALL_BUT_MANAGER = f"{_COMMON} {_BUFFERS} mptcp key:"
LIBEV_LONG = {
    "ss-local": f"{_ALL_BUT_MANAGER} acl:",
    "ss-server": f"{_ALL_BUT_MANAGER} acl: manager-address: nftables-sets:",
    "ss-redir": _ALL_BUT_MANAGER,
    "ss-tunnel": _ALL_BUT_MANAGER,
    "ss-manager": f"{_COMMON} acl: manager-address: executable: workdir:",
}

_RUST_ALL = """
    -c: --config: -m: --encrypt-method: --timeout: -u -U
    --plugin: --plugin-mode: --plugin-opts: --acl: --dns: --dns-cache-size:
    --tcp-no-delay --no-delay --tcp-fast-open --fast-open --tcp-keep-alive:
    --tcp-multipath --mptcp --udp-timeout: --udp-max-associations:
    --inbound-send-buffer-size: --inbound-recv-buffer-size:
    --outbound-send-buffer-size: --outbound-recv-buffer-size:
    --outbound-bind-addr: --bind-addr: --outbound-bind-interface: -6 -v --log-without-time
    --log-config: -n: --nofile: --outbound-fwmark: --outbound-user-cookie: -d --daemonize
    --daemonize-pid: --single-threaded --worker-threads: -a: --user:
"""
_RUST_BOTH = f"{_RUST_ALL} -s: --server-addr: -k: --password:"
RUST = {
    "sslocal": f"""{_RUST_BOTH}
        -b: --local-addr: --protocol: --udp-bind-addr: --udp-associate-addr: --server-url:
        -f: --forward-addr: --tcp-redir: --udp-redir: --vpn --stat-path: --stat-addr:
        --local-dns-addr: --remote-dns-addr: --dns-addr:
        --tun-interface-name: --tun-interface-address: --tun-interface-destination:
        --tun-device-fd-from-path: --fake-dns-record-expire-duration: --fake-dns-ipv4-network:
        --fake-dns-ipv6-network: --fake-dns-database-path: --online-config-url:
        --online-config-update-interval: --online-config-allowed-plugin:""",
    "ssserver": f"""{_RUST_BOTH}
        -b: --outbound-proxy: --manager-addr: --manager-address:""",
    "ssmanager": f"""{_RUST_ALL}
        -s: --server-host: -b: --manager-addr: --manager-address: --manager-server-mode:
        --manager-server-working-directory:""",
}


def column(rows: Iterator[tuple[Option[Any], CommandFlag]], program: str) -> set[str]:
    """The flags that a column gives to ``program``; a colon stands behind one with an argument."""
    return {
        name + (":" if flag.takes else "")
        for _, flag in rows
        if program in flag.programs
        for name in flag.names
    }


def libev() -> Iterator[tuple[Option[Any], CommandFlag]]:
    return ((row, flag) for row in o.OPTIONS for flag in row.libev)


def rust() -> Iterator[tuple[Option[Any], CommandFlag]]:
    return ((row, flag) for row in o.OPTIONS for flag in row.rust)


@pytest.mark.parametrize("program", LIBEV_PROGRAMS)
def test_the_libev_column_has_the_letters_of_getopt(program: str) -> None:
    letters = LIBEV_GETOPT[program].replace("h", "")
    wanted = {f"-{a}{':' * (b == ':')}" for a, b in zip(letters, letters[1:] + " ", strict=True)}
    found = {flag for flag in column(libev(), program) if not flag.startswith("--")}
    assert found == {flag for flag in wanted if not flag.startswith("-:")}


@pytest.mark.parametrize("program", LIBEV_PROGRAMS)
def test_the_libev_column_has_the_long_options(program: str) -> None:
    found = {flag for flag in column(libev(), program) if flag.startswith("--")}
    assert found == {f"--{name}" for name in LIBEV_LONG[program].split()}


@pytest.mark.parametrize("program", RUST_PROGRAMS)
def test_the_rust_column_has_all_arguments(program: str) -> None:
    assert column(rust(), program) == set(RUST[program].split())


# The letters whose meaning depends on the dialect: (program, flag, key, what it sets).
SWAPPED = [
    ("ss-local", "-u", "mode", "tcp_and_udp"),
    ("ss-local", "-U", "mode", "udp_only"),
    ("ss-server", "-u", "mode", "tcp_and_udp"),
    ("ss-server", "-U", "mode", "udp_only"),
    ("sslocal", "-u", "mode", "udp_only"),
    ("sslocal", "-U", "mode", "tcp_and_udp"),
    ("ssserver", "-u", "mode", "udp_only"),
    ("ssserver", "-U", "mode", "tcp_and_udp"),
    ("ss-local", "-b", "local_address", None),
    ("ss-redir", "-b", "local_address", None),
    ("ss-tunnel", "-b", "local_address", None),
    ("ss-server", "-b", "outbound_bind_addr", None),
    ("sslocal", "-b", "local_address", None),
    ("ssserver", "-b", "outbound_bind_addr", None),
    ("ssmanager", "-b", "outbound_bind_addr", None),
    ("ssmanager", "-u", "mode", "udp_only"),
    ("ss-manager", "-u", "mode", "tcp_and_udp"),
    ("ss-manager", "-D", "workdir", None),
    ("ss-server", "-d", "dns", None),
    ("ss-manager", "-d", "dns", None),
    ("sslocal", "-d", "daemon", True),
    ("ssserver", "-d", "daemon", True),
    ("ss-local", "-f", "daemon", None),
    ("sslocal", "-f", "forward_address", None),
    ("ss-local", "-i", "outbound_bind_interface", None),
    ("ss-local", "-t", "timeout", None),
    ("ss-local", "-l", "local_port", None),
    ("ss-local", "-p", "server_port", None),
    ("ss-tunnel", "-L", "tunnel_address", None),
]


@pytest.mark.parametrize(("program", "name", "key", "means"), SWAPPED)
def test_what_letters_mean(program: str, name: str, key: str, means: object) -> None:
    found = [
        (row.key, flag.takes == "" and flag.means)
        for row in o.OPTIONS
        for flag in o.flags_of(row, program)
        if name in flag.names
    ]
    assert found == [(key, False if means is None else means)]


@pytest.mark.parametrize("program", RUST_PROGRAMS + LIBEV_PROGRAMS)
def test_no_flag_has_two_meanings_on_one_program(program: str) -> None:
    names = Counter(n for row in o.OPTIONS for f in o.flags_of(row, program) for n in f.names)
    assert [name for name, times in names.items() if times > 1] == []


def test_keys_are_unique() -> None:
    assert len({row.key for row in o.OPTIONS}) == len(o.OPTIONS)


@pytest.mark.parametrize("scope", [Scope.TOP, Scope.SERVER, Scope.LOCAL, Scope.LOG])
def test_no_name_leads_to_two_rows(scope: Scope) -> None:
    names = Counter(name for row in o.OPTIONS if row.scopes & scope for name in row.names)
    assert [name for name, times in names.items() if times > 1] == []


def test_every_row_says_what_it_is() -> None:
    assert [row.key for row in o.OPTIONS if not row.help or row.help.endswith(".")] == []


def test_the_table_has_every_named_row() -> None:
    named = {row.key for row in vars(o).values() if isinstance(row, Option)}
    supported = {row.key for row in o.OPTIONS if row.standing is Standing.SUPPORTED}
    assert named == supported


# Keys that libev, rust and the Python original share, and those of DESIGN's own list.
PROMISED = """
    server server_port password method local_address local_port mode timeout udp_timeout
    udp_max_associations no_delay keep_alive fast_open ipv6_first nofile backlog workers
    allow_private_targets servers locals port_password dns verbose log shutdown_grace password_file
    prefer_ipv6 nameserver dns_server
"""


def test_the_promised_keys_are_supported_at_the_top_level() -> None:
    rows = o.by_name(Scope.TOP)
    for name in PROMISED.split():
        assert rows[name].standing is Standing.SUPPORTED


@pytest.mark.parametrize(
    ("alias", "key"),
    [("address", "server"), ("port", "server_port"), ("name", "remarks")],
)
def test_aliases_of_entries(alias: str, key: str) -> None:
    assert o.by_name(Scope.SERVER)[alias].key == key


@pytest.mark.parametrize(
    ("row", "default"),
    [
        (o.TIMEOUT, 60.0),
        (o.UDP_TIMEOUT, 300.0),
        (o.UDP_MAX_ASSOCIATIONS, None),
        (o.NO_DELAY, True),
        (o.KEEP_ALIVE, 60),
        (o.BACKLOG, None),
        (o.WORKERS, 1),
        (o.ALLOW_PRIVATE_TARGETS, False),
        (o.SHUTDOWN_GRACE, 30.0),
        (o.LOCAL_PORT, 1080),
        (o.SERVER_PORT, (8388,)),
        (o.MODE, "tcp_only"),
    ],
)
def test_defaults(row: Option[Any], default: object) -> None:
    assert row.default == default


def test_a_flag_means_what_its_kind_reads() -> None:
    # A version is a number, and a flag that means True would be its version 1. Of -v it is the
    # count that matters.
    supported = [row for row in o.OPTIONS if row.standing is Standing.SUPPORTED]
    for row in (row for row in supported if row is not o.VERBOSE):
        for one in (*row.rust, *row.libev, *row.own):
            if not one.takes:
                read = row.kind(one.means)
                assert (type(read), read) == (type(one.means), one.means), row.key
