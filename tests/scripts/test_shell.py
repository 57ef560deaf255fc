"""Which commands are settings."""

import pytest

from annotated_shadowsocks.scripts.shell import settings
from annotated_shadowsocks.scripts.statements import SetSysctl, Shell


# The commands are those of packetdrill's public scripts
@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("sysctl -q net.ipv4.tcp_syncookies=0", {"tcp_syncookies": 0}),
        (
            "sysctl -w net.core.somaxconn=5 > /dev/null\nsysctl net.ipv4.tcp_fastopen=-1",
            {"somaxconn": 5, "tcp_fastopen": -1},
        ),
        (
            "../../common/defaults.sh\n"
            " ../../common/set_sysctls.py /proc/sys/net/ipv4/tcp_fastopen=515 \\\n"
            "    /proc/sys/net/ipv4/tcp_timestamps=0",
            {"tcp_fastopen": 515, "tcp_timestamps": 0},
        ),
        ("sysctl -q net.ipv4.a=1; sysctl -q net.ipv4.b='2' && true", None),
        ("/tmp/sysctl_restore_${PPID}.sh", {}),
        ("", {}),
        ("sysctl -q net.ipv4.tcp_rmem='1 2 3'", None),
        ("sysctl -q kernel.panic=1", None),
        ("sysctl -a", None),
        ("rm -rf /", None),
    ],
)
def test_settings(command: str, expected: dict[str, int] | None) -> None:
    found = settings(Shell(command))
    if expected is None:
        assert found is None
    else:
        assert found == tuple(SetSysctl(name, value) for name, value in expected.items())
