"""TCP between a client's SYN and the application's ``accept()``, without a network.

A ``Host`` is one network namespace: listeners with their two queues, half-open requests,
connections, timers, counters. It is given segments and the time, and returns *effects*, one value
for each thing that a kernel would do, each with its reason. It never waits, reads no clock and
draws no randomness: a run can be repeated packet for packet.

Words:

========================  =====================================================================
backlog                   the argument of listen(2), and nothing else
limit                     what a system makes of the backlog and shows (``ss`` Send-Q)
capacity                  how many entries fit in fact: Linux holds ``limit + 1``
``syn_queue``             half-open requests: SYN received, final ACK not yet accepted
``accept_queue``          connections that wait for ``accept()``
``SYN_RECEIVED``          RFC 9293's state, a full socket of its own
``TCP_NEW_SYN_RECV``      Linux's half-open request, which is no socket yet
overflow, drop            as in ``ListenOverflows`` (queue full) and ``ListenDrops`` (any reason)
profile                   what one system does differently, as data with its source
========================  =====================================================================

The rule of the package: what differs between systems stands in a profile, what a state does with
a segment stands in the table of ``states``, and the rest of the code is the same for all.
"""

__all__: list[str] = []
