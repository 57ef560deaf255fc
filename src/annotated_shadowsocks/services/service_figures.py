"""The figures of one process's services, gathered from where they are counted."""

from collections import Counter

from ..telemetry.figures import Figures
from .assembly import Assembly

__all__ = ["service_figures"]


def service_figures(assembly: Assembly, figures: Figures) -> None:
    """Note what the services of ``assembly`` have counted, and what they are at."""
    counters = assembly.runtime.counters
    figures.set("connections_accepted_total", counters.accepted)
    figures.set("connections_relayed_total", counters.relayed)
    figures.set("handshakes_total", counters.relayed, "ok")
    for word, count in counters.failures.items():
        figures.set("handshakes_total", count, word)
    _connections(assembly, figures)
    _users(assembly, figures)
    _packets(assembly, figures)


def _connections(assembly: Assembly, figures: Figures) -> None:
    counters, services = assembly.runtime.counters, assembly.services
    relays = [relay for service in assembly.all_services() for relay in service.relays]
    # Those of relays that have ended are counted; those that go on have theirs.
    clients = counters.from_clients + sum(relay.near.received for relay in relays)
    targets = counters.from_targets + sum(relay.far.received for relay in relays)
    figures.set("data_bytes_total", clients, "client", "tcp")
    figures.set("data_bytes_total", targets, "target", "tcp")
    figures.set("connections_open", len(relays), "relay")
    for state in ("handshakes", "dialing"):
        count = sum(len(getattr(service, state)) for service in assembly.all_services())
        figures.set("connections_open", count, state.removesuffix("s"))
    listeners = [listener for service in services for listener in service.listeners]
    figures.set("accept_pauses_total", sum(listener.pauses for listener in listeners))


def _users(assembly: Assembly, figures: Figures) -> None:
    octets: Counter[tuple[str, str]] = Counter()
    for name, account in assembly.runtime.counters.users.items():
        figures.set("user_connections_total", account.relayed, name)
        octets[name, "client"] += account.from_client
        octets[name, "target"] += account.from_targets
    for service in assembly.all_services():
        for relay, name in service.relays.items():
            if name:
                octets[name, "client"] += relay.near.received
                octets[name, "target"] += relay.far.received
    for (name, side), count in octets.items():
        figures.set("user_data_bytes_total", count, name, side)


def _packets(assembly: Assembly, figures: Figures) -> None:
    relays = [packets for service in assembly.services for packets in service.packet_relays]
    dropped: Counter[str] = Counter()
    for packets in relays:
        dropped.update(packets.dropped)
    figures.set("udp_packets_total", sum(one.from_clients for one in relays), "client")
    figures.set("udp_packets_total", sum(one.to_clients for one in relays), "target")
    figures.set("data_bytes_total", sum(one.octets_from_clients for one in relays), "client", "udp")
    figures.set("data_bytes_total", sum(one.octets_to_clients for one in relays), "target", "udp")
    figures.set("udp_associations", sum(map(len, relays)))
    for reason, count in dropped.items():
        figures.set("udp_dropped_total", count, reason)
