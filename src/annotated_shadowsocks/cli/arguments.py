"""Parsers made from the table of options.

Getopt habits work (``-uv``, ``-sHOST:PORT``), abbreviations of long flags do not: a script that
uses one breaks on the day when a second flag begins with the same letters. Flags that the peer has
and this program has not are known, so that they are answered with what to do instead.
"""

import argparse
import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from .. import __version__
from ..config import options as o
from ..config.option import RUST_PROGRAMS, CommandFlag, Option, Scope, Standing
from ..config.sections import Setting
from ..errors import ConfigError, UsageError

__all__ = ["ArgumentParser", "Invocation", "parse", "tunnel_parser"]

_ABOUT = {
    "sslocal": "The Shadowsocks client: takes SOCKS5 and relays through a server.",
    "ssserver": "The Shadowsocks server: takes clients and connects to their targets.",
    "ssmanager": "The Shadowsocks server whose ports come and go by datagrams.",
    "ss-manager": "The Shadowsocks server whose ports come and go by datagrams.",
}
_IN_FILE = Scope.TOP | Scope.SERVER | Scope.LOCAL
# Messages of argparse that repeat what was typed, which may be half a password or a whole URL.
_QUOTING = {
    "ignored explicit argument": "takes no argument",
    "unrecognized arguments:": "there is an argument too many",
}
_DIALECT = "Flags mean what they mean in shadowsocks-{}."


@dataclass(frozen=True, slots=True)
class Invocation:
    """A command line, checked as far as that is possible without a configuration file."""

    flags: dict[str, Setting]
    config: str | None
    test_config: bool
    print_config: bool
    list_ciphers: bool = False
    json: bool = False


def parse(program: str, argv: Sequence[str]) -> Invocation:
    """The command line of a program of the tunnel. Raises ``UsageError``."""
    parser = tunnel_parser(program)
    found, extras = parser.parse_known_args(argv, argparse.Namespace(settings={}))
    if extras:
        raise UsageError(_unexpected(program, extras, parser.flag_names()))
    if found.json and not found.list_ciphers:
        raise UsageError("--json goes with --list-ciphers; --print-config prints JSON anyway")
    config = found.settings.pop(o.CONFIG.key, None)
    return Invocation(
        found.settings,
        config.value if config else None,
        found.test_config,
        found.print_config,
        found.list_ciphers,
        found.json,
    )


class ArgumentParser(argparse.ArgumentParser):
    """argparse with our manners: no abbreviations, and errors that are raised in one line."""

    def __init__(self, prog: str, **settings: Any) -> None:
        settings.setdefault("formatter_class", _Help)
        super().__init__(prog, allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Raise ``UsageError``; the caller knows where to print it and how to end."""
        _, unknown, rest = message.partition("unrecognized arguments:")
        flags = [word for word in rest.split() if re.fullmatch("--[a-z][a-z-]*", word)]
        if unknown and flags:
            message = f"unknown flag {flags[0]}"
        for quoting, plain in _QUOTING.items():
            head, found, _ = message.partition(quoting)
            message = head + plain if found else message
        raise UsageError(f"{message}; try '{self.prog} --help'")

    def flag_names(self) -> list[str]:
        """Every flag that this parser knows."""
        return list(self._option_string_actions)


class _Help(argparse.HelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=34, width=100)


def tunnel_parser(program: str) -> ArgumentParser:
    """The parser of a program of the tunnel."""
    dialect = "rust" if program in RUST_PROGRAMS else "libev"
    in_file = [row.key for row in o.OPTIONS if _file_only(row, program)]
    parser = ArgumentParser(
        program,
        description=f"{_ABOUT[program]} {_DIALECT.format(dialect)}",
        epilog=f"Only in the file: {', '.join(in_file)}.",
    )
    for row in o.OPTIONS:
        for flags in _alike(o.flags_of(row, program)):
            _add(parser, row, flags)
    parser.add_argument("--test-config", action="store_true", help="check everything, then end")
    shows = "print the settings in force, without secrets, then end"
    parser.add_argument("--print-config", action="store_true", help=shows)
    methods = "print every cipher method, and whether it can be used here, then end"
    parser.add_argument("--list-ciphers", action="store_true", help=methods)
    parser.add_argument("--json", action="store_true", help="with --list-ciphers: as objects")
    version = f"{program} {__version__} (Annotated Shadowsocks)"
    parser.add_argument("-V", "--version", action="version", version=version)
    return parser


def _file_only(row: Option[Any], program: str) -> bool:
    return (
        row.standing is Standing.SUPPORTED
        and bool(row.scopes & _IN_FILE)
        and not o.flags_of(row, program)
    )


def _alike(flags: Sequence[CommandFlag]) -> list[list[CommandFlag]]:
    """Flags of one row, together where they say the same."""
    groups: dict[tuple[str, str], list[CommandFlag]] = {}
    for flag in flags:
        groups.setdefault((flag.takes, str(flag.means)), []).append(flag)
    return list(groups.values())


def _add(parser: ArgumentParser, row: Option[Any], flags: list[CommandFlag]) -> None:
    flag = flags[0]
    supported = row.standing is Standing.SUPPORTED
    text = row.help if flag.means is True else f"{row.help}: {flag.means}"
    if flag.takes and row.default not in (None, (), {}):
        text += f" (default {_plain(row.default)})"
    parser.add_argument(
        *sorted((name for one in flags for name in one.names), key=len),
        action=_Assign,
        dest=argparse.SUPPRESS,
        nargs=None if flag.takes else 0,
        metavar=flag.takes or None,
        row=row,
        means=flag.means,
        help=text.replace("%", "%%") if supported else argparse.SUPPRESS,
    )


def _plain(default: object) -> str:
    values = default if isinstance(default, tuple) else (default,)
    return ":".join(f"{one:g}" if isinstance(one, float) else str(one) for one in values if one)


class _Assign(argparse.Action):
    """Check what a flag says and keep it under the key of its row, with the flag as its place."""

    def __init__(self, *, row: Option[Any], means: object, **settings: Any) -> None:
        super().__init__(**settings)
        self.row = row
        self.means = means

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        flag = option_string or self.option_strings[0]
        settings: dict[str, Setting] = namespace.settings
        before = settings.get(self.row.key)
        if self.row.standing is Standing.UNSUPPORTED:
            raise UsageError(f"{flag}: not supported; {self.row.help}")
        if self.row is o.VERBOSE:
            settings[self.row.key] = Setting(min(3, before.value + 1 if before else 1), flag)
            return
        if before is not None:
            twice = "given twice" if before.place == flag else f"{before.place} says it already"
            raise UsageError(f"{flag}: {twice}; keep one of the two")
        try:
            value = self.means if self.nargs == 0 else self.row.kind(values)
        except ConfigError as error:
            raise UsageError(f"{flag}: {error}") from error
        settings[self.row.key] = Setting(value, flag)


def _unexpected(program: str, extras: Sequence[str], known: Sequence[str]) -> str:
    """What to say about arguments that nothing takes; any of them may be half a password."""
    flags = [extra for extra in extras if extra.startswith("-") and extra != "-"]
    if not flags:
        return "an argument without a flag; give a file with -c, and quote what has spaces"
    name = flags[0].partition("=")[0] if flags[0].startswith("--") else flags[0][:2]
    for row, flag in _elsewhere(name):
        if row.standing is Standing.UNSUPPORTED:
            return f"{name}: not supported; {row.help}"
        here = " or ".join(spelling for f in o.flags_of(row, program) for spelling in f.names)
        owners = ", ".join(flag.programs)
        return f"{name} belongs to {owners}; " + (f"write {here}" if here else "leave it out")
    near = difflib.get_close_matches(name, known, n=1)
    return f"unknown flag {name}; " + (f"did you mean {near[0]}?" if near else f"see {program} -h")


def _elsewhere(name: str) -> Iterator[tuple[Option[Any], CommandFlag]]:
    for row in o.OPTIONS:
        for flag in (*row.own, *row.rust, *row.libev):
            if name in flag.names:
                yield row, flag
