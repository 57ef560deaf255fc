"""Which listeners are meant, in the words of ``ss``: ``sport = :443``, ``src 10.0.0.0/8 or :80``.

::

    expression = term { "or" term }
    term       = factor { [ "and" ] factor }
    factor     = "not" factor | "(" expression ")" | predicate
    predicate  = "sport" [ relation ] port | "src" [ "=" | "!=" ] address | "state" word | address
    address    = host [ "/" prefix ] [ ":" port ] | ":" port        host is a literal, or *
    relation   = "=" "!=" "<" ">" "<=" ">="       and ss's spellings of these, like eq and neq

As in ss, an address is compared with what a socket was bound to: ``src 127.0.0.1`` does not find
the wildcard, though that listens on 127.0.0.1 too. A listener has no peer, so what ss says about
peers (``dport``, ``dst``) is refused.
"""

import operator
import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from ..endpoint import Endpoint
from ..errors import UsageError

__all__ = ["Address", "ListenerFilter", "parse_address", "parse_filter"]

#: Whether a listener that is bound to this endpoint is meant.
ListenerFilter = Callable[[Endpoint], bool]

_TOKEN = re.compile(r"\s*([()]|[<>=!]=|[<>=!]|\|\|?|&&?|[^\s()<>=!|&]+)")
_RELATIONS: dict[str, Callable[[int, int], bool]] = {
    **dict.fromkeys(("=", "==", "eq"), operator.eq),
    **dict.fromkeys(("!=", "ne", "neq"), operator.ne),
    **dict.fromkeys((">", "gt"), operator.gt),
    **dict.fromkeys(("<", "lt"), operator.lt),
    **dict.fromkeys((">=", "ge", "geq"), operator.ge),
    **dict.fromkeys(("<=", "le", "leq"), operator.le),
}
_AND, _OR, _NOT = ("and", "&", "&&"), ("or", "|", "||"), ("not", "!")
_STATES = ("listening", "listen", "all")
_PEER = ("dport", "dst")

#: Far more than anybody means, and far fewer than exhaust the stack.
_MOST_TOKENS = 200


class Address(NamedTuple):
    """A set of endpoints; None stands for any."""

    network: IPv4Network | IPv6Network | None
    port: int | None

    def matches(self, endpoint: Endpoint) -> bool:
        """Whether ``endpoint``, whose host is a literal, is among them."""
        if self.port not in (None, endpoint.port):
            return False
        # A network contains no address of the other family, and says so without an error.
        return self.network is None or ip_address(endpoint.host) in self.network


def parse_address(text: str) -> Address:
    """Read ``host[/prefix][:port]``, ``:port`` or ``[v6]:port``. Raises ``UsageError``."""
    host, port = text, ""
    bracketed = re.fullmatch(r"\[([^]]*)\](/\d+)?(?::(.*))?", text)
    if bracketed:
        host, port = bracketed[1] + (bracketed[2] or ""), bracketed[3] or ""
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    elif text.isdecimal():
        raise UsageError(f"{text!r} may be a host or a port; write :{text} for the port")
    try:
        network = None if host in ("", "*") else ip_network(host, strict=False)
    except ValueError:
        raise UsageError(
            f"{text!r} is not an address; write 127.0.0.1:443, [::1]:443 or :443"
        ) from None
    return Address(network, None if port in ("", "*") else _port(port))


def parse_filter(words: str) -> ListenerFilter:
    """Read a whole filter; an empty one means all. Raises ``UsageError``."""
    tokens = _TOKEN.findall(words)
    if not tokens:
        return lambda endpoint: True
    if len(tokens) > _MOST_TOKENS:
        raise UsageError(f"filter: {len(tokens)} words are too many; {_MOST_TOKENS} is the most")
    parser = _Parser(tokens)
    found = parser.expression()
    if parser.tokens:
        raise UsageError(f"filter: {parser.tokens[-1]!r} is too much; is a parenthesis missing?")
    return found


class _Parser:
    """Recursive descent, a method for each line of the grammar."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens[::-1]  # the next one is last

    def expression(self) -> ListenerFilter:
        found = self.term()
        while self._take(_OR):
            found = _either(found, self.term())
        return found

    def term(self) -> ListenerFilter:
        found = self.factor()
        while self.tokens and self.tokens[-1] not in (*_OR, ")"):
            self._take(_AND)
            found = _both(found, self.factor())
        return found

    def factor(self) -> ListenerFilter:
        if self._take(_NOT):
            return _none(self.factor())
        if self._take(("(",)):
            found = self.expression()
            if not self._take((")",)):
                raise UsageError("filter: a parenthesis is not closed")
            return found
        return self.predicate()

    def predicate(self) -> ListenerFilter:
        word = self._next("a condition, like sport = :443")
        if word in _PEER:
            raise UsageError(f"filter: {word}: a listener has no peer; use sport or src")
        if word == "state":
            state = self._next("a state")
            if state not in _STATES:
                raise UsageError(f"filter: state {state}: only listening sockets are shown here")
            return lambda endpoint: True
        if word == "sport":
            compare = _RELATIONS[self._take(tuple(_RELATIONS)) or "="]
            port = _port(self._next("a port").removeprefix(":"))
            return lambda endpoint: compare(endpoint.port, port)
        if word == "src":
            equal = _RELATIONS[self._take(("=", "==", "eq", "!=", "ne", "neq")) or "="]
            address = parse_address(self._next("an address"))
            return lambda endpoint: equal(address.matches(endpoint), True)
        return parse_address(word).matches

    def _take(self, words: tuple[str, ...]) -> str:
        """The next token if it is one of ``words``, else nothing."""
        return self.tokens.pop() if self.tokens and self.tokens[-1] in words else ""

    def _next(self, wanted: str) -> str:
        if not self.tokens:
            raise UsageError(f"filter: it ends where {wanted} should be")
        return self.tokens.pop()


def _either(one: ListenerFilter, other: ListenerFilter) -> ListenerFilter:
    return lambda endpoint: one(endpoint) or other(endpoint)


def _both(one: ListenerFilter, other: ListenerFilter) -> ListenerFilter:
    return lambda endpoint: one(endpoint) and other(endpoint)


def _none(one: ListenerFilter) -> ListenerFilter:
    return lambda endpoint: not one(endpoint)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 65535):
        raise UsageError(f"{text!r} is not a port; write a number from 0 to 65535")
    return int(text)
