"""``run_server`` and ``run_local``: a configuration, served until a signal ends it."""

import logging
import os
import signal
import time
from collections.abc import Callable

from ..config.model import Config
from ..errors import ConfigError
from ..resolver.resolver import Resolver
from ..services.bindings import Bindings
from ..services.salts import SharedSalts, kept_salts, state_directory
from ..system import entropy, raise_descriptor_limit
from ..telemetry.board import Board
from .heritage import inherited
from .management import Management, open_management
from .observer import Observer
from .process import SIGNALS, Process, loop_factory
from .supervisor import Supervisor
from .systemd import Notifier

__all__ = ["run_local", "run_server"]

_log = logging.getLogger(__name__)


def run_server(config: Config, reload: Callable[[], Config]) -> int:
    """Be ``ssserver``, or ``ssmanager`` where ``config`` has a manager; returns the exit status.

    ``reload`` reads the configuration again and may raise ``ConfigError``. Raises ``ListenError``
    or ``ConfigError`` where nothing could be started, and then nothing was.
    """
    return _run(config, reload)


def run_local(config: Config, reload: Callable[[], Config]) -> int:
    """Be ``sslocal``; see ``run_server``."""
    return _run(config, reload)


def _run(config: Config, reload: Callable[[], Config]) -> int:
    loop_factory()
    _raise_limit(config)
    # Whoever sees a port open takes the service for ready, and may send it a signal at once.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    notifier = Notifier.of(os.environ, os.getpid())
    heritage = inherited(os.environ, os.getpid(), os.getppid())
    left = heritage.describe()
    bindings = Bindings(config.workers, config.reuse_port, heritage.adopt)
    bindings.open(config)
    if config.metrics is not None:
        bindings.open_metrics(config.metrics.listen)
    management = None
    if config.manager is not None:
        management = open_management(config.manager.listen, heritage.adopt)
    heritage.settle()
    if left:
        _log.info("sockets were left to us: %s", left)
    predecessor = heritage.predecessor
    salts = _salts(config)
    try:
        if management is not None:
            return _managed(config, bindings, salts, reload, notifier, management)
        if not _supervised(config):
            process = Process(
                config, bindings, salts, reload=reload, notifier=notifier, predecessor=predecessor
            )
            return process.run()
        Resolver.preload()
        return Supervisor(config, bindings, salts, reload, notifier, predecessor).run()
    finally:
        if management is not None:
            management.close()
        bindings.close()
        salts.close()


def _managed(
    config: Config,
    bindings: Bindings,
    salts: SharedSalts,
    reload: Callable[[], Config],
    notifier: Notifier,
    management: Management,
) -> int:
    """Be ``ssmanager``: one process, because what a datagram adds is open in that one alone.

    Figures are served by it too, so whoever reads them takes a little of its time.
    """
    if config.metrics is None:
        process = Process(
            config, bindings, salts, reload=reload, notifier=notifier, management=management
        )
        return process.run()
    board = Board()
    observer = Observer(config, bindings, board, board.take(), notifier, time.time())
    process = Process(
        config,
        bindings,
        salts,
        reload=reload,
        report=(board, board.take()),
        watches=False,
        notifier=notifier,
        observer=observer,
        management=management,
    )
    try:
        return process.run()
    finally:
        board.close()


def _supervised(config: Config) -> bool:
    # Figures are served by a process of its own, and somebody has to look after that one.
    return config.workers > 1 or config.metrics is not None


def _salts(config: Config) -> SharedSalts:
    shared = _supervised(config)
    # What is recorded of a client's traffic and played back concerns servers. A client needs its
    # memory against its own server's echo, and the file only where somebody wants it.
    if config.locals and config.state_directory is None:
        return SharedSalts(entropy, shared)
    return kept_salts(entropy, shared, state_directory(config.state_directory, os.environ))


def _raise_limit(config: Config) -> None:
    try:
        raise_descriptor_limit(config.nofile)
    except (ValueError, OSError) as error:
        raise ConfigError(
            "nofile",
            f"{config.nofile} descriptors: {error}",
            "raise the hard limit or lower nofile",
        ) from error
