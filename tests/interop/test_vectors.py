"""Octets that were computed from SIP022 and SIP023, said to a real server at the time in them.

sing-box asks a time server what time it is, and ours says that it is 2023. It then takes what is
recorded in ``testing/sip022.py`` for the words of a client that speaks at this moment, and goes to
the target of the vectors, in whose place it is led to an echo. What it answers, our decoders open.
"""

import dataclasses
import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.shadowsocks.aead2022_session import ClientSession
from annotated_shadowsocks.shadowsocks.aead2022_stream import ResponseDecoder
from annotated_shadowsocks.shadowsocks.identity import KeyChain
from annotated_shadowsocks.testing.origin import Origin
from annotated_shadowsocks.testing.programs import Program
from annotated_shadowsocks.testing.sip022 import (
    CLIENT_SESSION,
    TARGET,
    TIME,
    VECTORS,
    Vector,
    scripted,
    timestamps,
)
from annotated_shadowsocks.testing.time_server import TimeServer
from annotated_shadowsocks.wire import address
from peers import cache
from peers.model import Launch, Link
from peers.sing_box import SING_BOX
from peers.stage import free_endpoint

pytestmark = pytest.mark.interop

PATIENCE = 30


@dataclasses.dataclass(frozen=True, slots=True)
class Form:
    """A vector without identity header, or with one."""

    vector: Vector
    identity: bool

    def __str__(self) -> str:
        return self.vector.method.name + (" with an identity header" if self.identity else "")

    @property
    def chain(self) -> KeyChain:
        v = self.vector
        return KeyChain(v.upsk, (v.psk,)) if self.identity else KeyChain(v.psk)


FORMS = [
    Form(vector, identity)
    for vector in VECTORS.values()
    for identity in (False, True)
    if not identity or vector.identity_request
]


def echo(sock: socket.socket) -> None:
    while data := sock.recv(1000):
        sock.sendall(data)


def launch(form: Form, at: Endpoint, target: Endpoint, time: TimeServer, file: Path) -> Launch:
    """sing-box with the vector's keys, another clock, and one way out."""
    vector = form.vector
    users = {"user": vector.upsk_base64} if form.identity else {}
    link = Link(vector.method.name, vector.psk_base64, at, users=users)
    assert SING_BOX.server is not None
    launch = SING_BOX.server.launch(at, link, file)
    document = json.loads(launch.files[file])
    host, port = time.endpoint
    document["ntp"] = {"enabled": True, "server": host, "server_port": port}
    way = {"domain": [TARGET.host], "port": TARGET.port, "action": "route", "outbound": "direct"}
    there = {"override_address": target.host, "override_port": target.port}
    document["route"] = {"rules": [way | there, {"action": "reject"}]}
    return dataclasses.replace(launch, files={file: json.dumps(document)})


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_server_answers_the_vectors(
    form: Form, origin: Origin, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    record_property("with a peer", f"{form}: {SING_BOX.name} answers the computed vectors")
    at = free_endpoint()
    file = tmp_path / "server.json"
    for transport, ask, port in (
        ("tcp", ask_by_tcp, origin.serve(echo)),
        ("udp", ask_by_udp, origin.port),
    ):
        with TimeServer(TIME) as time:
            launched = launch(form, at, Endpoint("127.0.0.1", port), time, file)
            file.write_text(launched.files[file])
            program, *arguments = launched.command
            command = [cache.find(SING_BOX, program), *arguments]
            with Program(command, [(transport, at.port)]) as server:
                try:
                    ask(form, at)
                except (AssertionError, OSError) as error:
                    raise AssertionError(server.output()) from error


def ask_by_tcp(form: Form, at: Endpoint) -> None:
    vector = form.vector
    request = vector.identity_request if form.identity else vector.request
    said = b"hello" if form.identity else b"helloagain"
    decoder = ResponseDecoder(form.chain.psk, vector.request_salt, timestamps(0))
    out = memoryview(bytearray(1000))
    answer = b""
    with socket.create_connection(at, PATIENCE) as sock:
        sock.sendall(request)
        left = b""
        while len(answer) < len(said):
            data = sock.recv(1000)
            assert data, "it ended without an answer"
            left += data
            used, written = decoder.convert(memoryview(left), out)
            assert decoder.error is None
            left = left[used:]
            answer += bytes(out[:written])
    assert answer == said


def ask_by_udp(form: Form, at: Endpoint) -> None:
    vector = form.vector
    session = ClientSession(form.chain, timestamps(0), scripted(CLIENT_SESSION))
    out = memoryview(bytearray(1000))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE)
        sock.sendto(vector.identity_packet if form.identity else vector.client_packet, at)
        packet = sock.recv(1000)
    body = bytes(out[session.open(memoryview(packet), out, 0.0)])
    _, size = address.decode(body)
    assert body[size:] == b"ping"
