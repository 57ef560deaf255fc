import ipaddress

import pytest

from annotated_shadowsocks.policy.special_networks import (
    IPV4_NETWORKS,
    IPV6_NETWORKS,
    Reach,
    SpecialNetwork,
)

# Every row of IANA's two special-purpose registries (2025-10-09) whose column "Globally
# Reachable" says False, or says nothing because the block is deprecated or reserved.
NOT_REACHABLE = [
    "0.0.0.0/8",
    "0.0.0.0/32",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.0.0/29",
    "192.0.0.8/32",
    "192.0.0.170/32",
    "192.0.0.171/32",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.88.99.2/32",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "240.0.0.0/4",
    "255.255.255.255/32",
    "::1/128",
    "::/128",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "2001:2::/48",
    "2001:10::/28",
    "2001:db8::/32",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
]


@pytest.mark.parametrize("row", IPV4_NETWORKS + IPV6_NETWORKS, ids=lambda row: str(row.network))
def test_rows_are_well_formed(row: SpecialNetwork) -> None:
    assert str(ipaddress.ip_network(row.network)) == row.network
    assert row.rule
    assert row.source


@pytest.mark.parametrize("rows", [IPV4_NETWORKS, IPV6_NETWORKS])
def test_no_network_twice_and_the_table_is_complete(rows: tuple[SpecialNetwork, ...]) -> None:
    networks = [ipaddress.ip_network(row.network) for row in rows]
    assert len(set(networks)) == len(networks)
    assert sum(network.prefixlen == 0 for network in networks) == 1


@pytest.mark.parametrize("block", NOT_REACHABLE)
def test_the_registries_unreachable_blocks_lie_in_refused_rows(block: str) -> None:
    network = ipaddress.ip_network(block)
    rows = IPV4_NETWORKS if network.version == 4 else IPV6_NETWORKS
    longest = max(
        (row for row in rows if network[0] in ipaddress.ip_network(row.network)),
        key=lambda row: ipaddress.ip_network(row.network).prefixlen,
    )
    assert longest.reach is not Reach.GLOBAL
    assert network[-1] in ipaddress.ip_network(longest.network)
