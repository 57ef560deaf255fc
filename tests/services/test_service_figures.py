"""What a process's services have counted, as figures."""

import asyncio

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.services.service_figures import service_figures
from annotated_shadowsocks.telemetry.figures import Figures
from annotated_shadowsocks.testing.loops import run_on
from annotated_shadowsocks.testing.server_harness import (
    Service,
    TunnelClient,
    master_key,
    serve,
    server_config,
)
from annotated_shadowsocks.testing.targets import Datagrams, Target, until


def figures(service: Service) -> Figures:
    made = Figures()
    service_figures(service.assembly, made)
    return made


def test_connections_by_what_they_are_at_and_how_they_ended() -> None:
    async def main() -> None:
        key = master_key()
        with serve(server_config(timeout=60.0)) as service:
            async with Target() as target:
                async with TunnelClient(service.endpoint, key, target.endpoint) as client:
                    await client.send(b"ping")
                    assert await client.receive() == b"ping"
                    await client.send(b"pong")
                    assert await client.receive() == b"pong"
                    now = figures(service)
                    assert now.get("connections_open", "relay") == 1
                    assert now.get("handshakes_total", "ok") == 1
                    # A connection that goes on is counted with what it has relayed so far.
                    assert now.get("data_bytes_total", "target", "tcp") == len(b"pingpong")
                await until(lambda: not figures(service).get("connections_open", "relay"))
                then = figures(service)
                assert then.get("data_bytes_total", "target", "tcp") == len(b"pingpong")

                def counted(name: str, label: str) -> float:
                    return figures(service).get(name, label)

                # A handshake that does not authenticate.
                async with TunnelClient(service.endpoint, key, None) as client:
                    loop = asyncio.get_running_loop()
                    await until(lambda: counted("connections_open", "handshake") == 1)
                    await loop.sock_sendall(client.sock, bytes(200))
                    await until(lambda: counted("handshakes_total", "authentication") == 1)
                assert figures(service).get("connections_accepted_total") == 2
                assert figures(service).get("connections_relayed_total") == 1

    run_on("asyncio", main)


def test_datagrams() -> None:
    async def main() -> None:
        with serve(server_config(udp=True)) as service:
            async with Datagrams() as client:
                client.send(b"not authentic", Endpoint(*service.udp_endpoint))
                await until(lambda: "shadowsocks_udp_dropped_total" in figures(service).values)
            now = figures(service)
            assert now.get("udp_associations") == 0
            assert now.get("udp_packets_total", "client") == 0

    run_on("asyncio", main)


def test_nothing_has_happened() -> None:
    async def main() -> None:
        with serve(server_config()) as service:
            now = figures(service)
            assert now.get("connections_accepted_total") == 0
            assert Figures.decode(now.encode()).values == now.values

    run_on("asyncio", main)


def test_users_by_name() -> None:
    async def main() -> None:
        with serve(server_config()) as service:
            account = service.assembly.runtime.counters.user("alice")
            account.relayed, account.from_client, account.from_targets = 2, 30, 40
            now = figures(service)
            assert now.get("user_connections_total", "alice") == 2
            assert now.get("user_data_bytes_total", "alice", "client") == 30
            assert now.get("user_data_bytes_total", "alice", "target") == 40
            # One that goes on is counted with what it has relayed so far.
            async with Target() as target:
                async with TunnelClient(service.endpoint, master_key(), target.endpoint) as client:
                    await client.send(b"ping")
                    assert await client.receive() == b"ping"
                    [relay] = service.port.relays
                    service.port.relays[relay] = "alice"
                    assert figures(service).get("user_data_bytes_total", "alice", "target") == 44
                await until(lambda: not service.port.relays)
                assert figures(service).get("user_data_bytes_total", "alice", "target") == 44

    run_on("asyncio", main)
