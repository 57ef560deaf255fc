import pytest

from annotated_shadowsocks.errors import ConfigError
from annotated_shadowsocks.lab import tour
from annotated_shadowsocks.lab.tour import Scene


@pytest.fixture(params=tour.scenes(), ids=lambda scene: scene.name)
def scene(request: pytest.FixtureRequest) -> Scene:
    found: Scene = request.param
    return found


def test_there_are_eight() -> None:
    assert [scene.number for scene in tour.scenes()] == list(range(1, 9))


def test_a_scene_has_a_story_and_what_has_changed(scene: Scene) -> None:
    assert scene.title and len(scene.story) >= 2 and scene.since
    assert all("\n" not in text and "//" not in text for text in (*scene.story, *scene.since))


def test_a_scene_goes_as_told_on_the_model(scene: Scene) -> None:
    verdict = tour.on_model(scene)
    assert verdict.agreed, str(verdict)
    assert verdict.trace.events


LINUX = [scene for scene in tour.scenes() if not scene.needs_model]


def test_only_the_one_queue_is_not_of_linux() -> None:
    assert [scene.name for scene in tour.scenes() if scene not in LINUX] == ["one-queue"]


@pytest.mark.root
@pytest.mark.parametrize("scene", LINUX, ids=lambda scene: scene.name)
def test_a_scene_goes_as_told_on_the_kernel(scene: Scene) -> None:
    verdict = tour.on_kernel(scene)
    assert verdict.agreed, str(verdict)


def test_a_scene_is_found_by_number_and_by_name() -> None:
    assert tour.find("4") is tour.find("syn-dropped") is tour.find("4-syn-dropped")


def test_a_scene_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="'9'; there are 1 handshake, 2 one-queue"):
        tour.find("9")


def test_the_numbers_are_those_of_the_formulas() -> None:
    numbers = tour.numbers((0, 1, 5))
    # b + 1 of Linux, floor(3b/2) + 1 of 4.4BSD.
    assert numbers["linux-6.18"] == [1, 2, 6]
    assert numbers["bsd44"] == [1, 2, 8]
