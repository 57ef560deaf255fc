"""Which shell commands are settings, and what they set.

Public scripts change settings by commands. Those that do nothing else are understood, so that such
a script can be run without a shell; every other command is left to be refused.
"""

import re

from .statements import SetSysctl, Shell

__all__ = ["settings"]

_PREFIX = r"(?:net\.(?:ipv4|core|ipv6)\.|/proc/sys/net/(?:ipv4|core|ipv6)/)"
_SETTING = re.compile(rf"{_PREFIX}([a-z0-9_]+)=[\"']?(-?[0-9]{{1,10}})[\"']?")
_SYSCTL = re.compile(r"sysctl(?:\s+-[qw]+)*\s+(.*)")
#: packetdrill's own helpers: one sets what is named, one puts back what the other has changed.
_HELPER = re.compile(r"(?:\S*/)?set_sysctls\.py\s+(.*)")
_NOTHING = re.compile(r"(?:\S*/)?(?:defaults\.sh|sysctl_restore_\$\{PPID\}\.sh)")
_SEPARATOR = re.compile(r"\s*(?:\n|;|&&)\s*")
_SILENCE = re.compile(r"\s*(?:[12]?>\s*/dev/null|2>&1)")


def settings(shell: Shell) -> tuple[SetSysctl, ...] | None:
    """What a command sets, in order; None if it does anything else."""
    found: list[SetSysctl] = []
    text = shell.command.replace("\\\n", " ")
    for command in _SEPARATOR.split(_SILENCE.sub("", text).strip()):
        if not command or _NOTHING.fullmatch(command):
            continue
        match = _SYSCTL.fullmatch(command) or _HELPER.fullmatch(command)
        if match is None:
            return None
        for word in match[1].split():
            setting = _SETTING.fullmatch(word)
            if setting is None:
                return None
            found.append(SetSysctl(setting[1], int(setting[2])))
    return tuple(found)
