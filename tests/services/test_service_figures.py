"""What a process's services have counted, as figures."""

import asyncio

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.services.service_figures import service_figures
from annotated_shadowsocks.telemetry.figures import Figures
from annotated_shadowsocks.testing.loops import run_on
from annotated_shadowsocks.testing.packet_client import PacketClient
from annotated_shadowsocks.testing.server_harness import (
    Service,
    TunnelClient,
    exchange,
    local_config,
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


def test_what_came_with_the_request_is_counted_too() -> None:
    async def main() -> None:
        key = master_key()
        with serve(server_config()) as server, serve(local_config(server.endpoint)) as local:
            async with Target() as target:
                async with TunnelClient(server.endpoint, key, target.endpoint) as client:
                    sealed = client.seal(b"ping") + client.seal(b"pong")
                    # All of it and the first octets of a chunk are there before the target is.
                    sealed, rest = sealed[:-3], sealed[-3:]
                    loop = asyncio.get_running_loop()
                    await loop.sock_sendall(client.sock, sealed)
                    assert await client.receive() == b"ping"
                    await loop.sock_sendall(client.sock, rest)
                    assert await client.receive() == b"pong"
                await until(lambda: not server.port.relays)
                octets = len(sealed + rest)
                assert figures(server).get("data_bytes_total", "client", "tcp") == octets
                # A client of ours that does not wait for the answer to its request.
                await exchange(local.endpoint, target.endpoint, b"pingpong")
                await until(lambda: not (local.port.relays or server.port.relays))
                told = figures(local)
                assert told.get("data_bytes_total", "client", "tcp") == len(b"pingpong")
                # [SIP004] what comes back is a salt, a sealed length and a sealed payload.
                answer = 32 + (2 + 16) + (len(b"pingpong") + 16)
                assert told.get("data_bytes_total", "target", "tcp") == answer

    run_on("asyncio", main)


def test_datagrams_that_were_relayed() -> None:
    async def main() -> None:
        with serve(server_config(udp=True)) as service:
            async with Datagrams(answer=True) as target, Datagrams() as client:
                packet = PacketClient(master_key()).seal(target.endpoint, b"question")
                client.send(packet, service.udp_endpoint)
                [(answer, _)] = await client.receive()
            now = figures(service)
            assert now.get("udp_packets_total", "client") == 1
            assert now.get("udp_packets_total", "target") == 1
            assert now.get("data_bytes_total", "client", "udp") == len(packet)
            assert now.get("data_bytes_total", "target", "udp") == len(answer)

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
