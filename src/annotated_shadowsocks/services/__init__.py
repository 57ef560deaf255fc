"""Composition: which parts serve a port, wired how. Nothing here parses, seals or reads a socket.

From a configuration to ports:

``bindings``         the listening sockets, opened first and kept over reloads
``assembly``         from a configuration and open sockets to ports that serve
``runtime``          what all ports of a process share
``salts``            replay stores that processes share, and ``salt_file``, where they outlive them

One port, and one connection to it:

``port``             what all ports have in common
``server``           ssserver's connections; ``hop`` passes on those of SIP023 that are another's
``local``            sslocal's connections
``inbound``          a connection until it is a relay, where ``server`` and ``hop`` are alike
``key_search``       whose connection it is, by trying keys
``targets``          where it may go

One datagram:

``packet_fronts``    which of the following a port's datagrams meet
``packets``          sealed one by one, at both ends
``keyed_packets``    the same, with many keys to try
``session_packets``  in sessions, as in SIP022
``packet_streams``   in a tunnelled stream, at ssserver; ``stream_outlet`` is sslocal's side

What became of them:

``counters``         what is counted
``service_figures``  and how it is told

To follow one connection, read ``server`` (or ``local``) and go down from there. Which processes do
all this, and when they begin and end, is decided above, in ``supervision``.
"""

__all__: list[str] = []
