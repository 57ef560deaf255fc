"""All targets by name; each is a function of octets that raises only where something is wrong."""

from collections.abc import Callable

from . import documents, kernel, management, socks, tunnel

__all__ = ["TARGETS", "Target"]

Target = Callable[[bytes], None]

TARGETS: dict[str, Target] = {
    **socks.TARGETS,
    **tunnel.TARGETS,
    **documents.TARGETS,
    **kernel.TARGETS,
    **management.TARGETS,
}
