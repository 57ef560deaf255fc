"""Views of what is going on, for a terminal."""

__all__: list[str] = []
