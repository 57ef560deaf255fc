"""A fresh network namespace for one test, which is gone when the test is over, whatever happens.

It belongs to a thread: a namespace without a process, a file or a name that holds it ends with the
last thread in it. A subprocess that the thread starts is in it too. Needs root.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ..kernel.netns import NamespaceError, NetworkNamespace

__all__ = ["can_unshare", "in_fresh_network", "set_sysctl"]

T = TypeVar("T")


def can_unshare() -> bool:
    """Whether this process may make network namespaces; asked of the kernel, in a thread."""
    try:
        in_fresh_network(lambda: None)
    except NamespaceError:
        return False
    return True


def in_fresh_network(call: Callable[[], T]) -> T:
    """What ``call`` returns, or raises, in a namespace of its own where only loopback is up."""
    results: list[T] = []
    errors: list[BaseException] = []

    def enter() -> None:
        try:
            with NetworkNamespace() as namespace, namespace.entered():
                results.append(call())
        except BaseException as error:  # noqa: BLE001 - it crosses over to the other thread
            errors.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def set_sysctl(name: str, value: int) -> None:
    """Set ``net.…`` of the thread's namespace."""
    Path("/proc/sys", *name.split(".")).write_text(str(value))
