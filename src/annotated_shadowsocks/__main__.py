"""``python -m annotated_shadowsocks COMMAND …``."""

import sys

from .cli.main import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main())
