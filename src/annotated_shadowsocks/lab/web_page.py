"""A very small web server's half that has no sockets: octets of a request in, octets of a page out.

It speaks as much HTTP/1.0 as curl and a browser need: one request, one page, and the end.
"""

from html import escape
from typing import NamedTuple

from ..tcp_model.profile import Profile

__all__ = ["Facts", "answer", "is_complete"]

#: Octets of the longest request that anybody waits for.
_LONGEST = 16_384
_END_OF_HEAD = b"\r\n\r\n"


class Facts(NamedTuple):
    """What the page says."""

    profile: Profile
    backlog: int
    accept_limit: int
    #: How many waited in the accept queue when this connection left it, itself included.
    waited: int
    #: Which connection this is, from 1.
    number: int


def is_complete(request: bytes) -> bool:
    """Whether a request can be answered: its head is there, or it will never end."""
    return _END_OF_HEAD in request or b"\n\n" in request or len(request) > _LONGEST


def answer(request: bytes, facts: Facts) -> bytes:
    """The response to a complete request, with its page."""
    method = request.split(b" ", 1)[0]
    if len(request) > _LONGEST:
        return _response("431 Request Header Fields Too Large", b"", b"")
    if method not in (b"GET", b"HEAD"):
        return _response("405 Method Not Allowed", b"Allow: GET, HEAD\r\n", b"")
    page = _page(facts).encode()
    return _response(
        "200 OK", b"Content-Type: text/html; charset=utf-8\r\n", page, method == b"HEAD"
    )


def _response(status: str, headers: bytes, body: bytes, head_only: bool = False) -> bytes:
    head = f"HTTP/1.0 {status}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n".encode()
    return head + headers + b"\r\n" + (b"" if head_only else body)


def _page(facts: Facts) -> str:
    profile = facts.profile
    gates = "".join(
        f"<li>{escape(gate.ceiling.formula)}: {escape(gate.verdict.value)}"
        f" <small>{escape(gate.reason)}</small>\n"
        for gate in profile.syn_gates
    )
    ack = profile.ack_gate
    ack_rule = (
        "a final ACK is never refused"
        if ack is None
        else f"a final ACK at {escape(ack.ceiling.formula)} is {escape(ack.on_full.value)}"
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>{escape(profile.title)}, a model</title>
<h1>This listener behaves as {escape(profile.title)} does</h1>
<p>No kernel has accepted this connection. Your SYN went into a TUN device, and a model of TCP has
answered it. It listens with listen({facts.backlog}), which makes a limit of {facts.accept_limit}.
<p>You are connection {facts.number}; {facts.waited} waited in the accept queue when you were taken
out of it, you included.
<h2>What a SYN has to pass</h2>
<ul>
{gates}</ul>
<p>And then: {ack_rule}.
{f"<p><small>{escape(profile.remark)}</small>" if profile.remark else ""}
"""
