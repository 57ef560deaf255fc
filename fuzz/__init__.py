"""Fuzzing: every parser that hears a stranger, driven by libFuzzer through atheris.

A *target* is a function of octets. It may raise nothing: it catches the errors that its parser
promises, and checks what must hold for every input, so that any exception is a finding. ``targets``
holds them, ``corpus`` the inputs that were worth keeping, and ``python -m fuzz`` runs them::

    make fuzz                                  each target for a while
    python -m fuzz socks5-server --seconds 600
    python -m fuzz --grow                      keep what reached new lines

Whatever stands in the corpus is run by ``make test`` too, without atheris.
"""
