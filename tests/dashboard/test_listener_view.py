"""A listener with its processes, as text and as JSON."""

import json
import os
import pwd

import pytest

from annotated_shadowsocks.dashboard.listener_view import Sight, hidden_owners, look
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.kernel.listeners import Listener
from annotated_shadowsocks.kernel.owners import Owner
from annotated_shadowsocks.testing.queues import StalledListener

LISTENER = Listener(
    local=Endpoint("127.0.0.1", 443),
    family=2,
    v6only=False,
    interface=0,
    cookie=42,
    inode=7,
    uid=0,
    depth=9,
    limit=8,
    drops=13,
    half_open=2,
)
NGINX = (Owner(812, "nginx"), Owner(813, "nginx"))


@pytest.mark.parametrize(
    ("sight", "text"),
    [
        (Sight(LISTENER, NGINX), "nginx(812) nginx(813)"),
        (Sight(LISTENER, (Owner(1, "a\x1b[2Jb"),)), r"a\x1b[2Jb(1)"),
        (Sight(LISTENER, ()), f"- (user {pwd.getpwuid(0).pw_name})"),
        (Sight(LISTENER._replace(uid=2**31), ()), "- (user 2147483648)"),
        (Sight(LISTENER._replace(inode=0), ()), "- (no process)"),
    ],
)
def test_processes(sight: Sight, text: str) -> None:
    assert sight.processes == text


@pytest.mark.parametrize(
    ("half_open", "estimated", "text"), [(2, False, "2"), (2, True, "~2"), (None, True, "?")]
)
def test_the_syn_queue(half_open: int | None, estimated: bool, text: str) -> None:
    listener = LISTENER._replace(half_open=half_open, estimated=estimated)
    assert Sight(listener, ()).half_open == text


def test_what_advice_is_based_on() -> None:
    seen = Sight(LISTENER, NGINX).seen
    assert seen == ("127.0.0.1:443", (9, 8, 2), 13, "nginx", 812)
    assert Sight(LISTENER, ()).seen[3:] == (None, None)


def test_the_document() -> None:
    assert json.loads(json.dumps(Sight(LISTENER, NGINX).document())) == {
        "address": "127.0.0.1:443",
        "host": "127.0.0.1",
        "port": 443,
        "family": "ipv4",
        "v6only": None,
        "interface": None,
        "accept_queue": {"depth": 9, "limit": 8, "capacity": 9, "full": True},
        "syn_queue": {"depth": 2, "estimated": False},
        "drops": 13,
        "uid": 0,
        "user": pwd.getpwuid(0).pw_name,
        "processes": [{"pid": 812, "command": "nginx"}, {"pid": 813, "command": "nginx"}],
        "cookie": "0x2a",
        "inode": 7,
        "congestion": None,
        "mark": None,
        "cgroup": None,
    }
    v6 = LISTENER._replace(family=10, v6only=True, interface=3, local=Endpoint("::", 443))
    document = Sight(v6, ()).document()
    assert (document["family"], document["v6only"], document["interface"]) == ("ipv6", True, 3)


def test_a_look_at_this_host() -> None:
    with StalledListener(deferred=True) as stalled:
        stalled.connect(2)
        (sight,) = look(stalled.port)
        assert sight.listener.half_open == 2
        assert [owner.pid for owner in sight.owners] == [os.getpid()]
        assert sight.listener.cookie in [each.listener.cookie for each in look()]


def test_hidden_processes_are_admitted(monkeypatch: pytest.MonkeyPatch) -> None:
    shown, hidden = Sight(LISTENER, NGINX), Sight(LISTENER, ())
    nobodys = Sight(LISTENER._replace(inode=0), ())
    assert hidden_owners([shown, nobodys]) is None
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    said = "the processes of 1 of 3 listeners are hidden; root sees more"
    assert hidden_owners([shown, hidden, nobodys]) == said
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert (hidden_owners([hidden]) or "").endswith("are in another PID namespace")
