"""A listener together with its processes: the words and the JSON that all verbs share.

``SCHEMA`` is the version of every JSON document about listeners. A key is never taken away and
never changes its meaning within one version; keys are added.
"""

import os
import pwd
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..kernel.listeners import Listener, survey
from ..kernel.owners import Owner, owners
from ..kernel.sock_diag import SockDiag
from ..pictures.printable import escape
from ..policy.queue_advice import Seen
from ..wire.inet_diag import AF_INET

__all__ = ["SCHEMA", "Sight", "hidden_owners", "look"]

SCHEMA = 1


class Sight(NamedTuple):
    """A listener and the processes that have it open, as far as we may see them."""

    listener: Listener
    owners: tuple[Owner, ...]

    @property
    def processes(self) -> str:
        """``nginx(812) nginx(813)``, or who owns a socket whose processes are hidden."""
        if self.owners:
            return " ".join(f"{escape(o.command)}({o.pid})" for o in self.owners)
        return f"- (user {self.user})" if self.listener.inode else "- (no process)"

    @property
    def user(self) -> str:
        """The name of the socket's user, or the number of one without."""
        try:
            return pwd.getpwuid(self.listener.uid).pw_name
        except KeyError:
            return str(self.listener.uid)

    @property
    def seen(self) -> Seen:
        """What advice is based on."""
        one = self.owners[0] if self.owners else None
        command, pid = (escape(one.command), one.pid) if one else (None, None)
        return Seen(self.listener.address, self.listener.queue, self.listener.drops, command, pid)

    @property
    def half_open(self) -> str:
        """The SYN queue's depth; ``~3`` is an estimate, ``?`` unknown."""
        if self.listener.half_open is None:
            return "?"
        return f"{'~' if self.listener.estimated else ''}{self.listener.half_open}"

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        one = self.listener
        return {
            "address": one.address,
            "host": one.local.host,
            "port": one.local.port,
            "family": "ipv4" if one.family == AF_INET else "ipv6",
            "v6only": None if one.family == AF_INET else one.v6only,
            "interface": one.interface or None,
            "accept_queue": {
                "depth": one.depth,
                "limit": one.limit,
                "capacity": one.queue.capacity,
                "full": one.queue.is_full,
            },
            "syn_queue": {"depth": one.half_open, "estimated": one.estimated},
            "drops": one.drops,
            "uid": one.uid,
            "user": self.user,
            "processes": [{"pid": o.pid, "command": o.command} for o in self.owners],
            "cookie": f"{one.cookie:#x}",
            "inode": one.inode,
            "congestion": one.congestion,
            "mark": one.mark,
            "cgroup": one.cgroup,
        }


def look(port: int = 0) -> list[Sight]:
    """All listeners, or those on one port. Raises ``ObserveError``."""
    with SockDiag() as diag:
        found = survey(diag, port)
    held = owners([each.inode for each in found])
    return [Sight(each, held.get(each.inode, ())) for each in found]


def hidden_owners(sights: Sequence[Sight]) -> str | None:
    """What to say where processes are hidden from us, and None where none is."""
    hidden = sum(1 for each in sights if each.listener.inode and not each.owners)
    if not hidden:
        return None
    where = "are in another PID namespace" if os.geteuid() == 0 else "are hidden; root sees more"
    return f"the processes of {hidden} of {len(sights)} listeners {where}"
