"""From text to a ``Script``.

A statement begins with a time, or on a line of its own. What follows is told by its first word:

====================================  ==========================================================
``< S 0:0(0) win 65535 <mss 1460>``   a segment of the only peer; ``>`` one that is expected
``C < . 1:1(0) ack 1 win 65535``      the same of peer ``C``; ``P1..P40 < S 0:0(0)`` of forty
``C < icmp unreachable [0:0(0)]``     an ICMP error
``listen(3, 1) = 0``                  a call of the host under test; a result may be left out
```sysctl -q net.ipv4.name=1```       a shell command; only settings can be run
``%{ assert tcpi_unacked == 1 }%``    read, but never run
``sysctl tcp_syncookies = 0``         a setting; ``clients sysctl`` for the kernel clients' host
``profile bsd44``                     what the host under test is
``client A connect``                  a client with a kernel: connect, send 5, close
``A connected``                       connecting, connected, refused, reset, timeout
``C silent``                          nothing was sent to it beyond what stands above
``P1..P5 ignored``                    whatever else was sent to them does not matter
``accept_queue 2/1``                  depth and limit, also ``syn_queue``; ``accept_queue(4)``
``TcpExt ListenOverflows +1``         one more than at the last look; without ``+`` since the start
``sk_drops +2``                       the same for one listener
``tcp_info(3) unacked 2 sacked 1``    one interface's view; also sock_diag, proc_net_tcp
``wire delay .02 A <``                hold, release, reorder, drop, delay, pass
``// text``                           a comment, kept; also ``#`` and ``/* */``
====================================  ==========================================================
"""

from .calls import parse_call
from .cursor import Cursor
from .packets import parse_packet
from .statements import (
    ANY_TIME,
    AT_ONCE,
    Body,
    ClientCall,
    ClientVerb,
    Code,
    Comment,
    CounterCheck,
    DropsCheck,
    Foreign,
    IcmpLine,
    Ignored,
    Names,
    Outcome,
    OutcomeCheck,
    PacketLine,
    Place,
    Profile,
    Queue,
    QueueCheck,
    Script,
    ScriptOption,
    SetSysctl,
    Shell,
    SilenceCheck,
    Statement,
    Time,
    View,
    ViewCheck,
    WireRule,
    WireVerb,
)

__all__ = ["parse"]

_NAME = r"[A-Z][A-Za-z0-9_]*\b"
_GROUP = r"(?:TcpExt|Tcp|IpExt|Ip|Icmp|tcpstat)\b(?![ \t]*[<>])"
_SYSCTL = r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*"
_OPTION = r"--([A-Za-z_][A-Za-z0-9_]*)(?:=((?:[^\s\"`]|\"[^\"\n]*\"|`[^`]*`)+))?"
_STATEMENT = "a statement: a packet, a call, a check or a setting"
#: More than any lesson shows, and few enough to be made one by one.
_MOST_NAMES = 100_000
#: What one line may have a client send: more than any queue's story needs.
_MOST_OCTETS = 1 << 20


def parse(text: str, name: str = "script") -> Script:
    """Read a script. Raises ``ConfigError`` with line, column, what was found and expected."""
    cursor = Cursor(text, name)
    options, statements = _options(cursor)
    while True:
        cursor.skip_newlines()
        if cursor.ended:
            return Script(tuple(statements), tuple(options), name)
        place, at_line_start = cursor.place, cursor.at_line_start
        if (comment := cursor.comment()) is not None:
            _keep(statements, comment, at_line_start, place)
            continue
        time = _time(cursor)
        if time is AT_ONCE and not at_line_start:
            cursor.fail("a time, or the end of the line")
        body = _body(cursor, time)
        if isinstance(body, Profile) and not all(isinstance(s.body, Comment) for s in statements):
            cursor.refuse("profile comes too late", "write it before all other statements")
        statements.append(Statement(body, time, place=place))


def _options(cursor: Cursor) -> tuple[list[ScriptOption], list[Statement]]:
    """Options stand before all statements; comments may stand between them."""
    options: list[ScriptOption] = []
    comments: list[Statement] = []
    while True:
        cursor.skip_newlines()
        place = cursor.place
        if (comment := cursor.comment()) is not None:
            _keep(comments, comment, True, place)
        elif (option := cursor.maybe(_OPTION)) is not None:
            key, equals, value = option[2:].partition("=")
            options.append(ScriptOption(key, value if equals else None))
        else:
            return options, comments


def _keep(statements: list[Statement], comment: str, at_line_start: bool, place: Place) -> None:
    """A comment is a statement, or a remark about the one before it on the same line."""
    lines = [line.strip().lstrip("*").strip() for line in comment.strip().split("\n")]
    last = statements[-1] if statements else None
    if not at_line_start and last is not None and not isinstance(last.body, Comment):
        remark = " ".join([last.remark, *lines] if last.remark else lines)
        statements[-1] = Statement(last.body, last.time, remark, last.place)
        return
    statements.extend(Statement(Comment(line), place=place) for line in lines)


# Times


def _time(cursor: Cursor) -> Time:
    if cursor.maybe(r"\*"):
        return ANY_TIME
    if cursor.maybe(r"\+"):
        start = cursor.nanoseconds("a time in seconds")
        if not cursor.maybe("~"):
            return Time(start)
        cursor.symbol("+")
        return _range(cursor, start, relative=True)
    if not cursor.sees(r"\.?[0-9]"):
        return AT_ONCE
    start = cursor.nanoseconds("a time in seconds")
    if cursor.maybe("~"):
        return _range(cursor, start, relative=False)
    return Time(start, relative=False)


def _range(cursor: Cursor, start: int, relative: bool) -> Time:
    end = cursor.nanoseconds("the end of a range in seconds")
    if end < start:
        cursor.refuse("this range ends before it begins", "write the earlier time first")
    return Time(start, end, relative)


# Bodies


def _body(cursor: Cursor, time: Time) -> Body:
    cursor.skip()
    if cursor.sees("[<>]"):
        return _timed(cursor, time, parse_packet(cursor, None))
    if time.end is not None or time.any:
        names = _names(cursor)
        return _timed(cursor, time, parse_packet(cursor, names))
    if cursor.sees("`"):
        return Shell(cursor.take(r"`[^`]*`", "a command that ends with '`'")[1:-1].strip())
    if cursor.sees("%"):
        return Code(
            cursor.take(r"%\{(?:[^}]|\}(?!%))*\}%", "code that ends with '}%'")[2:-2].strip()
        )
    if cursor.maybe(r"\.\.\."):
        return parse_call(cursor, cursor.nanoseconds("when the call returns"))
    if cursor.sees(_GROUP):
        return _counter(cursor, clients=False)
    if cursor.sees("[A-Z]"):
        return _about(cursor)
    return _keyword(cursor)


def _timed(
    cursor: Cursor, time: Time, line: PacketLine | IcmpLine | Foreign
) -> PacketLine | IcmpLine | Foreign:
    scripted = isinstance(line, IcmpLine) or (isinstance(line, PacketLine) and line.names is None)
    if (time.any or time.end is not None) and scripted and getattr(line, "inbound", False):
        cursor.refuse("a segment that the script sends needs one time", "write when to send it")
    return line


def _about(cursor: Cursor) -> Body:
    """What begins with a name."""
    names = _names(cursor)
    if cursor.sees("[<>]"):
        return parse_packet(cursor, names)
    if cursor.maybe(r"silent\b"):
        return SilenceCheck(names)
    if cursor.maybe(r"ignored\b"):
        return Ignored(names)
    outcomes = "|".join(outcome.value for outcome in Outcome)
    found = cursor.take(rf"(?:{outcomes})\b", "'<', '>', silent, ignored or an outcome")
    return OutcomeCheck(names, Outcome(found))


def _names(cursor: Cursor) -> Names:
    first = cursor.take(_NAME, "a name, which begins with a capital letter")
    if not cursor.maybe(r"\.\.(?!\.)"):
        return Names(first)
    last = cursor.take(_NAME, "the last name of the range")
    stem = first.rstrip("0123456789")
    low, high = first[len(stem) :], last[len(stem) :]
    counted = last.startswith(stem) and all(_is_count(text) for text in (low, high))
    if not counted or not 0 <= int(high) - int(low) < _MOST_NAMES:
        cursor.refuse(f"{first}..{last} is no range of names", "write it like P1..P40")
    return Names(first, last)


def _is_count(text: str) -> bool:
    return 0 < len(text) <= 6 and text.isascii() and text.isdigit() and text == str(int(text))


def _keyword(cursor: Cursor) -> Body:
    """What begins with a word of ours, and if it is none, a call."""
    word = cursor.maybe(
        r"(?:profile|sysctl|clients|client|wire|sk_drops|accept_queue|syn_queue"
        r"|tcp_info|sock_diag|proc_net_tcp)\b"
    )
    match word:
        case None:
            cursor.skip()
            if not cursor.sees(r"[a-z_][A-Za-z0-9_]*[ \t]*\("):
                cursor.fail(_STATEMENT)
            return parse_call(cursor, None)
        case "profile":
            return Profile(cursor.take(r"[A-Za-z0-9][A-Za-z0-9._-]*", "the name of a profile"))
        case "sysctl":
            return _sysctl(cursor, clients=False)
        case "clients":
            return _clients(cursor)
        case "client":
            return _client(cursor)
        case "wire":
            return _wire(cursor)
        case "sk_drops":
            fd = _descriptor(cursor)
            more = cursor.sees(r"\+")
            return DropsCheck(cursor.integer("a number, '+' before it for more"), more, fd)
        case "accept_queue" | "syn_queue":
            return _queue(cursor, Queue(word))
        case _:
            return _view(cursor, View(word))


def _sysctl(cursor: Cursor, clients: bool) -> SetSysctl:
    name = cursor.take(_SYSCTL, "the name of a setting")
    cursor.symbol("=")
    return SetSysctl(name, cursor.integer("a whole number"), clients)


def _clients(cursor: Cursor) -> SetSysctl | CounterCheck:
    if cursor.maybe(r"sysctl\b"):
        return _sysctl(cursor, clients=True)
    if not cursor.sees(_GROUP):
        cursor.skip()
        cursor.fail("sysctl, or a counter such as TcpExt TCPSynRetrans +1")
    return _counter(cursor, clients=True)


def _counter(cursor: Cursor, clients: bool) -> CounterCheck:
    group = cursor.take(_GROUP, "TcpExt or Tcp")
    name = cursor.take(r"[A-Za-z][A-Za-z0-9_]*", "the name of a counter")
    more = cursor.sees(r"\+")
    return CounterCheck(
        group, name, cursor.integer("a number, '+' before it for more"), more, clients
    )


def _client(cursor: Cursor) -> ClientCall:
    names = _names(cursor)
    verbs = "|".join(verb.value for verb in ClientVerb)
    verb = ClientVerb(cursor.take(rf"(?:{verbs})\b", "connect, send or close"))
    value = None
    if verb is ClientVerb.SEND:
        value = cursor.natural("how many octets to send")
        if not 1 <= value <= _MOST_OCTETS:
            cursor.refuse(f"{value} octets are not sent at once", f"write 1 to {_MOST_OCTETS}")
    elif verb is ClientVerb.CONNECT and cursor.maybe(r"syn_retries\b"):
        value = cursor.natural("how many SYNs to send again")
    return ClientCall(names, verb, value)


def _queue(cursor: Cursor, queue: Queue) -> QueueCheck:
    fd = _descriptor(cursor)
    depth = cursor.natural("the queue's depth")
    limit = cursor.natural("the queue's limit") if cursor.maybe("/") else None
    return QueueCheck(queue, depth, limit, fd)


def _descriptor(cursor: Cursor) -> int | None:
    if not cursor.maybe(r"\("):
        return None
    fd = cursor.natural("the number of a listener")
    cursor.symbol(")")
    return fd


def _view(cursor: Cursor, view: View) -> ViewCheck:
    fd = _descriptor(cursor)
    values: list[tuple[str, int]] = []
    while not values or cursor.sees_on_line("[a-z]"):
        name = cursor.take(r"[a-z_]+\b", "the name of a value, such as unacked")
        values.append((name, cursor.integer("a number")))
    return ViewCheck(view, tuple(values), fd)


def _wire(cursor: Cursor) -> WireRule:
    verbs = "|".join(verb.value for verb in WireVerb)
    verb = WireVerb(cursor.take(rf"(?:{verbs})\b", verbs.replace("|", ", ")))
    delay = cursor.nanoseconds("for how many seconds") if verb is WireVerb.DELAY else 0
    names = _names(cursor) if cursor.sees_on_line("[A-Z]") else None
    inbound = None
    if cursor.sees_on_line("[<>]"):
        inbound = cursor.take("[<>]", "'<' or '>'") == "<"
    return WireRule(verb, delay, names, inbound)
