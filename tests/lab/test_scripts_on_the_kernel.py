"""Every script of tests/scripts on the live kernel: it agrees with the script and with the model.

They run at the same time, each in namespaces of its own: the longest waits for a minute.
"""

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from annotated_shadowsocks.lab.compare import profile_of
from annotated_shadowsocks.lab.fleet import Fleet, Outcome
from annotated_shadowsocks.scripts.parser import parse

SCRIPTS = sorted(Path(__file__).parents[1].joinpath("scripts").rglob("*.pkt"))
#: What the kernel takes a minute for begins first.
_SLOW = ("27b",)


def _is_about_this_kernel(path: Path) -> bool:
    script = parse(path.read_text("utf-8"), path.name)
    return script.profile in (None, profile_of("6.18"))


CASES = [
    pytest.param(path, version, id=f"{path.stem}-{version}")
    for path in SCRIPTS
    if _is_about_this_kernel(path)
    for version in ("ipv4", "ipv6")
]

Playing = dict[tuple[Path, str], "Future[Outcome]"]


@pytest.fixture(scope="session")
def playing(request: pytest.FixtureRequest) -> Iterator[Playing]:
    """What was asked for of them, all at once."""
    asked: list[tuple[Path, str]] = [
        (item.callspec.params["path"], item.callspec.params["version"])  # type: ignore[misc]
        for item in request.session.items
        if isinstance(item, pytest.Function) and "playing" in item.fixturenames
    ]
    asked.sort(key=lambda one: not one[0].name.startswith(_SLOW))
    with Fleet() as fleet:
        yield {one: fleet.begin(one[0].name, _text(*one)) for one in asked}


def _text(path: Path, version: str) -> str:
    text = path.read_text("utf-8")
    return text if "--ip_version" in text else f"--ip_version={version}\n{text}"


@pytest.mark.root
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("path", "version"), CASES)
def test_model_and_kernel_agree(path: Path, version: str, playing: Playing) -> None:
    outcome = playing[path, version].result()
    assert outcome.agreed, outcome.told
