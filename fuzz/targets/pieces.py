"""One input, cut into the parts that a target needs: numbers first, then octets, then the rest."""

__all__ = ["Pieces", "scattered"]


class Pieces:
    """Takes from the front; past the end there are zeros."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def number(self, size: int = 1) -> int:
        """An integer of ``size`` octets."""
        return int.from_bytes(self.octets(size), "big")

    def octets(self, size: int) -> bytes:
        """So many octets."""
        taken, self._data = self._data[:size], self._data[size:]
        return taken.ljust(size, b"\0")

    def rest(self) -> bytes:
        """All that is left."""
        taken, self._data = self._data, b""
        return taken

    def __bool__(self) -> bool:
        """Whether anything is left."""
        return bool(self._data)


def scattered(data: bytes, seed: int) -> list[bytes]:
    """``data`` in pieces whose sizes follow from ``seed``."""
    pieces, at = [], 0
    while at < len(data):
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        size = 1 + (seed >> 16) % 19
        pieces.append(data[at : at + size])
        at += size
    return pieces
