"""The entry points, and the one place where an error becomes an exit code.

What an operator did wrong is one line on stderr: the place, the problem, the next step. A
traceback is for whoever mends the program, and comes with ``-vv``.
"""

import os
import sys
import traceback
from collections.abc import Callable, Sequence

from .. import __version__
from ..errors import Error, UsageError
from ..pictures.printable import escape
from . import exits
from .text import complain

__all__ = [
    "backlog",
    "main",
    "ss_manager",
    "sslocal",
    "ssmanager",
    "ssserver",
    "ssservice",
    "ssurl",
]

Command = Callable[[str, Sequence[str]], int]


def sslocal(argv: Sequence[str] | None = None) -> int:
    """The client. ``argv`` is without the program's name, the process's own by default."""
    from . import tunnel

    return _guarded("sslocal", tunnel.run, argv)


def ssserver(argv: Sequence[str] | None = None) -> int:
    """The server."""
    from . import tunnel

    return _guarded("ssserver", tunnel.run, argv)


def ssmanager(argv: Sequence[str] | None = None) -> int:
    """The server whose ports come and go by datagrams."""
    from . import tunnel

    return _guarded("ssmanager", tunnel.run, argv)


def ss_manager(argv: Sequence[str] | None = None) -> int:
    """The same, with the flags and the answers of shadowsocks-libev's."""
    from . import tunnel

    return _guarded("ss-manager", tunnel.run, argv)


def ssservice(argv: Sequence[str] | None = None) -> int:
    """Keys, the demonstration, and the other programs."""
    from . import service

    return _guarded("ssservice", service.run, argv)


def ssurl(argv: Sequence[str] | None = None) -> int:
    """SIP002 URLs."""
    from . import url

    return _guarded("ssurl", url.run, argv)


def backlog(argv: Sequence[str] | None = None) -> int:
    """The TCP listen queue."""
    from . import backlog

    return _guarded("backlog", backlog.run, argv)


_TUNNEL = {
    "sslocal": sslocal,
    "ssserver": ssserver,
    "ssmanager": ssmanager,
    "ss-manager": ss_manager,
    "ssservice": ssservice,
    "ssurl": ssurl,
}
_LISTEN_QUEUE = {"backlog": backlog}
_PROGRAMS = _TUNNEL | _LISTEN_QUEUE


def main(argv: Sequence[str] | None = None) -> int:
    """``python -m annotated_shadowsocks COMMAND …``: the same programs, not installed."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in _PROGRAMS:
        return _PROGRAMS[words[0]](words[1:])
    return _guarded("annotated_shadowsocks", _overview, words)


def _overview(program: str, words: Sequence[str]) -> int:
    if list(words) in (["-h"], ["--help"]):
        tunnel, listen_queue = ", ".join(_TUNNEL), ", ".join(_LISTEN_QUEUE)
        print(f"usage: python -m {program} COMMAND …\n\nCommands: {tunnel}.")
        print(f"For the listen queue: {listen_queue}.")
    elif list(words) in (["-V"], ["--version"]):
        print(f"{program} {__version__}")
    else:
        raise UsageError(f"there is no such command; there is {', '.join(_PROGRAMS)}")
    return 0


def _guarded(program: str, command: Command, argv: Sequence[str] | None) -> int:
    words = sys.argv[1:] if argv is None else argv
    try:
        try:
            code = command(program, words)
        except SystemExit as ended:  # argparse ends --help and --version this way
            code = ended.code if isinstance(ended.code, int) else exits.OK
        # Here and not at interpreter exit, where a reader that went away could not be answered.
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Nobody reads: be silent, as a program that SIGPIPE ended is. The interpreter flushes once
        # more at exit, so stdout has to lead somewhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.BROKEN_PIPE
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except (Error, OSError) as error:
        for line in (str(error), *getattr(error, "__notes__", ())):
            complain(program, line)
        _show_traceback(words)
        return exits.exit_code(error)
    except Exception as error:  # noqa: BLE001 - the boundary of the process
        complain(program, f"internal error: {type(error).__name__}: {error}; -vv shows where")
        _show_traceback(words)
        return exits.exit_code(error)


def _show_traceback(words: Sequence[str]) -> None:
    # Asked of the words themselves: the error may be older than their parser.
    if "-vv" in words or words.count("-v") > 1:
        for line in traceback.format_exc().splitlines():
            print(f"    | {escape(line)}", file=sys.stderr)
