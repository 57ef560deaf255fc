"""The one table of options. Parsers, help texts, error hints and reference pages are made from it.

A row is a setting: the key in a document and the other names that peers have for it, the shape of
its value, its default, and a column of flags for each dialect. The dialects exist because the
peers disagree: ``-u`` adds UDP in libev and leaves nothing but UDP in rust, and ``-U`` is the other
way round. The other half of the table, keys and flags that peers have and this program has not,
is ``foreign``.

Flags stand over the document: one replaces what the document says, wherever it says it.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from ..endpoint import Endpoint
from ..shadowsocks import uri
from ..shadowsocks.uri import ServerUri
from . import kinds
from .account_options import (
    ALLOW_INSECURE_CIPHERS,
    ALLOW_WEAK_PASSWORDS,
    DESTINATIONS,
    PASSWORD_FILE,
    PORT_PASSWORD,
    USER_NAME,
    USERS,
)
from .foreign import FOREIGN
from .manager_options import MANAGER_ADDRESS, MANAGER_PORT
from .metrics_options import METRICS, METRICS_LISTEN, METRICS_TOKEN
from .option import CommandFlag, Option, Scope, flag
from .secret import Secret

__all__ = [
    "ALLOW_INSECURE_CIPHERS",
    "ALLOW_PRIVATE_TARGETS",
    "ALLOW_WEAK_PASSWORDS",
    "BACKLOG",
    "BACKLOG_ADAPTIVE",
    "CONFIG",
    "DEFER_ACCEPT",
    "DESTINATIONS",
    "DISABLED",
    "DNS",
    "FAST_OPEN",
    "HANDSHAKE_LIMIT",
    "IPV6_FIRST",
    "KEEP_ALIVE",
    "LOCALS",
    "LOCAL_ADDRESS",
    "LOCAL_PORT",
    "LOG",
    "LOG_FORMAT",
    "LOG_LEVEL",
    "LOG_WITHOUT_TIME",
    "MANAGER_ADDRESS",
    "MANAGER_PORT",
    "METHOD",
    "METRICS",
    "METRICS_LISTEN",
    "METRICS_TOKEN",
    "MODE",
    "NOFILE",
    "NO_DELAY",
    "OPTIONS",
    "PASSWORD",
    "PASSWORD_FILE",
    "PORT_PASSWORD",
    "PROTOCOL",
    "REMARKS",
    "REUSE_PORT",
    "SERVER",
    "SERVERS",
    "SERVER_PORT",
    "SERVER_URL",
    "SHUTDOWN_GRACE",
    "SOCKS5_AUTH_CONFIG_PATH",
    "STATE_DIRECTORY",
    "TIMEOUT",
    "UDP_MAX_ASSOCIATIONS",
    "UDP_OVER_TCP",
    "UDP_TIMEOUT",
    "USERS",
    "USER_NAME",
    "VERBOSE",
    "WORKERS",
    "by_name",
    "flags_of",
]

_LIBEV_BUT_MANAGER = "ss-local ss-server ss-redir ss-tunnel"
_BOTH = "sslocal ssserver"
_RUST = f"{_BOTH} ssmanager"
_TOP, _SERVER, _LOCAL = Scope.TOP, Scope.SERVER, Scope.LOCAL
_EVERYWHERE = _TOP | _SERVER | _LOCAL
_LIBEV = f"{_LIBEV_BUT_MANAGER} ss-manager"

CONFIG: Option[str | None] = Option(
    "config",
    kinds.text,
    None,
    "read settings from this file",
    Scope.COMMAND_LINE,
    rust=(flag("-c --config", _RUST, "FILE"),),
    libev=(flag("-c", _LIBEV, "FILE"),),
)

# --- a server, and how to reach it ---

SERVER: Option[tuple[kinds.HostPort, ...]] = Option(
    "server",
    kinds.host_ports,
    (),
    "where ssserver and ssmanager listen, where sslocal connects; a list in the file is several",
    _TOP | _SERVER | Scope.DESTINATION,
    ("address",),
    rust=(
        flag("-s --server-addr", _BOTH, "HOST:PORT"),
        flag("-s --server-host", "ssmanager", "HOST"),
    ),
    libev=(flag("-s", _LIBEV, "HOST"),),
)
SERVER_PORT: Option[tuple[int, ...]] = Option(
    "server_port",
    kinds.ports,
    (uri.DEFAULT_PORT,),
    "the server's port, where server has none",
    _TOP | _SERVER | Scope.DESTINATION,
    ("port",),
    libev=(flag("-p", _LIBEV_BUT_MANAGER, "PORT"),),
    own=(flag("-p", _BOTH, "PORT"),),
)
SERVER_URL: Option[ServerUri | None] = Option(
    "server_url",
    kinds.link,
    None,
    "the server as a SIP002 URL",
    Scope.COMMAND_LINE,
    rust=(flag("--server-url", "sslocal", "URL"),),
)
PASSWORD: Option[Secret | None] = Option(
    "password",
    kinds.secret,
    None,
    "the password; ${NAME} is taken from the environment",
    _TOP | _SERVER | Scope.USER | Scope.DESTINATION,
    rust=(flag("-k --password", _BOTH, "PASSWORD"),),
    libev=(flag("-k --password", _LIBEV, "PASSWORD"),),
)
METHOD: Option[Any] = Option(
    "method",
    kinds.cipher_method,
    None,
    "the cipher method, the same on both sides",
    _TOP | _SERVER,
    rust=(flag("-m --encrypt-method", _RUST, "METHOD"),),
    libev=(flag("-m", _LIBEV, "METHOD"),),
)
REMARKS: Option[str] = Option(
    "remarks", kinds.remark, "", "a name for people; the tag of a URL", _TOP | _SERVER, ("name",)
)
SERVERS: Option[list[dict[str, object]]] = Option(
    "servers",
    kinds.objects,
    [],
    "several servers; keys that one lacks are taken from the top level",
    aliases=("shadowsocks",),
)
DISABLED: Option[bool] = Option(
    "disabled", kinds.boolean, False, "leave this one out", _SERVER | _LOCAL
)

# --- where sslocal listens ---

LOCAL_ADDRESS: Option[kinds.HostPort] = Option(
    "local_address",
    kinds.host_port,
    kinds.HostPort("127.0.0.1", None),
    "where sslocal listens for SOCKS5",
    _TOP | _LOCAL,
    rust=(flag("-b --local-addr", "sslocal", "HOST:PORT"),),
    libev=(flag("-b", "ss-local ss-redir ss-tunnel", "HOST"),),
)
LOCAL_PORT: Option[int] = Option(
    "local_port",
    kinds.port,
    # [RFC1928 §3] the SOCKS service is conventionally on TCP port 1080
    1080,
    "the port there, where local_address names none",
    _TOP | _LOCAL,
    libev=(flag("-l", _LIBEV, "PORT"),),
    own=(flag("-l", "sslocal", "PORT"),),
)
LOCALS: Option[list[dict[str, object]]] = Option(
    "locals",
    kinds.objects,
    [],
    "several places where sslocal listens; keys that one lacks are taken from the top level",
)
PROTOCOL: Option[str] = Option(
    "protocol",
    kinds.choice("socks"),
    "socks",
    "what sslocal speaks there",
    _TOP | _LOCAL,
    rust=(flag("--protocol", "sslocal", "PROTOCOL"),),
)
SOCKS5_AUTH_CONFIG_PATH: Option[str | None] = Option(
    "socks5_auth_config_path",
    kinds.text,
    None,
    'a file of SOCKS5 users, {"password": {"users": [{"user_name": …, "password": …}]}}',
    _TOP | _LOCAL,
)

# --- what is relayed, and for how long ---

MODE: Option[str] = Option(
    "mode",
    kinds.choice("tcp_only", "tcp_and_udp", "udp_only"),
    "tcp_only",
    "what is relayed",
    _EVERYWHERE,
    rust=(
        flag("-u", _RUST, means="udp_only"),
        flag("-U", _RUST, means="tcp_and_udp"),
    ),
    libev=(
        flag("-u", _LIBEV, means="tcp_and_udp"),
        flag("-U", _LIBEV, means="udp_only"),
    ),
)
#: Seconds; what Debian ships for shadowsocks-libev says a day, and means something else by it.
HANDSHAKE_LIMIT = 60.0

# The peers' `timeout` is an idle timeout in one, a connect timeout in another. Here it is the one
# that security needs: absolute, from accept, and not restarted by octets that trickle in. A silent
# prober holds a descriptor for that long, so a peer's idle timeout is not taken at its word.
TIMEOUT: Option[float] = Option(
    "timeout",
    kinds.seconds(0.001),
    HANDSHAKE_LIMIT,
    "seconds from accept in which a handshake must be complete; more than 60 counts as 60",
    _TOP | _SERVER,
    rust=(flag("--timeout", _RUST, "SECONDS"),),
    libev=(flag("-t", _LIBEV, "SECONDS"),),
    own=(flag("-t", _RUST, "SECONDS"),),
)
UDP_TIMEOUT: Option[float] = Option(
    "udp_timeout",
    kinds.seconds(0.001),
    # [RFC4787 §4.3] REQ-5: five minutes or more is recommended for a UDP mapping
    300.0,
    "seconds of silence after which a UDP association ends",
    rust=(flag("--udp-timeout", _RUST, "SECONDS"),),
)
UDP_MAX_ASSOCIATIONS: Option[int | None] = Option(
    "udp_max_associations",
    kinds.integer(1, 1 << 24),
    None,
    "UDP associations at a time; by default as many as descriptors allow",
    rust=(flag("--udp-max-associations", _RUST, "N"),),
)
# sing-box has the same key, with the same meanings of its values.
UDP_OVER_TCP: Option[int] = Option(
    "udp_over_tcp",
    kinds.udp_over_tcp,
    0,
    "sslocal: send datagrams to this server in a tunnelled stream, for networks that let no UDP "
    "pass; true, or the version of that protocol, 1 or 2",
    Scope.TOP | Scope.SERVER,
    own=(flag("--udp-over-tcp", "sslocal ss-local", means=2),),
)
NO_DELAY: Option[bool] = Option(
    "no_delay",
    kinds.boolean,
    True,
    "send small segments at once (TCP_NODELAY)",
    rust=(flag("--tcp-no-delay --no-delay", _RUST),),
    libev=(flag("--no-delay", _LIBEV),),
)
KEEP_ALIVE: Option[int] = Option(
    "keep_alive",
    kinds.integer(0, 32767),
    60,
    "seconds between TCP keep-alive probes; 0 sends none",
    rust=(flag("--tcp-keep-alive", _RUST, "SECONDS"),),
)
FAST_OPEN: Option[bool] = Option(
    "fast_open",
    kinds.boolean,
    False,
    "use TCP Fast Open where this side listens, and sslocal also towards its servers",
    rust=(flag("--tcp-fast-open --fast-open", _RUST),),
    libev=(flag("--fast-open", _LIBEV),),
)
IPV6_FIRST: Option[bool] = Option(
    "ipv6_first",
    kinds.boolean,
    False,
    "prefer IPv6 addresses of a name",
    aliases=("prefer_ipv6",),
    rust=(flag("-6", _RUST),),
    libev=(flag("-6", _LIBEV),),
)
DNS: Option[tuple[Endpoint, ...] | None] = Option(
    "dns",
    kinds.resolvers,
    (),
    "DNS servers, joined by commas or a list; by default those of /etc/resolv.conf, and system "
    "asks the C library instead",
    aliases=("nameserver", "dns_server"),
    rust=(flag("--dns", _RUST, "ADDRESSES"),),
    libev=(flag("-d", "ss-server ss-manager", "ADDRESSES"),),
)
ALLOW_PRIVATE_TARGETS: Option[bool] = Option(
    "allow_private_targets",
    kinds.boolean,
    False,
    "let ssserver connect to loopback, private and other non-global addresses",
    own=(flag("--allow-private-targets", "ssserver ssmanager ss-manager"),),
)

# --- the process ---

BACKLOG: Option[int | None] = Option(
    "backlog",
    kinds.backlog,
    None,
    "the argument of listen(2); auto, the default, is as much as the kernel allows",
    own=(flag("--backlog", takes="N"),),
)
BACKLOG_ADAPTIVE: Option[bool] = Option(
    "backlog_adaptive",
    kinds.boolean,
    False,
    "as an accept queue nears its limit, call listen(2) again with a larger backlog, up to "
    "net.core.somaxconn",
    own=(flag("--backlog-adaptive"),),
)
REUSE_PORT: Option[bool] = Option(
    "reuse_port",
    kinds.boolean,
    False,
    "give each worker a listening socket, and so an accept queue, of its own (SO_REUSEPORT); "
    "by default they share one",
    libev=(flag("--reuse-port", _LIBEV),),
    own=(flag("--reuse-port", _RUST),),
)
DEFER_ACCEPT: Option[int] = Option(
    "defer_accept",
    kinds.integer(0, 32767),
    0,
    "seconds for which the kernel keeps a connection that has sent nothing out of the accept "
    "queue (TCP_DEFER_ACCEPT); 0 queues it at once",
    own=(flag("--defer-accept", takes="SECONDS"),),
)
NOFILE: Option[int | None] = Option(
    "nofile",
    kinds.integer(64, 1 << 30),
    None,
    "limit of open descriptors; by default raised as far as allowed",
    rust=(flag("-n --nofile", _RUST, "N"),),
    libev=(flag("-n", _LIBEV, "N"),),
)
WORKERS: Option[int] = Option(
    "workers",
    kinds.integer(1, 1024),
    1,
    "processes that share the listening sockets",
    rust=(
        flag("--worker-threads", _RUST, "N"),
        flag("--single-threaded", _RUST, means=1),
    ),
    own=(flag("--workers", takes="N"),),
)
STATE_DIRECTORY: Option[str | None] = Option(
    "state_directory",
    kinds.text,
    None,
    "where the memory for salts is kept, which refuses recordings after a restart too "
    "(sslocal keeps it only where this is given)",
    own=(flag("--state-directory", takes="DIR"),),
)
SHUTDOWN_GRACE: Option[float] = Option(
    "shutdown_grace",
    kinds.seconds(),
    30.0,
    "seconds that open connections may go on after SIGTERM",
    own=(flag("--shutdown-grace", takes="SECONDS"),),
)
VERBOSE: Option[int] = Option(
    "verbose",
    kinds.verbosity,
    0,
    "log more; twice adds tracebacks",
    rust=(flag("-v", _RUST),),
    libev=(flag("-v", _LIBEV),),
)
LOG: Option[dict[str, object]] = Option(
    "log", kinds.object_, {}, "what is logged: an object with level and format"
)
LOG_LEVEL: Option[int] = Option("level", kinds.verbosity, 0, "the same as verbose", Scope.LOG)
LOG_FORMAT: Option[dict[str, object]] = Option(
    "format", kinds.object_, {}, "how it is logged: an object with without_time", Scope.LOG
)
LOG_WITHOUT_TIME: Option[bool] = Option(
    "without_time",
    kinds.boolean,
    False,
    "leave the time out of log lines, where the journal adds its own",
    Scope.LOG_FORMAT,
    rust=(flag("--log-without-time", _RUST),),
)

_SUPPORTED: tuple[Option[Any], ...] = (
    CONFIG,
    SERVER,
    SERVER_PORT,
    SERVER_URL,
    PASSWORD,
    PASSWORD_FILE,
    METHOD,
    ALLOW_INSECURE_CIPHERS,
    ALLOW_WEAK_PASSWORDS,
    REMARKS,
    PORT_PASSWORD,
    USERS,
    DESTINATIONS,
    USER_NAME,
    SERVERS,
    DISABLED,
    LOCAL_ADDRESS,
    LOCAL_PORT,
    LOCALS,
    PROTOCOL,
    SOCKS5_AUTH_CONFIG_PATH,
    MODE,
    TIMEOUT,
    UDP_TIMEOUT,
    UDP_MAX_ASSOCIATIONS,
    UDP_OVER_TCP,
    NO_DELAY,
    KEEP_ALIVE,
    FAST_OPEN,
    IPV6_FIRST,
    DNS,
    ALLOW_PRIVATE_TARGETS,
    BACKLOG,
    BACKLOG_ADAPTIVE,
    REUSE_PORT,
    DEFER_ACCEPT,
    NOFILE,
    WORKERS,
    STATE_DIRECTORY,
    SHUTDOWN_GRACE,
    METRICS,
    METRICS_LISTEN,
    METRICS_TOKEN,
    MANAGER_ADDRESS,
    MANAGER_PORT,
    VERBOSE,
    LOG,
    LOG_LEVEL,
    LOG_FORMAT,
    LOG_WITHOUT_TIME,
)

#: Every row.
OPTIONS: tuple[Option[Any], ...] = _SUPPORTED + FOREIGN


@cache
def by_name(scope: Scope) -> Mapping[str, Option[Any]]:
    """The rows whose keys may stand in ``scope``, under each of their names."""
    return {name: row for row in OPTIONS if row.scopes & scope for name in row.names}


def flags_of(row: Option[Any], program: str) -> tuple[CommandFlag, ...]:
    """The flags of ``row`` that ``program`` has, in the meaning of its dialect."""
    return tuple(f for f in (*row.rust, *row.libev, *row.own) if program in f.programs)
