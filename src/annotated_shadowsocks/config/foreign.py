"""The other half of the table: what peers have and this program has not.

A key that a peer honours and this program silently ignored would be a trap: the operator believes
that an access list, a plugin or a bind address is in force. So each such key is a row with a
remedy, and stops the start. Only a key whose absence nobody can notice on the wire may stay; its
row says why.
"""

from .option import Option, Scope, flag, unsupported, without_effect

__all__ = ["FOREIGN"]

_TOP, _SERVER, _LOCAL = Scope.TOP, Scope.SERVER, Scope.LOCAL
_NOWHERE = Scope.COMMAND_LINE
_LIBEV = "ss-local ss-server ss-redir ss-tunnel ss-manager"
_LIBEV_BUT_MANAGER = "ss-local ss-server ss-redir ss-tunnel"
_RUST = "sslocal ssserver ssmanager"

_PLUGIN = "no plugin is started here: run it beside this program and point server at it"
_ROUTING = "all traffic goes through the server here: remove it, and filter with a firewall"
_BIND = "outgoing connections take the kernel's choice: remove it, and use routing rules"
_BUFFER = "the kernel tunes socket buffers by itself: remove it"
_MULTIPATH = "Multipath TCP is not used here: remove it"
_MANAGER = "the manager serves its ports itself: remove it"
_FOREGROUND = "the program stays in the foreground: let systemd start it, or nohup"
_OTA = "one-time authentication is broken and gone: remove it and use an AEAD method"
_SOCKS_ONLY = "sslocal speaks SOCKS5 only: remove it"
_DEVICE = "there is no tun device and no DNS service here: remove it"
_ANDROID = "this belongs to the Android application: remove it"
_SUBSCRIPTION = "servers are not fetched from the network: write them into the file"
_LIBRARY = "the cryptographic library is the installed package's"
_STDERR = "logs go to stderr, where the supervisor collects them"


def _tun_and_dns() -> tuple[Option[object], ...]:
    keys = (
        "tun_interface_name",
        "tun_interface_address",
        "tun_interface_destination",
        "tun_device_fd_from_path",
        "fake_dns_record_expire_duration",
        "fake_dns_ipv4_network",
        "fake_dns_ipv6_network",
        "fake_dns_database_path",
    )
    return tuple(
        unsupported(
            key, _DEVICE, _LOCAL, rust=(flag(f"--{key.replace('_', '-')}", "sslocal", "VALUE"),)
        )
        for key in keys
    )


def _buffers() -> tuple[Option[object], ...]:
    sizes = (("sndbuf", "send"), ("rcvbuf", "recv"))
    return tuple(
        unsupported(
            f"tcp_{side}_{size}",
            _BUFFER,
            rust=(flag(f"--{rust_side}-{word}-buffer-size", _RUST, "OCTETS"),),
            libev=(flag(f"--tcp-{side}-{size}", _LIBEV_BUT_MANAGER, "OCTETS"),),
        )
        for side, rust_side in (("incoming", "inbound"), ("outgoing", "outbound"))
        for size, word in sizes
    )


FOREIGN: tuple[Option[object], ...] = (
    unsupported(
        "plugin",
        _PLUGIN,
        _TOP | _SERVER,
        rust=(flag("--plugin", _RUST, "PLUGIN"),),
        libev=(flag("--plugin", _LIBEV, "PLUGIN"),),
    ),
    unsupported(
        "plugin_opts",
        _PLUGIN,
        _TOP | _SERVER,
        rust=(flag("--plugin-opts", _RUST, "OPTIONS"),),
        libev=(flag("--plugin-opts", _LIBEV, "OPTIONS"),),
    ),
    unsupported("plugin_args", _PLUGIN, _TOP | _SERVER),
    unsupported(
        "plugin_mode", _PLUGIN, _TOP | _SERVER, rust=(flag("--plugin-mode", _RUST, "MODE"),)
    ),
    unsupported(
        "acl",
        _ROUTING,
        _TOP | _SERVER | _LOCAL,
        rust=(flag("--acl", _RUST, "FILE"),),
        libev=(flag("--acl", "ss-local ss-server ss-manager", "FILE"),),
    ),
    unsupported(
        "forbidden_ip", "non-global targets are refused already: remove it, or use a firewall"
    ),
    unsupported(
        "manager",
        "servers report to no manager here: use ssmanager, which serves its ports itself",
        _NOWHERE,
        rust=(flag("--manager-addr --manager-address", "ssserver", "ADDRESS"),),
        libev=(flag("--manager-address", "ss-server", "ADDRESS"),),
    ),
    unsupported(
        "executable",
        _MANAGER,
        _NOWHERE,
        rust=(
            flag("--manager-server-mode", "ssmanager", "MODE"),
            flag("--manager-server-working-directory", "ssmanager", "DIRECTORY"),
        ),
        libev=(flag("--executable", "ss-manager", "FILE"),),
    ),
    unsupported(
        "nftables_sets",
        "no firewall is changed here: remove it",
        _NOWHERE,
        libev=(flag("--nftables-sets", "ss-server", "SETS"),),
    ),
    unsupported(
        "key",
        "a raw key is not read: give the password that it was made from",
        libev=(flag("--key", _LIBEV_BUT_MANAGER, "KEY"),),
    ),
    unsupported("tcp_weight", "servers have no weights here: remove it", _SERVER),
    unsupported("udp_weight", "servers have no weights here: remove it", _SERVER),
    unsupported("balancer", "servers are not measured here: remove it"),
    unsupported("security", "replays are always refused here: remove it"),
    unsupported(
        "online_config",
        _SUBSCRIPTION,
        rust=(
            flag("--online-config-url", "sslocal", "URL"),
            flag("--online-config-update-interval", "sslocal", "SECONDS"),
            flag("--online-config-allowed-plugin", "sslocal", "PLUGIN"),
        ),
    ),
    unsupported(
        "user",
        "start it as that user, with CAP_NET_BIND_SERVICE for a port below 1024",
        rust=(flag("-a --user", _RUST, "USER"),),
        libev=(flag("-a", _LIBEV, "USER"),),
    ),
    unsupported(
        "daemon",
        _FOREGROUND,
        rust=(flag("-d --daemonize", _RUST), flag("--daemonize-pid", _RUST, "FILE")),
        libev=(flag("-f", _LIBEV, "FILE"),),
    ),
    unsupported("runtime", "use workers, the number of processes"),
    unsupported("writers", _STDERR + ": remove it", Scope.LOG),
    unsupported(
        "config_path",
        _STDERR + ": remove it",
        Scope.LOG,
        rust=(flag("--log-config", _RUST, "FILE"),),
    ),
    unsupported(
        "mptcp",
        _MULTIPATH,
        rust=(flag("--tcp-multipath --mptcp", _RUST),),
        libev=(flag("--mptcp", _LIBEV_BUT_MANAGER),),
    ),
    unsupported("dscp", _BIND),
    unsupported(
        "outbound_bind_addr",
        _BIND,
        _TOP | _SERVER,
        rust=(
            flag("--outbound-bind-addr --bind-addr", "sslocal", "ADDRESS"),
            flag("-b --outbound-bind-addr --bind-addr", "ssserver ssmanager", "ADDRESS"),
        ),
        libev=(flag("-b", "ss-server", "ADDRESS"),),
    ),
    unsupported("local_ipv4_address", _BIND),
    unsupported("local_ipv6_address", _BIND),
    unsupported(
        "outbound_bind_interface",
        _BIND,
        _TOP | _SERVER,
        rust=(flag("--outbound-bind-interface", _RUST, "INTERFACE"),),
        libev=(flag("-i", "ss-local ss-server ss-tunnel ss-manager", "INTERFACE"),),
    ),
    unsupported(
        "outbound_fwmark",
        _BIND,
        _TOP | _SERVER,
        rust=(flag("--outbound-fwmark", _RUST, "MARK"),),
    ),
    unsupported(
        "outbound_user_cookie",
        _BIND,
        _TOP | _SERVER,
        rust=(flag("--outbound-user-cookie", _RUST, "COOKIE"),),
    ),
    unsupported("outbound_udp_allow_fragmentation", _BIND, _TOP | _SERVER),
    unsupported(
        "outbound_proxy",
        _BIND,
        _TOP | _SERVER,
        rust=(flag("--outbound-proxy", "ssserver", "URL"),),
    ),
    unsupported("ipv6_only", "use ipv6_first: both families are used here"),
    unsupported(
        "dns_cache_size",
        "answers are not cached here: remove it",
        rust=(flag("--dns-cache-size", _RUST, "N"),),
    ),
    unsupported(
        "local_udp_address",
        "UDP is relayed at local_address: remove it",
        _LOCAL,
        rust=(flag("--udp-bind-addr", "sslocal", "HOST:PORT"),),
    ),
    unsupported("local_udp_port", "UDP is relayed at local_port: remove it", _LOCAL),
    unsupported(
        "udp_associate_addr",
        "sslocal tells its clients the address that they reached: remove it",
        _LOCAL,
        rust=(flag("--udp-associate-addr", "sslocal", "HOST:PORT"),),
    ),
    unsupported("http_auth_config_path", _SOCKS_ONLY, _LOCAL),
    unsupported(
        "forward_address",
        _SOCKS_ONLY,
        _LOCAL,
        rust=(flag("-f --forward-addr", "sslocal", "HOST:PORT"),),
    ),
    unsupported("forward_port", _SOCKS_ONLY, _LOCAL),
    unsupported("tunnel_address", _SOCKS_ONLY, libev=(flag("-L", "ss-tunnel", "HOST:PORT"),)),
    unsupported("tunnel_remote", _SOCKS_ONLY),
    unsupported("tunnel_remote_port", _SOCKS_ONLY),
    unsupported("tunnel_port", _SOCKS_ONLY),
    unsupported("tcp_redir", _SOCKS_ONLY, _LOCAL, rust=(flag("--tcp-redir", "sslocal", "HOW"),)),
    unsupported("udp_redir", _SOCKS_ONLY, _LOCAL, rust=(flag("--udp-redir", "sslocal", "HOW"),)),
    unsupported("tcp_tproxy", _SOCKS_ONLY, libev=(flag("-T", "ss-redir"),)),
    unsupported(
        "local_dns_address",
        _DEVICE,
        _LOCAL,
        rust=(flag("--local-dns-addr", "sslocal", "ADDRESS"),),
    ),
    unsupported("local_dns_port", _DEVICE, _LOCAL),
    unsupported(
        "remote_dns_address",
        _DEVICE,
        _LOCAL,
        rust=(flag("--remote-dns-addr", "sslocal", "ADDRESS"),),
    ),
    unsupported("remote_dns_port", _DEVICE, _LOCAL),
    unsupported("client_cache_size", _DEVICE, _LOCAL),
    unsupported("launchd_tcp_socket_name", "listen at local_address: remove it", _TOP | _LOCAL),
    unsupported("launchd_udp_socket_name", "listen at local_address: remove it", _TOP | _LOCAL),
    unsupported(
        "android",
        _ANDROID,
        _NOWHERE,
        rust=(
            flag("--vpn", "sslocal"),
            flag("--stat-path", "sslocal", "PATH"),
            flag("--stat-addr", "sslocal", "ADDRESS"),
            flag("--dns-addr", "sslocal", "ADDRESS"),
        ),
    ),
    unsupported("auth", _OTA, libev=(flag("-A", _LIBEV),)),
    unsupported("one_time_auth", _OTA),
    *_tun_and_dns(),
    *_buffers(),
    without_effect("$schema", "for editors"),
    without_effect("version", "the version of a SIP008 document"),
    without_effect("bytes_used", "a SIP008 document's account"),
    without_effect("bytes_remaining", "a SIP008 document's account"),
    without_effect("id", "a SIP008 document's name for a server", _TOP | _SERVER),
    without_effect("use_syslog", _STDERR),
    without_effect("log-file", _STDERR),
    without_effect("pid-file", "a program in the foreground needs none"),
    without_effect(
        "mtu", "datagrams of every size are relayed", libev=(flag("--mtu", _LIBEV, "N"),)
    ),
    without_effect(
        "workdir",
        "the manager writes no files",
        libev=(flag("-D --workdir", "ss-manager", "DIRECTORY"),),
    ),
    without_effect("udp_mtu", "datagrams of every size are relayed"),
    without_effect("libopenssl", _LIBRARY),
    without_effect("libmbedtls", _LIBRARY),
    without_effect("libsodium", _LIBRARY),
    without_effect("crypto_path", _LIBRARY),
)
