"""Which networks the thread's namespace has a route to, and over which device."""

import ipaddress
from collections.abc import Iterator

from .procfs import SELF_NET, read

__all__ = ["Network", "device_of", "routes"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_RTF_UP = 0x0001
# [linux rt6_info_route] an entry without any flag is the null entry of an empty table
_RTF_REJECT = 0x0200


def routes(version: int) -> Iterator[tuple[Network, str]]:
    """Networks with their devices. Raises ``ObserveError``; a kernel without IPv6 has none."""
    return _v4() if version == 4 else _v6()


def device_of(network: Network) -> str | None:
    """The device of a route that overlaps ``network``; the default route does not count.

    Raises ``ObserveError``.
    """
    for known, device in routes(network.version):
        if known.prefixlen and known.overlaps(network):
            return device
    return None


def _v4() -> Iterator[tuple[Network, str]]:
    for line in read(f"{SELF_NET}/route").splitlines()[1:]:
        device, destination, _, flags, *_, mask, _, _, _ = line.split()
        if int(flags, 16) & _RTF_UP:
            # Numbers in the order of the host, which is the network's order on no usual host.
            octets = bytes.fromhex(destination)[::-1]
            prefix = int(mask, 16).bit_count()
            yield ipaddress.IPv4Network((octets, prefix), strict=False), device


def _v6() -> Iterator[tuple[Network, str]]:
    for line in read(f"{SELF_NET}/ipv6_route").splitlines():
        destination, prefix, *_, flags, device = line.split()
        if int(flags, 16) & _RTF_UP and not int(flags, 16) & _RTF_REJECT and device != "lo":
            network = (bytes.fromhex(destination), int(prefix, 16))
            yield ipaddress.IPv6Network(network, strict=False), device
