"""Command lines of sslocal and ssserver."""

import re

import pytest

from annotated_shadowsocks.cli.arguments import parse, tunnel_parser
from annotated_shadowsocks.config import options as o
from annotated_shadowsocks.config.kinds import HostPort
from annotated_shadowsocks.config.option import RUST_PROGRAMS, Scope, Standing
from annotated_shadowsocks.config.secret import Secret
from annotated_shadowsocks.crypto.methods import TABLE
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import UsageError


def values(line: str, program: str = "sslocal") -> dict[str, object]:
    return {key: one.value for key, one in parse(program, line.split()).flags.items()}


def refusal(line: str, program: str = "sslocal") -> str:
    with pytest.raises(UsageError) as caught:
        parse(program, line.split())
    return str(caught.value)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("", {}),
        ("-s h:1", {"server": (HostPort("h", 1),)}),
        ("-sh:1", {"server": (HostPort("h", 1),)}),
        ("--server-addr h:1", {"server": (HostPort("h", 1),)}),
        ("--server-addr=h:1", {"server": (HostPort("h", 1),)}),
        ("-s [::1]:1", {"server": (HostPort("::1", 1),)}),
        ("-s h -p 1", {"server": (HostPort("h", None),), "server_port": (1,)}),
        ("-b 127.0.0.1:1", {"local_address": HostPort("127.0.0.1", 1)}),
        ("-l 1", {"local_port": 1}),
        ("-k x", {"password": Secret("x")}),
        ("--password-file x", {"password_file": "x"}),
        ("-m aes-256-gcm", {"method": TABLE["aes-256-gcm"]}),
        ("-u", {"mode": "udp_only"}),
        ("-U", {"mode": "tcp_and_udp"}),
        ("-uv", {"mode": "udp_only", "verbose": 1}),
        ("-vuv6", {"mode": "udp_only", "verbose": 2, "ipv6_first": True}),
        ("-vvvvv", {"verbose": 3}),
        ("-v -v", {"verbose": 2}),
        ("-uk x", {"mode": "udp_only", "password": Secret("x")}),
        ("--timeout 5", {"timeout": 5.0}),
        ("-t 5", {"timeout": 5.0}),
        ("--udp-timeout 5", {"udp_timeout": 5.0}),
        ("--udp-max-associations 5", {"udp_max_associations": 5}),
        ("--tcp-no-delay", {"no_delay": True}),
        ("--no-delay", {"no_delay": True}),
        ("--tcp-fast-open", {"fast_open": True}),
        ("--fast-open", {"fast_open": True}),
        ("--tcp-keep-alive 0", {"keep_alive": 0}),
        ("-n 1024", {"nofile": 1024}),
        ("--nofile 1024", {"nofile": 1024}),
        ("--dns 192.0.2.1,::1", {"dns": (Endpoint("192.0.2.1", 53), Endpoint("::1", 53))}),
        ("--dns system", {"dns": None}),
        ("--workers 2", {"workers": 2}),
        ("--worker-threads 2", {"workers": 2}),
        ("--single-threaded", {"workers": 1}),
        ("--backlog auto", {"backlog": None}),
        ("--backlog 5", {"backlog": 5}),
        ("--shutdown-grace 0", {"shutdown_grace": 0.0}),
        ("--log-without-time", {"without_time": True}),
        ("--protocol socks", {"protocol": "socks"}),
    ],
)
def test_flags(line: str, found: dict[str, object]) -> None:
    assert values(line) == found


def test_a_url() -> None:
    # aes-128-gcm:test, the first example of the SIP002 page
    (link,) = values("--server-url ss://YWVzLTEyOC1nY206dGVzdA@192.168.100.1:8888").values()
    assert getattr(link, "method", None) == "aes-128-gcm"


def test_the_servers_flags() -> None:
    found = values("-s [::]:8388 --allow-private-targets -U", "ssserver")
    assert found == {
        "server": (HostPort("::", 8388),),
        "allow_private_targets": True,
        "mode": "tcp_and_udp",
    }


def test_a_setting_knows_its_flag() -> None:
    assert parse("sslocal", ["--local-addr", "h:1"]).flags["local_address"].place == "--local-addr"


def test_what_is_no_setting() -> None:
    found = parse("sslocal", ["-c", "x.json", "--test-config", "--print-config"])
    assert (found.flags, found.config) == ({}, "x.json")
    assert (found.test_config, found.print_config) == (True, True)
    assert parse("sslocal", []).config is None


@pytest.mark.parametrize(
    ("program", "line", "text"),
    [
        ("sslocal", "--pasword x", "unknown flag --pasword; did you mean --password?"),
        ("sslocal", "--frobnicate", "unknown flag --frobnicate; see sslocal -h"),
        ("ssserver", "-Z", "unknown flag -Z; see ssserver -h"),
        ("sslocal", "--server h:1", "unknown flag --server; did you mean --server-url?"),
        ("sslocal", "config.json", "an argument without a flag; give a file with -c, and quote"),
        ("sslocal", "-s", "argument -s/--server-addr: expected one argument; try 'sslocal --help'"),
        ("sslocal", "--no-delay=yes", "argument --no-delay/--tcp-no-delay: takes no argument; try"),
        ("sslocal", "-s h:x", "-s: 'x' in 'h:x' is not a port; use 0 to 65535"),
        ("sslocal", "-s h:70000", "-s: '70000' in 'h:70000' is not a port; use 0 to 65535"),
        ("sslocal", "-m x", "-m: unknown method 'x'; there is aes-128-gcm, aes-192-gcm"),
        ("sslocal", "-n many", "-n: wants a whole number from 64 to 1073741824, found 'many'"),
        ("sslocal", "--timeout 0", "--timeout: wants a number of seconds, found '0'; use"),
        ("sslocal", "--protocol http", "--protocol: wants socks, found 'http'; write socks"),
        ("sslocal", "--server-url x", "--server-url: not a Shadowsocks URL; it starts with ss://"),
        ("sslocal", "-s h:1 -s h:2", "-s: given twice; keep one of the two"),
        ("sslocal", "-uU", "-U: -u says it already; keep one of the two"),
        ("sslocal", "-k x --password y", "--password: -k says it already; keep one of the two"),
        ("sslocal", "--plugin x", "--plugin: not supported; no plugin is started here: run it"),
        ("sslocal", "-d", "-d: not supported; the program stays in the foreground: let systemd"),
        ("sslocal", "-f h:1", "-f: not supported; sslocal speaks SOCKS5 only: remove it"),
        ("ssserver", "-b 192.0.2.1", "-b: not supported; outgoing connections take the kernel's"),
        ("ssserver", "--acl x", "--acl: not supported; all traffic goes through the server"),
        # flags of libev, and of the other program
        ("sslocal", "-i eth0", "-i: not supported; outgoing connections take the kernel's"),
        ("sslocal", "-A", "-A: not supported; one-time authentication is broken and gone"),
        ("ssserver", "-l 1", "-l belongs to sslocal; leave it out"),
        ("ssserver", "--server-url x", "--server-url belongs to sslocal; leave it out"),
        ("sslocal", "--allow-private-targets", "--allow-private-targets belongs to ssserver"),
    ],
)
def test_what_is_wrong_is_named_with_what_to_do(program: str, line: str, text: str) -> None:
    assert refusal(line, program).startswith(text)


@pytest.mark.parametrize(
    "line",
    [
        "--passwd=hunter2",
        "--passwd hunter2",
        "-Zhunter2",
        "-k x hunter2",
        "--key hunter2",
        "hunter2",
        "--no-delay=hunter2",
        "-6xhunter2",
    ],
)
def test_errors_do_not_show_what_may_be_a_password(line: str) -> None:
    assert "hunter2" not in refusal(line)


def test_long_flags_are_not_abbreviated() -> None:
    assert refusal("--server-ad h:1").startswith("unknown flag --server-ad; did you mean")
    assert refusal("--passw x").startswith("unknown flag --passw")


@pytest.mark.parametrize("program", RUST_PROGRAMS)
def test_help_has_every_flag_that_works_and_no_other(program: str) -> None:
    text = tunnel_parser(program).format_help()
    listed = set(re.findall(r"(?:^  |, )(-[-\w]+)", text.partition("options:")[2], re.MULTILINE))
    works = {
        name
        for row in o.OPTIONS
        if row.standing is Standing.SUPPORTED
        for flag in o.flags_of(row, program)
        for name in flag.names
    }
    own = "-h --help -V --version --test-config --print-config --list-ciphers --json"
    assert listed - works == set(own.split())
    assert works <= listed
    assert "Flags mean what they mean in shadowsocks-rust." in " ".join(text.split())


@pytest.mark.parametrize("program", RUST_PROGRAMS)
def test_every_supported_key_is_in_the_help(program: str) -> None:
    text = " ".join(tunnel_parser(program).format_help().split())
    for row in o.OPTIONS:
        if row.standing is Standing.SUPPORTED and row.scopes & (Scope.TOP | Scope.SERVER):
            flags = o.flags_of(row, program)
            assert row.help in text if flags else row.key in text, row.key


def test_errors_of_the_parser_are_raised_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal("-s").endswith("try 'sslocal --help'")
    assert capsys.readouterr() == ("", "")
