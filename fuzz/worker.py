"""One target under libFuzzer, in a process of its own: ``fuzz.worker COMMAND TARGET ARGS...``.

libFuzzer starts itself again where it merges, and takes ``COMMAND`` for itself.
"""

import sys

import atheris  # type: ignore[import-not-found, import-untyped, unused-ignore]

with atheris.instrument_imports(include=["annotated_shadowsocks"]):
    from .targets import TARGETS


def main() -> None:
    """Never returns: libFuzzer ends the process."""
    _, command, name, *arguments = sys.argv
    atheris.Setup([command, *arguments], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
