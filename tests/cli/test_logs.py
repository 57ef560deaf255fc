"""Log lines: one for each record, whatever a peer wrote into it."""

import io
import logging
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.cli import logs
from annotated_shadowsocks.cli.logs import Formatter, RateLimit, configure
from annotated_shadowsocks.config.model import LogConfig


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def record(message: str, *arguments: object, level: int = logging.INFO) -> logging.LogRecord:
    name = "annotated_shadowsocks.relay.listener"
    found = logging.LogRecord(name, level, __file__, 1, message, arguments, None)
    # 2026-01-31T12:00:00.250Z
    found.created, found.msecs = 1769860800.25, 250.0
    return found


def test_a_line_has_time_level_module_and_message() -> None:
    line = Formatter(LogConfig()).format(record("listening on %s", "127.0.0.1:1080"))
    assert line == "2026-01-31T12:00:00.250Z INFO relay.listener: listening on 127.0.0.1:1080"


def test_a_line_without_time() -> None:
    line = Formatter(LogConfig(without_time=True)).format(record("x"))
    assert line == "INFO relay.listener: x"


@given(st.text())
def test_a_peers_text_is_one_line_and_cannot_write_a_record(name: str) -> None:
    line = Formatter(LogConfig()).format(record("no address for %s", name))
    assert line.isprintable()


def test_a_forged_record_is_part_of_the_line_that_holds_it() -> None:
    forged = "x\n2026-01-31T12:00:00.250Z INFO services.server: all is well\x1b[2K"
    line = Formatter(LogConfig()).format(record("no address for %s", forged))
    assert line.splitlines() == [line]
    assert r"no address for x\n2026" in line
    assert r"\x1b[2K" in line


def test_other_libraries_keep_their_name() -> None:
    found = record("slow callback", level=logging.WARNING)
    found.name = "asyncio"
    assert Formatter(LogConfig(without_time=True)).format(found) == "WARNING asyncio: slow callback"


def failing() -> logging.LogRecord:
    found = record("task ended", level=logging.ERROR)
    try:
        raise ValueError("bad\nline")
    except ValueError as error:
        found.exc_info = (ValueError, error, error.__traceback__)
    return found


@pytest.mark.parametrize("verbosity", [0, 1])
def test_an_exception_is_told_in_short(verbosity: int) -> None:
    line = Formatter(LogConfig(verbosity, without_time=True)).format(failing())
    assert line == r"ERROR relay.listener: task ended (ValueError: bad\nline)"


def test_a_traceback_stands_behind_a_bar() -> None:
    first, *rest = Formatter(LogConfig(2)).format(failing()).splitlines()
    assert first.endswith(r"task ended (ValueError: bad\nline)")
    assert rest[0] == "    | Traceback (most recent call last):"
    assert all(line.startswith("    | ") for line in rest)


# --- how much ---


def test_a_flood_is_counted() -> None:
    now = [0.0]
    limit = RateLimit(3, lambda: now[0])
    assert [limit.filter(record("x")) for _ in range(5)] == [True, True, True, False, False]
    now[0] = 1.0
    after = record("after %s", "it")
    assert limit.filter(after)
    assert after.getMessage() == "after it (2 lines before it suppressed)"
    again = record("x")
    assert limit.filter(again)
    assert again.getMessage() == "x"


def test_at_most_one_hundred_lines_a_second() -> None:
    stream = io.StringIO()
    handler = configure(LogConfig(), stream)
    limit = next(one for one in handler.filters if isinstance(one, RateLimit))
    limit.clock = lambda: 0.0
    for _ in range(500):
        logging.getLogger("annotated_shadowsocks.relay").info("x")
    assert len(stream.getvalue().splitlines()) == logs.MAX_PER_SECOND == 100


# --- where to, and which ---


@pytest.mark.parametrize(
    ("verbosity", "levels"),
    [
        (0, ["INFO", "WARNING"]),
        (1, ["DEBUG", "INFO", "WARNING"]),
        (2, ["DEBUG", "INFO", "WARNING"]),
    ],
)
def test_levels(verbosity: int, levels: list[str]) -> None:
    stream = io.StringIO()
    configure(LogConfig(verbosity, without_time=True), stream)
    for level in (logging.DEBUG, logging.INFO, logging.WARNING):
        logging.getLogger("annotated_shadowsocks.relay").log(level, "x")
    logging.getLogger("asyncio").info("not ours")
    assert [line.split()[0] for line in stream.getvalue().splitlines()] == levels


def test_stderr_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    configure(LogConfig(without_time=True))
    logs.say("configuration from %s", "c.json")
    assert capsys.readouterr() == ("", "INFO cli: configuration from c.json\n")


@pytest.mark.parametrize(
    ("stream", "environment", "coloured"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_colour(stream: io.StringIO, environment: dict[str, str], coloured: bool) -> None:
    configure(LogConfig(without_time=True), stream, environment)
    logging.getLogger("annotated_shadowsocks.relay").warning("x")
    plain = re.sub("\x1b\\[[0-9]+m", "", stream.getvalue())
    assert plain == "WARNING relay: x\n"
    assert (plain != stream.getvalue()) == coloured
