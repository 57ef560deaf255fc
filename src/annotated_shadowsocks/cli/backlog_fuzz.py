"""``backlog fuzz``: random scripts on the model and on the live kernel, until the two disagree."""

import argparse
import itertools
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..pictures.printable import escape
from . import exits
from .arguments import ArgumentParser
from .files import CannotCreate
from .text import complain

if TYPE_CHECKING:
    from ..lab.fleet import Fleet, Outcome

__all__ = ["add_parser", "run"]

_ABOUT = "run random scripts on the model and on the live kernel, and shrink what differs"
_EPILOG = """\
Needs root. Ends with 0 where all agreed, 1 where one did not, and 2 where they could not be run.
The same seed is the same script. A disagreement is run again before it counts: a machine that is
too busy to play a script in time makes differences that are none.
"""
_COULD_NOT_RUN = 2
_MOST = 1_000_000
#: How often a disagreement has to come back.
_AGAIN = 2


def add_parser(verbs: "argparse._SubParsersAction[ArgumentParser]") -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser("fuzz", help=_ABOUT, description=_ABOUT, epilog=_EPILOG)
    what = "how many scripts (default 100)"
    parser.add_argument("--count", type=int, default=100, metavar="N", help=what)
    what = "the seed of the first; the others follow it (default 0)"
    parser.add_argument("--seed", type=int, default=0, metavar="N", help=what)
    what = "begin no script after so many seconds"
    parser.add_argument("--seconds", type=float, metavar="S", help=what)
    what = "how many at a time (default 4 for each core)"
    parser.add_argument("--jobs", type=int, metavar="N", help=what)
    what = "write each disagreement, shrunk, as a script into this folder"
    parser.add_argument("--keep", metavar="FOLDER", help=what)
    parser.add_argument("--json", action="store_true", help="print each disagreement as an object")


def run(arguments: argparse.Namespace) -> int:
    """Run them. Raises ``UsageError`` and ``CannotCreate``."""
    if not 1 <= arguments.count <= _MOST:
        raise UsageError(f"--count {arguments.count}: use 1 to {_MOST}")
    if arguments.jobs is not None and not 1 <= arguments.jobs <= 256:
        raise UsageError(f"--jobs {arguments.jobs}: use 1 to 256")
    if arguments.seconds is not None and not 0 < arguments.seconds <= 86_400:
        raise UsageError(f"--seconds {arguments.seconds:g}: use 0 to 86400")
    # Imported here: --help and a wrong flag need nothing of the kernel.
    from ..kernel.netns import NamespaceError, NetworkNamespace
    from ..lab.fleet import Fleet

    try:
        # One error here, not one of each script.
        NetworkNamespace().close()
    except NamespaceError as error:
        complain("backlog", str(error))
        return _COULD_NOT_RUN
    with Fleet(arguments.jobs) as fleet:
        return _Hunt(fleet, arguments).run()


class _Hunt:
    """One run: how many agreed, and what did not."""

    def __init__(self, fleet: "Fleet", arguments: argparse.Namespace) -> None:
        self._fleet = fleet
        self._json: bool = arguments.json
        self._keep: str | None = arguments.keep
        self._first: int = arguments.seed
        self._count: int = arguments.count
        self._seconds: float | None = arguments.seconds
        self._agreed = 0
        self._differed = 0
        #: Could not be run, mostly because this machine was too busy to play them in time.
        self._unknown = 0

    def run(self) -> int:
        """All scripts; returns the exit code."""
        for batch in self._batches():
            for outcome in self._fleet.run(batch):
                self._judge(outcome)
            self._progress()
        total = self._agreed + self._differed + self._unknown
        summary = {"scripts": total, "agreed": self._agreed, "differed": self._differed}
        summary["could_not_run"] = self._unknown
        if self._json:
            print(json.dumps({**summary, "first_seed": self._first}))
        else:
            print(f"{self._agreed} of {total} scripts agreed, from seed {self._first} on")
            if self._unknown:
                print(f"{self._unknown} could not be run; with fewer --jobs they may")
        if self._differed:
            return 1
        return _COULD_NOT_RUN if self._unknown else exits.OK

    def _batches(self) -> Iterator[list[tuple[str, str]]]:
        from ..lab.fuzz import generate

        began = time.monotonic()
        seeds = iter(range(self._first, self._first + self._count))
        while batch := list(itertools.islice(seeds, 4 * self._fleet.size)):
            if self._seconds is not None and time.monotonic() - began > self._seconds:
                return
            yield [(f"seed-{seed}", generate(seed)) for seed in batch]

    def _judge(self, outcome: "Outcome") -> None:
        script, found = (outcome.name, outcome.text), [outcome]
        while not found[-1].agreed and len(found) <= _AGAIN:
            found += self._fleet.run([script])
        if found[-1].agreed:
            self._agreed += 1
            return
        if not all(one.ran for one in found):
            self._unknown += 1
            return
        from ..lab.fuzz import shrink

        self._differed += 1
        small = shrink(outcome.text, self._differ)
        (told,) = self._fleet.run([(outcome.name, small)])
        self._tell(outcome.name, small, told.told or outcome.told)

    def _differ(self, texts: Sequence[str]) -> list[bool]:
        """Of each script, whether it can be run and does not agree."""
        names = [str(index) for index in range(len(texts))]
        found = self._fleet.run(zip(names, texts, strict=True))
        differing = {one.name for one in found if one.ran and one.told}
        return [name in differing for name in names]

    def _tell(self, name: str, text: str, told: str) -> None:
        if self._json:
            print(json.dumps({"name": name, "script": text, "difference": told}), flush=True)
        else:
            lines = (escape(line) for line in f"{name}\n{told}\n{text}".split("\n"))
            print("\n".join(lines), flush=True)
        if self._keep is not None:
            path = Path(self._keep, f"{name}.pkt")
            words = "".join(f"// {line}\n" for line in told.splitlines())
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(words + text, "utf-8")
            except OSError as error:
                raise CannotCreate(f"cannot create {path}: {error.strerror}") from error

    def _progress(self) -> None:
        if sys.stderr.isatty():
            done = self._agreed + self._differed
            print(f"\r{done} of {self._count}, {self._differed} differ", end="", file=sys.stderr)
