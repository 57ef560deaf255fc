"""What all services of one process share: the loop, its poller, deadlines, names and randomness."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ..entropy import Entropy
from ..relay.dialer import Dialer, Lookup
from ..relay.endings import Endings
from ..relay.poller import Poller, new_poller
from ..relay.sockets import SocketOptions
from ..shadowsocks.aead2022_session import SessionTable
from ..shadowsocks.aead_stream import SaltGuard
from ..shadowsocks.timestamp import Timestamps
from .counters import Counters

__all__ = ["Runtime"]


@dataclass(slots=True)
class Runtime:
    """Made once in each process, after any fork."""

    loop: asyncio.AbstractEventLoop
    entropy: Entropy
    #: Remembers the salts of streams, and of packets.
    stream_salts: SaltGuard
    packet_salts: SaltGuard
    #: Judges how old a request is, where one says it.
    timestamps: Timestamps = field(default_factory=lambda: Timestamps(time.time))
    options: SocketOptions = field(default_factory=SocketOptions)
    counters: Counters = field(default_factory=Counters)
    #: Finds addresses of names; whoever assembles the services provides it before any dials.
    lookup: Lookup = field(init=False)
    poller: Poller = field(init=False)
    endings: Endings = field(init=False)
    #: The sessions of datagrams of all ports, of which some may have the same key.
    sessions: SessionTable = field(init=False)

    def __post_init__(self) -> None:
        self.poller = new_poller(self.loop)
        self.endings = Endings(self.poller, self.loop)
        self.sessions = SessionTable(self.timestamps, self.entropy, self.packet_salts)

    def dialer(self, check: Callable[[str], None] | None, speaks_first: bool) -> Dialer:
        """A dialer on this runtime; ``check`` refuses literals that must not be reached.

        ``speaks_first`` where whoever dials sends before it reads, whatever the other side does.
        """
        options = replace(self.options, fast_open=self.options.fast_open and speaks_first)
        return Dialer(self.poller, self.loop, self.lookup, check, options)

    def stop(self) -> None:
        """End what is still ending and leave the loop."""
        self.endings.close_all()
        self.poller.stop()
