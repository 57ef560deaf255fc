"""One trace of events, drawn: ladders, curves, sequence diagrams, captures."""

__all__: list[str] = []
