"""What runs, in figures: expositions, and the probe that watches our own listeners."""

__all__: list[str] = []
