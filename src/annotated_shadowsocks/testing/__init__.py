"""Doubles, scripted peers and conformance checks, for our tests and for anyone's.

Nothing that is installed to run imports from here.
"""

__all__: list[str] = []
