"""``python -m peers``: install the other programs that ours is tested against, and list them."""

import argparse
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from . import cache
from .catalogue import PEERS
from .model import Peer, PeerError

__all__: list[str] = []


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m peers",
        description="Install the real peers, at the versions that are pinned here.",
        epilog=f"They are kept in {cache.root()}",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PEERS)}; or all")
    parser.add_argument("--list", action="store_true", help="what is installed, and nothing more")
    parser.add_argument("--again", action="store_true", help="also what is there already")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in PEERS]:
        parser.error(f"no such peer: {', '.join(unknown)}; there are {', '.join(PEERS)}")
    return arguments


def main() -> int:
    """Install one after the other, each at low priority; returns 1 where one cannot be had."""
    arguments = _arguments()
    peers = [PEERS[name] for name in arguments.names or PEERS]
    if arguments.list:
        for peer in peers:
            print(_line(peer))
        return 0
    failed = [peer.name for peer in peers if not _installed(peer, arguments.again)]
    if failed:
        print(f"cannot be had: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


def _installed(peer: Peer, again: bool) -> bool:
    try:
        if again:
            cache.forget(peer)
        if not cache.is_installed(peer):
            print(f"{peer.name} {peer.version}: installing", flush=True)
        with _clock(peer):
            seconds = cache.install(peer)
    except PeerError as error:
        print(f"{peer.name} {peer.version}: {error}", file=sys.stderr)
        return False
    print(_line(peer) + (f", took {seconds:.0f} s" if seconds else ""), flush=True)
    return True


def _line(peer: Peer) -> str:
    name = f"{peer.name} {peer.version}"
    if not cache.is_installed(peer):
        return f"{name:30} not installed"
    return f"{name:30} {cache.size_of(peer) / 1e6:6.1f} MB"


@contextmanager
def _clock(peer: Peer) -> Iterator[None]:
    """Shows on a terminal how long it has been, and the last line that a tool has said."""
    over = threading.Event()
    started = time.monotonic()

    def tick() -> None:
        while not over.wait(0.5):
            line = f"{time.monotonic() - started:4.0f} s  {_last_line(peer)}"
            print(f"\r\x1b[K{line[:100]}", end="", file=sys.stderr, flush=True)

    thread = threading.Thread(target=tick)
    if sys.stderr.isatty():
        thread.start()
    try:
        yield
    finally:
        over.set()
        if thread.is_alive():
            thread.join()
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _last_line(peer: Peer) -> str:
    try:
        with cache.log_of(peer).open("rb") as log:
            log.seek(max(0, log.seek(0, 2) - 500))
            lines = log.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


if __name__ == "__main__":
    sys.exit(main())
