"""What may be done, decided without doing anything.

``special_networks``  the address blocks that are not ordinary destinations, as one table
``target_filter``     may this literal address be dialled?
``listen_queue``      what a listener does with the next SYN and the next ACK
``queue_advice``      what to change for a listener that loses connections
``host_checkup``      is this host fit to take a burst of them?
"""

__all__: list[str] = []
