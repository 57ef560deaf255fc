"""May this address be dialled? The guard between a client's wish and the server's own networks.

A proxy lends its clients its place in the network. Unguarded, that place includes the services on
its loopback, the neighbours on its LAN and the metadata service of its cloud. Three rules make the
guard hold:

- It judges *literals*, and the dialler must dial exactly the literal that was judged. A guard that
  judges a name is passed by a name whose second answer differs from its first.
- It judges every address that a literal *contains*. 64:ff9b::7f00:1 reaches 127.0.0.1 behind a
  translator, and ::ffff:10.0.0.1 reaches 10.0.0.1 without one.
- What it cannot read, it refuses: connect(2)'s callers accept ``127.1`` and ``0x7f000001``.

A translation prefix that an operator took from its own addresses (RFC 6052 section 2.2) cannot be
told from an ordinary address; a network with one needs that prefix in its own packet filter.
"""

import ipaddress
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache

from ..errors import PolicyRejected
from .special_networks import IPV4_NETWORKS, IPV6_NETWORKS, Reach, SpecialNetwork

__all__ = ["TargetFilter"]

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class TargetFilter:
    """Refuses literals that reach anything but the public Internet.

    ``allow_private`` admits what is local to this host or its networks. What names no single host
    (multicast, unspecified, broadcast) stays refused even then: TCP cannot connect to it, and one
    datagram to it would be answered by many. ``own`` holds the addresses of this host's
    interfaces: behind a public one wait the same services as behind loopback, so they are refused
    together with it and admitted together with it.
    """

    def __init__(self, allow_private: bool = False, own: Collection[str] = frozenset()) -> None:
        self.allow_private = allow_private
        self._own = frozenset(_key(ipaddress.ip_address(address)) for address in own)
        self._rule_against = lru_cache(maxsize=8192)(self._judge)

    def check(self, address: str) -> None:
        """Raise ``PolicyRejected``, with the rule, unless ``address`` may be dialled."""
        rule = self._rule_against(address)
        if rule is not None:
            raise PolicyRejected(address, rule)

    def _judge(self, text: str) -> str | None:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return "not an address literal"
        rule = self._rule_of(address)
        if rule is not None or address.version == 4:
            return rule
        # [RFC4007 §6] a zone is known to this host alone, so an address with one is local.
        if address.scope_id is not None and not self.allow_private:
            return "zone of this host"
        for how, bits in _embedded_ipv4(int(address)):
            inner = ipaddress.IPv4Address(bits & 0xFFFF_FFFF)
            rule = self._rule_of(inner)
            if rule is not None:
                return f"{rule} ({inner} inside {how})"
        return None

    def _rule_of(self, address: _Address) -> str | None:
        row = (_IPV4 if address.version == 4 else _IPV6).find(int(address))
        if row.reach is Reach.NOWHERE:
            return row.rule
        if self.allow_private:
            return None
        if row.reach is Reach.LOCAL:
            return row.rule
        return "own address" if _key(address) in self._own else None


def _embedded_ipv4(address: int) -> Iterator[tuple[str, int]]:
    """Each encoding that an IPv6 address follows, with the IPv4 address in its low 32 bits."""
    high_96 = address >> 32
    # [RFC4291 §2.5.5.1] :: and ::1 lie in the same block and are not IPv4-compatible
    if high_96 == 0 and address > 1:
        yield "IPv4-compatible", address
    elif high_96 == 0xFFFF:
        yield "IPv4-mapped", address
    # [RFC2765 §2.1] ::ffff:0:a.b.c.d, the stateless translator's form
    elif high_96 == 0xFFFF_0000:
        yield "IPv4-translated", address
    elif high_96 == 0x0064_FF9B << 64:
        yield "NAT64", address
    # [RFC8215 §5] leaves the length of the prefix open; the address is last in a /96, the only
    # length in use that does not split it
    elif address >> 80 == 0x0064_FF9B_0001:
        yield "local NAT64", address
    # [RFC3056 §2] 2002:aabb:ccdd::/48 belongs to a.b.c.d
    elif address >> 112 == 0x2002:
        yield "6to4", address >> 80
    # [RFC4380 §4] the server in clear, the client's mapped address with every bit inverted
    elif address >> 96 == 0x2001_0000:
        yield "Teredo server", address >> 64
        yield "Teredo client", ~address
    # [RFC5214 §6.1] an interface identifier under any prefix; its u bit says whether the IPv4
    # address is unique
    if (address >> 32) & 0xFDFF_FFFF == 0x0000_5EFE:
        yield "ISATAP", address


class _PrefixTable:
    """The longest prefix that contains an address, with one dictionary per prefix length."""

    def __init__(self, rows: Iterable[SpecialNetwork]) -> None:
        by_shift: dict[int, dict[int, SpecialNetwork]] = {}
        for row in rows:
            network = ipaddress.ip_network(row.network)
            shift = network.max_prefixlen - network.prefixlen
            by_shift.setdefault(shift, {})[int(network.network_address) >> shift] = row
        self._lengths = sorted(by_shift.items())

    def find(self, address: int) -> SpecialNetwork:
        for shift, rows in self._lengths:
            row = rows.get(address >> shift)
            if row is not None:
                return row
        raise LookupError("the table has no row of length 0")


def _key(address: _Address) -> tuple[int, int]:
    # The zone of fe80::1%eth0 says where, not whom.
    return address.version, int(address)


_IPV4 = _PrefixTable(IPV4_NETWORKS)
_IPV6 = _PrefixTable(IPV6_NETWORKS)
