"""Queries and responses in wire form, by dnspython.

This is the one module that imports dnspython. The import takes a tenth of a second and two dozen
modules, and a process that dials only literals never needs it: ``resolver`` loads this module with
the first name that must be asked for, or in ``Resolver.preload``.
"""

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rdtypes.ANY.CNAME
import dns.rdtypes.ANY.SOA
import dns.rdtypes.IN.A
import dns.rdtypes.IN.AAAA

from .question import Answer, Failure, Query, Response, Truncation

__all__ = ["build_query", "read_response"]

_HEADER_SIZE = 12

# A record costs dnspython 40 microseconds and more, and a response by TCP can hold four thousand
# that an attacker chose. 16 CNAMEs, which is as far as a chain is followed, and 32 addresses of a
# family are as many as can be used.
_MAX_ANSWERS = 48
_MAX_AUTHORITIES = 4


def build_query(query: Query) -> bytes:
    """The message that asks ``query``, with recursion desired."""
    return _message(query).to_wire()


def read_response(query: Query, wire: bytes) -> Response | None:
    """What ``wire`` says to ``query``; None where it is no response to it, or not even a message.

    Such a datagram is to be ignored, and the wait for the true response to go on: it may be a
    guess by somebody who cannot see the query.
    """
    if len(wire) < _HEADER_SIZE or int.from_bytes(wire[:2], "big") != query.id:
        return None
    try:
        message = dns.message.from_wire(_bounded(wire), ignore_trailing=True)
    except (dns.exception.DNSException, ValueError):
        return None
    if not isinstance(message, dns.message.QueryMessage):
        return None
    if not _message(query).is_response(message):
        return None
    if message.flags & dns.flags.TC:
        return Truncation()
    if message.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return Failure(f"answered {dns.rcode.to_text(message.rcode())}")
    return _read_answer(message)


def _message(query: Query) -> dns.message.QueryMessage:
    # No EDNS: an answer with addresses seldom outgrows 512 octets, TCP is there for the rest, and
    # datagrams that small are never fragmented, which spares us forged second fragments.
    name = dns.name.Name((*query.name.encode("ascii").split(b"."), b""))
    return dns.message.make_query(name, query.rdtype, use_edns=False, id=query.id)


def _read_answer(message: dns.message.QueryMessage) -> Response:
    try:
        chain = message.resolve_chaining()
    except dns.exception.DNSException as error:
        return Failure(f"answered nonsense ({type(error).__name__})")
    exists = message.rcode() == dns.rcode.NOERROR
    if chain.answer is not None:
        addresses = tuple(record.address for record in chain.answer)
        return Answer(addresses, chain.minimum_ttl, exists)
    # [RFC1034 §4.3.1] a server that neither knows nor recurses only refers to others
    if exists and not message.flags & (dns.flags.AA | dns.flags.RA):
        return Failure("does not resolve names for others")
    # [RFC2308 §5] without a SOA record, that there is nothing is not to be remembered
    soa = any(records.rdtype == dns.rdatatype.SOA for records in message.authority)
    return Answer((), chain.minimum_ttl if soa else 0, exists)


def _bounded(wire: bytes) -> bytes:
    """``wire`` with a header that promises no more records than we are willing to read."""
    answers, authorities = (int.from_bytes(wire[at : at + 2], "big") for at in (6, 8))
    # [RFC2181 §9] with TC set, none of the contents is to be relied on
    if wire[2] & 0x02:
        answers = authorities = 0
    # Only a response without an address needs its SOA record, and such a one has few answers.
    elif answers > _MAX_ANSWERS:
        answers, authorities = _MAX_ANSWERS, 0
    counts = answers, min(authorities, _MAX_AUTHORITIES), 0
    return wire[:6] + b"".join(n.to_bytes(2, "big") for n in counts) + wire[_HEADER_SIZE:]
