"""Everything that reads and writes the sockets of the tunnel.

``poller``        which socket is ready: one epoll set, and a table of watchers
``event_loop``    an asyncio loop that shares that set
``deadlines``     many deadlines, one timer
``sockets``       opening them, and what the kernel made of that
``listener``      the accept loop
``driver``        pumps a protocol core until its handshake is done
``dialer``        from an endpoint to a connected socket
``stream_relay``  two sockets and two directions: the hot path
``packet_relay``  datagrams and their associations
``packet_outlet`` where datagrams leave towards their targets
``packet_stream`` datagrams in a tunnelled stream
``places``        how many there may be, and who has to go
``endings``       silence, refusal and reset

A *watcher* owns one socket and is told when it is ready; a *leg* is one of a relay's two. Nobody
here blocks, and nobody but the poller closes a socket. What a protocol means is decided below, in
cores without I/O; which parts meet is decided above, in ``services``.
"""

__all__: list[str] = []
