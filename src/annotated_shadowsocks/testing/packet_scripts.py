"""The repository's packet scripts, and strategies that make any script there could be."""

from pathlib import Path

from hypothesis import strategies as st

from ..scripts.expressions import (
    Array,
    Assignment,
    Braces,
    Either,
    Expression,
    Number,
    Rest,
    Text,
    Word,
)
from ..scripts.parser import parse
from ..scripts.statements import (
    ANY_TIME,
    AT_ONCE,
    Body,
    Call,
    ClientCall,
    ClientVerb,
    Code,
    Comment,
    CounterCheck,
    DropsCheck,
    IcmpLine,
    Ignored,
    Names,
    Outcome,
    OutcomeCheck,
    PacketLine,
    PacketOption,
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

__all__ = ["SCRIPTS", "bodies", "read", "scripts"]

#: All scripts of the repository: lessons in the order of their numbers, then findings.
SCRIPTS = sorted(Path(__file__).parents[3].glob("tests/scripts/**/*.pkt"))

_SECOND = 1_000_000_000
_U16 = 0xFFFF
_U32 = 0xFFFF_FFFF


def read(path: Path) -> Script:
    """Parse a file."""
    return parse(path.read_text("utf-8"), path.name)


_word = st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True)
_comment = st.from_regex(r"(?:[a-z.,*][a-z .,*]{0,18}[a-z.,])?", fullmatch=True).filter(
    lambda text: "*/" not in text and "/*" not in text and not text.startswith("*")
)
_single = st.builds(Names, st.sampled_from(["A", "B", "C", "Peer1"]))
_range = st.builds(
    lambda first, more: Names(f"P{first}", f"P{first + more}"),
    st.integers(0, 5),
    st.integers(0, 5),
)
_names = _single | _range
_u16, _u32 = st.integers(0, _U16), st.integers(0, _U32)

_expressions: st.SearchStrategy[Expression] = st.recursive(
    st.just(Rest())
    | st.builds(Number, st.integers(-(1 << 31), 1 << 32))
    | st.builds(Number, _u32, st.just(True))
    | st.builds(Word, _word)
    | st.builds(Text, st.from_regex(r"[a-z .]{0,9}", fullmatch=True), st.booleans()),
    lambda inner: (
        st.builds(lambda items: Array(tuple(items)), st.lists(inner, max_size=3))
        | st.builds(lambda items: Braces(tuple(items)), st.lists(inner, max_size=3))
        | st.builds(
            lambda name, items: Word(name, tuple(items)), _word, st.lists(inner, max_size=2)
        )
        | st.builds(
            lambda name, value: Assignment(Word(name), value),
            _word,
            inner.filter(lambda one: not isinstance(one, Either)),
        )
        | st.builds(
            lambda names: Either(tuple(Word(name) for name in names)),
            st.lists(_word, min_size=2, max_size=3),
        )
    ),
    max_leaves=6,
)

_KEYWORDS = {
    "profile",
    "sysctl",
    "clients",
    "client",
    "wire",
    "sk_drops",
    "accept_queue",
    "syn_queue",
    "tcp_info",
    "sock_diag",
    "proc_net_tcp",
}
_calls = st.builds(
    lambda name, arguments, result, error, note, until: Call(
        name,
        tuple(arguments),
        Number(-1) if error else result,
        error,
        note if result or error else "",
        until,
    ),
    st.sampled_from(
        ["socket", "bind", "listen", "accept", "close", "read", "write", "setsockopt", "shutdown"]
    )
    | _word.filter(lambda word: word not in _KEYWORDS),
    st.lists(_expressions, max_size=4),
    st.none() | st.builds(Number, st.integers(0, 9)) | _expressions,
    st.sampled_from(["", "EAGAIN", "EINVAL"]),
    st.sampled_from(["", "Bad address"]),
    st.none() | st.none() | st.integers(0, 9 * _SECOND),
)

_options = st.one_of(
    st.builds(lambda n: PacketOption("mss", (n,)), _u16),
    st.builds(lambda n: PacketOption("wscale", (n,)), st.integers(0, 255)),
    st.builds(lambda a, b: PacketOption("TS", (a, b)), _u32, _u32),
    st.builds(lambda a, b: PacketOption("sack", (a, b)), _u32, _u32),
    st.sampled_from([PacketOption(kind) for kind in ("sackOK", "nop", "eol", "FO")]),
    st.builds(
        lambda word: PacketOption("FO", word=word), st.sampled_from(["0011223344556677", "x"])
    ),
)
_flags = st.sampled_from(["S", "S.", ".", "P.", "F.", "FP.", "R", "R.", "-", "SEW", "P", "SF"])
_packets = st.builds(
    lambda inbound, flags, seq, size, ack, window, options, names: PacketLine(
        inbound, flags, seq, (seq + size) & _U32, size, ack, window, None, options, names
    ),
    st.booleans(),
    _flags,
    st.sampled_from([0, 0, 1, 1, 2, 100, 70_000]) | _u32,
    st.sampled_from([0, 0, 0, 1, 5, 1000]),
    st.none() | st.sampled_from([0, 1, 2, 6]) | _u32,
    st.none() | _u16,
    st.none() | st.lists(_options, max_size=3).map(tuple),
    st.none() | _names,
)
_icmp = st.builds(
    lambda inbound, words, quoted, names: IcmpLine(
        inbound, words[0], words[1], None, (quoted, quoted, 0), names
    ),
    st.booleans(),
    st.sampled_from(
        [("unreachable", "host_unreachable"), ("time_exceeded", ""), ("redirect", "no_idea")]
    ),
    st.sampled_from([0, 1]),
    _names,
)
_sysctls = st.sampled_from(
    ["somaxconn", "tcp_syncookies", "tcp_synack_retries", "tcp_max_syn_backlog", "tcp_nonsense"]
)
_fd = st.none() | st.integers(3, 5)

#: Anything that can stand in a statement, except ``profile``, which stands first.
bodies: st.SearchStrategy[Body] = st.one_of(
    _packets,
    _packets,
    _icmp,
    _calls,
    st.builds(Shell, st.sampled_from(["sysctl -q net.ipv4.tcp_syncookies=0", "true", "./x.sh"])),
    st.builds(Code, st.just("assert tcpi_unacked == 1")),
    st.builds(SetSysctl, _sysctls, st.integers(-1, 300), st.booleans()),
    st.builds(ClientCall, _names, st.just(ClientVerb.CONNECT), st.none() | st.integers(0, 200)),
    st.builds(ClientCall, _names, st.just(ClientVerb.SEND), st.integers(1, 3000)),
    st.builds(ClientCall, _names, st.just(ClientVerb.CLOSE), st.none()),
    st.builds(OutcomeCheck, _names, st.sampled_from(Outcome)),
    st.builds(SilenceCheck, _names),
    st.builds(Ignored, _names),
    st.builds(
        QueueCheck, st.sampled_from(Queue), st.integers(0, 5), st.none() | st.integers(0, 5), _fd
    ),
    st.builds(
        CounterCheck,
        st.sampled_from(["Tcp", "TcpExt"]),
        st.sampled_from(["ListenOverflows", "OutRsts", "Nonsense"]),
        st.integers(0, 9),
        st.booleans(),
        st.booleans(),
    ),
    st.builds(DropsCheck, st.integers(0, 9), st.booleans(), _fd),
    st.builds(ViewCheck, st.sampled_from(View), st.just((("unacked", 1), ("sacked", 2))), _fd),
    st.builds(
        lambda verb, delay, names, inbound: WireRule(
            verb, delay if verb is WireVerb.DELAY else 0, names, inbound
        ),
        st.sampled_from(WireVerb),
        st.integers(0, 3 * _SECOND),
        st.none() | _names,
        st.none() | st.booleans(),
    ),
)

_nanoseconds = st.sampled_from([0, 0, 100_000_000, _SECOND]) | st.integers(0, 90 * _SECOND)
_times = st.one_of(
    st.just(AT_ONCE),
    st.just(ANY_TIME),
    st.builds(lambda start: Time(start), _nanoseconds),
    st.builds(lambda start: Time(start, relative=False), _nanoseconds),
    st.builds(lambda start, more: Time(start, start + more), _nanoseconds, _nanoseconds),
)


def _statement(body: Body, time: Time, remark: str) -> Statement:
    """Only segments that are expected may leave their time open."""
    open_time = time.any or time.end is not None
    named = isinstance(body, PacketLine) and (not body.inbound or body.names is not None)
    return Statement(body, AT_ONCE if open_time and not named else time, remark)


_statements = st.builds(_statement, bodies, _times, _comment) | st.builds(
    lambda text: Statement(Comment(text)), _comment
)


def _script(
    statements: list[Statement], profile: str | None, options: list[ScriptOption]
) -> Script:
    first = [] if profile is None else [Statement(Profile(profile))]
    return Script((*first, *statements), tuple(options))


#: Scripts that parse; whether they mean anything is another matter.
scripts: st.SearchStrategy[Script] = st.builds(
    _script,
    st.lists(_statements, max_size=12),
    st.none() | st.sampled_from(["linux-6.18", "bsd44", "no-such-system"]),
    st.lists(
        st.sampled_from(
            [ScriptOption("ip_version", "ipv6"), ScriptOption("tolerance_usecs", "10000")]
        ),
        max_size=1,
    ),
)
