"""Several users on one port, in both ways: named by a header, and found by trying."""

import pytest

from annotated_shadowsocks.services.counters import UserCount
from annotated_shadowsocks.services.key_search import AT_ONCE
from annotated_shadowsocks.testing.loops import LOOPS, run_on
from annotated_shadowsocks.testing.server_harness import (
    Service,
    TunnelClient,
    client_key,
    password,
    rested,
    serve,
    server_config,
)
from annotated_shadowsocks.testing.targets import Target, until

both_loops = pytest.mark.parametrize("loop_name", LOOPS)
methods = pytest.mark.parametrize(
    "method",
    ["aes-128-gcm", "chacha20-ietf-poly1305", "2022-blake3-aes-128-gcm", "2022-blake3-aes-256-gcm"],
)


def users_of(method: str, count: int) -> dict[str, str]:
    return {f"user {n}": password(method, n) for n in range(1, count + 1)}


def password_of(method: str, user: str) -> str:
    """What the client of ``user`` has."""
    own = password(method, int(user.split()[1]))
    return f"{password(method)}:{own}" if method.startswith("2022") else own


async def says(service: Service, method: str, user: str, target: Target, text: bytes) -> bytes:
    key = client_key(method, password_of(method, user))
    async with TunnelClient(service.endpoint, key, target.endpoint) as client:
        await client.send(text)
        return await client.receive()


@both_loops
@methods
def test_each_user_is_served_and_counted(loop_name: str, method: str) -> None:
    async def main() -> None:
        with serve(server_config(method, users=users_of(method, 3))) as service:
            async with Target() as target:
                for user in ("user 2", "user 3", "user 2"):
                    assert await says(service, method, user, target, b"hello") == b"hello"
            await rested(service)
            counters = service.port.runtime.counters
            assert counters.users.keys() == {"user 2", "user 3"}
            assert counters.users["user 2"].relayed == 2
            assert counters.users["user 3"].from_targets == 5
            total = sum(one.from_client for one in counters.users.values())
            assert total == counters.from_clients

    run_on(loop_name, main)


@both_loops
@methods
def test_who_is_no_user_meets_silence(loop_name: str, method: str) -> None:
    async def main() -> None:
        with serve(server_config(method, users=users_of(method, 3), timeout=0.2)) as service:
            async with Target() as target:
                assert await says(service, method, "user 9", target, b"hello") == b""
                # Nor may whoever has the server's own password and no user's.
                async with TunnelClient(
                    service.endpoint, client_key(method), target.endpoint
                ) as client:
                    await client.send(b"hello")
                    assert await client.receive() == b""
                assert target.accepts == 0
            counters = service.port.runtime.counters
            assert counters.failures == {"authentication": 2}
            assert counters.users == {}

    run_on(loop_name, main)


@both_loops
def test_the_last_of_many_keys_is_found(loop_name: str) -> None:
    async def main() -> None:
        method = "aes-128-gcm"
        users = users_of(method, 2 * AT_ONCE)
        with serve(server_config(method, users=users)) as service:
            async with Target() as target:
                for user in (f"user {2 * AT_ONCE}", "user 1", f"user {AT_ONCE + 1}"):
                    assert await says(service, method, user, target, b"hello") == b"hello"
            await rested(service)
            assert set(service.port.runtime.counters.users) == {
                "user 1",
                f"user {AT_ONCE + 1}",
                f"user {2 * AT_ONCE}",
            }

    run_on(loop_name, main)


@both_loops
def test_whoever_leaves_while_a_key_is_sought_leaves_nothing(loop_name: str) -> None:
    async def main() -> None:
        method = "aes-128-gcm"
        with serve(server_config(method, users=users_of(method, 2000))) as service:
            async with Target() as target:
                key = client_key(method, password(method, 9999))
                for _ in range(5):
                    async with TunnelClient(service.endpoint, key, target.endpoint) as client:
                        await client.send(b"hello")
                counters = service.port.runtime.counters
                await until(lambda: sum(counters.failures.values()) == 5)
            await rested(service)

    run_on(loop_name, main)


def test_an_account_begins_at_nothing() -> None:
    assert UserCount() == UserCount(0, 0, 0)
