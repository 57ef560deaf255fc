"""Packet scripts: packetdrill's grammar where the two overlap, and lines of our own for queues.

A script is a lesson that can be run. Its packets, calls and times are written as packetdrill has
them, so that public scripts about listening sockets can be read; what packetdrill has no word for
(several clients, the two queues, counters per listener, a wire that holds packets back) has a line
of its own. ``parser`` shows all of them.

This package only knows what a script says. Running one is the laboratory's business.
"""

__all__: list[str] = []
