"""Many clients against a listener on a virtual clock, and sweeps over what may be set."""

__all__: list[str] = []
