"""One line of text for a terminal, a log or a picture, whatever a peer or a file put into it."""

__all__ = ["escape"]


def escape(text: str) -> str:
    r"""``text`` with everything that is not printable written as an escape (``\n``, ``\x1b``).

    That covers line breaks of every alphabet, terminal controls, the bidirectional controls that
    make text read in another order than it is stored, and octets that were not UTF-8.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
