"""The systems that the model knows, by name."""

import difflib
from collections.abc import Mapping
from types import MappingProxyType

from ...errors import ConfigError
from ..profile import Profile
from .bsd import BSD
from .linux import LINUX, LINUX_6_18
from .others import OTHERS

__all__ = ["DEFAULT", "PROFILES", "find"]

#: All of them, in the order in which tables show them.
PROFILES: Mapping[str, Profile] = MappingProxyType(
    {profile.name: profile for profile in (*LINUX, *BSD, *OTHERS)}
)

#: The one that was measured.
DEFAULT = LINUX_6_18


def find(name: str) -> Profile:
    """The profile of that name. Raises ``ConfigError``, with the nearest name there is."""
    profile = PROFILES.get(name)
    if profile is None:
        near = difflib.get_close_matches(name, PROFILES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(PROFILES)}"
        raise ConfigError(f"profile {name}", "there is no such profile", hint)
    return profile
