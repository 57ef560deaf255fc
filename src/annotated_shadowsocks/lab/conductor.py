"""Walks through a script on a stage, and stops at the first thing that is not as it says.

Two clocks run. The *nominal* one is the script's: what its times add up to. The *actual* one is the
stage's, which on a kernel is behind: a timer that should fire after 4 s fires after 4.2, and what
follows it "after 0.1 s" follows it then. Statements that do something are due by the actual clock.
A segment that is expected is judged by its interval, which is as long as the script says, within
the stage's tolerance: from the statement before it, or from the last segment of its flow in either
direction, since a timer counts from one of these. So lateness does not add up.

Where a machine is too busy to play a statement in time, other things have happened before it than
the script says. What differs then is no finding: it could not be run. What agrees all the same does
agree.

Segments are taken in order within each flow and direction. What a scripted peer was sent and the
script does not mention is a difference too, at the end at the latest: silence is a statement.
"""

from typing import NamedTuple

from ..errors import ConfigError
from ..scripts.printer import print_body
from ..scripts.shell import settings
from ..scripts.statements import (
    Body,
    Call,
    ClientCall,
    ClientVerb,
    Comment,
    CounterCheck,
    DropsCheck,
    IcmpLine,
    Ignored,
    OutcomeCheck,
    PacketLine,
    Place,
    Profile,
    QueueCheck,
    Script,
    SetSysctl,
    Shell,
    SilenceCheck,
    Statement,
    Time,
    ViewCheck,
    WireRule,
)
from ..tcp_model.instant import MILLISECOND, SECOND, Duration, Instant, text
from .calls import Calls
from .checks import Checks
from .flows import Flow, Moment
from .stage import Stage
from .verdict import Difference, Differs, Refusal, Refused, Verdict, differ

__all__ = ["conduct"]

#: packetdrill's only peer has no name.
_NAMELESS = "peer"
#: How long ``*`` waits: longer than the longest timeout there is [linux TCP_RTO_MAX].
_ANY: Duration = 130 * SECOND
#: What is played later than this was not played as it is written. A check may wait for so long.
_LATE: Duration = 110 * MILLISECOND
#: No script runs longer: a model would, and a kernel cannot.
_LONGEST: Instant = 24 * 3600 * SECOND


class _Due(NamedTuple):
    """When a statement's time comes, by both clocks, and how much later it may be."""

    actual: Instant
    nominal: Instant
    span: Duration
    any: bool


def conduct(script: Script, stage: Stage) -> Verdict:
    """Run a script. What it cannot do is in the verdict too: nothing is raised for a script."""
    return _Conductor(script, stage).run()


class _Conductor:
    """One run."""

    def __init__(self, script: Script, stage: Stage) -> None:
        self._script = script
        self._stage = stage
        self._calls = Calls(stage)
        self._flows: dict[str, Flow] = {}
        #: Names of clients with a kernel.
        self._connected: set[str] = set()
        self._checks = Checks(stage, self._calls, self._connected)
        #: The time of the last statement, by both clocks.
        self._nominal: Instant = 0
        self._actual: Instant = stage.now
        #: The statement that was played latest, and by how much, where that is too much.
        self._delay = _LATE
        self._late: Refusal | None = None

    def run(self) -> Verdict:
        """All statements, then silence."""
        statement = Statement(Comment("the end of the script"))
        difference = refusal = None
        try:
            for statement in self._script.statements:
                self._do(statement)
            statement = Statement(Comment("the end of the script"), place=self._end())
            self._expect_silence_everywhere()
        except Differs as found:
            line = print_body(statement.body)
            if (refusal := self._lateness(statement)) is None:
                difference = Difference(statement.place, line, found.expected, found.got)
        except (Refused, ConfigError) as error:
            refusal = Refusal(statement.place, print_body(statement.body), str(error))
        trace, late = self._stage.trace(self._script.name), self._lateness(statement)
        return Verdict(self._script.name, self._stage.title, trace, difference, refusal, late)

    def _end(self) -> Place:
        statements = self._script.statements
        return Place(statements[-1].place.line + 1, 1) if statements else Place(1, 1)

    def _do(self, statement: Statement) -> None:
        body, time = statement.body, statement.time
        due = self._when(time)
        if isinstance(body, PacketLine) and self._is_expected(body):
            self._note(body)
            self._expect(body, due)
            return
        if time.any or time.end is not None:
            raise Refused("only an expected segment may come at any time, or within a range")
        self._stage.advance(due.actual)
        self._measure(statement, self._stage.now - max(due.actual, self._actual))
        # Whoever plays the script on a kernel may come late to it: what follows is due that much
        # later.
        self._nominal, self._actual = due.nominal, max(self._actual, self._stage.now)
        self._note(body)
        self._perform(body)

    def _measure(self, statement: Statement, delay: Duration) -> None:
        if delay > self._delay:
            self._delay = delay
            self._late = _refusal(statement, f"it was played {_milliseconds(delay)} too late")

    def _lateness(self, statement: Statement) -> Refusal | None:
        """Why what differs at a statement proves nothing, or None where it does."""
        if self._late is None and self._stage.late > _LATE:
            waited = _milliseconds(self._stage.late)
            return _refusal(statement, f"a packet lay there for {waited} before it was carried")
        return self._late

    def _note(self, body: Body) -> None:
        self._stage.note(print_body(body))

    def _when(self, time: Time) -> _Due:
        start = time.start or 0
        relative = time.relative or time.start is None
        actual = self._actual + start if relative else start
        nominal = self._nominal + start if relative else start
        span = 0 if time.end is None else time.end - start
        if max(actual, nominal) + span > _LONGEST:
            raise Refused(f"it would run for more than {text(_LONGEST)}")
        return _Due(actual, nominal, span, time.any)

    # Segments

    def _is_expected(self, line: PacketLine) -> bool:
        return not line.inbound or (line.names is not None and self._has_kernel(line.names.first))

    def _has_kernel(self, name: str) -> bool:
        return name in self._connected

    def _flow(self, name: str) -> Flow:
        flow = self._flows.get(name)
        if flow is None:
            far = None if self._has_kernel(name) else self._stage.peer(name)
            flow = self._flows[name] = Flow(name, far)
        return flow

    def _expect(self, line: PacketLine, due: _Due) -> None:
        _check(line)
        for name in line.names or (_NAMELESS,):
            flow = self._flow(name)
            earliest, deadline = self._window(flow, due)
            heard = self._stage.receive(name, line.inbound, deadline)
            if heard is None:
                differ(f"{print_body(line)} by {text(deadline)}", "nothing")
            flow.compare(line, heard.segment)
            if not earliest <= heard.at <= deadline:
                window = f"{print_body(line)} between {text(earliest)} and {text(deadline)}"
                differ(window, f"it at {text(heard.at)}")
            self._passed(flow, line.inbound, heard.at, due)

    def _window(self, flow: Flow, due: _Due) -> tuple[Instant, Instant]:
        """When a segment may come: so long after whatever may have set it off."""
        if due.any:
            return 0, due.actual + _ANY
        causes = (Moment(self._nominal, self._actual), *flow.last.values())
        early, late = [], []
        for cause in causes:
            interval = due.nominal - cause.nominal
            tolerance = self._stage.tolerance(max(0, interval))
            early.append(cause.actual + interval - tolerance.early)
            late.append(cause.actual + interval + tolerance.late)
        return min(early), max(late) + due.span

    def _passed(self, flow: Flow, inbound: bool, at: Instant, due: _Due) -> None:
        """Set both clocks; where the script leaves the time open, it is as it was seen."""
        nominal = due.nominal
        if due.any or due.span:
            nominal = self._nominal + max(0, at - self._actual)
        flow.last[inbound] = Moment(nominal, at)
        self._nominal = max(self._nominal, nominal)
        self._actual = max(self._actual, at)

    def _send(self, line: PacketLine) -> None:
        _check(line)
        for name in line.names or (_NAMELESS,):
            flow = self._flow(name)
            flow.last[True] = Moment(self._nominal, self._actual)
            self._stage.send(name, flow.make(line, self._stage.server))

    def _send_unreachable(self, line: IcmpLine) -> None:
        if not line.inbound:
            raise Refused("no ICMP errors are expected of the host under test")
        if line.ip:
            raise Refused("what stands in brackets about the IP header is not run")
        for name in line.names or (_NAMELESS,):
            error = self._flow(name).make_unreachable(line, self._stage.server)
            self._stage.send_unreachable(name, error)

    def _expect_silence(self, name: str) -> None:
        heard = self._stage.receive(name, False, self._stage.now)
        if heard is not None:
            flow = self._flow(name)
            flow.learn(heard.segment, False)
            got = print_body(flow.describe(heard.segment, False))
            differ(f"no more segments for {name}", f"{got} at {text(heard.at)}")

    def _ignore(self, name: str) -> None:
        while (heard := self._stage.receive(name, False, self._stage.now)) is not None:
            self._flow(name).learn(heard.segment, False)

    def _expect_silence_everywhere(self) -> None:
        for name, flow in self._flows.items():
            if flow.far is not None and name != _NAMELESS:
                self._expect_silence(name)

    # Everything else

    def _perform(self, body: Body) -> None:
        match body:
            case Comment() | Profile():
                pass
            case PacketLine():
                self._send(body)
            case IcmpLine():
                self._send_unreachable(body)
            case Call():
                self._calls.make(body)
            case SetSysctl(name, value, clients):
                self._stage.set_sysctl(name, value, clients)
            case Shell():
                self._set_all(body)
            case ClientCall():
                self._tell(body)
            case WireRule():
                self._stage.set_wire(body)
            case SilenceCheck(names):
                for name in names:
                    self._expect_silence(name)
            case Ignored(names):
                for name in names:
                    self._ignore(name)
            case OutcomeCheck() | QueueCheck() | CounterCheck() | DropsCheck() | ViewCheck():
                self._checks.make(body)
            case _:
                raise Refused("it is read, but not run")

    def _set_all(self, shell: Shell) -> None:
        found = settings(shell)
        if found is None:
            raise Refused("only commands that change net.ipv4 and net.core settings are run")
        for one in found:
            self._stage.set_sysctl(one.name, one.value, clients=False)

    def _tell(self, call: ClientCall) -> None:
        for name in call.names:
            connects = call.verb is ClientVerb.CONNECT
            if connects and (name in self._connected or name in self._flows):
                raise Refused(f"{name} is in use: take another name")
            if not connects and name not in self._connected:
                raise Refused(f"{name} has not connected: client {name} connect")
            self._connected.add(name)
            try:
                self._stage.tell_client(name, call)
            except OSError as error:
                differ(f"client {name} can {call.verb.value}", error.strerror or error)


def _refusal(statement: Statement, problem: str) -> Refusal:
    advice = "this machine is busy, run it again when it is not"
    return Refusal(statement.place, print_body(statement.body), f"{problem}: {advice}")


def _milliseconds(duration: Duration) -> str:
    return f"{duration // MILLISECOND} ms"


def _check(line: PacketLine) -> None:
    """Raises ``Refused`` for what can be read in a packet line and not be run."""
    if line.ports is not None:
        raise Refused("ports are not run: give each peer a name")
    if line.urgent is not None:
        raise Refused("the urgent pointer is not run")
    if line.ip:
        raise Refused("what stands in brackets about the IP header is not run")
