"""Rows of the table of options: whom a server serves, by which passwords, and how weak ones."""

from . import kinds
from .option import Option, Scope, flag
from .secret import Secret

__all__ = [
    "ALLOW_INSECURE_CIPHERS",
    "ALLOW_WEAK_PASSWORDS",
    "DESTINATIONS",
    "PASSWORD_FILE",
    "PORT_PASSWORD",
    "USERS",
    "USER_NAME",
]

PASSWORD_FILE: Option[str | None] = Option(
    "password_file",
    kinds.text,
    None,
    "a file, readable by its owner alone, whose first line is the password",
    Scope.TOP | Scope.SERVER,
    own=(flag("--password-file", takes="FILE"),),
)
PORT_PASSWORD: Option[dict[int, Secret]] = Option(
    "port_password",
    kinds.port_passwords,
    {},
    "several servers on one address: passwords by port, instead of server_port and password",
)
ALLOW_INSECURE_CIPHERS: Option[bool] = Option(
    "allow_insecure_ciphers",
    kinds.boolean,
    False,
    "take a stream cipher or none for a method: whoever is on the path can change what is relayed, "
    "and without a cipher read it",
    own=(flag("--allow-insecure-ciphers"),),
)
ALLOW_WEAK_PASSWORDS: Option[bool] = Option(
    "allow_weak_passwords",
    kinds.boolean,
    False,
    "let ssserver use a password that a recording of one packet is enough to guess",
    own=(flag("--allow-weak-passwords", "ssserver ssmanager ss-server ss-manager"),),
)
# The shape of shadowsocks-rust and of sing-box, for SIP023 and for SIP004 alike.
USERS: Option[list[dict[str, object]]] = Option(
    "users",
    kinds.objects,
    [],
    "ssserver: several users on one port, a list of objects with name and password; of an "
    "AEAD-2022 method password is then what names them, and each client has both, joined by ':'",
    Scope.TOP | Scope.SERVER,
)
# The shape of sing-box.
DESTINATIONS: Option[list[dict[str, object]]] = Option(
    "destinations",
    kinds.objects,
    [],
    "ssserver: pass streams and datagrams on to further servers, as their identity headers say: "
    "a list of objects with name, server, server_port and the password of that server",
    Scope.TOP | Scope.SERVER,
)
USER_NAME: Option[str] = Option(
    "name", kinds.text, "", "the name, for logs and counts", Scope.USER | Scope.DESTINATION
)
