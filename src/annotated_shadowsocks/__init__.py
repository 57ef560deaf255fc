"""Annotated Shadowsocks: a tunnel, the TCP listen queue, and a book about both.

The package is a house. Imports go down only:

===========  ==============================================================
floor        rooms
===========  ==============================================================
6            ``cli``: argv, exit codes, signals
5            ``supervision``: the processes, from start to end
4            ``services``: which parts serve a port, wired how
3            ``relay``, ``resolver``, ``kernel``, ``system``: what touches the OS
2            ``policy``, ``config``: pure decisions
1            ``socks5``, ``shadowsocks``, ``tcp_model``: cores without I/O
0            ``wire``, ``crypto``, ``endpoint``, ``entropy``, ``errors``
===========  ==============================================================

A reader who wants to follow one connection starts in ``services.server`` and goes down.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
