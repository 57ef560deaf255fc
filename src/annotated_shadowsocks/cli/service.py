"""``ssservice``: keys, the demonstration, and the other programs under one name."""

import binascii
import json
from collections.abc import Sequence

from .. import __version__
from ..errors import ConfigError, UsageError
from . import tunnel
from .arguments import ArgumentParser
from .files import create_private

__all__ = ["run"]

_PROGRAMS = {"local": "sslocal", "server": "ssserver", "manager": "ssmanager"}


def run(program: str, argv: Sequence[str]) -> int:
    """One subcommand; returns its exit code."""
    if argv and argv[0] in _PROGRAMS:
        return tunnel.run(_PROGRAMS[argv[0]], argv[1:])
    found = _parser(program).parse_args(argv)
    if found.command == "genkey":
        return _genkey(found.method, found.output, found.json)
    # Imported when it is certain that it is needed: it loads the event loop.
    from . import demo

    return demo.run(keep=found.keep)


def _parser(program: str) -> ArgumentParser:
    about = "Keys, a demonstration, and the other programs."
    parser = ArgumentParser(program, description=about)
    version = f"{program} {__version__} (Annotated Shadowsocks)"
    parser.add_argument("-V", "--version", action="version", version=version)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    genkey = commands.add_parser("genkey", help="print a fresh random key, to use as a password")
    genkey.add_argument("-m", "--encrypt-method", dest="method", required=True, metavar="METHOD")
    where = "write it to a new file that only you can read"
    genkey.add_argument("-o", "--output", metavar="FILE", help=where)
    genkey.add_argument("--json", action="store_true", help="print an object")
    demo = commands.add_parser("demo", help="run a client and a server on loopback, and use them")
    demo.add_argument("--keep", action="store_true", help="stay up until Ctrl-C")
    for name, other in _PROGRAMS.items():
        commands.add_parser(name, help=f"the same as {other}", add_help=False)
    return parser


def _genkey(method_name: str, output: str | None, as_json: bool) -> int:
    # Imported here: the table loads the cryptographic library, and help and version need neither.
    from ..crypto import methods
    from ..system import entropy

    try:
        method = methods.find(method_name)
    except ConfigError as error:
        raise UsageError(f"-m: {error}") from error
    key = binascii.b2a_base64(entropy(method.key_size), newline=False).decode("ascii")
    text = json.dumps({"method": method.name, "key": key}) if as_json else key
    if output is None:
        print(text)
    else:
        create_private(output, f"{text}\n")
    return 0
