"""How peers are kept, with a recipe that only writes a file."""

import dataclasses
from pathlib import Path

import pytest

from peers import cache
from peers.model import Peer, PeerError
from peers.recipes import run, tool


@dataclasses.dataclass
class Recipe:
    """Makes ``programs``, and counts."""

    identity: str = "first"
    programs: tuple[str, ...] = ("program",)
    runs: int = 0
    fails: bool = False

    def install(self, folder: Path, log: Path) -> None:
        self.runs += 1
        for name in self.programs:
            (folder / name).write_text("built")
        if self.fails:
            run(["sh", "-c", "echo why it failed; exit 3"], log)

    def program(self, folder: Path, name: str) -> Path | None:
        return folder / name if (folder / name).is_file() else None


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def recipe() -> Recipe:
    return Recipe()


@pytest.fixture
def peer(recipe: Recipe) -> Peer:
    return Peer("peer", "1.2", recipe, ("program",))


def test_what_is_there_is_not_installed_again(peer: Peer, recipe: Recipe, tmp_path: Path) -> None:
    assert not cache.is_installed(peer)
    for _ in range(2):
        cache.install(peer)
    assert recipe.runs == 1
    folder = tmp_path / "annotated-shadowsocks" / "peers" / "peer-1.2"
    assert cache.find(peer, "program") == str(folder / "program")
    assert cache.size_of(peer) == len("built") + len("first")


def test_another_recipe_builds_anew(peer: Peer, recipe: Recipe) -> None:
    cache.install(peer)
    recipe.identity = "second"
    assert not cache.is_installed(peer)
    cache.install(peer)
    assert recipe.runs == 2


def test_a_program_that_has_gone_is_built_again(peer: Peer, recipe: Recipe) -> None:
    cache.install(peer)
    Path(cache.find(peer, "program")).unlink()
    assert not cache.is_installed(peer)
    cache.install(peer)
    assert recipe.runs == 2


def test_what_failed_is_not_installed_and_says_why(peer: Peer, recipe: Recipe) -> None:
    recipe.fails = True
    with pytest.raises(PeerError, match=r"(?s)ended with status 3.*why it failed"):
        cache.install(peer)
    assert not cache.is_installed(peer)
    assert "why it failed" in cache.log_of(peer).read_text()
    recipe.fails = False
    cache.install(peer)
    assert cache.is_installed(peer)


def test_a_recipe_that_did_not_make_a_program(recipe: Recipe) -> None:
    peer = Peer("peer", "1.2", recipe, ("program", "other"))
    with pytest.raises(PeerError, match="no program other"):
        cache.install(peer)
    assert not cache.is_installed(peer)


def test_what_is_not_installed_is_not_found(peer: Peer) -> None:
    with pytest.raises(PeerError, match=r"peer 1\.2 is not installed; run: make peers"):
        cache.find(peer, "program")


def test_forgotten(peer: Peer, recipe: Recipe) -> None:
    cache.install(peer)
    cache.forget(peer)
    assert not cache.is_installed(peer)


def test_a_cache_that_cannot_be_written(
    peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(PeerError, match="XDG_CACHE_HOME moves it"):
        cache.install(peer)


def test_a_tool_that_is_missing() -> None:
    with pytest.raises(PeerError, match=r"no-such-tool is not installed; this peer needs Ada 83"):
        tool("no-such-tool", "Ada 83")
