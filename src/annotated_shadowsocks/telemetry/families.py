"""The series that exist. Pages, dashboards and tests are held to this one table.

A counter only grows, also over the death of the process that counted. A gauge is a level, and of a
process that is gone there is none, unless it is one that lasts: a high-water mark. Where several
processes tell of the same thing, ``merge`` says what the whole is: the sum of their parts, or, for
what each of them sees with its own eyes, the largest.
"""

from enum import Enum
from typing import NamedTuple

__all__ = ["FAMILIES", "Family", "Kind", "find"]

#: What every name begins with.
PREFIX = "shadowsocks_"


class Kind(Enum):
    """What a figure does, in the words of the exposition format."""

    COUNTER = "counter"
    GAUGE = "gauge"


class Family(NamedTuple):
    """One name: what it counts, by which labels."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    largest: bool = False  #: of what several processes tell, the largest counts and not the sum
    lasting: bool = False  #: a gauge that outlives its process


def _counter(name: str, help: str, *labels: str, largest: bool = False) -> Family:
    return Family(PREFIX + name, Kind.COUNTER, help, labels, largest)


def _gauge(
    name: str, help: str, *labels: str, largest: bool = False, lasting: bool = False
) -> Family:
    return Family(PREFIX + name, Kind.GAUGE, help, labels, largest, lasting)


_LISTENER = ("listener", "worker")

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        _gauge("build_info", "Always 1; the version is a label.", "version", "program"),
        _gauge("start_time_seconds", "When the program started, in seconds since 1970."),
        # --- connections ---
        _counter("connections_accepted_total", "TCP connections taken from accept queues."),
        _counter("connections_relayed_total", "TCP connections that reached their target."),
        _gauge("connections_open", "TCP connections by what they are at.", "state"),
        _counter(
            "handshakes_total",
            "TCP handshakes by how they ended: ok, or the word that the log uses.",
            "outcome",
        ),
        _counter(
            "data_bytes_total",
            "Octets received from either side of what was relayed, as on the wire; of datagrams "
            "both as at the client's side.",
            "from",
            "proto",
        ),
        _counter("accept_pauses_total", "Times that no descriptor or memory was left to accept."),
        # --- datagrams ---
        _counter("udp_packets_total", "Datagrams relayed.", "from"),
        _counter("udp_dropped_total", "Datagrams dropped, by reason.", "reason"),
        _gauge("udp_associations", "UDP associations alive."),
        # --- users ---
        _counter("user_connections_total", "TCP connections of a user.", "user"),
        _counter("user_data_bytes_total", "Octets of a user's, as on the wire.", "user", "from"),
        # --- queues ---
        _gauge("listener_backlog_asked", "The argument of listen(2).", *_LISTENER, largest=True),
        _gauge(
            "listener_accept_queue_limit",
            "The accept queue's limit as granted; it holds one connection more.",
            *_LISTENER,
            largest=True,
        ),
        _gauge(
            "listener_accept_queue_depth",
            "Connections that wait for accept().",
            *_LISTENER,
            largest=True,
        ),
        _gauge(
            "listener_accept_queue_high_water",
            "The deepest that the accept queue was seen since the start.",
            *_LISTENER,
            largest=True,
            lasting=True,
        ),
        _counter(
            "listener_overflows_total",
            "SYNs and ACKs that a full accept queue turned away. source=socket: this listener's "
            "own drops, as far as overflows of its namespace account for them; source=namespace: "
            "the kernel does not tell whose they were.",
            *_LISTENER,
            "source",
            largest=True,
        ),
        _counter(
            "listener_drops_total",
            "sk_drops of the listening socket since it was opened: 1 for a SYN, 2 for an ACK.",
            *_LISTENER,
            largest=True,
        ),
        _gauge(
            "listener_fast_open_limit",
            "Length of the Fast Open queue; 0 where there is none.",
            *_LISTENER,
            largest=True,
        ),
        _gauge(
            "listener_fast_open_depth",
            "Connections that Fast Open let in before their ACK.",
            "listener",
            largest=True,
        ),
        _counter("listen_overflows_total", "ListenOverflows of the network namespace."),
        _counter("listen_drops_total", "ListenDrops of the network namespace."),
        _gauge("somaxconn", "net.core.somaxconn of the network namespace."),
        # --- processes ---
        _counter("process_cpu_seconds_total", "Processor time, user and system.", "worker"),
        _gauge("process_resident_memory_bytes", "Resident memory.", "worker"),
        _gauge("process_open_fds", "Open descriptors.", "worker"),
        _gauge("process_max_fds", "The most descriptors that it may open.", "worker"),
        _gauge("worker_report_age_seconds", "Since a worker last gave its figures.", "worker"),
    )
}


def find(name: str) -> Family:
    """The family of ``name``, with or without its prefix. Raises ``KeyError``."""
    return FAMILIES[name if name.startswith(PREFIX) else PREFIX + name]
