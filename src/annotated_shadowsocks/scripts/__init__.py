"""Packet scripts: packetdrill's grammar where the two overlap, and lines of our own for queues."""

__all__: list[str] = []
