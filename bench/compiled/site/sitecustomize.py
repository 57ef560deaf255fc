"""Python imports this by its name before anything else, in a hop that has this folder on its path.

What fails here is told of and forgotten, unless it is SystemExit; and a hop that went on without
the extension would be measured under its name.
"""

from bench.compiled.install import install

try:
    install()
except Exception as error:
    raise SystemExit(f"the compiled part cannot be installed: {error!r}") from error
