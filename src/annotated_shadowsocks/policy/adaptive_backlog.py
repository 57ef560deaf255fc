"""How long a listener of ours should let its queue be.

The argument of listen(2) may be given again while connections come: nothing in the queue is lost,
and the new limit holds from that moment on. So a backlog need not be guessed. What bounds it is
``net.core.somaxconn``, which may itself be raised at run time: the kernel looks at it only when
listen(2) is called.
"""

from .queue_advice import GOOD_LIMIT, NEARLY_FULL, sysctl_commands

__all__ = ["next_backlog", "remedy"]


def next_backlog(
    configured: int | None, adaptive: bool, depth: int, limit: int, somaxconn: int
) -> int | None:
    """What to call listen(2) with, None where the limit is right as it is.

    ``configured`` is the operator's number, or None for as much as the kernel allows; ``limit``
    is the limit in force.
    """
    if configured is None:
        # Lowered, it would take room away that is there: listen(2) is then left alone.
        return somaxconn if somaxconn > limit else None
    if not adaptive or depth <= NEARLY_FULL * limit:
        # What the operator asked for, and somaxconn did not allow when it was asked.
        wanted = min(configured, somaxconn)
        return wanted if wanted > limit else None
    wanted = min(max(2 * limit, 1), somaxconn)
    return wanted if wanted > limit else None


def remedy(configured: int | None, adaptive: bool, limit: int, somaxconn: int) -> str:
    """What an operator does about a queue that is too short, in a few words."""
    if limit >= somaxconn:
        raised = sysctl_commands("net.core.somaxconn", max(GOOD_LIMIT, 2 * somaxconn))[0]
        if configured is None or adaptive or configured > somaxconn:
            return f"{raised} (it is noticed at once), or more workers"
        return f"{raised}, and backlog auto"
    return f"backlog auto instead of {configured}, or backlog_adaptive, or more workers"
