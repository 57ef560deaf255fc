"""The story of the listen queue in eight scenes, each a script that is run while it is told.

A scene is a file in ``scenes``. Its comment at the top is the title and the story; the comment at
its end says how things were when the story was first written down, and what has changed. What is
between the two is the proof: a scene whose script does not hold is not told, but reported.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from ..errors import ConfigError
from ..scripts.parser import parse
from ..scripts.statements import Comment, Script
from ..tcp_model.profiles import DEFAULT, PROFILES
from ..tcp_model.profiles import find as find_profile
from ..tcp_model.survey import connections
from .conductor import conduct
from .model_stage import ModelStage
from .verdict import Verdict

__all__ = ["BACKLOGS", "Scene", "find", "numbers", "on_kernel", "on_model", "scenes"]

#: What the classic question is answered with: the backlogs of the table in the last scene.
BACKLOGS = (0, 1, 5, 10)


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene; ``story`` and ``since`` are paragraphs without line breaks."""

    number: int
    name: str
    title: str
    story: tuple[str, ...]
    since: tuple[str, ...]
    script: Script

    @property
    def needs_model(self) -> bool:
        """It is about another system than Linux, so that no kernel here could play it."""
        return self.script.profile is not None


@cache
def scenes() -> tuple[Scene, ...]:
    """All of them, in order."""
    folder = files("annotated_shadowsocks.lab").joinpath("scenes")
    paths = sorted((p for p in folder.iterdir() if p.name.endswith(".pkt")), key=lambda p: p.name)
    return tuple(_read(path.name.removesuffix(".pkt"), path.read_text("utf-8")) for path in paths)


def find(text: str) -> Scene:
    """The scene with this number or name. Raises ``ConfigError``."""
    for scene in scenes():
        if text in (str(scene.number), scene.name, f"{scene.number}-{scene.name}"):
            return scene
    there = ", ".join(f"{one.number} {one.name}" for one in scenes())
    raise ConfigError("", f"there is no scene {text!r}", f"there are {there}")


def on_model(scene: Scene) -> Verdict:
    """Play a scene on the model, in virtual time."""
    return conduct(scene.script, ModelStage(scene.script.profile or DEFAULT.name))


def on_kernel(scene: Scene) -> Verdict:
    """Play it on the live kernel, in real time.

    Raises ``NamespaceError`` where there is none to be had, mostly for want of root.
    """
    from .kernel_stage import KernelStage

    with KernelStage() as stage:
        return conduct(scene.script, stage)


def numbers(backlogs: Sequence[int] = BACKLOGS) -> dict[str, list[int]]:
    """How many clients get a connection on each system, found out by connecting."""
    return {name: [connections(find_profile(name), b) for b in backlogs] for name in PROFILES}


def _read(file_name: str, text: str) -> Scene:
    script = parse(text, file_name)
    bodies = [one.body for one in script.statements]
    head, tail = _comments(bodies), _comments(bodies[::-1])[::-1]
    title, *story = _paragraphs(head)
    number, _, name = file_name.partition("-")
    return Scene(int(number), name, title, tuple(story), tuple(_paragraphs(tail)), script)


def _comments(bodies: Sequence[object]) -> list[str]:
    """Those at the beginning."""
    found = []
    for body in bodies:
        if not isinstance(body, Comment):
            break
        found.append(body.text)
    return found


def _paragraphs(lines: Sequence[str]) -> list[str]:
    paragraphs = [""]
    for line in lines:
        if line.strip():
            paragraphs[-1] = f"{paragraphs[-1]} {line.strip()}".strip()
        else:
            paragraphs.append("")
    return [one for one in paragraphs if one]
