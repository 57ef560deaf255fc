"""Model and kernel side by side: what counts as the same, and what is found where it is not."""

import platform

import pytest

from annotated_shadowsocks.errors import ConfigError
from annotated_shadowsocks.lab import compare as module
from annotated_shadowsocks.lab.compare import Comparison, compare, profile_of
from annotated_shadowsocks.lab.model_stage import ModelStage
from annotated_shadowsocks.scripts.parser import parse
from annotated_shadowsocks.tcp_model.instant import SECOND

LISTEN = """\
sysctl tcp_synack_retries = 1
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
"""
HANDSHAKE = """\
+.1 C < S 0:0(0)
+0 C > S. 0:0(0) ack 1 <mss 1460>
+.1 C < . 1:1(0) ack 1
"""


class _Other(ModelStage):
    """A kernel made of another model: it needs no root, and differs as it is told to."""

    other = "linux-6.18"

    def __init__(self, ipv6: bool = False) -> None:
        super().__init__(self.other, ipv6)

    def __enter__(self) -> "_Other":
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KernelStage", _Other)
    monkeypatch.setattr(_Other, "other", "linux-6.18")
    monkeypatch.setattr(platform, "release", lambda: "6.18.44")


def told(comparison: Comparison) -> str:
    assert comparison.disagreement is not None
    return str(comparison.disagreement)


@pytest.mark.usefixtures("other")
def test_two_of_a_kind_agree() -> None:
    found = compare(parse(LISTEN + HANDSHAKE))
    assert found.agreed
    assert found.ran


@pytest.mark.usefixtures("other")
def test_a_packet_that_the_script_does_not_mention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Other, "other", "linux-4.4")
    script = LISTEN.replace("3, 1", "3, 0") + HANDSHAKE + "+.1 D < S 0:0(0)\n+2 D ignored\n"
    found = compare(parse(script))
    assert found.model.agreed
    assert found.kernel.agreed
    assert told(found) == (
        "packet 1 from server to D\n"
        "  model   nothing\n"
        "  kernel  0.300  S. 0(0) ack 1 <MaximumSegmentSize>"
    )
    assert not found.agreed


@pytest.mark.usefixtures("other")
def test_a_counter(monkeypatch: pytest.MonkeyPatch) -> None:
    counters = _Other.counters
    monkeypatch.setattr(
        _Other, "counters", lambda self, clients: {**counters(self, clients), "ListenDrops": 7}
    )
    found = compare(parse(LISTEN + HANDSHAKE))
    assert told(found) == "counter ListenDrops\n  model   0\n  kernel  7"


@pytest.mark.usefixtures("other")
@pytest.mark.parametrize(("late", "ran"), [(0, True), (SECOND, False)])
def test_a_busy_machine_proves_nothing(
    late: int, ran: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Other, "other", "linux-4.4")
    monkeypatch.setattr(_Other, "late", late)
    script = LISTEN.replace("3, 1", "3, 0") + HANDSHAKE + "+.1 D < S 0:0(0)\n+2 D ignored\n"
    found = compare(parse(script))
    assert not found.agreed
    assert found.ran is ran
    assert (found.disagreement is None) is (not ran)


@pytest.mark.usefixtures("other")
def test_a_busy_machine_may_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Other, "late", SECOND)
    assert compare(parse(LISTEN + HANDSHAKE)).agreed


@pytest.mark.usefixtures("other")
def test_a_difference_from_the_script_comes_first() -> None:
    found = compare(parse(LISTEN + "+.1 C < S 0:0(0)\n+0 C > S. 0:0(0) ack 2 <mss 1460>\n"))
    assert found.model.difference is not None
    assert found.disagreement is None
    assert not found.agreed


@pytest.mark.usefixtures("other")
def test_what_cannot_be_run() -> None:
    found = compare(parse(LISTEN + "+0 mmap(3, ...) = 0\n"))
    assert not found.ran
    assert not found.agreed


@pytest.mark.usefixtures("other")
def test_a_script_about_another_system() -> None:
    with pytest.raises(ConfigError, match=r"is about bsd44, and the kernel here is linux-6\.18"):
        compare(parse(f"profile bsd44\n{LISTEN}"))


@pytest.mark.parametrize(
    ("release", "profile"),
    [
        ("6.18.44-fc-v445", "linux-6.18"),
        ("7.0.0", "linux-6.19"),
        ("6.12.3+deb13-amd64", "linux-4.10"),
        ("6.14", "linux-6.13"),
        ("4.9.0", "linux-4.4"),
        ("3.16.0", "linux-4.3"),
        ("unknown", "linux-6.19"),
    ],
)
def test_the_profile_of_a_kernel(release: str, profile: str) -> None:
    assert profile_of(release) == profile


# --- the kernel ---

TWO = (
    LISTEN
    + """\
+.1 client A connect
+0 client B connect
+0 client C connect
+.2 accept_queue 2/1
"""
)


@pytest.mark.root
@pytest.mark.parametrize("version", ["ipv4", "ipv6"])
def test_the_kernel_agrees(version: str) -> None:
    found = compare(parse(f"--ip_version={version}\n{TWO}"))
    assert found.agreed, found
    assert found.kernel.stage.startswith("kernel ")
    assert len(found.kernel.trace.events) > len(found.model.trace.parties)


@pytest.mark.root
def test_the_kernel_disagrees_with_another_systems_profile() -> None:
    found = compare(parse(TWO.replace("+.2 accept_queue 2/1", "+.2 accept_queue 2")), "bsd44")
    assert not found.agreed
