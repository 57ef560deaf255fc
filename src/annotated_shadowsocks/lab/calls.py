"""System calls of a script, made on a stage.

Only those that a listener's story needs; every other call is refused by name rather than taken for
something that it is not. Sockets have the numbers that the script expects of ``socket`` and
``accept``, as if it were a process that opens nothing else.
"""

import errno
from collections.abc import Callable, Mapping

from ..scripts.expressions import Array, Either, Expression, Number, Word
from ..scripts.printer import print_body
from ..scripts.statements import Call
from ..tcp_model.host import SocketOption
from .stage import Stage
from .verdict import Refused, differ

__all__ = ["Calls"]

_SHUT = {"SHUT_RD": 0, "SHUT_WR": 1, "SHUT_RDWR": 2}
_INT = 1 << 31
_OPTIONS = {option.name: option for option in SocketOption}
_FIRST_FD = 3
_MOST_OCTETS = 1 << 20


class Calls:
    """Makes calls, and knows which sockets listen."""

    __slots__ = ("_stage", "_used", "listening")

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._used: set[int] = set()
        #: Listeners in the order of their first listen().
        self.listening: list[int] = []

    def make(self, call: Call) -> None:
        """Make a call and compare its result. Raises ``Differs`` or ``Refused``."""
        handler = _HANDLERS.get(call.name)
        if handler is None:
            raise Refused(f"{call.name}() is not run; there are {', '.join(_HANDLERS)}")
        if call.until is not None:
            raise Refused("calls that block are not run: call it when there is something")
        try:
            got = handler(self, call)
        except OSError as error:
            name = errno.errorcode.get(error.errno or 0, "EIO")
            if (call.result, call.error) != (Number(-1), name):
                differ(_result(call), f"-1 {name}")
            return
        if call.error or (isinstance(call.result, Number) and call.result.value != got):
            differ(_result(call), got)

    def _socket(self, call: Call) -> int:
        # SOCK_NONBLOCK may be or'ed to it: every socket here is
        if len(call.arguments) > 1 and _word(call, 1) != "SOCK_STREAM":
            raise Refused("only SOCK_STREAM is run")
        fd = self._new(call)
        self._stage.open_socket(fd)
        return fd

    def _setsockopt(self, call: Call) -> int:
        fd, name, value = _fd(call), _word(call, 2), _in_brackets(call, 3)
        if name == "SO_REUSEPORT":
            if value:
                self._stage.reuse_port(fd)
        elif name in _OPTIONS:
            self._stage.set_option(fd, _OPTIONS[name], value)
        elif name != "SO_REUSEADDR":
            known = ", ".join(["SO_REUSEADDR", "SO_REUSEPORT", *_OPTIONS])
            raise Refused(f"the option {name} is not run; there are {known}")
        return 0

    def _getsockopt(self, call: Call) -> int:
        fd, name = _fd(call), _word(call, 2)
        if name not in _OPTIONS:
            raise Refused(f"the option {name} is not read; there are {', '.join(_OPTIONS)}")
        got, wanted = self._stage.get_option(fd, _OPTIONS[name]), _in_brackets(call, 3)
        if got != wanted:
            differ(f"{name} [{wanted}]", f"[{got}]")
        return 0

    def _bind(self, call: Call) -> int:
        self._stage.bind(_fd(call))
        return 0

    def _listen(self, call: Call) -> int:
        fd, backlog = _fd(call), _number(call, 1)
        if not -_INT <= backlog < _INT:
            raise Refused(f"listen's backlog is an int: {-_INT} to {_INT - 1}")
        self._stage.listen(fd, backlog)
        if fd not in self.listening:
            self.listening.append(fd)
        return 0

    def _accept(self, call: Call) -> int:
        new = self._new(call)
        try:
            self._stage.accept(_fd(call), new)
        except OSError:
            self._used.discard(new)
            raise
        return new

    def _shutdown(self, call: Call) -> int:
        how = _word(call, 1)
        if how not in _SHUT:
            raise Refused(f"shutdown() has {', '.join(_SHUT)}")
        self._stage.shutdown(_fd(call), _SHUT[how])
        return 0

    def _close(self, call: Call) -> int:
        fd = _fd(call)
        self._stage.close_socket(fd)
        self._used.discard(fd)
        if fd in self.listening:
            self.listening.remove(fd)
        return 0

    def _read(self, call: Call) -> int:
        return len(self._stage.read(_fd(call), _size(call)))

    def _write(self, call: Call) -> int:
        return self._stage.write(_fd(call), bytes(_size(call)))

    def _fcntl(self, call: Call) -> int:
        # Every socket here is non-blocking from the start.
        _fd(call)
        return call.result.value if isinstance(call.result, Number) else 0

    def _new(self, call: Call) -> int:
        """The number that the script gives a new socket, else the lowest that is free."""
        fd = call.result.value if isinstance(call.result, Number) else -1
        if fd in self._used:
            raise Refused(f"socket {fd} is in use: give the new one another number")
        if fd < 0:
            fd = next(n for n in range(_FIRST_FD, _INT) if n not in self._used)
        self._used.add(fd)
        return fd


_HANDLERS: Mapping[str, Callable[[Calls, Call], int]] = {
    "socket": Calls._socket,
    "setsockopt": Calls._setsockopt,
    "getsockopt": Calls._getsockopt,
    "bind": Calls._bind,
    "listen": Calls._listen,
    "accept": Calls._accept,
    "accept4": Calls._accept,
    "shutdown": Calls._shutdown,
    "close": Calls._close,
    "read": Calls._read,
    "recv": Calls._read,
    "write": Calls._write,
    "send": Calls._write,
    "fcntl": Calls._fcntl,
}


def _result(call: Call) -> str:
    """What a call expects, as it is written."""
    if call.result is None:
        return "no error"
    text = print_body(Call("", (), call.result, call.error))
    return text.removeprefix("() = ")


def _argument(call: Call, index: int) -> Expression:
    if index >= len(call.arguments):
        raise Refused(f"{call.name}() needs {index + 1} arguments")
    return call.arguments[index]


def _number(call: Call, index: int) -> int:
    argument = _argument(call, index)
    if not isinstance(argument, Number):
        raise Refused(f"argument {index + 1} of {call.name}() has to be a number")
    return argument.value


def _fd(call: Call) -> int:
    return _number(call, 0)


def _size(call: Call) -> int:
    size = _number(call, 2)
    if not 0 <= size <= _MOST_OCTETS:
        raise Refused(f"{size} octets: write 0 to {_MOST_OCTETS}")
    return size


def _word(call: Call, index: int) -> str:
    argument = _argument(call, index)
    if isinstance(argument, Either):
        argument = argument.parts[0]
    if not isinstance(argument, Word):
        raise Refused(f"argument {index + 1} of {call.name}() has to be a word")
    return argument.name


def _in_brackets(call: Call, index: int) -> int:
    argument = _argument(call, index)
    items = argument.items if isinstance(argument, Array) else (argument,)
    if len(items) != 1 or not isinstance(items[0], Number):
        raise Refused(f"argument {index + 1} of {call.name}() has to be a number in brackets")
    value = items[0].value
    if not -_INT <= value < _INT:
        raise Refused(f"argument {index + 1} of {call.name}() is an int: {-_INT} to {_INT - 1}")
    return value
