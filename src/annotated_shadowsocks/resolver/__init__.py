"""resolver."""

__all__: list[str] = []
