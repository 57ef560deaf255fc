"""Many clients against a listener on a virtual clock, and sweeps over what may be set.

The simulator counts handshakes where ``tcp_model.host`` counts segments. It moves no octets, but
every decision is the model's own: which gate is shut for a SYN, whether a final ACK finds room,
what a timeout means, which listener of a group a flow hashes to. What a client does when nobody
answers is found out by letting the model's client do it.

========================  =====================================================================
scenario                  what is simulated: a listener, its workers, the clients and the way
attempt                   one client's connect(), from its first SYN to its end
outcome                   how an attempt ends; every attempt has one
report                    what a run came to; equal scenarios and seeds give equal reports
========================  =====================================================================
"""

__all__: list[str] = []
