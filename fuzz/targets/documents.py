"""What people and other programs write: configurations, links, scripts, traces, names in a log."""

import logging
from contextlib import suppress

from annotated_shadowsocks.cli.logs import Formatter
from annotated_shadowsocks.config.build import build
from annotated_shadowsocks.config.model import LogConfig
from annotated_shadowsocks.config.reader import read
from annotated_shadowsocks.errors import ConfigError
from annotated_shadowsocks.pictures.trace import from_jsonl, to_jsonl
from annotated_shadowsocks.scripts.parser import parse
from annotated_shadowsocks.scripts.printer import print_script
from annotated_shadowsocks.shadowsocks import uri

__all__ = ["TARGETS"]


def config_json(data: bytes) -> None:
    """A configuration is good, or an error says where it is not."""
    text = data.decode("utf-8", "replace")
    for program in ("ssserver", "sslocal"):
        try:
            build(read(text, "config.json"), {}, program, {}, _no_file)
        except ConfigError as error:
            assert str(error)


def _no_file(path: str) -> str:
    raise ConfigError("", f"{path}: no such file", "name another")


def server_url(data: bytes) -> None:
    """What a link says is said again by the link that is made of it."""
    text = data.decode("utf-8", "replace")
    for candidate in (text, f"ss://{text}"):
        try:
            server = uri.decode(candidate)
        except ConfigError:
            continue
        assert uri.decode(uri.encode(server)) == server


def packet_script(data: bytes) -> None:
    """What was parsed prints, and the print parses to the same."""
    with suppress(ConfigError):
        script = parse(data.decode("utf-8", "replace"))
        printed = print_script(script)
        assert print_script(parse(printed)) == printed


def trace_lines(data: bytes) -> None:
    """A trace that was read is written as it was understood."""
    with suppress(ConfigError):
        trace = from_jsonl(data.decode("utf-8", "replace"))
        assert from_jsonl(to_jsonl(trace)) == trace


def log_line(data: bytes) -> None:
    """Whatever a peer calls itself, a record is one line and commands no terminal."""
    text = data.decode("utf-8", "surrogateescape")
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, "wants %s", (text,), None)
    line = Formatter(LogConfig()).format(record)
    assert line.isprintable(), line


TARGETS = {
    "config-json": config_json,
    "server-url": server_url,
    "packet-script": packet_script,
    "trace-lines": trace_lines,
    "log-line": log_line,
}
