"""Run targets side by side, each for a set time; exit status 1 where one was broken."""

import argparse
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from . import corpus
from .targets import TARGETS

#: libFuzzer's bounds for one input: seconds, megabytes of the process, octets.
_LIMITS = ("-timeout=10", "-rss_limit_mb=1024", "-max_len=4096")


def main() -> int:
    """Fuzz; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=30, help="how long each runs (default 30)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many at one time")
    parser.add_argument("--grow", action="store_true", help="add what reached new lines")
    found = parser.parse_args()
    if unknown := set(found.targets) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there is {', '.join(TARGETS)}")
    names = found.targets or list(TARGETS)
    with ThreadPoolExecutor(found.jobs) as pool:
        results = list(pool.map(partial(_fuzz, seconds=found.seconds, grow=found.grow), names))
    for name, executions, finding in results:
        print(f"{name:<24} {executions:>9} executions  {finding or 'nothing found'}")
    return int(any(finding for _, _, finding in results))


def _fuzz(name: str, seconds: int, grow: bool) -> tuple[str, str, str]:
    """The name, how many executions there were, and what was found."""
    with tempfile.TemporaryDirectory() as folder:
        old, new = Path(folder, "old"), Path(folder, "new")
        old.mkdir()
        new.mkdir()
        for number, data in enumerate(corpus.read(name)):
            (old / f"{number}").write_bytes(data)
        arguments = [*_LIMITS, f"-max_total_time={seconds}", f"-artifact_prefix={folder}/found-"]
        command = _command(name, Path(folder, "fuzz"))
        done = _run(command, *arguments, "-print_final_stats=1", str(new), str(old))
        if grow:
            merged = Path(folder, "merged")
            merged.mkdir()
            # The fewest inputs that reach all that was reached.
            _run(command, "-merge=1", *_LIMITS, str(merged), str(old), str(new))
            corpus.write(name, (path.read_bytes() for path in merged.iterdir()))
        artifacts = [path.read_bytes().hex() for path in Path(folder).glob("found-*")]
    if done.returncode:
        sys.stderr.write(done.stderr)
        inputs = " ".join(artifacts) or "none was kept"
        return name, "?", f"BROKEN by {inputs}: mend it, and add that line to its corpus"
    counted = [line.split()[-1] for line in done.stderr.splitlines() if "executed_units" in line]
    return name, counted[0] if counted else "?", ""


def _command(name: str, path: Path) -> Path:
    """A program that is the worker of ``name``."""
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m fuzz.worker "$0" {name} "$@"\n')
    path.chmod(0o700)
    return path


def _run(command: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([command, *arguments], capture_output=True, text=True, errors="replace")


if __name__ == "__main__":
    sys.exit(main())
