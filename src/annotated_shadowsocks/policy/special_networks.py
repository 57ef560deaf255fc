"""The address blocks that are not ordinary destinations, one row each.

The rows follow IANA's registries: *IPv4* and *IPv6 Special-Purpose Address Space* (state of
2025-10-09), *IPv4 Multicast Address Space* and *IPv6 Address Space*. They are read like a routing
table: the longest prefix that contains an address decides, so that a block may be refused and a
part of it admitted. The two rows of length 0 make the table complete: IPv4 is ordinary where
nothing else is said; IPv6 is ordinary only inside 2000::/3, from which alone IANA assigns.

``ipaddress.is_global`` is no substitute. Its tables changed within CPython's patch releases, and
it calls 64:ff9b::7f00:1, 2002:7f00:1:: and 224.0.0.1 global in some of them.
"""

from enum import Enum, auto
from typing import NamedTuple

__all__ = ["IPV4_NETWORKS", "IPV6_NETWORKS", "Reach", "SpecialNetwork"]


class Reach(Enum):
    """How far a datagram to an address of the block can get."""

    GLOBAL = auto()  #: anywhere: an ordinary destination
    LOCAL = auto()  #: this host or its own networks: an operator may want that
    NOWHERE = auto()  #: names no single host: never a destination of a connection


class SpecialNetwork(NamedTuple):
    """A block in CIDR form, the name of its rule, how far it reaches, and who says so."""

    network: str
    rule: str
    reach: Reach
    source: str


_GLOBAL, _LOCAL, _NOWHERE = Reach.GLOBAL, Reach.LOCAL, Reach.NOWHERE

IPV4_NETWORKS = tuple(
    SpecialNetwork(*row)
    for row in (
        ("0.0.0.0/0", "global unicast", _GLOBAL, "RFC 6890 section 2"),
        # connect() to 0.0.0.0 reaches the host itself on Linux: a second name for loopback.
        ("0.0.0.0/8", "this network", _NOWHERE, "RFC 1122 section 3.2.1.3"),
        ("10.0.0.0/8", "private", _LOCAL, "RFC 1918 section 3"),
        ("100.64.0.0/10", "shared address space", _LOCAL, "RFC 6598 section 7"),
        ("127.0.0.0/8", "loopback", _LOCAL, "RFC 1122 section 3.2.1.3"),
        # Azure's host node answers here, in a block that is otherwise ordinary.
        ("168.63.129.16/32", "cloud platform", _LOCAL, "Azure, IP address 168.63.129.16"),
        # The metadata service of most clouds is 169.254.169.254.
        ("169.254.0.0/16", "link-local", _LOCAL, "RFC 3927 section 2.1"),
        ("172.16.0.0/12", "private", _LOCAL, "RFC 1918 section 3"),
        # [RFC7723 §2] [RFC8155 §6] the anycast addresses .9 and .10 are registered as global, and
        # refused here: they mean the nearest such service, which is the server's own network's.
        ("192.0.0.0/24", "protocol assignments", _LOCAL, "RFC 6890 section 2.1"),
        ("192.0.2.0/24", "documentation", _LOCAL, "RFC 5737 section 3"),
        ("192.88.99.0/24", "6to4 relay anycast", _LOCAL, "RFC 7526"),
        ("192.168.0.0/16", "private", _LOCAL, "RFC 1918 section 3"),
        ("198.18.0.0/15", "benchmarking", _LOCAL, "RFC 2544 appendix C.2.2"),
        ("198.51.100.0/24", "documentation", _LOCAL, "RFC 5737 section 3"),
        ("203.0.113.0/24", "documentation", _LOCAL, "RFC 5737 section 3"),
        ("224.0.0.0/4", "multicast", _NOWHERE, "RFC 5771 section 3"),
        ("240.0.0.0/4", "reserved", _LOCAL, "RFC 1112 section 4"),
        ("255.255.255.255/32", "limited broadcast", _NOWHERE, "RFC 919 section 7"),
    )
)

# The rows that are GLOBAL below hold an IPv4 address in disguise, and are only as good as that:
# ``target_filter`` takes it out and judges it too.
IPV6_NETWORKS = tuple(
    SpecialNetwork(*row)
    for row in (
        ("::/0", "not assigned", _LOCAL, "RFC 4291 section 2.4, IANA IPv6 Address Space"),
        ("::/96", "IPv4-compatible", _LOCAL, "RFC 4291 section 2.5.5.1"),
        ("::/128", "unspecified", _NOWHERE, "RFC 4291 section 2.5.2"),
        ("::1/128", "loopback", _LOCAL, "RFC 4291 section 2.5.3"),
        ("::ffff:0:0/96", "IPv4-mapped", _GLOBAL, "RFC 4291 section 2.5.5.2"),
        ("64:ff9b::/96", "NAT64", _GLOBAL, "RFC 6052 section 2.1"),
        ("64:ff9b:1::/48", "local NAT64", _LOCAL, "RFC 8215 section 7"),
        ("100::/64", "discard-only", _LOCAL, "RFC 6666"),
        ("100:0:0:1::/64", "dummy prefix", _LOCAL, "RFC 9780"),
        ("2000::/3", "global unicast", _GLOBAL, "RFC 3587 section 3"),
        # Parts of this block are registered as global: anycast of the nearest PCP, TURN and SRP
        # service (refused as in IPv4), AMT, AS112, and identifiers that nobody can route.
        ("2001::/23", "protocol assignments", _LOCAL, "RFC 2928"),
        ("2001::/32", "Teredo", _GLOBAL, "RFC 4380 section 2.6"),
        ("2001:2::/48", "benchmarking", _LOCAL, "RFC 5180"),
        ("2001:10::/28", "ORCHID", _LOCAL, "RFC 4843"),
        ("2001:20::/28", "ORCHIDv2", _LOCAL, "RFC 7343"),
        ("2001:db8::/32", "documentation", _LOCAL, "RFC 3849 section 2"),
        ("2002::/16", "6to4", _GLOBAL, "RFC 3056 section 2"),
        ("3fff::/20", "documentation", _LOCAL, "RFC 9637"),
        ("5f00::/16", "segment routing", _LOCAL, "RFC 9602"),
        ("fc00::/7", "unique local", _LOCAL, "RFC 4193 section 3.1"),
        ("fe80::/10", "link-local", _LOCAL, "RFC 4291 section 2.5.6"),
        ("fec0::/10", "site-local", _LOCAL, "RFC 3879 section 4"),
        ("ff00::/8", "multicast", _NOWHERE, "RFC 4291 section 2.7"),
    )
)
