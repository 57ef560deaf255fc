"""What the Linux kernel says about listening sockets, read and never guessed.

``sock_diag``  TCP sockets by netlink: the accept queue of any listener, and half-open requests
``proc_tcp``   /proc/net/tcp: how many requests each listener has, where addresses cannot tell
``listeners``  the two joined: every listener with both of its queues
``owners``     which process has a socket open
``netstat``    the counters of the network namespace
``sysctl``     the settings that bound the queues
``procfs``     reading /proc, with errors that say what is missing
``timekeeping``  whether the kernel believes that the host's clock is synchronised

Three rules. Everything is about the network namespace of the *thread* that asks, which is why paths
begin with ``/proc/thread-self``: ``/proc/net`` is that of the process's first thread. What a kernel
or a privilege withholds is None and not zero. What cannot be read at all is one ``ObserveError``
with the kernel's reason, and never leaves a reader unfit for the next call.
"""

__all__: list[str] = []
