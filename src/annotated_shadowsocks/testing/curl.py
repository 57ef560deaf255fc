"""curl, with bodies that are never whole in memory: made, hashed and forgotten piece by piece."""

import hashlib
import subprocess
from collections.abc import Iterable, Sequence

from .programs import ProgramError, find_program

__all__ = ["curl", "download", "upload"]

_PIECE = 1 << 18

#: No ~/.curlrc, which has to be said first; silent but for errors; an end to what stands still.
_COMMON = ("-q", "--silent", "--show-error", "--fail", "--speed-limit", "1", "--speed-time", "60")


def curl(*arguments: str, body: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run curl to its end, whatever its exit status; ``body`` is its standard input."""
    return subprocess.run(_command(arguments), input=body, capture_output=True)


def download(arguments: Sequence[str]) -> tuple[int, str]:
    """The size of the response and its SHA-256 in hexadecimal.

    Raises ``ProgramError`` with curl's message where curl is not content.
    """
    digest, size = hashlib.sha256(), 0
    with _started(arguments) as process:
        assert process.stdout is not None
        while piece := process.stdout.read(_PIECE):
            digest.update(piece)
            size += len(piece)
        _check(process)
    return size, digest.hexdigest()


def upload(arguments: Sequence[str], pieces: Iterable[bytes]) -> tuple[str, str]:
    """PUT ``pieces`` from a pipe; returns their SHA-256 in hexadecimal, and the response.

    curl does not know how long a pipe is, so it sends chunks. Raises ``ProgramError`` as
    ``download`` does.
    """
    digest = hashlib.sha256()
    with _started(["--upload-file", "-", *arguments]) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            for piece in pieces:
                digest.update(piece)
                process.stdin.write(piece)
            process.stdin.close()
        except BrokenPipeError:
            # curl has given up; why is what it says about it.
            pass
        response = process.stdout.read()
        _check(process)
    return digest.hexdigest(), response.decode()


def _command(arguments: Iterable[str]) -> list[str]:
    return [find_program("curl"), *_COMMON, *arguments]


def _started(arguments: Iterable[str]) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(_command(arguments), stdin=pipe, stdout=pipe, stderr=pipe)


def _check(process: subprocess.Popen[bytes]) -> None:
    assert process.stderr is not None
    message = process.stderr.read().decode(errors="replace").strip()
    if status := process.wait():
        raise ProgramError(f"curl ended with status {status}: {message}")
