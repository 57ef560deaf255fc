"""The life of the processes that serve: how they begin, who looks after them, how they end.

``run``          a configuration served until a signal ends it: the door
``process``      one process: its loop, its signals, its end
``supervisor``   a parent and its workers

Sockets outlive a process, and the service manager wants to hear of it:

``heritage``     sockets that the service manager or a predecessor left us
``handover``     leaving ours to a successor
``systemd``      telling the service manager how we are

Somebody watches:

``observer``     the process that watches the others and serves their figures
``pages``        its little HTTP server
``queue_watch``  the probe of our queues, on a loop

Somebody may change what is served, while it is:

``management``   the socket on which that is asked
``manager``      ``ssmanager``, which obeys

What a port does with a connection is none of this floor's business: see ``services``.
"""

__all__: list[str] = []
