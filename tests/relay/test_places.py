from annotated_shadowsocks.relay.places import Places
from annotated_shadowsocks.testing.manual_loop import ManualLoop


class Fixture:
    def __init__(self, most: int = 100, per_owner: int = 100) -> None:
        self.loop = ManualLoop()
        self.ended: list[str] = []
        self.places: Places[str] = Places(self.loop, 10.0, most, per_owner, self.end)

    def end(self, thing: str) -> None:
        assert self.places.leave(thing)
        self.ended.append(thing)

    def take(self, *things: str) -> None:
        """Each a second later; the first letter is the owner."""
        for thing in things:
            self.places.take(thing, thing[0])
            self.loop.advance(1)


def test_what_is_idle_ends_and_what_is_used_does_not() -> None:
    made = Fixture()
    made.take("a1", "b1")
    made.loop.advance(7)
    made.places.touch("a1")
    made.loop.advance(2)
    assert made.ended == ["b1"]
    made.loop.advance(8)
    assert made.ended == ["b1", "a1"]
    assert len(made.places) == 0
    assert made.loop.timers() == []


def test_an_owner_gives_up_its_own_most_idle() -> None:
    made = Fixture(per_owner=2)
    made.take("a1", "a2", "b1")
    made.places.touch("a1")
    made.take("a3")
    assert made.ended == ["a2"]
    assert len(made.places) == 3


def test_all_taken_whoever_has_one_gives_up_that() -> None:
    made = Fixture(most=3)
    made.take("a1", "b1", "b2", "b3", "b4")
    assert made.ended == ["b1", "b2"]


def test_all_taken_a_newcomer_gets_the_most_idle() -> None:
    made = Fixture(most=2)
    made.take("a1", "b1", "c1")
    assert made.ended == ["a1"]


def test_leaving_twice() -> None:
    made = Fixture()
    made.take("a1")
    assert made.places.leave("a1")
    assert not made.places.leave("a1")
    made.take("a1")
    assert len(made.places) == 1


def test_ending_an_owner_and_everything() -> None:
    made = Fixture()
    made.take("a1", "a2", "b1", "c1")
    made.places.end("a")
    made.places.end("a")
    made.places.end("nobody")
    assert made.ended == ["a1", "a2"]
    made.places.clear()
    made.places.clear()
    assert made.ended == ["a1", "a2", "b1", "c1"]
    assert made.loop.timers() == []
