"""The settings: equal to what sysctl(8) would print, and None where there is none."""

from pathlib import Path

import pytest

from annotated_shadowsocks.errors import ObserveError
from annotated_shadowsocks.kernel import sysctl
from annotated_shadowsocks.kernel.sysctl import PATHS, sysctls
from annotated_shadowsocks.policy.listen_queue import Sysctls
from annotated_shadowsocks.testing.namespaces import in_fresh_network, set_sysctl


def test_as_the_files_have_them() -> None:
    found = sysctls()
    for name, path in PATHS.items():
        assert getattr(found, name) == int(Path(path).read_text())
    assert PATHS["somaxconn"] == "/proc/sys/net/core/somaxconn"
    assert PATHS["tcp_syncookies"] == "/proc/sys/net/ipv4/tcp_syncookies"


def test_what_is_absent_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there").write_text("128\n")
    paths = {name: str(tmp_path / "missing") for name in PATHS}
    monkeypatch.setattr(sysctl, "PATHS", paths | {"somaxconn": str(tmp_path / "there")})
    assert sysctls() == Sysctls(somaxconn=128)


def test_what_is_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "odd").write_text("many\n")
    monkeypatch.setattr(sysctl, "PATHS", {"somaxconn": str(tmp_path / "odd")})
    with pytest.raises(ObserveError, match="odd: 'many' is no number"):
        sysctls()


@pytest.mark.root
def test_they_are_those_of_the_threads_namespace() -> None:
    def inside() -> Sysctls:
        set_sysctl("net.core.somaxconn", 8)
        set_sysctl("net.ipv4.tcp_synack_retries", 2)
        return sysctls()

    found = in_fresh_network(inside)
    assert (found.somaxconn, found.tcp_synack_retries) == (8, 2)
    assert sysctls().somaxconn != 8
