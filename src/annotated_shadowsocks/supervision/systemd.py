"""Telling the service manager how we are: sd_notify's protocol, which is a datagram of lines.

It is told when the sockets are open and served, while a reload is under way, and at the end; every
second what the queues look like, which ``systemctl status`` shows; and, where a watchdog is set,
that we are alive.
"""

import logging
import os
import socket
import time
from collections.abc import Mapping

__all__ = ["Notifier"]

_log = logging.getLogger(__name__)


class Notifier:
    """Speaks to ``address``, a Unix socket; without one it says nothing, to nobody.

    ``watchdog`` is the time in seconds in which ``alive`` must be called, None where it need not.
    """

    def __init__(self, address: str = "", watchdog: float | None = None) -> None:
        self.watchdog = watchdog
        self._address = address
        self._status = ""

    @classmethod
    def of(cls, environment: Mapping[str, str], pid: int) -> "Notifier":
        """As the environment of process ``pid`` says; what cannot be read there is not there."""
        address = environment.get("NOTIFY_SOCKET", "")
        try:
            watchdog = int(environment.get("WATCHDOG_USEC", "")) / 1e6
        except ValueError:
            watchdog = 0.0
        # [man sd_watchdog_enabled(3)] meant for another process where it names one
        mine = environment.get("WATCHDOG_PID", str(pid)) == str(pid)
        return cls(address, watchdog if watchdog > 0 and mine and address else None)

    def ready(self) -> None:
        """The sockets are open and served; this process is the one to send signals to."""
        self._say(f"READY=1\nMAINPID={os.getpid()}")

    def reloading(self) -> None:
        """The configuration is read again; ``ready`` follows."""
        # [man sd_notify(3)] RELOADING=1 goes with the time on the monotonic clock
        self._say(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The end has begun."""
        self._say("STOPPING=1")

    def alive(self) -> None:
        """Reset the watchdog."""
        if self.watchdog is not None:
            self._say("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for people, sent when it is another."""
        if text != self._status:
            self._status = text
            self._say("STATUS=" + text.replace("\n", " "))

    def _say(self, text: str) -> None:
        if not self._address:
            return
        # [man sd_notify(3)] an at sign stands for the zero octet of an abstract address
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
                sock.sendto(text.encode(), address)
        except OSError as error:
            _log.debug("the service manager was not told %s: %s", text.split("=")[0], error)
