"""The commands: argv in, an exit code out, talk on stderr and data on stdout.

``main``       the entry points, and the one place where an error becomes an exit code
``arguments``  parsers made from the table of options
``files``      configuration files and files of secrets
``tunnel``     ``sslocal``, ``ssserver`` and ``ssmanager``
``service``    ``ssservice``: keys and the demonstration
``demo``       that demonstration: client and server on loopback, in front of ``demo_origin``
``url``        ``ssurl``: SIP002 URLs
``backlog``    the verbs of ``backlog``, of which ``backlog_list``, ``backlog_explain`` and
               ``backlog_doctor`` look at this host, by ``dashboard.listener_view``
``logs``       log lines that a peer cannot forge
``exits``      the table from errors to exit codes
``text``       one line of text for a terminal
``terminal``   what a terminal can show: width, emphasis, aligned columns

What a command does not need it does not import: ``--version`` loads neither the cryptographic
library nor an event loop.
"""

__all__: list[str] = []
