"""Active probing: every bad handshake meets the same silence, by octets, flags and time."""

import asyncio
import random
import socket

import pytest

from annotated_shadowsocks.crypto import methods
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.shadowsocks.aead_packet import seal_packet
from annotated_shadowsocks.shadowsocks.key import MasterKey
from annotated_shadowsocks.testing.loops import LOOPS, run_on
from annotated_shadowsocks.testing.probes import End, Probe, Reaction, When, reactions
from annotated_shadowsocks.testing.server_harness import (
    AEAD_METHODS,
    Service,
    TunnelClient,
    master_key,
    rested,
    serve,
    server_config,
)
from annotated_shadowsocks.testing.targets import (
    Target,
)
from annotated_shadowsocks.wire import address

#: Seconds for a handshake: to wait for the end of, or never to be reached.
SHORT, LONG = 0.4, 60.0

SILENCE = Reaction(0, End.FIN, When.AT_DEADLINE)
ANSWERED_FIN = Reaction(0, End.FIN, When.BEFORE_DEADLINE)

TAG = methods.TAG_SIZE

#: Lengths that real probers have used, those around every threshold of a reader of this protocol,
#: a full segment, and more than one read takes.
LENGTHS = sorted(
    {*range(1, 10), 11, 12, 13, 15, 16, 17, 21, 22, 23, 32, 33, 34, 40, 41, 42, 48, 49, 50, 51}
    | {salt + extra for salt in (16, 24, 32) for extra in (-1, 0, 1, 17, 18, 19, 34, 35, 36)}
    | {221, 1460, 4096, 65536}
)

rng = random.Random("probes")

both_loops = pytest.mark.parametrize("loop_name", LOOPS)
all_methods = pytest.mark.parametrize("method", AEAD_METHODS)


def sealed(key: MasterKey, salt: bytes, *chunks: tuple[int, bytes]) -> bytes:
    """A stream by the figure of SIP004: the length that is said and the payload that is there."""
    box, size = key.session(salt), key.method.nonce_size
    octets = salt
    for number, (length, payload) in enumerate(chunks):
        for counter, plain in ((2 * number, length.to_bytes(2, "big")), (2 * number + 1, payload)):
            out = bytearray(len(plain) + TAG)
            box.encrypt_into(counter.to_bytes(size, "little"), plain, None, memoryview(out))
            octets += out
    return octets


def stream(key: MasterKey, *payloads: bytes) -> bytes:
    """A stream of these chunks, under a salt of its own."""
    chunks = [(len(payload), payload) for payload in payloads]
    return sealed(key, rng.randbytes(key.method.salt_size), *chunks)


def changed(octets: bytes, *places: int) -> bytes:
    """The same with these octets changed, if it has so many."""
    return bytes(o ^ 0xFF if n in places else o for n, o in enumerate(octets))


def random_probes() -> dict[str, bytes]:
    return {f"{size} random octets": rng.randbytes(size) for size in LENGTHS}


def foreign_probes() -> dict[str, bytes]:
    """First octets of other protocols, written by hand from their specifications."""
    hello = bytes.fromhex("0303") + rng.randbytes(32) + bytes.fromhex("00000213010100")
    handshake = b"\x01" + len(hello).to_bytes(3, "big") + hello
    return {
        "a TLS ClientHello": b"\x16\x03\x01" + len(handshake).to_bytes(2, "big") + handshake,
        "an HTTP request": b"GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n",
        "an SSH banner": b"SSH-2.0-OpenSSH_9.6\r\n",
        "a SOCKS5 greeting": b"\x05\x01\x00",
    }


def changed_probes(recorded: bytes) -> dict[str, bytes]:
    """The prober's replays R2 to R5; each single octet changed, and some of the bits."""
    probes = {
        "R2": changed(recorded, 0),
        "R3": changed(recorded, *range(8), 62, 63),
        "R4": changed(recorded, 16),
        "R5": changed(recorded, 6, 16),
    }
    for place in range(len(recorded)):
        probes[f"octet {place} inverted"] = changed(recorded, place)
    for bit in rng.sample(range(8 * len(recorded)), 64):
        mask = 1 << (8 * len(recorded) - 1 - bit)
        flipped = int.from_bytes(recorded, "big") ^ mask
        probes[f"bit {bit} flipped"] = flipped.to_bytes(len(recorded), "big")
    return probes


def cut_probes(octets: bytes) -> dict[str, bytes]:
    return {f"cut at {size}": octets[:size] for size in range(len(octets))}


def bad_streams(key: MasterKey, dst: bytes) -> dict[str, bytes]:
    """What only a holder of the key can send, and what no specification allows."""
    salt = rng.randbytes(key.method.salt_size)
    probes = {"a chunk of length 0": sealed(key, salt, (0, b""))}
    for bits in (0x4000, 0x8000, 0xC000):
        salt = rng.randbytes(key.method.salt_size)
        probes[f"reserved bits {bits:#06x}"] = sealed(key, salt, (len(dst) | bits, dst))
    for atyp in (0x00, 0x02, 0x05, 0x11, 0x13, 0xFF):
        probes[f"atyp {atyp:#04x}"] = stream(key, bytes([atyp]) + dst[1:])
    port = b"\x01\xbb"
    names = {
        "empty": b"",
        "NUL": b"a\0b.example",
        "254 octets": b".".join([b"a" * 63] * 3 + [b"a" * 62]),
        "not UTF-8": b"\xff\xfe.example",
        "an empty label in UTF-8": "ü..example".encode(),
        "a space": b"a b.example",
        "a zone": b"fe80::1%eth0",
    }
    for what, name in names.items():
        probes[f"name: {what}"] = stream(key, bytes([3, len(name)]) + name + port)
    probes["port 0"] = stream(key, dst[:-2] + bytes(2))
    return probes


def wrong_keys(key: MasterKey, dst: bytes) -> dict[str, bytes]:
    other = master_key(key.method.name, "another password")
    packet = memoryview(bytearray(512))
    size = seal_packet(key, rng.randbytes(key.method.salt_size), dst + b"a datagram", packet)
    return {
        "another password": stream(other, dst + b"hello"),
        "another method": stream(master_key(_neighbour(key)), dst + b"hello"),
        "a packet over TCP": bytes(packet[:size]),
    }


def _neighbour(key: MasterKey) -> str:
    """A method with another box."""
    return "aes-256-gcm" if "chacha" in key.method.name else "chacha20-ietf-poly1305"


async def record(server: Endpoint, sent: bytes) -> bytes:
    """Send a genuine handshake and return what the server answered."""
    loop = asyncio.get_running_loop()
    with socket.socket() as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, server)
        await loop.sock_sendall(sock, sent)
        return await loop.sock_recv(sock, 1 << 16)


async def all_probes(service: Service, key: MasterKey, target: Endpoint) -> dict[str, bytes]:
    """Every first octets that deserve silence, by a name for each."""
    dst = address.encode(target)
    genuine = stream(key, dst + b"hello, here is a first payload")
    answered = await record(service.endpoint, genuine)
    fresh = stream(key, dst + b"never sent as a whole")
    probes = {"nothing": b"", "a replay": genuine, "its salt": genuine[: key.method.salt_size]}
    probes["a replay and more"] = genuine + rng.randbytes(100)
    probes["the server's own octets"] = answered
    for part in (
        random_probes(),
        foreign_probes(),
        changed_probes(genuine),
        cut_probes(fresh),
        bad_streams(key, dst),
        wrong_keys(key, dst),
    ):
        probes |= part
    return probes


async def assert_serves(service: Service, key: MasterKey, target: Target) -> None:
    """A genuine client is served, whatever came before."""
    before = target.accepts
    async with TunnelClient(service.endpoint, key, target.endpoint) as client:
        await client.send(b"genuine")
        assert await client.receive() == b"genuine"
    assert target.accepts == before + 1


@both_loops
@all_methods
def test_silence_until_the_deadline(loop_name: str, method: str) -> None:
    async def main() -> None:
        key = master_key(method)
        with serve(server_config(method, timeout=SHORT)) as service:
            async with Target() as target:
                probes = await all_probes(service, key, target.endpoint)
                dialled = target.accepts
                held = {name: Probe((octets,)) for name, octets in probes.items()}
                held["octet by octet"] = Probe(tuple(bytes([o]) for o in rng.randbytes(90)), 0.003)
                seen = await reactions(service.endpoint, held, SHORT)
                assert seen == {SILENCE: list(held)}
                assert target.accepts == dialled == 1
                await assert_serves(service, key, target)
            await rested(service)

    run_on(loop_name, main)


@both_loops
@all_methods
def test_a_fin_is_answered_with_a_fin(loop_name: str, method: str) -> None:
    async def main() -> None:
        key = master_key(method)
        with serve(server_config(method, timeout=LONG)) as service:
            async with Target() as target:
                probes = await all_probes(service, key, target.endpoint)
                dialled = target.accepts
                ended = {name: Probe((octets,), fin=True) for name, octets in probes.items()}
                seen = await reactions(service.endpoint, ended, LONG)
                assert seen == {ANSWERED_FIN: list(ended)}
                assert target.accepts == dialled == 1
                await assert_serves(service, key, target)
            await rested(service)

    run_on(loop_name, main)


@both_loops
def test_a_flood_is_read_slowly_and_ends_like_the_rest(loop_name: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with serve(server_config(timeout=1.0)) as service, socket.socket() as sock:
            sock.setblocking(False)
            await loop.sock_connect(sock, service.endpoint)
            sent = 0

            async def flood() -> None:
                nonlocal sent
                junk = bytes(1 << 18)
                while True:
                    sent += await _send_some(sock, junk)

            flooding = asyncio.create_task(flood())
            assert await loop.sock_recv(sock, 1) == b""
            flooding.cancel()
            await asyncio.wait([flooding])
            # A MiB for the second, and what the kernel's two buffers took; unread in time, a flood
            # on loopback is a hundred times as much.
            assert 0 < sent < 32 << 20

    run_on(loop_name, main)


async def _send_some(sock: socket.socket, data: bytes) -> int:
    try:
        return sock.send(data)
    except BlockingIOError:
        await asyncio.sleep(0.001)
        return 0


async def race(server: Endpoint, octets: bytes, cut: int) -> list[bytes]:
    """Send the same stream twice, the two in turn and cut at the same place; both answers."""
    loop = asyncio.get_running_loop()
    with socket.socket() as one, socket.socket() as two:
        for sock in (one, two):
            sock.setblocking(False)
            await loop.sock_connect(sock, server)
        for piece in (octets[:cut], octets[cut:]):
            for sock in (one, two):
                await loop.sock_sendall(sock, piece)
        return await asyncio.gather(*(loop.sock_recv(sock, 999) for sock in (one, two)))


@both_loops
def test_one_salt_opens_one_of_two_streams(loop_name: str) -> None:
    async def main() -> None:
        key = master_key()
        with serve(server_config(timeout=SHORT)) as service:
            async with Target() as target:
                races = []
                for cut in (0, 1, 32, 33, 49, 50, 51, 60):
                    octets = stream(key, address.encode(target.endpoint) + b"once")
                    races.append(race(service.endpoint, octets, cut))
                for answers in await asyncio.gather(*races):
                    assert sorted(map(bool, answers)) == [False, True]
                assert target.accepts == len(races)

    run_on(loop_name, main)


@both_loops
def test_nobody_can_use_up_the_salt_of_another(loop_name: str) -> None:
    async def main() -> None:
        key = master_key()
        with serve(server_config(timeout=SHORT)) as service:
            async with Target() as target:
                genuine = [stream(key, address.encode(target.endpoint) + b"hi") for _ in range(20)]
                copied = {}
                for number, octets in enumerate(genuine):
                    for size in (32, 49, 50, 51, len(octets) - 1):
                        copied[f"{number}: {size}"] = Probe((octets[:size],), fin=True)
                        forged = octets[:size] + changed(octets[size:], 0)
                        copied[f"{number}: {size}, junk"] = Probe((forged,))
                await reactions(service.endpoint, copied, SHORT)
                assert target.accepts == 0
                for octets in genuine:
                    assert await record(service.endpoint, octets)
                assert target.accepts == len(genuine)

    run_on(loop_name, main)


@both_loops
@pytest.mark.parametrize("fin", [False, True])
def test_a_failed_request_ends_with_a_fin_at_once(loop_name: str, fin: bool) -> None:
    async def main() -> None:
        key = master_key()
        with socket.socket() as unused:
            # Bound and not listening: nobody else can be given the port meanwhile.
            unused.bind(("127.0.0.1", 0))
            targets = {
                "refused": address.encode(Endpoint(*unused.getsockname())),
                "no such name": address.encode(Endpoint("name.invalid", 80)),
                "no single host": address.encode(Endpoint("255.255.255.255", 80)),
            }
            probes = {name: Probe((stream(key, dst),), fin=fin) for name, dst in targets.items()}
            with serve(server_config(timeout=LONG)) as service:
                seen = await reactions(service.endpoint, probes, LONG)
                assert seen == {ANSWERED_FIN: list(probes)}
                await rested(service)

    run_on(loop_name, main)
