"""From a name to addresses, without blocking the loop and without trusting the name server's pace.

A *lookup* is one caller's wish. Equal lookups share one *resolution*, which tries the *candidates*
of a name (the search list) one after the other. For each candidate it asks two *questions*, A and
AAAA, and each question is put to one server after another as a *query*.

``names``          what a host is: a literal, a name, or neither; the candidates of a name
``host_files``     what /etc/hosts and /etc/resolv.conf say
``watched_file``   their contents, read again when they change
``question``       one name and type, asked until somebody answers; whom to ask first
``resolution``     both questions of every candidate, the deadline, the outcome
``cache``          outcomes, for as long as they may be believed
``messages``       the wire form, by dnspython
``exchange``       one query on its own socket, UDP or TCP
``dns_lookup``     a resolution, its sockets and its timer
``system_lookup``  the same by getaddrinfo in threads of its own
``resolver``       the door: ``Resolver.lookup`` and ``Resolver.resolve``

The modules up to ``cache``, but ``watched_file``, decide and do no I/O; time is an argument.
"""

__all__: list[str] = []
