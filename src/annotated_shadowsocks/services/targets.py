"""What ssserver may reach, on a host whose own addresses come and go.

An address of this very host is reached from outside like any other; dialled from inside it would
pass the firewall that guards it. So the host's interfaces are asked again every few seconds, and
the filter is made anew when they say something new.
"""

import logging
from collections.abc import Callable

from ..policy.target_filter import TargetFilter
from ..system import own_addresses

__all__ = ["Targets"]

_log = logging.getLogger(__name__)

#: Seconds between two looks at the interfaces.
_LOOK_EVERY = 5.0


class Targets:
    """``policy.target_filter`` with the addresses that this host has at the moment."""

    def __init__(self, allow_private: bool, time: Callable[[], float]) -> None:
        self._allow_private = allow_private
        self._time = time
        self._own = own_addresses()
        self._filter = TargetFilter(allow_private, self._own)
        self._next_look = time() + _LOOK_EVERY
        if not self._own and not allow_private:
            _log.warning("this system does not list its own addresses: they are not refused")

    def check(self, address: str) -> None:
        """Raise ``PolicyRejected`` unless the literal ``address`` may be dialled."""
        if self._time() >= self._next_look:
            self._look()
        self._filter.check(address)

    def _look(self) -> None:
        self._next_look = self._time() + _LOOK_EVERY
        own = own_addresses()
        if own != self._own:
            self._own = own
            self._filter = TargetFilter(self._allow_private, own)
