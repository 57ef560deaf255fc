"""From a ``Script`` to text: one layout for all, which parses to the same script again."""

from .expressions import (
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
from .statements import (
    AT_ONCE,
    Body,
    Call,
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
    OutcomeCheck,
    PacketLine,
    PacketOption,
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
    WireVerb,
)

__all__ = ["print_body", "print_script", "print_statement", "print_time"]

_SECOND = 1_000_000_000
#: Bodies stand below each other, behind times of up to this width.
_COLUMN = 8


def print_script(script: Script) -> str:
    """The whole script, with an empty line before each group of comments."""
    lines = []
    for option in script.options:
        lines.append(f"--{option.name}" + ("" if option.value is None else f"={option.value}"))
    before: Body | None = None
    for statement in script.statements:
        comment = isinstance(statement.body, Comment)
        if lines and comment and not isinstance(before, Comment):
            lines.append("")
        lines.append(print_statement(statement))
        before = statement.body
    return "".join(f"{line}\n" for line in lines)


def print_statement(statement: Statement) -> str:
    """One statement, without a newline."""
    body = print_body(statement.body)
    if isinstance(statement.body, Comment):
        return body
    remark = f"  // {statement.remark}" if statement.remark else ""
    if isinstance(statement.body, Shell) and statement.time is AT_ONCE:
        return body + remark
    time = print_time(statement.time)
    return f"{time:<{_COLUMN - 1}} {body}".rstrip() + remark


def print_time(time: Time) -> str:
    """``+0.2``, ``1.5``, ``+0~+0.2``, ``*`` or nothing."""
    if time.any:
        return "*"
    if time.start is None:
        return ""
    plus = "+" if time.relative else ""
    end = "" if time.end is None else f"~{plus}{_seconds(time.end)}"
    return f"{plus}{_seconds(time.start)}{end}"


def _seconds(duration: int) -> str:
    whole, rest = divmod(duration, _SECOND)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{whole}{fraction}"


def print_body(body: Body) -> str:
    """One body as the parser reads it."""
    match body:
        case PacketLine():
            return _packet(body)
        case IcmpLine():
            return _icmp(body)
        case Foreign(text):
            return text
        case Call():
            return _call(body)
        case Shell(command):
            return f"`{command}`"
        case Code(text):
            return f"%{{ {text} }}%"
        case SetSysctl(name, value, clients):
            return f"{_clients(clients)}sysctl {name} = {value}"
        case Profile(name):
            return f"profile {name}"
        case ClientCall(names, verb, value):
            count = "" if value is None else f" {value}"
            word = " syn_retries" if verb is ClientVerb.CONNECT and value is not None else ""
            return f"client {names} {verb.value}{word}{count}"
        case OutcomeCheck(names, outcome):
            return f"{names} {outcome.value}"
        case SilenceCheck(names):
            return f"{names} silent"
        case Ignored(names):
            return f"{names} ignored"
        case QueueCheck(queue, depth, limit, fd):
            return f"{queue.value}{_of(fd)} {depth}" + ("" if limit is None else f"/{limit}")
        case CounterCheck(group, name, amount, more, clients):
            return f"{_clients(clients)}{group} {name} {_amount(amount, more)}"
        case DropsCheck(amount, more, fd):
            return f"sk_drops{_of(fd)} {_amount(amount, more)}"
        case ViewCheck(view, values, fd):
            shown = " ".join(f"{name} {value}" for name, value in values)
            return f"{view.value}{_of(fd)} {shown}"
        case WireRule():
            return _wire(body)
        case Comment(text):
            return f"// {text}".rstrip()


def _clients(clients: bool) -> str:
    return "clients " if clients else ""


def _of(fd: int | None) -> str:
    return "" if fd is None else f"({fd})"


def _amount(amount: int, more: bool) -> str:
    return f"{amount:+d}" if more else str(amount)


def _who(names: Names | None) -> str:
    return "" if names is None else f"{names} "


def _arrow(names: Names | None, inbound: bool, ip: str) -> str:
    return f"{_who(names)}{'<' if inbound else '>'} " + (f"[{ip}] " if ip else "")


def _packet(line: PacketLine) -> str:
    text = _arrow(line.names, line.inbound, line.ip)
    if line.ports is not None:
        text += f"{line.ports[0]} > {line.ports[1]} "
    text += f"{line.flags} {line.seq}:{line.end_seq}({line.size})"
    for word, value in (("ack", line.ack), ("win", line.window), ("urg", line.urgent)):
        text += "" if value is None else f" {word} {value}"
    if line.options is None:
        return f"{text} <...>"
    if not line.options:
        return text
    return f"{text} <{','.join(_option(option) for option in line.options)}>"


def _option(option: PacketOption) -> str:
    numbers = option.numbers
    if option.kind == "TS":
        return f"TS val {numbers[0]} ecr {numbers[1]}"
    if option.kind == "sack":
        blocks = zip(numbers[::2], numbers[1::2], strict=True)
        return "sack " + " ".join(f"{first}:{last}" for first, last in blocks)
    return " ".join([option.kind, *map(str, numbers), *([option.word] if option.word else [])])


def _icmp(line: IcmpLine) -> str:
    text = f"{_arrow(line.names, line.inbound, line.ip)}icmp {line.kind}"
    text += f" {line.code}" if line.code else ""
    text += "" if line.mtu is None else f" mtu {line.mtu}"
    if line.quoted is not None:
        first, last, size = line.quoted
        text += f" [{first}:{last}({size})]"
    return text


def _call(call: Call) -> str:
    until = "" if call.until is None else f"...{_seconds(call.until)} "
    text = f"{until}{call.name}({_list(call.arguments)})"
    if call.result is None:
        return text
    text += f" = {_expression(call.result)}"
    text += f" {call.error}" if call.error else ""
    return text + (f" ({call.note})" if call.note else "")


def _list(items: tuple[Expression, ...]) -> str:
    return ", ".join(_expression(item) for item in items)


def _expression(expression: Expression) -> str:
    match expression:
        case Rest():
            return "..."
        case Number(value, hexadecimal):
            return f"{value:#x}" if hexadecimal else str(value)
        case Word(name, arguments):
            return name if arguments is None else f"{name}({_list(arguments)})"
        case Text(value, cut):
            return f'"{value}"' + ("..." if cut else "")
        case Either(parts):
            return "|".join(_expression(part) for part in parts)
        case Assignment(target, value):
            return f"{_expression(target)}={_expression(value)}"
        case Array(items):
            return f"[{_list(items)}]"
        case Braces(items):
            return f"{{{_list(items)}}}"


def _wire(rule: WireRule) -> str:
    words = ["wire", rule.verb.value]
    if rule.verb is WireVerb.DELAY:
        words.append(_seconds(rule.delay))
    if rule.names is not None:
        words.append(str(rule.names))
    if rule.inbound is not None:
        words.append("<" if rule.inbound else ">")
    return " ".join(words)
