"""Active probing of AEAD-2022, with users and without, and of stream ciphers."""

import asyncio
import random
import socket
import time

import pytest

from annotated_shadowsocks.crypto.methods import TABLE
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.shadowsocks.identity import KeyChain
from annotated_shadowsocks.shadowsocks.psk import PreSharedKey
from annotated_shadowsocks.testing.loops import LOOPS, run_on
from annotated_shadowsocks.testing.probes import End, Probe, Reaction, When, reactions
from annotated_shadowsocks.testing.server_harness import (
    Service,
    TunnelClient,
    client_key,
    password,
    rested,
    serve,
    server_config,
)
from annotated_shadowsocks.testing.targets import Target
from annotated_shadowsocks.wire import address

SHORT, LONG = 0.4, 60.0
SILENCE = Reaction(0, End.FIN, When.AT_DEADLINE)
ANSWERED_FIN = Reaction(0, End.FIN, When.BEFORE_DEADLINE)

rng = random.Random("probes of generations")

both_loops = pytest.mark.parametrize("loop_name", LOOPS)
methods_2022 = pytest.mark.parametrize(
    "method",
    ["2022-blake3-aes-128-gcm", "2022-blake3-aes-256-gcm", "2022-blake3-chacha20-poly1305"],
)
with_users = pytest.mark.parametrize("method", ["2022-blake3-aes-128-gcm"])
streams = pytest.mark.parametrize("method", ["aes-128-cfb", "aes-256-ctr", "chacha20-ietf"])

#: A chunk's worth of what anybody may send.
LENGTHS = (1, 7, 8, 16, 31, 32, 33, 42, 43, 44, 58, 59, 60, 75, 76, 221, 1460, 4096, 65536)


def key(method: str, number: int = 0) -> PreSharedKey:
    return PreSharedKey.from_base64(TABLE[method], password(method, number))


def request(
    chain: KeyChain,
    variable: bytes,
    *,
    kind: int = 0,
    timestamp: int | None = None,
    length: int | None = None,
) -> bytes:
    """A request by the figure of SIP022, with whatever is said in its headers."""
    salt = rng.randbytes(chain.method.salt_size)
    stamp = int(time.time()) if timestamp is None else timestamp
    size = len(variable) if length is None else length
    fixed = bytes([kind]) + stamp.to_bytes(8, "big") + size.to_bytes(2, "big")
    box, wire = chain.psk.session(salt), salt + chain.stream_headers(salt)
    for counter, plain in enumerate((fixed, variable)):
        sealed = bytearray(len(plain) + 16)
        box.encrypt_into(counter.to_bytes(12, "little"), plain, None, sealed)
        wire += sealed
    return wire


def variable(dst: bytes, padding: int = 0, payload: bytes = b"hello") -> bytes:
    return dst + padding.to_bytes(2, "big") + bytes(padding) + payload


def bad_requests(chain: KeyChain, dst: bytes) -> dict[str, bytes]:
    """What only a holder of the key can send, and what SIP022 forbids."""
    now, good = int(time.time()), variable(dst)
    stamps = {0, now - 40, now + 40, 1 << 63, (1 << 64) - 1}
    probes = {f"time {at}": request(chain, good, timestamp=at) for at in stamps}
    for kind in (1, 2, 255):
        probes[f"type {kind}"] = request(chain, good, kind=kind)
    probes["neither padding nor payload"] = request(chain, variable(dst, 0, b""))
    probes["padding that is not there"] = request(chain, dst + b"\x03\x84" + bytes(10))
    probes["no padding length"] = request(chain, dst + b"\x00")
    probes["a length of 0"] = request(chain, b"", length=0)
    probes["another length"] = request(chain, good, length=len(good) + 1)
    for atyp in (0x00, 0x02, 0x05, 0x11, 0x13, 0xFF):
        probes[f"atyp {atyp:#04x}"] = request(chain, bytes([atyp]) + good[1:])
    probes["port 0"] = request(chain, variable(dst[:-2] + bytes(2)))
    probes["a name with NUL"] = request(chain, variable(b"\x03\x04a\0bc\x01\xbb"))
    return probes


def foreign(octets: bytes) -> dict[str, bytes]:
    """What anybody can send, who has seen ``octets`` or nothing; as a whole they were not sent."""
    probes = {f"{size} random octets": rng.randbytes(size) for size in LENGTHS}
    probes |= {f"cut at {size}": octets[:size] for size in range(len(octets))}
    for place in range(len(octets)):
        inverted = bytes([octets[place] ^ 0xFF])
        probes[f"octet {place} inverted"] = octets[:place] + inverted + octets[place + 1 :]
    return probes


async def record(server: Endpoint, sent: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    with socket.socket() as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, server)
        await loop.sock_sendall(sock, sent)
        return await loop.sock_recv(sock, 1 << 16)


async def probe(
    method: str,
    chain: KeyChain,
    timeout: float,
    users: dict[str, str] | None = None,
    more: dict[str, bytes] | None = None,
) -> None:
    """All probes meet the same: silence until the deadline, or a FIN for a FIN."""
    fin = timeout == LONG
    with serve(server_config(method, timeout=timeout, users=users)) as service:
        # However long it takes, what is a little too early or too late stays so.
        set_clock(service, time.time())
        async with Target() as target:
            dst = address.encode(target.endpoint)
            genuine = request(chain, variable(dst))
            answered = await record(service.endpoint, genuine)
            assert answered
            probes = {"nothing": b"", "a replay": genuine, "our own octets": answered}
            # Every part of it was sent as a whole only once, so each has a salt that is fresh.
            probes |= foreign(request(chain, variable(dst))) | bad_requests(chain, dst)
            probes |= more or {}
            tried = {name: Probe((octets,), fin=fin) for name, octets in probes.items()}
            seen = await reactions(service.endpoint, tried, timeout)
            assert seen == {ANSWERED_FIN if fin else SILENCE: list(tried)}
            assert target.accepts == 1
            assert await record(service.endpoint, request(chain, variable(dst)))
        await rested(service)


@both_loops
@methods_2022
@pytest.mark.parametrize("timeout", [SHORT, LONG], ids=["silence", "FIN"])
def test_aead_2022(loop_name: str, method: str, timeout: float) -> None:
    run_on(loop_name, lambda: probe(method, KeyChain(key(method)), timeout))


@both_loops
@with_users
@pytest.mark.parametrize("timeout", [SHORT, LONG], ids=["silence", "FIN"])
def test_aead_2022_with_users(loop_name: str, method: str, timeout: float) -> None:
    identity, bob, nobody = (key(method, number) for number in (0, 1, 2))
    good = variable(address.encode(Endpoint("127.0.0.1", 1)))

    def forged() -> bytes:
        """Names bob, and is sealed by another."""
        wire = request(KeyChain(nobody), good)
        salt = wire[:16]
        return salt + KeyChain(bob, (identity,)).stream_headers(salt) + wire[16:]

    more = {
        "an unknown user": request(KeyChain(nobody, (identity,)), good),
        "a known user's name, another's key": forged(),
        "no identity header": request(KeyChain(bob), good),
        "the server's own key": request(KeyChain(identity), good),
        "another identity key": request(KeyChain(bob, (nobody,)), good),
    }
    users = {"bob": password(method, 1)}
    chain = KeyChain(bob, (identity,))
    run_on(loop_name, lambda: probe(method, chain, timeout, users, more))


@both_loops
@methods_2022
def test_what_may_be_odd_and_is_served(loop_name: str, method: str) -> None:
    async def main() -> None:
        chain, now = KeyChain(key(method)), int(time.time())
        with serve(server_config(method)) as service:
            async with Target() as target:
                dst = address.encode(target.endpoint)
                # What is from before the memory for salts began is refused: only times to come.
                for wire in (
                    request(chain, variable(dst), timestamp=now + 29),
                    request(chain, variable(dst, 901)),
                    request(chain, variable(dst, 60_000)),
                ):
                    assert await record(service.endpoint, wire)

    run_on(loop_name, main)


def set_clock(service: Service, now: float) -> None:
    """The wall clock of ``service`` alone, and it stands still."""
    service.assembly.runtime.timestamps._wall = lambda: now


@both_loops
@methods_2022
def test_a_replay_after_a_minute_of_a_clock_that_was_ahead(loop_name: str, method: str) -> None:
    async def main() -> None:
        chain, now = KeyChain(key(method)), float(int(time.time()))
        with serve(server_config(method, timeout=SHORT)) as service:
            async with Target() as target:
                dst = address.encode(target.endpoint)
                set_clock(service, now)
                genuine = request(chain, variable(dst), timestamp=int(now) + 30)
                assert await record(service.endpoint, genuine)
                # 60 s later the timestamp is good for the last time, and then it is not.
                for later in (1.0, 30.0, 60.0, 60.5, 61.0, 90.0):
                    set_clock(service, now + later)
                    tried = {"a replay": Probe((genuine,))}
                    seen = await reactions(service.endpoint, tried, SHORT)
                    assert seen == {SILENCE: ["a replay"]}
                    fresh = request(chain, variable(dst), timestamp=int(now + later))
                    assert await record(service.endpoint, fresh)
                assert target.accepts == 1 + 6

    run_on(loop_name, main)


@both_loops
@methods_2022
def test_a_clock_that_is_set_back_revives_nothing(loop_name: str, method: str) -> None:
    async def main() -> None:
        chain, now = KeyChain(key(method)), int(time.time()) + 1000
        with serve(server_config(method, timeout=SHORT)) as service:
            async with Target() as target:
                dst = address.encode(target.endpoint)
                recorded = {}
                for second in (now - 120, now - 60, now):
                    set_clock(service, second)
                    genuine = request(chain, variable(dst), timestamp=second)
                    assert await record(service.endpoint, genuine)
                    recorded[f"a replay of {second}"] = Probe((genuine,))
                for second in (now - 60, now - 120):
                    set_clock(service, second)
                    seen = await reactions(service.endpoint, recorded, SHORT)
                    assert seen == {SILENCE: list(recorded)}
                    fresh = request(chain, variable(dst), timestamp=second)
                    assert await record(service.endpoint, fresh)
                assert target.accepts == 3 + 2

    run_on(loop_name, main)


@both_loops
@streams
@pytest.mark.parametrize("timeout", [SHORT, LONG], ids=["silence", "FIN"])
def test_stream_ciphers(loop_name: str, method: str, timeout: float) -> None:
    async def main() -> None:
        fin = timeout == LONG
        master = client_key(method)
        with serve(server_config(method, timeout=timeout)) as service:
            async with Target() as target:
                client = TunnelClient(service.endpoint, master, target.endpoint)
                genuine = client.seal(b"hello")
                answered = await record(service.endpoint, genuine)
                fresh = TunnelClient(service.endpoint, master, target.endpoint).seal(b"")
                head = TABLE[method].salt_size
                nowhere = TunnelClient(service.endpoint, master, Endpoint("127.0.0.1", 0))
                probes = {
                    "nothing": b"",
                    "a replay": genuine,
                    "a replay and more": genuine + bytes(100),
                    "its IV": genuine[:head],
                    "port 0": nowhere.seal(b"hello"),
                    # All that the sender can change about one octet behind the IV but its bits.
                    "another address type": fresh[:head]
                    + bytes([fresh[head] ^ 0x10])
                    + fresh[head + 1 :],
                }
                if len(answered) > head:
                    probes["our own octets"] = answered
                probes |= {f"cut at {size}": fresh[:size] for size in range(len(fresh))}
                tried = {name: Probe((octets,), fin=fin) for name, octets in probes.items()}
                seen = await reactions(service.endpoint, tried, timeout)
                assert seen == {ANSWERED_FIN if fin else SILENCE: list(tried)}
                assert target.accepts == 1
            await rested(service)

    run_on(loop_name, main)
