"""``backlog explain``: what one listener's queues hold, what the next client meets, what to change.

The numbers are the kernel's; the judgement is ``policy.listen_queue``'s, and the advice that of
``policy.queue_advice``. Whatever is said of a client is said of one with this host's settings.
"""

import argparse
import json
import os
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..dashboard.asked_backlog import AskedBacklog
from ..errors import ObserveError, UsageError
from ..policy.listen_queue import (
    Fate,
    ListenQueue,
    Schedule,
    Sysctls,
    Verdict,
    next_ack,
    next_syn,
    syn_queue_capacity,
    syn_schedule,
    synack_schedule,
)
from ..policy.listener_filter import Address, parse_address
from ..policy.queue_advice import advise
from . import exits
from .arguments import ArgumentParser
from .terminal import COLOR_CHOICES, Style, styled, width

if TYPE_CHECKING:
    from ..dashboard.listener_view import Sight

__all__ = ["add_parser", "find", "run"]

_ABOUT = "one listener in plain words: its queues, what the next client meets, what to change"
_EPILOG = """\
ADDR is where a client would connect to: 127.0.0.1:443 finds the listener that answers there, also
if it listens on *:443. Or :443 for all listeners of a port, or a literal alone for all its ports.
"""

#: The counters that tell of listen queues, as far as this kernel has them.
_COUNTERS = (
    "ListenOverflows",
    "ListenDrops",
    "TCPReqQFullDrop",
    "TCPReqQFullDoCookies",
    "SyncookiesSent",
    "SyncookiesRecv",
    "SyncookiesFailed",
    "EmbryonicRsts",
)

# Linux's own defaults, for where a container hides the setting.
_SYNACK_RETRIES, _SYN_RETRIES = 5, 6

_LABEL = 16


def add_parser(verbs: "argparse._SubParsersAction[ArgumentParser]") -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser("explain", help=_ABOUT, description=_ABOUT, epilog=_EPILOG)
    parser.add_argument("address", metavar="ADDR[:PORT]", help="a literal address, a port, or both")
    parser.add_argument("--json", action="store_true", help="print an object")
    when = "use bold: auto, always or never (default auto)"
    parser.add_argument("--color", choices=COLOR_CHOICES, default="auto", help=when)


def run(arguments: argparse.Namespace) -> int:
    """Explain. Raises ``ObserveError`` where nothing listens, and ``UsageError``."""
    address = parse_address(arguments.address)
    if address == (None, None):
        raise UsageError(f"{arguments.address!r} is every listener; see 'backlog list'")
    # Imported here: --help and a wrong address need nothing of the kernel.
    from ..dashboard.listener_view import SCHEMA
    from ..kernel.netstat import counters
    from ..kernel.procfs import network_namespace
    from ..kernel.sysctl import sysctls

    settings, counted, namespace = sysctls(), counters(), network_namespace()
    sights = find(arguments.address, address)
    tally = {name: counted[name] for name in _COUNTERS if name in counted}
    if arguments.json:
        document = {
            "schema": SCHEMA,
            "namespace": namespace,
            "kernel": os.uname().release,
            "sysctls": settings._asdict(),
            "counters": tally,
            "listeners": [_document(each, settings) for each in sights],
        }
        print(json.dumps(document, indent=2))
        return exits.OK
    style = styled(arguments.color)
    sharing = Counter(each.listener.address for each in sights)
    for each in sights:
        print(Style.BOLD.wrap(f"{each.listener.address}  {each.processes}", style))
        lines = _explanation(each, settings, sharing[each.listener.address])
        print("\n".join(lines), end="\n\n")
    print("\n".join(_paragraph("Namespace", _namespace(namespace, tally))))
    return exits.OK


def find(text: str, address: Address) -> "list[Sight]":
    """The listeners that answer at ``address``. Raises ``ObserveError`` where none does."""
    from ..dashboard.listener_view import look
    from ..kernel.listeners import answering

    network, port = address
    everyone = look(port or 0)
    found = everyone
    if network is not None:
        if network.num_addresses > 1:
            raise UsageError(f"{text!r} is a network; name one address of it")
        host = str(network.network_address)
        known = [each.listener for each in everyone]
        ports = {each.local.port for each in known} if port is None else {port}
        cookies = {one.cookie for number in ports for one in answering(known, host, number)}
        found = [each for each in everyone if each.listener.cookie in cookies]
    if not found:
        others = ", ".join(each.listener.address for each in everyone)
        hint = f"on that port there is {others}" if others else "see 'backlog list'"
        raise ObserveError(text, f"nothing listens there, so a client is refused at once; {hint}")
    return found


# --- words ---


def _explanation(sight: "Sight", sysctls: Sysctls, sharing: int) -> Iterator[str]:
    queue = sight.listener.queue
    if sharing > 1:
        shared = f"one of {sharing} listeners of this address, and the kernel picks one by a hash"
        yield from _paragraph("SO_REUSEPORT", shared)
    yield from _paragraph("Accept queue", _accept_queue(queue))
    yield from _paragraph("Asked", AskedBacklog(queue.limit, sysctls.somaxconn).sentence)
    yield from _paragraph("SYN queue", _syn_queue(sight, sysctls))
    yield from _paragraph("When full", _when_full(sysctls.tcp_abort_on_overflow))
    yield from _paragraph("Retries", *_retries(sysctls))
    yield from _paragraph("Drops", _drops(sight.listener.drops))
    yield ""
    syn, ack = next_syn(queue, sysctls), next_ack(queue, sysctls)
    yield from _paragraph("The next SYN", _fate(syn), _AFTER[syn.verdict])
    yield from _paragraph("The next ACK", _fate(ack), _AFTER[ack.verdict])
    yield ""
    advice = advise(sight.seen, sysctls)
    yield from _paragraph("To change", *([one.reason for one in advice[:1]] or ["nothing"]))
    for number, one in enumerate(advice):
        if number:
            yield from _paragraph("", one.reason)
        yield from (f"{'':{_LABEL + 6}}{command}" for command in one.commands)


def _accept_queue(queue: ListenQueue) -> str:
    waiting = f"{queue.depth} connections wait for accept(), {queue.capacity} fit"
    admits = f"the limit is {queue.limit} and the kernel admits one more"
    return f"{waiting}: it is full; {admits}" if queue.is_full else f"{waiting}; {admits}"


def _syn_queue(sight: "Sight", sysctls: Sysctls) -> str:
    one = sight.listener
    about = "about " if one.estimated else ""
    held = "an unknown number of" if one.half_open is None else f"{about}{one.half_open}"
    room = syn_queue_capacity(one.limit, sysctls)
    cookies = sysctls.tcp_syncookies
    beyond = {
        None: "beyond them SYNs are dropped, if this kernel has no syncookies",
        0: "beyond them SYNs are dropped, for tcp_syncookies is 0",
        2: "every SYN is answered with a cookie, for tcp_syncookies is 2",
    }.get(cookies, f"beyond them SYNs are answered with cookies, for tcp_syncookies is {cookies}")
    return f"{held} half-open requests, {room} fit; {beyond}"


def _drops(drops: int | None) -> str:
    if drops is None:
        return "not told by this kernel"
    return f"{drops} segments at this listener since it was opened (a refused ACK counts twice)"


def _fate(fate: Fate) -> str:
    says = {
        Verdict.ANSWERED: "is answered with SYN/ACK",
        Verdict.COOKIE: "is answered with a cookie, and nothing is kept of it",
        Verdict.DROPPED: "is dropped without an answer",
        Verdict.QUEUED: "makes a connection that waits for accept()",
        Verdict.IGNORED: "is ignored, with the data that it may carry",
        Verdict.RESET: "is answered with RST, for tcp_abort_on_overflow is set",
    }[fate.verdict]
    counts = f" (counts {', '.join(fate.counters)})" if fate.counters else ""
    return f"{says}: {fate.reason}{counts}"


#: What the client notices.
_AFTER = {
    Verdict.ANSWERED: "The client's connect() returns a round trip later.",
    Verdict.COOKIE: "The client's connect() returns a round trip later; if its ACK is lost, nobody "
    "here will ask for it again.",
    Verdict.DROPPED: "The client hears nothing and tries again, until its connect() fails with "
    "ETIMEDOUT.",
    Verdict.QUEUED: "The client may send at once, before anybody has called accept().",
    Verdict.IGNORED: "The client believes to be connected. Each SYN/ACK that is sent again is "
    "another try, as is data that the client repeats. Once the request is forgotten, what the "
    "client sends is answered with RST; one that waits for the server to speak waits for ever.",
    Verdict.RESET: "The client's connect() has returned; its next call fails with ECONNRESET.",
}


def _when_full(abort: int | None) -> str:
    if abort:
        return f"RST for an ACK that finds no room: tcp_abort_on_overflow is {abort}"
    return "an ACK that finds no room is ignored, not reset: tcp_abort_on_overflow is 0"


def _retries(sysctls: Sysctls) -> Iterator[str]:
    syn, syn_ack = _client_schedule(sysctls), _server_schedule(sysctls)
    yield (
        f"An unanswered SYN is {_again(syn)}, and its client gives up after {syn.until} s (by this "
        "host's tcp_syn_retries; clients have their own)."
    )
    yield (
        f"An unanswered SYN/ACK is {_again(syn_ack)}, and the request is forgotten after "
        f"{syn_ack.until} s (tcp_synack_retries)."
    )


def _again(schedule: Schedule) -> str:
    times = ", ".join(map(str, schedule.sent[1:]))
    return f"sent again after {times} s" if times else "not sent again"


def _namespace(number: int | None, tally: Mapping[str, int]) -> str:
    counts = ", ".join(f"{name} {value}" for name, value in tally.items())
    return f"{number or 'unknown'}, all listeners together since it began: {counts}"


def _paragraph(label: str, *texts: str) -> Iterator[str]:
    """A label and text beside it, at the terminal's width; 80 in a pipe, so that it is stable."""
    for index, text in enumerate(texts):
        head = f"  {label if index == 0 else '':{_LABEL}}"
        indent = " " * len(head)
        yield from textwrap.wrap(text, width() or 80, initial_indent=head, subsequent_indent=indent)


# --- numbers ---


def _server_schedule(sysctls: Sysctls) -> Schedule:
    retries = sysctls.tcp_synack_retries
    return synack_schedule(_SYNACK_RETRIES if retries is None else retries)


def _client_schedule(sysctls: Sysctls) -> Schedule:
    retries, linear = sysctls.tcp_syn_retries, sysctls.tcp_syn_linear_timeouts
    # A kernel before 6.5 has no linear timeouts, and says so by having no such setting.
    return syn_schedule(_SYN_RETRIES if retries is None else retries, linear or 0)


def _document(sight: "Sight", sysctls: Sysctls) -> dict[str, Any]:
    queue = sight.listener.queue
    document = sight.document()
    document["syn_queue"]["capacity"] = syn_queue_capacity(queue.limit, sysctls)
    return {
        **document,
        "asked": AskedBacklog(queue.limit, sysctls.somaxconn).document(),
        "next_syn": _fate_document(next_syn(queue, sysctls)),
        "next_ack": _fate_document(next_ack(queue, sysctls)),
        "syn_ack_schedule": _server_schedule(sysctls)._asdict(),
        "client_syn_schedule": _client_schedule(sysctls)._asdict(),
        "advice": [one._asdict() for one in advise(sight.seen, sysctls)],
    }


def _fate_document(fate: Fate) -> dict[str, Any]:
    return {**fate._asdict(), "verdict": fate.verdict.value}
