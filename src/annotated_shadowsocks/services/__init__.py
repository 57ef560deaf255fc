"""Composition: which parts, wired how. Nothing here parses, seals or reads a socket.

``run``         a configuration served until a signal ends it: the door
``supervisor``  a parent and its workers
``process``     one process: its loop, its signals, its end
``bindings``    the listening sockets, opened first and kept over reloads
``assembly``    from a configuration and open sockets to services
``server``      ssserver's connections
``local``       sslocal's connections
``port``        what those two share
``packets``     datagrams at both ends
``runtime``     what all services of a process share
``salts``       replay stores that workers share
``counters``    what is counted

``heritage``    sockets that the service manager or a predecessor left us
``handover``    leaving ours to a successor
``systemd``     telling the service manager how we are
``observer``    the process that watches the others and serves their figures
``pages``       its little HTTP server
``queue_watch`` the probe of our queues, on a loop
``service_figures``  what a process's services have counted

To follow one connection, read ``server`` (or ``local``) and go down from there.
"""

__all__: list[str] = []
