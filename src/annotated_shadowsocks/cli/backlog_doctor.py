"""``backlog doctor``: is this host fit to take a burst of connections, and if not, what to type."""

import argparse
import json
import resource
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ..errors import ObserveError
from ..policy.host_checkup import Check, Host, Status, examine, worst
from ..policy.listen_queue import Sysctls
from ..policy.queue_advice import Seen
from .arguments import ArgumentParser
from .terminal import COLOR_CHOICES, Style, styled, width

__all__ = ["add_parser", "run"]

_ABOUT = "is this host fit to take a burst of connections? each finding with its fix"
_EPILOG = """\
Ends with 0 where all is well, 1 where something could lose connections, 2 where something does, and
3 where that cannot be known; these are the exit codes of monitoring plugins, and the first line is
a summary of the kind that they show. What could be checked counts more than what could not.
"""
_NAME = 24

T = TypeVar("T")


def add_parser(verbs: "argparse._SubParsersAction[ArgumentParser]") -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser("doctor", help=_ABOUT, description=_ABOUT, epilog=_EPILOG)
    parser.add_argument("--json", action="store_true", help="print an object")
    when = "use bold: auto, always or never (default auto)"
    parser.add_argument("--color", choices=COLOR_CHOICES, default="auto", help=when)


def run(arguments: argparse.Namespace) -> int:
    """Check and print; returns the status of the worst."""
    # Imported here, as in _host: --help needs nothing of the kernel.
    from ..dashboard.listener_view import SCHEMA

    checks = examine(_host())
    status = worst(checks)
    if arguments.json:
        print(json.dumps({"schema": SCHEMA, **_document(checks, status)}, indent=2))
        return status
    style = styled(arguments.color)
    print(Style.BOLD.wrap(_summary(checks, status), style), end="\n\n")
    for check in checks:
        head = f"{check.status.name:9} {check.name:{_NAME}}  {check.value}"
        print(Style.BOLD.wrap(head, style and check.status is not Status.OK))
        for line in textwrap.wrap(check.verdict, (width() or 80) - 10):
            print(f"{'':10}{line}")
        for line in check.fix:
            print(f"{'':14}{line}")
    return status


def _host() -> Host:
    """What can be read of this host; what cannot is a finding and no error."""
    from ..kernel.listeners import listeners
    from ..kernel.netstat import counters
    from ..kernel.sock_diag import SockDiag
    from ..kernel.sysctl import sysctls
    from ..kernel.timekeeping import is_synchronised

    def seen() -> list[Seen]:
        with SockDiag() as diag:
            return [Seen(each.address, each.queue, each.drops) for each in listeners(diag)]

    return Host(
        sysctls=_read(sysctls) or Sysctls(),
        counters=_read(counters),
        listeners=_read(seen),
        nofile=resource.getrlimit(resource.RLIMIT_NOFILE),
        synchronised=_read(is_synchronised),
    )


def _read(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except ObserveError:
        return None


def _summary(checks: Sequence[Check], status: Status) -> str:
    if status is Status.OK:
        return f"OK: {len(checks)} checks"
    names = ", ".join(check.name for check in checks if check.status is status)
    return f"{status.name}: {names}"


def _document(checks: Sequence[Check], status: Status) -> dict[str, Any]:
    return {
        "status": status.name.lower(),
        "code": int(status),
        "checks": [{**check._asdict(), "status": check.status.name.lower()} for check in checks],
    }
