"""What may be done, decided without doing anything.

``special_networks``  the address blocks that are not ordinary destinations, as one table
``target_filter``     may this literal address be dialled?
``listen_queue``      what a listener does with the next SYN and the next ACK
"""

__all__: list[str] = []
